// Tables of a report: each scrolls in a region of its own, and an empty one says so.

import { h } from "./dom.js";
import { word } from "./words.js";

// `columns`: [key, figure?] or key; `rows`: arrays of cells in the same order, the first being the row's name.
export function grid(label, columns, rows, attributes = {}) {
  const named = columns.map((each) => (Array.isArray(each) ? each : [each, false]));
  const kind = (place) => (named[place][1] ? "figure" : null);
  const head = named.map(([key], place) => h("th", { scope: "col", class: kind(place) }, word(key)));
  const body = rows.map(({ cells, ...own }) =>
    h(
      "tr",
      own,
      cells.map((cell, place) => h(place ? "td" : "th", { scope: place ? null : "row", class: kind(place) }, cell)),
    ),
  );
  return h(
    "div",
    { class: "table", tabindex: 0, role: "region", "aria-label": label, ...attributes },
    h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)),
  );
}

// A titled part of a report with how many there are.
export function section(key, columns, rows, ...more) {
  const title = word(key);
  return h(
    "section",
    { class: "report-part", "data-part": key },
    h("h3", {}, title, " ", h("span", { class: "count" }, String(rows.length))),
    rows.length ? grid(title, columns, rows) : h("p", { class: "none" }, word("nothing")),
    more,
  );
}
