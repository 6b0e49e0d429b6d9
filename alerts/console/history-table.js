// Alerts of the past as rows: on the page for people, in a file for machines (points, UTC).

import { h } from "./dom.js";
import * as format from "./format.js";
import { deeds, endedAt, openedAt } from "./station-alerts.js";
import { grid } from "./tables.js";
import { chip } from "./view.js";
import { pick, word } from "./words.js";

export function alertsTable(alerts) {
  const columns = ["severity_label", "alert", "opened_label", "ended_label", "lasted", "rule", "deeds"];
  return grid(word("history_alerts"), columns, alerts.map(row));
}

function row(alert) {
  const { newest, handling } = alert;
  const ended = endedAt(alert);
  return {
    "data-alert": alert.alert_id,
    "data-severity": newest.severity,
    cells: [
      [h("span", { class: "severity" }, word(`severity_${newest.severity}`)), state(alert)],
      [
        h("a", { href: `#/alert/${alert.alert_id}` }, pick(newest.headline)),
        !newest.verified && chip("warn", word("unverified")),
      ],
      time(openedAt(alert)),
      ended ? time(ended) : "–",
      ended ? format.span(Math.max(0, (Date.parse(ended) - Date.parse(openedAt(alert))) / 1000)) : "–",
      newest.rule,
      deeds(handling) || "–",
    ],
  };
}

const time = (stamp) => h("time", { datetime: stamp }, format.moment(stamp));

function state({ state: shown }) {
  if (shown === "ended") return null;
  return chip(shown === "open" ? "open" : "dull", word(`state_of_${shown}`));
}

export const FILE_COLUMNS = [
  "alert_id",
  "state",
  "severity",
  "station",
  "target",
  "rule",
  "opened_at",
  "ended_at",
  "level_name",
  "value",
  "unit",
  "acknowledged_by",
  "assigned_to",
  "comments",
  "headline_vi",
  "headline_en",
];

export const fileRow = (alert) => {
  const { newest, handling } = alert;
  return [
    alert.alert_id,
    alert.state,
    newest.severity,
    newest.station,
    newest.target,
    newest.rule,
    openedAt(alert),
    endedAt(alert),
    newest.level_name,
    newest.value,
    newest.unit,
    handling.acknowledged?.by,
    handling.assigned_to,
    handling.comments,
    newest.headline.vi,
    newest.headline.en,
  ];
};
