// The report that one shift hands to the next, as it is read on the screen and on paper. Pure but for the words.

import { h } from "./dom.js";
import * as format from "./format.js";
import { deeds } from "./station-alerts.js";
import { called } from "./station-facts.js";
import { section } from "./tables.js";
import { isSuspect } from "./series.js";
import { chip } from "./view.js";
import { pick, property, said, word } from "./words.js";

// `stations`: as the feed has them, for the names of levels.
export function report(told, stations) {
  return [
    open("handover_open", told.open),
    ...(told.cancelled.length ? [open("handover_cancelled", told.cancelled)] : []),
    unanswered(told.unanswered),
    forecasts(told.forecasts, levelsOf(stations)),
    highest(told.highest),
    silent(told.silent),
    shelved(told.shelved),
    maintenance(told.maintenance),
    silences(told.silences),
    gaps(told.gaps),
    refused(told.refused),
    receivers(told.receivers),
    events(told.events),
  ];
}

const at = (stamp) => (stamp ? h("time", { datetime: stamp }, format.moment(stamp)) : word("not_known"));
const amount = (value, unit) => format.quantity(value, unit);
const place = ({ station, station_name, river }) => [
  h("a", { href: `#/station/${encodeURIComponent(station)}` }, pick(station_name)),
  river && h("small", {}, ` ${pick(river)}`),
];
const alertLink = ({ alert_id, headline }) => h("a", { href: `#/alert/${alert_id}` }, pick(headline));

function open(key, alerts) {
  const rows = alerts.map(({ newest, handling, comments, state, ...alert }) => ({
    "data-severity": newest.severity,
    "data-alert": alert.alert_id,
    cells: [
      [
        state === "unknown" && chip("dull", word("unknown")),
        alertLink({ ...alert, headline: newest.headline }),
        comments.length > 0 && h("ul", { class: "comments" }, comments.map(comment)),
      ],
      handling.assigned_to ?? h("strong", {}, word("no_owner")),
      deeds({ ...handling, assigned_to: null, comments: 0 }) || "–",
    ],
  }));
  return section(key, ["alert", "owner", "deeds"], rows);
}

const comment = (each) =>
  h("li", {}, said("latest_comment", { by: each.by, at: format.moment(each.at), text: each.comment }));

function unanswered(alerts) {
  const rows = alerts.map((each) => ({
    cells: [
      [alertLink(each), each.still && chip("warn", word("still_unanswered"))],
      each.steps.map(({ at: when, told_to }) => h("div", {}, at(when), " → ", told(told_to))),
    ],
  }));
  return section("handover_unanswered", ["alert", "steps"], rows);
}

const told = (receivers) => receivers.map((name) => (name === "*" ? word("everyone") : name)).join(", ");

const levelsOf = (stations) => new Map(stations.flatMap((each) => each.datastreams.map((one) => [one.key, one])));

function forecasts(due, streams) {
  const rows = due.map((each) => ({
    cells: [
      place(each),
      [h("b", {}, level(each, streams.get(each.key))), ` ${amount(each.mark, "m")}`],
      at(each.at),
      [at(each.earliest), " – ", each.latest ? at(each.latest) : beyond(each)],
      likely(each.chance.at(-1)),
    ],
  }));
  const columns = ["station", "level_label", "expected_at", "interval_80", "chance_label"];
  return section(
    "handover_forecasts",
    columns,
    rows,
    rows.length > 0 && h("p", { class: "notice" }, word("forecast_notice")),
  );
}

const level = ({ passes, mark }, stream) => passes ?? (stream?.levels.length ? called(mark, stream) : "");

// Later than the longest horizon that was foretold.
const beyond = ({ chance }) => said("beyond", { hours: format.number(chance.at(-1).hours, 0) });

const likely = ({ hours, probability }) =>
  `${format.number(100 * probability, 0)}\u00a0% (${format.number(hours, 0)}\u00a0${word("hour")})`;

function highest(values) {
  const rows = values.map((each) => ({
    cells: [place(each), reading(each), at(each.time), distance(each)],
  }));
  return section("handover_highest", ["station", ["value", true], "time", "level_label"], rows);
}

const reading = ({ value, unit, quality }) => [
  amount(value, unit),
  isSuspect({ value, quality }) && chip("warn", word("suspect")),
];

function distance({ level, unit }) {
  if (!level) return word("not_known");
  return level.rank ? said("above", { level: level.name, by: amount(level.above, unit) }) : "–";
}

function silent(stations) {
  const rows = stations.flatMap((station) =>
    station.datastreams.map((each) => ({
      class: "old",
      cells: [
        place(station),
        property(each.property),
        each.since ? at(each.since) : word("never_heard"),
        each.newest && each.newest.value !== null ? amount(each.newest.value, each.unit) : "–",
      ],
    })),
  );
  return section("handover_silent", ["station", "quantity", "silent_since", ["last_value", true]], rows);
}

function shelved(alerts) {
  const rows = alerts.map((each) => ({ cells: [alertLink(each), each.by, at(each.until), each.comment || "–"] }));
  return section("handover_shelved", ["alert", "owner", "ends", "comment_label"], rows);
}

function maintenance(windows) {
  const rows = windows.map((each) => ({
    cells: [each.subject, each.owner, at(each.begins), at(each.ends), each.reason],
  }));
  return section("handover_maintenance", ["subject", "owner", "begins", "ends", "why"], rows);
}

function silences(quiet) {
  const rows = quiet.map((each) => ({
    cells: [
      [each.rule, each.station, each.severity].filter(Boolean).join(" · ") || word("everything"),
      each.owner,
      at(each.begins),
      at(each.ends),
      each.reason,
    ],
  }));
  return section("handover_silences", ["subject", "owner", "begins", "ends", "why"], rows);
}

// Why the broker kept nothing for us, as ingest says it: "session lost".
export const gapReason = ({ reason }) => word(`gap_${reason.replaceAll(" ", "_")}`);

function gaps(lost) {
  const rows = lost.map((each) => ({
    cells: [at(each.started_at), at(each.ended_at), each.topics.join(", "), gapReason(each)],
  }));
  return section("handover_gaps", ["begins", "ends", "subject", "why"], rows);
}

function refused(gateways) {
  const rows = gateways.map((each) => ({
    cells: [
      each.gateway || word("not_known"),
      format.number(each.refused, 0),
      [format.number(each.peak.refused, 0), " · ", at(each.peak.hour)],
      each.reasons.map((name) => word(`reject_${name}`)).join(", "),
    ],
  }));
  return section("handover_refused", ["gateway_label", ["refused_label", true], "peak_label", "why"], rows);
}

export function receivers(failing) {
  const rows = failing.map((each) => ({
    cells: [
      each.receiver,
      at(each.since),
      format.number(each.behind, 0),
      format.number(each.attempts, 0),
      each.error || "–",
    ],
  }));
  const columns = ["receiver", "begins", ["behind", true], ["attempts", true], "last_error"];
  return section("handover_receivers", columns, rows);
}

function events(counts) {
  const said_ = Object.entries(counts).map(([kind, count]) => `${word(`kind_${kind}`)}: ${format.number(count, 0)}`);
  return h(
    "section",
    { class: "report-part", "data-part": "handover_events" },
    h("h3", {}, word("handover_events")),
    h("p", {}, said_.join(" · ") || word("nothing")),
  );
}
