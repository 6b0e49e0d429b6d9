// The state of a station in one sign each for the map and its list: which level, how fresh, said in words too.
// Colour is never alone: each state has a shape and a text. No page and no clock here.

import { rank } from "./alert-order.js";
import * as format from "./format.js";
import { OLD } from "./view.js";
import { pick, said, word } from "./words.js";

// Shapes by the names that plotly gives its markers; colours by the names of the theme. The order is the urgency.
export const SIGNS = {
  stale: { symbol: "square", colour: "--hatch", edge: "--hatch-ink" },
  unwatched: { symbol: "square", colour: "--hatch", edge: "--hatch-ink" },
  normal: { symbol: "circle", colour: "--ok", edge: "--card" },
  unjudged: { symbol: "circle-open", colour: "--muted", edge: "--muted" },
  l1: { symbol: "triangle-up", colour: "--l1", edge: "--ink" },
  l2: { symbol: "diamond", colour: "--l2", edge: "--ink" },
  l3: { symbol: "pentagon", colour: "--l3", edge: "--ink" },
  l4: { symbol: "star", colour: "--l4", edge: "--ink" },
  // Alerts that are no level of water, by severity: a rain gauge is never "BĐ III".
  a1: { symbol: "cross", colour: "--l1", edge: "--ink" },
  a2: { symbol: "cross", colour: "--l2", edge: "--ink" },
  a3: { symbol: "cross", colour: "--l3", edge: "--ink" },
  a4: { symbol: "cross", colour: "--l4", edge: "--ink" },
};
const URGENCY = ["unjudged", "normal", "unwatched", "stale", "a1", "l1", "a2", "l2", "a3", "l3", "a4", "l4"];
const BY_SEVERITY = ["a1", "a1", "a2", "a3", "a4"];

export const alarming = (sign) => /^[al]\d/.test(sign);
export const urgency = (sign) => URGENCY.indexOf(sign);

// What the station is known for: its water, else its first series that has anything.
export const mainStream = (station) =>
  station.datastreams.find((each) => each.property === "water_level") ??
  station.datastreams.find((each) => each.newest_usable) ??
  station.datastreams[0];

// {sign, state, value, age, worst}: `worst` is the open alert that says most of the station.
export function standing(station, alerts, known) {
  const stream = mainStream(station);
  const worst = alerts.toSorted((one, other) => rank(other.newest.severity) - rank(one.newest.severity))[0];
  const shown = stream?.newest_usable;
  return {
    sign: sign(station, stream, worst, known),
    state: state(station, stream, worst, known),
    value: shown ? format.quantity(shown.value, stream.unit) : "–",
    age: shown ? (known && shown.age_s !== null ? format.age(shown.age_s) : format.moment(shown.time)) : "",
    worst,
  };
}

function sign(station, stream, worst, known) {
  if (!known || !stream || OLD.has(stream.freshness)) return "stale";
  if (station.not_monitored.includes(stream.property)) return "unwatched";
  const level = stream.comparable ? (stream.level?.rank ?? 0) : 0;
  if (level > 0 && beyond(stream, worst)) return "l4";
  if (level > 0) return `l${Math.min(level, 4)}`;
  if (worst) return BY_SEVERITY[rank(worst.newest.severity)];
  return station.state === "normal" && stream.levels.length ? "normal" : "unjudged";
}

// Half a metre and more above its highest level: that has no rank in the catalogue, the alert says it.
const beyond = (stream, worst) => worst?.newest.target === stream.key && worst.newest.severity === "Extreme";

function state(station, stream, worst, known) {
  if (!known) return word("state_unknown");
  if (!stream || OLD.has(stream.freshness)) return word(stream?.freshness ?? "never");
  if (station.not_monitored.includes(stream.property)) return word("state_not_monitored");
  if (!stream.comparable) return word("not_referenced");
  if (stream.level?.rank > 0) {
    return said("state_level", { level: beyond(stream, worst) ? worst.newest.level_name : stream.level.name });
  }
  if (worst) return `${word("state_alert")}: ${worst.newest.level_name || pick(worst.newest.headline)}`;
  return word(stream.levels.length ? "state_normal" : "state_no_levels");
}
