// What the operator sees, from what the server said. No requests and no clocks here.
//
// State and freshness are two signs: colour is the level, hatching is age. Nothing old or unknown is green.

import { h } from "./dom.js";
import * as format from "./format.js";
import { pick, property, said, word } from "./words.js";

export const OLD = new Set(["no_data", "never", "unknown"]);
export const SUSPECT = 3;
const FAILED = new Set([4, 9]);
const WORST = 4; // colours beyond level III are the same

const shade = (rank) => Math.min(rank, WORST);
export const chip = (kind, text) => h("span", { class: `chip ${kind}` }, text);

// A level's name never breaks at a line's end.
const whole = (name) => name.replaceAll(" ", "\u00a0");
const distance = (key, level, by, unit) =>
  word(key).replace("{level}", whole(level)).replace("{by}", format.quantity(by, unit));

// The level a value has reached, in the words that people use: "trên BĐ III 0,08 m".
export function margin({ level, unit, comparable }) {
  if (!comparable) return word("not_referenced");
  if (!level) return word("no_levels");
  if (level.rank) return distance("above", level.name, level.above, unit);
  return distance("below", level.next_name, level.to_next, unit);
}

function nextLevel(level, unit) {
  if (!level?.rank || level.next_name === null) return null;
  return distance("to_next", level.next_name, level.to_next, unit);
}

const reached = (level) => level?.rank > 0 && chip(`l${shade(level.rank)}`, level.name);
export const distances = (stream) => [margin(stream), nextLevel(stream.level, stream.unit)].filter(Boolean).join(", ");

export function freshness(state, known) {
  const shown = known ? state : "unknown";
  return h("span", { class: `signal ${shown}` }, h("i", { "aria-hidden": "true" }), word(shown));
}

// Whether somebody works on every sensor of what a stream measures: its values say nothing of the water now.
const unwatched = (station, stream) => station.not_monitored.includes(stream.property);

function work(station, stream) {
  return station.maintenance
    .filter((window) => window.datastreams.includes(stream.key))
    .map((window) => said("maintenance", { ...window, until: format.moment(window.ends) }))
    .join(" · ");
}

// When it was measured; how long ago that is can only be said while we know what time the data have reached.
export function when(observation, known) {
  const age = known && observation.age_s !== null ? ` · ${format.age(observation.age_s)}` : "";
  return h("time", { datetime: observation.time }, format.moment(observation.time) + age);
}

// "Ngập 20 cm" under a tick is "20 cm": three of them have to fit below one bar.
const short = (name) => (name.length > 7 ? name.split(" ").slice(1).join(" ") || name : name);

// A bar from low water to above the highest level, the levels as bands and ticks on it.
function gauge(stream, value, dull) {
  const marks = stream.levels;
  const spread = Math.max(marks.at(-1).value - marks[0].value, marks[0].value, 0.5);
  const floor = Math.min(marks[0].value - 0.6 * spread, value - 0.1 * spread);
  const low = value >= 0 && floor < 0 ? 0 : floor;
  const high = Math.max(marks.at(-1).value + 0.4 * spread, value + 0.1 * spread);
  const at = (height) => `${(100 * (height - low)) / (high - low)}%`;
  const part = (from, to) => `${(100 * (to - from)) / (high - low)}%`;
  const top = (place) => marks[place + 1]?.value ?? high;
  const rank = marks.filter((mark) => value >= mark.value).at(-1)?.rank ?? 0;
  return h(
    "svg",
    { class: "gauge", height: 38, role: "img", "aria-label": margin(stream) },
    h("rect", { class: "track", x: 0, y: 2, width: "100%", height: 14, rx: 3 }),
    marks.map((mark, place) =>
      h("rect", {
        class: `band l${shade(mark.rank)}`,
        x: at(mark.value),
        y: 2,
        width: part(mark.value, top(place)),
        height: 14,
      }),
    ),
    h("rect", { class: `water ${dull ? "dull" : `l${shade(rank)}`}`, x: 0, y: 5, width: at(value), height: 8, rx: 2 }),
    marks.map((mark) => [
      h("line", { class: "tick", x1: at(mark.value), x2: at(mark.value), y1: 0, y2: 19 }),
      h("text", { x: at(mark.value), y: 33, "text-anchor": "middle" }, short(mark.name)),
    ]),
  );
}

export function stationCard(station, stream, known) {
  const shown = stream.newest_usable;
  const away = unwatched(station, stream);
  const old = !known || away || OLD.has(stream.freshness);
  const level = stream.comparable && !away ? shade(stream.level?.rank ?? 0) : "none";
  const trend = old ? null : format.trend(stream.trend_per_hour);
  const broken = stream.newest && FAILED.has(stream.newest.quality);
  return h(
    "article",
    { class: old ? "card old" : "card", "data-level": level, "data-station": station.id },
    h(
      "header",
      {},
      h("h3", {}, pick(station.name), station.river && h("small", {}, pick(station.river))),
      away && chip("warn", word("not_monitored")),
      old && !away ? chip("dull", word(known ? stream.freshness : "unknown")) : !away && reached(stream.level),
    ),
    h(
      "p",
      { class: "figure" },
      old && shown && h("small", {}, word("last_known")),
      h("strong", {}, shown ? format.quantity(shown.value, stream.unit) : "–"),
      trend && h("span", { class: "trend" }, h("i", { "aria-hidden": "true" }, trend.arrow), trend.text),
    ),
    shown && stream.comparable && stream.levels.length > 0 && gauge(stream, shown.value, old),
    h("p", { class: "margin" }, work(station, stream) || (shown ? distances(stream) : word("never"))),
    h(
      "footer",
      {},
      freshness(stream.freshness, known),
      shown && when(shown, known),
      shown?.quality === SUSPECT && chip("warn", word("suspect")),
      broken && chip("warn", word("failed")),
    ),
  );
}

export function otherRow(station, stream, known) {
  const shown = stream.newest_usable;
  const away = unwatched(station, stream);
  const old = !known || away || OLD.has(stream.freshness);
  return h(
    "tr",
    { class: old ? "old" : null, "data-station": station.id },
    h("th", { scope: "row" }, pick(station.name)),
    h("td", {}, property(stream.property), !stream.comparable && h("small", {}, ` ${word("not_referenced")}`)),
    h("td", { class: "figure" }, shown ? format.quantity(shown.value, stream.unit) : "–"),
    h("td", {}, shown ? when(shown, known) : "–"),
    h("td", {}, freshness(stream.freshness, known), away && chip("warn", word("not_monitored"))),
  );
}

export function eventItem(event) {
  return h(
    "li",
    { "data-severity": event.severity, "data-kind": event.kind, "data-seq": event.seq },
    h("time", { datetime: event.event_time }, format.moment(event.event_time)),
    h("span", { class: "kind" }, word(`kind_${event.kind}`)),
    h("p", {}, pick(event.headline)),
  );
}
