// Where a station's series is shown: as a chart with its key, or as a table; with its notes and files.

import { Chart } from "./chart.js";
import { h } from "./dom.js";
import * as format from "./format.js";
import { key } from "./hydrograph-key.js";
import { figure } from "./hydrograph.js";
import { question } from "./station-data.js";
import { table } from "./station-table.js";
import { isWaterQuality, limitsOf } from "./water-limits.js";
import { pick, property, said, word } from "./words.js";

export class SeriesPlace {
  // `onRange(since, until)`: a stretch was chosen in the chart, or nulls for the usual one.
  constructor(node, onRange) {
    this.node = node;
    this.onRange = onRange;
  }

  // `value`: what station-data.js loaded, null while there is nothing to show; `range` is its name.
  render(value, tabular, range) {
    if (value === this.value && tabular === this.tabular) return;
    Object.assign(this, { value, tabular });
    if (!value) this.show();
    else if (!value.rows.length) this.show(h("p", { class: "none" }, word("no_rows")), notes(value));
    else if (tabular) this.show(table(value), notes(value));
    else this.draw(value, range);
  }

  show(...content) {
    this.close();
    this.node.replaceChildren(...content);
  }

  draw(value, range) {
    if (!this.chart) this.begin(value);
    const told = { ...value, rain: named(value), range, alerts: spans(value), marks: marksOf(value) };
    this.beside.replaceChildren(key(told), notes(value));
    this.chart
      .draw((look) => figure(told, look))
      .catch(() => this.show(h("p", { class: "not-known", role: "alert" }, word("chart_failed")), table(value)));
  }

  begin({ stream, station }) {
    const label = said("chart_of", { quantity: property(stream.property), name: pick(station.name) });
    const node = h("div", { class: "hydrograph", role: "img", "aria-label": label });
    this.chart = new Chart(node, this.onRange);
    this.beside = h("div");
    this.node.replaceChildren(node, this.beside);
  }

  close() {
    this.chart?.close();
    this.chart = null;
  }
}

function notes(value) {
  const file = (name) =>
    h("a", { href: question(value.stream, value, { format: name }), download: "" }, name.toUpperCase());
  const rolled = value.rolled && said("rolled_note", { bucket: word(`bucket_${value.rolled}`) });
  return h(
    "div",
    { class: "notes" },
    h("p", {}, word("times_note"), " ", rolled),
    value.forecast?.horizons.length > 0 && h("p", { class: "notice" }, word("forecast_notice")),
    h("p", {}, word("download"), ": ", file("csv"), " · ", file("parquet")),
  );
}

function named({ station, rain }) {
  if (!rain) return null;
  const km = format.number(rain.km, 0);
  const own = rain.station.id === station.id;
  return { ...rain, label: own ? word("rain_own") : said("rain_from", { name: pick(rain.station.name), km }) };
}

// Alerts as bands: from when to when each stood, of those that stood in the chart's time.
const spans = ({ alerts, since, ends }) =>
  (alerts ?? [])
    .filter(({ newest }) => !newest.shadow)
    .filter(
      ({ began_at: from, ended_at: to }) =>
        Date.parse(from) < Date.parse(ends) && !(Date.parse(to) < Date.parse(since)),
    )
    .map(({ began_at, ended_at, newest: { severity } }) => ({ began_at, ended_at, severity }));

// What the values are held against: the levels of the water, or the limits of its quality.
function marksOf({ station, stream }) {
  if (stream.levels?.length) return stream.comparable ? stream.levels : [];
  const limits = isWaterQuality(stream) ? (limitsOf(station, stream)?.limits ?? []) : [];
  return limits.flatMap(({ name, low, high }) =>
    [low, high].filter((value) => value !== undefined).map((value) => ({ name, value, rank: 0 })),
  );
}
