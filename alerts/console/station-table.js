// The station's series as a table: the same rows as the chart, for who reads or listens instead. Newest first, and
// where nothing was measured there is a row that says so.

import { h } from "./dom.js";
import * as format from "./format.js";
import { isBackfilled, isFailed, isSuspect, unbroken } from "./series.js";
import { said, word } from "./words.js";

const MOST = 1_000; // rows: what a browser lays out without a pause; the file has all

export function table({ stream, rows, step, rolled }) {
  const listed = unbroken(rows, step).rows.reverse();
  const shown = listed.slice(0, MOST);
  const columns = rolled
    ? ["time", "mean", "lowest", "highest", "count"]
    : ["time", "value", "quality_label", "tests_label"];
  const head = columns.map((key, place) =>
    h("th", { scope: "col", class: place && (rolled || place === 1) ? "figure" : null }, word(key)),
  );
  const line = rolled ? (row) => rolledRow(row, stream) : (row) => sampleRow(row, stream);
  return h(
    "div",
    { class: "table tall", tabindex: 0, role: "region", "aria-label": word("as_table") },
    h(
      "table",
      {},
      h("caption", {}, said("rows_shown", { count: format.number(rows.length, 0) }), " · ", word("times_note")),
      h("thead", {}, h("tr", {}, head)),
      h(
        "tbody",
        {},
        shown.map((row) => (row ? line(row) : gap(columns.length))),
      ),
    ),
  );
}

const gap = (columns) => h("tr", { class: "old gap" }, h("td", { colspan: columns }, word("gap_row")));

const at = (row) => h("th", { scope: "row" }, h("time", { datetime: row.time }, format.full(row.time)));
const value = (amount, unit) =>
  h("td", { class: "figure" }, amount === null ? word("not_known") : format.quantity(amount, unit));

function sampleRow(row, stream) {
  const said_ = [
    word(`flag_${row.quality}`),
    isBackfilled(row, stream.cadence_s) && `${word("backfilled")} ${format.moment(row.received_at)}`,
    row.revised && word("revised"),
  ];
  const doubted = isSuspect(row) || isFailed(row);
  return h(
    "tr",
    { class: doubted ? "doubted" : null },
    at(row),
    value(row.value, stream.unit),
    h("td", {}, said_.filter(Boolean).join(" · ")),
    h("td", {}, failures(row.tests)),
  );
}

const failures = (tests = {}) =>
  Object.entries(tests)
    .filter(([, flag]) => flag > 2)
    .map(([name, flag]) => `${word(`test_${name}`)} (${word(`flag_${flag}`)})`)
    .join(", ");

const rolledRow = (row, { unit }) =>
  h(
    "tr",
    {},
    at(row),
    value(row.mean, unit),
    value(row.min, unit),
    value(row.max, unit),
    h("td", { class: "figure" }, format.number(row.count, 0)),
  );
