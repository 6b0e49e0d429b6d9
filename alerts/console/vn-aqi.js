// The bands of VN_AQI (Quyết định 1459/QĐ-TCMT), with the decree's names and colours, and their legend.

import { h } from "./dom.js";
import { language, word } from "./words.js";

// Upper ends and names; colours are the classes aqi-1 to aqi-6 of pages.css, and --aqi-1 to --aqi-6.
export const BANDS = [
  { to: 50, name: ["Tốt", "Good"] },
  { to: 100, name: ["Trung bình", "Moderate"] },
  { to: 150, name: ["Kém", "Poor"] },
  { to: 200, name: ["Xấu", "Bad"] },
  { to: 300, name: ["Rất xấu", "Very bad"] },
  { to: 500, name: ["Nguy hại", "Hazardous"] },
];

const KINDS = new Set(["vn_aqi_hourly", "vn_aqi_daily"]);

export const isIndex = (stream) => KINDS.has(stream.kind);

// The band of an index, from 1; an index is a whole number.
export const rank = (index) => BANDS.findIndex(({ to }) => Math.round(index) <= to) + 1 || BANDS.length;

const called = (place) => BANDS[place - 1].name[language() === "vi" ? 0 : 1];

export const band = (index) => h("span", { class: `aqi aqi-${rank(index)}` }, called(rank(index)));

export function legend() {
  return h(
    "figure",
    { class: "aqi-legend" },
    h("figcaption", {}, word("vn_aqi_legend")),
    h(
      "ol",
      {},
      BANDS.map(({ to }, place) =>
        h("li", { class: `aqi aqi-${place + 1}` }, `${place ? BANDS[place - 1].to + 1 : 0}–${to} `, called(place + 1)),
      ),
    ),
  );
}
