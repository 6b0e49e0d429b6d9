// The bands of VN_AQI (Quyết định 1459/QĐ-TCMT), and their legend beside a value.

import { h } from "./dom.js";
import { word } from "./words.js";

// Where each band ends; its name is the word aqi_1 to aqi_6, its colour the decree's: --aqi-1 to --aqi-6.
export const BANDS = [50, 100, 150, 200, 300, 500];

const KINDS = new Set(["vn_aqi_hourly", "vn_aqi_daily"]);

export const isIndex = (stream) => KINDS.has(stream.kind);

// The band of an index, from 1; an index is a whole number.
export const rank = (index) => BANDS.findIndex((to) => Math.round(index) <= to) + 1 || BANDS.length;

export const band = (index) => h("span", { class: `band aqi${rank(index)}` }, word(`aqi_${rank(index)}`));

export const legend = () =>
  h(
    "figure",
    { class: "aqi-legend" },
    h("figcaption", {}, word("legend_aqi"), ". ", word("legend_aqi_note")),
    h(
      "ol",
      {},
      BANDS.map((to, place) =>
        h("li", { class: `band aqi${place + 1}` }, `${begin(place)}–${to} `, word(`aqi_${place + 1}`)),
      ),
    ),
  );

const begin = (place) => (place ? BANDS[place - 1] + 1 : 0);
