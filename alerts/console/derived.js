// What is computed from a station's readings: sums of rain and air quality indices, with how much they cover.

import { h } from "./dom.js";
import * as format from "./format.js";
import { chip, freshness, OLD, SUSPECT, when } from "./view.js";
import { pick, word } from "./words.js";

const SUMS = new Set(["window_sum", "rain_day"]);
const INDICES = new Set(["vn_aqi_hourly", "vn_aqi_daily"]);
const LOWER_BOUNDS = new Set(["window_sum", "rain_day", "vn_aqi_hourly"]);

const shortestFirst = (one, other) => (one.window_s ?? Infinity) - (other.window_s ?? Infinity);

// The sums of rain that are computed from a gauge, and the air quality indices of a station.
export const sumsOf = (station, stream) =>
  station.derived
    .filter((each) => SUMS.has(each.kind) && each.unit === "mm" && each.inputs.includes(stream.key))
    .sort(shortestFirst);

export const indicesOf = (station) => station.derived.filter((each) => INDICES.has(each.kind));

// "ít nhất 12,4 mm (độ phủ 60 %)": what was not seen is not taken for nothing.
function result({ kind, unit, newest }) {
  if (!newest) return word("never");
  if (newest.value === null) return word("not_known");
  const value = format.quantity(newest.value, unit);
  const percent = format.percent(newest.coverage);
  if (percent >= 100) return value;
  const bound = LOWER_BOUNDS.has(kind) ? word("at_least").replace("{value}", value) : value;
  return `${bound} (${word("coverage").replace("{percent}", percent)})`;
}

function label({ kind, newest, window_s: seconds = 0 }) {
  const hours = format.number(seconds / 3600, seconds % 3600 ? 1 : 0);
  const since = newest?.since ? format.moment(newest.since) : "–";
  return word(kind).replace("{hours}", hours).replace("{since}", since);
}

export function sum(each, known) {
  const old = !known || OLD.has(each.freshness);
  return h(
    "li",
    { class: old ? "old" : null },
    h("span", {}, label(each)),
    h("b", {}, result(each)),
    each.newest?.quality === SUSPECT && chip("warn", word("suspect")),
    old && each.newest && h("small", {}, `${word("last_known")} `, when(each.newest, known)),
  );
}

export function sumsRow(station, sums, known) {
  return h(
    "tr",
    { class: "sums", "data-sums": station.id },
    h("td", { colspan: 5 }, h("ul", { "aria-label": word("rain_sums") }, sums.map((each) => sum(each, known)))),
  );
}

export function indexRow(station, index, known) {
  const old = !known || OLD.has(index.freshness);
  const shown = index.newest;
  return h(
    "tr",
    { class: old ? "old" : null, "data-index": station.id },
    h("th", { scope: "row" }, pick(station.name)),
    h("td", {}, word(index.kind), " ", h("small", {}, index.scheme)),
    h("td", { class: "figure" }, result(index), shown?.quality === SUSPECT && chip("warn", word("suspect"))),
    h("td", {}, shown ? when(shown, known) : "–"),
    h("td", {}, freshness(index.freshness, known)),
  );
}
