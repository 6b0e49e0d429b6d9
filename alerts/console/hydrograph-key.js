// What the signs of a chart mean: those that it shows, as a list that is read and printed like any text.

import { h } from "./dom.js";
import * as series from "./series.js";
import { word } from "./words.js";

const stroke = (kind, ...lines) => lines.map(([x1, y1, x2, y2]) => h("line", { class: kind, x1, y1, x2, y2 }));
const block = (kind) => h("rect", { class: kind, x: 1, y: 2, width: 24, height: 10 });
const hatch = [3, 9, 15, 21].map((x) => [x - 3, 13, x + 5, 1]);
const level = [[0, 7, 26, 7]];

const SIGNS = {
  observed: () => stroke("line", ...level),
  mean: () => stroke("line", ...level),
  spread: () => block("spread"),
  suspect: () => h("path", { class: "suspect", d: "M13 1 L19 7 L13 13 L7 7 Z" }),
  failed: () => h("path", { class: "failed", d: "M13 2 a5 5 0 1 0 0.01 0 Z" }),
  backfilled: () => h("path", { class: "backfilled", d: "M8 7 L17 2 L17 12 Z" }),
  silence: () => stroke("silence", ...hatch),
  worked_on: () => stroke("worked_on", ...hatch, ...hatch.map(([x1, y1, x2, y2]) => [x1, y2, x2, y1])),
  rain: () => block("rain"),
  forecast_band: () => block("fan"),
  forecast_median: () => stroke("median", ...level),
  forecast_passing: () => stroke("passing", ...level),
  alert_band: () => block("alert_band"),
  alert_band_past: () => block("alert_band_past"),
  data_until: () => stroke("data_until", [13, 0, 13, 14]),
};

export function key(told) {
  const shown = signs(told).filter(([, there]) => there);
  return h(
    "ul",
    { class: "key", "aria-label": word("chart_key") },
    shown.map(([name, , text = word(name)]) =>
      h("li", { "data-sign": name }, h("svg", { "aria-hidden": "true", viewBox: "0 0 26 14" }, SIGNS[name]()), text),
    ),
  );
}

function signs(told) {
  const { stream, rows, rolled, rain, forecast, alerts, windows, since, now } = told;
  const wet = stream.property === "rainfall";
  const raw = !rolled && !wet;
  return [
    ["observed", raw],
    ["mean", rolled && !wet],
    ["spread", rolled && !wet],
    ["suspect", !rolled && rows.some(series.isSuspect)],
    ["failed", raw && rows.some(series.isFailed)],
    ["backfilled", raw && rows.some((row) => series.isUsable(row) && series.isBackfilled(row, stream.cadence_s))],
    ["silence", [told, ...(rain ? [{ ...told, ...rain }] : [])].some((each) => series.unknown(each).length > 0)],
    ["worked_on", windows.length > 0],
    ["rain", wet || Boolean(rain), rain?.label ?? word("property_rainfall")],
    ["forecast_band", Boolean(forecast?.horizons.length)],
    ["forecast_median", Boolean(forecast?.horizons.length)],
    ["forecast_passing", Boolean(forecast?.horizons.length) && series.passings(forecast) !== null],
    ["alert_band", alerts.some((alert) => alert.ended_at === null)],
    ["alert_band_past", alerts.some((alert) => alert.ended_at !== null)],
    ["data_until", Date.parse(now) >= Date.parse(since)],
  ];
}
