// The alerts of one station: the open ones with what people have done, then those that have ended.

import { h } from "./dom.js";
import * as format from "./format.js";
import { chip } from "./view.js";
import { pick, said, word } from "./words.js";

const ENDED_SHOWN = 8;

// What every list of alerts says of one: when it began and ended, and how it stands. An alert without a rule's
// condition any more has only its events to tell.
export const openedAt = (alert) => alert.began_at;
export const endedAt = (alert) => alert.ended_at;

// `alerts`: all of the station as the server told them, or null where it did not; `known`: whether it can claim
// anything now.
export function stationAlerts(station, alerts, comments, known) {
  const told = alerts?.filter((alert) => !alert.newest.shadow) ?? [];
  const open = told.filter((alert) => endedAt(alert) === null);
  const ended = told.filter((alert) => endedAt(alert) !== null).slice(0, ENDED_SHOWN);
  const none = known && alerts ? "station_no_alerts" : "no_alerts_unknown";
  return h(
    "section",
    { class: "station-alerts", "aria-labelledby": "station-alerts-title" },
    h("h3", { id: "station-alerts-title" }, word("station_alerts")),
    open.length
      ? h(
          "ul",
          {},
          open.map((alert) => item(alert, known)),
        )
      : h("p", { class: "none" }, word(none)),
    h("h4", {}, word("past_alerts")),
    ended.length
      ? h(
          "ul",
          { class: "past" },
          ended.map((alert) => item(alert, true)),
        )
      : h("p", { class: "none" }, word(alerts ? "no_past_alerts" : "kept_unknown")),
    comments.length > 0 && [h("h4", {}, word("comments")), h("ul", { class: "comments" }, comments.map(comment))],
    h("a", { href: `#/history?${new URLSearchParams({ q: station.id })}` }, word("all_in_history")),
  );
}

function item(alert, known) {
  const { newest } = alert;
  const ended = endedAt(alert);
  return h(
    "li",
    { "data-severity": newest.severity, "data-alert": alert.alert_id, class: known ? null : "old" },
    h("a", { href: `#/alert/${alert.alert_id}` }, pick(newest.headline)),
    h(
      "p",
      {},
      time(openedAt(alert)),
      ended && [" – ", time(ended)],
      !newest.verified && chip("warn", word("unverified")),
    ),
    h("p", {}, deeds(alert.handling)),
  );
}

const comment = (event) =>
  h("li", {}, said("latest_comment", { by: event.by, at: format.moment(event.detected_at), text: event.comment }));

const time = (stamp) => h("time", { datetime: stamp }, format.moment(stamp));

export function deeds({ acknowledged, assigned_to, shelved, cancelled, comments }) {
  return [
    acknowledged && said(acknowledged.worse ? "acknowledged_worse" : "acknowledged_by", acknowledged),
    assigned_to && said("assigned_to", { to: assigned_to }),
    shelved && said("shelved_until", { by: shelved.by, until: format.moment(shelved.until) }),
    cancelled && `${word("kind_cancelled")} (${cancelled.by})`,
    comments > 0 && said("commented", { count: comments }),
  ]
    .filter(Boolean)
    .join(" · ");
}
