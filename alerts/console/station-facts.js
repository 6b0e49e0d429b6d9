// The head of the station page: the value, the level it has reached, how fresh it is, where it goes, and what its
// sensor and its last day are worth. State and freshness are two signs. Pure but for the words.

import { h } from "./dom.js";
import * as format from "./format.js";
import { chip, distances, freshness, OLD, when } from "./view.js";
import { isSuspect } from "./series.js";
import { isHealth } from "./station-data.js";
import { band, isIndex, legend } from "./vn-aqi.js";
import { holds, isWaterQuality, limitsOf } from "./water-limits.js";
import { pick, property, said, word } from "./words.js";

const LIKELY = 0.95; // beyond these a probability is not told apart
const UNLIKELY = 0.05;
const HOUR_MS = 3_600_000;
const EXERCISE = "exercise"; // nobody surveyed it: the zero says so itself

const fact = (key, ...content) => h("div", {}, h("dt", {}, word(key)), h("dd", {}, content));

// `known`: whether the feed can claim anything now.
export function facts(station, stream, forecast, known) {
  const shown = stream.newest_usable ?? stream.newest;
  const away = station.not_monitored.includes(stream.property);
  const old = !known || away || OLD.has(stream.freshness);
  return h(
    "div",
    { class: old ? "facts old" : "facts", "data-level": old ? "none" : String(stream.level?.rank ?? "none") },
    figure(stream, shown, old),
    h(
      "dl",
      {},
      fact("state_label", state(station, known)),
      fact("freshness_label", freshness(stream.freshness, known), " ", shown && when(shown, known)),
      levelled(stream) && fact("margin_label", distances(stream)),
      levelled(stream) && fact("trend_label", trend(stream, old)),
      levelled(stream) && fact("next_level", next(forecast, stream, old)),
      isWaterQuality(stream) && fact("limits_label", against(station, stream, shown, old)),
    ),
    isIndex(stream) && legend(),
  );
}

const levelled = (stream) => stream.unit === "m" && !stream.derived;

function figure(stream, shown, old) {
  const value = shown && shown.value !== null ? format.quantity(shown.value, stream.unit) : word("not_known");
  return h(
    "p",
    { class: "reading" },
    old && h("small", {}, word("last_known")),
    h("strong", {}, shown ? value : "–"),
    stream.property === "rainfall" && h("small", {}, said("within", { span: format.span(stream.cadence_s) })),
    !old &&
      stream.comparable &&
      stream.level?.rank > 0 &&
      chip(`l${Math.min(stream.level.rank, 4)}`, stream.level.name),
    !old && shown && isIndex(stream) && shown.value !== null && band(shown.value),
    shown && isSuspect(shown) && chip("warn", word("suspect")),
    stream.newest && stream.newest.quality === 4 && chip("warn", word("failed")),
  );
}

function state(station, known) {
  const shown = known ? station.state : "unknown";
  return h("span", { class: `stands-${shown}` }, word(`stands_${shown}`));
}

function trend(stream, old) {
  const found = old ? null : format.trend(stream.trend_per_hour);
  return found ? [h("i", { "aria-hidden": "true" }, found.arrow), " ", found.text] : word("trend_unknown");
}

// "BĐ III (3,50 m): khoảng 09:20 27/10, 80 % từ 08:40 đến 11:30"
function next(forecast, stream, old) {
  if (!forecast) return word("forecast_none");
  if (forecast.withheld) return said("no_forecast", { why: word(`withheld_${forecast.withheld}`) });
  if (old || forecast.state !== "current") return said("forecast_old", { at: format.moment(forecast.origin) });
  return forecast.mark === null ? word("forecast_none") : passing(forecast, stream);
}

function passing({ origin, mark, passes_h: passes, horizons }, stream) {
  const { hours, chance } = horizons.at(-1);
  const at = (after) => format.moment(new Date(Date.parse(origin) + after * HOUR_MS).toISOString());
  const [early, middle, late] = passes.map((after) => (after === null ? null : at(after)));
  const longest = format.number(hours, 0);
  const told = {
    mark: `${called(mark, stream)} (${format.quantity(mark, stream.unit)})`,
    hours: longest,
    chance: share(chance),
    early,
    middle,
    late: late ?? said("beyond", { hours: longest }),
  };
  if (middle) return said("passes_about", told);
  return said(early ? "passes_from" : "passes_chance", told);
}

// The name of a mark: a level, or so many half metres above the highest one.
export function called(mark, { levels }) {
  const exact = levels.find(({ value }) => value === mark);
  if (exact) return exact.name;
  const top = levels.at(-1);
  return `${top.name} ${said("half_metre", { by: format.quantity(mark - top.value, "m") })}`;
}

function share(probability) {
  if (probability >= LIKELY) return "≥\u00a095\u00a0%";
  if (probability <= UNLIKELY) return "≤\u00a05\u00a0%";
  return `${format.number(100 * probability, 0)}\u00a0%`;
}

function against(station, stream, shown, old) {
  const found = limitsOf(station, stream);
  if (!found) return word("limit_none");
  const rows = found.limits.map((limit) =>
    h(
      "li",
      {},
      limit.name && `${said("limit_class", limit)}: `,
      within(limit, stream.unit),
      !old && shown?.value !== null && shown && verdict(holds(limit, shown.value)),
    ),
  );
  return h("ul", { class: "limits" }, rows, found.basis && h("li", { class: "basis" }, found.basis));
}

const verdict = (met) => chip(met ? "met" : "warn", word(met ? "limit_met" : "limit_not_met"));

function within({ low, high }, unit) {
  const [from, to] = [low, high].map((each) => (each === undefined ? null : format.quantity(each, unit)));
  if (from && to) return `${from} – ${to}`;
  return from ? said("limit_above", { low: from }) : said("limit_below", { high: to });
}

// What the catalogue says of the sensor. `detail`: the station as GET stations/{id} tells it, null if not known.
export function sheet(station, stream, detail) {
  const sensor = detail?.sensors[stream.key];
  return h(
    "section",
    { class: "sheet", "aria-labelledby": "sheet-title" },
    h("h3", { id: "sheet-title" }, word("sheet")),
    h(
      "dl",
      {},
      fact("station_id", station.id),
      station.river && fact("river_label", pick(station.river)),
      detail?.ward && fact("ward_label", pick(detail.ward)),
      stream.reference && fact("reference_label", word(`reference_${stream.reference}`)),
      detail?.datum && fact("datum_label", detail.datum),
      sensor?.by && sensor.by !== EXERCISE && fact("surveyed_by", sensor.by),
      sensor?.zero_elevation != null && fact("zero_label", format.quantity(sensor.zero_elevation, "m")),
      sensor?.highest != null && fact("highest_label", format.quantity(sensor.highest, "m")),
      sensor && fact("gateway_label", sensor.gateway),
      sensor && fact("device_label", `${sensor.device} · ${sensor.channel}`),
      fact("cadence_label", said("every", { span: format.span(stream.cadence_s) })),
    ),
  );
}

// The quantities of a station as buttons, where there is something to choose.
export function quantities(station, chosen, choose) {
  const all = choices(station);
  if (all.length === 1) return "";
  return h(
    "div",
    { class: "quantities", role: "group", "aria-label": word("measures") },
    all.map((stream) => {
      const pressed = String(stream.key === chosen.key);
      const button = h("button", { type: "button", "aria-pressed": pressed, "data-stream": stream.key }, label(stream));
      button.addEventListener("click", () => choose(stream.key));
      return button;
    }),
  );
}

const label = (stream) => property(stream.property);
const HEALTH_LAST = 100;
const ORDER = ["water_level", "reservoir_level", "rainfall"];

// What may be looked at, what the station is for first.
export function choices(station) {
  const rank = ({ property: name, kind }) => {
    if (ORDER.includes(name)) return ORDER.indexOf(name);
    if (isHealth({ property: name })) return HEALTH_LAST;
    return isIndex({ kind }) ? ORDER.length : ORDER.length + 1;
  };
  const all = [...station.datastreams, ...station.derived.filter(isIndex)];
  return all
    .map((stream, place) => [rank(stream), place, stream])
    .sort((a, b) => a[0] - b[0] || a[1] - b[1])
    .map(([, , stream]) => stream);
}
