// One station: how it stands, its hydrograph or table over a range, its alerts, its sensor. Opened by the router as
// #/station/ID?range=24h&stream=KEY&as=table, or with since= and until=.

import { Chart } from "./chart.js";
import { h } from "./dom.js";
import * as format from "./format.js";
import { figure } from "./hydrograph.js";
import { key } from "./hydrograph-key.js";
import { Kept, notice } from "./kept.js";
import { momentField, read } from "./moment-field.js";
import { stationAlerts } from "./station-alerts.js";
import { load, period, question, RANGES } from "./station-data.js";
import { choices, facts, quantities, sheet } from "./station-facts.js";
import { lastDay } from "./station-quality.js";
import { table } from "./station-table.js";
import { sumsList } from "./station-sums.js";
import { isWaterQuality, limitsOf } from "./water-limits.js";
import { pick, property, said, word } from "./words.js";

const DETAIL_MS = 60_000; // the sensor's sheet and the last day's quality change slowly
const PARTS = ["heading", "picker", "state", "tools", "told", "series", "side"];

export function open(root, parameters, context) {
  const page = new StationPage(root, parameters, context);
  page.begin();
  return () => page.close();
}

class StationPage {
  constructor(root, { id, query }, { api, feed }) {
    Object.assign(this, { id, query, api, feed });
    this.parts = Object.fromEntries(PARTS.map((name) => [name, h("div", { class: `part-${name}` })]));
    const { heading, picker, state, tools, told, series, side } = this.parts;
    root.append(
      h("article", { class: "station-page" }, heading, state, picker, h("div", { class: "split" }, h("section", {}, tools, told, series), side)),
    );
    this.chart = null;
    this.drawn = null;
    this.series = new Kept(() => this.ask(), () => this.render());
    this.detail = new Kept(() => api.get(`/api/v1/stations/${encodeURIComponent(id)}`), () => this.renderSide());
    this.quality = new Kept(() => api.get(`/api/v1/quality?${new URLSearchParams({ station: id })}`), () => this.renderSide());
  }

  begin() {
    this.leave = this.feed.subscribe(() => this.follow());
    this.slow = setInterval(() => (this.detail.refresh(), this.quality.refresh()), DETAIL_MS);
    this.detail.refresh();
    this.quality.refresh();
    this.renderTools();
    this.follow();
  }

  close() {
    this.leave();
    clearInterval(this.slow);
    for (const kept of [this.series, this.detail, this.quality]) kept.close();
    this.chart?.close();
  }

  get station() {
    return this.feed.stations.find((each) => each.id === this.id);
  }

  get stream() {
    const all = this.station ? choices(this.station) : [];
    return all.find((each) => each.key === this.query.get("stream")) ?? all[0];
  }

  get known() {
    return !["unknown", "connecting"].includes(this.feed.sight().state);
  }

  get tabular() {
    return this.query.get("as") === "table";
  }

  ask() {
    const now = this.feed.asOf.now;
    return load(this.api, this.station, this.stream, this.feed.stations, period(this.query, now, this.stream), now);
  }

  // What came by the stream: new readings of ours, or another state of our alerts, ask for the series again.
  follow() {
    this.renderHead();
    if (!this.station || !this.stream || !this.feed.asOf?.now) return;
    const alerts = this.feed.alerts.filter((alert) => alert.newest.station === this.id);
    const mark = JSON.stringify([this.stream.key, this.stream.newest?.time, alerts.map((each) => each.newest.seq), this.known]);
    if (mark === this.mark) return;
    this.mark = mark;
    this.series.refresh();
  }

  // Another range, quantity or form, kept in the address so that it can be passed on.
  choose(changes) {
    for (const [name, value] of Object.entries(changes)) {
      if (value === null) this.query.delete(name);
      else this.query.set(name, value);
    }
    history.replaceState(null, "", `#/station/${encodeURIComponent(this.id)}?${this.query}`);
    this.drawn = null;
    this.mark = null;
    this.renderTools();
    if (Object.keys(changes).includes("as")) this.render();
    else this.series.ask(() => this.ask());
    this.renderHead();
  }

  renderHead() {
    const { station, stream } = this;
    const { heading, state, picker } = this.parts;
    if (!station) {
      const text = this.feed.loaded ? "no_such_station" : "loading";
      return void heading.replaceChildren(h("p", { class: "none" }, word(text)), h("a", { href: "#/" }, word("back_to_watch")));
    }
    const stamp = JSON.stringify([station, this.known, this.series.value?.forecast, this.detail.value, this.quality.value]);
    if (stamp === this.stamp) return;
    this.stamp = stamp;
    heading.replaceChildren(
      h("h2", {}, pick(station.name), station.river && h("small", {}, pick(station.river)), h("small", {}, station.id)),
    );
    if (!stream) return void state.replaceChildren(h("p", { class: "none" }, word("no_datastreams")));
    state.replaceChildren(facts(station, stream, this.series.value?.forecast ?? null, this.known));
    const held = picker.contains(document.activeElement) ? document.activeElement.dataset.stream : null;
    picker.replaceChildren(quantities(station, stream, (key) => this.choose({ stream: key })));
    if (held) picker.querySelector(`[data-stream="${CSS.escape(held)}"]`)?.focus();
    this.renderSide();
  }

  renderTools() {
    const { tools } = this.parts;
    const own = this.query.get("since") !== null;
    const chosen = own ? "own" : (this.query.get("range") ?? "24h");
    const ranges = Object.keys(RANGES).map((name) =>
      this.button(`range_${name}`, name === chosen, () => this.choose({ range: name, since: null, until: null })),
    );
    const forms = [
      this.button("as_chart", !this.tabular, () => this.choose({ as: null })),
      this.button("as_table", this.tabular, () => this.choose({ as: "table" })),
    ];
    const held = tools.contains(document.activeElement) ? document.activeElement.dataset.word : null;
    tools.replaceChildren(
      h("div", { class: "choice", role: "group", "aria-label": word("range") }, ranges),
      this.ownRange(own),
      h("div", { class: "choice", role: "group", "aria-label": word("form") }, forms),
    );
    if (held) tools.querySelector(`[data-word="${held}"]`)?.focus();
  }

  button(key, pressed, act) {
    const button = h("button", { type: "button", "aria-pressed": String(pressed), "data-word": key }, word(key));
    button.addEventListener("click", act);
    return button;
  }

  ownRange(own) {
    const now = this.feed.asOf?.now ?? new Date().toISOString();
    const { since, until } = period(this.query, now, this.stream);
    const [from, to] = [momentField("own-from", since), momentField("own-to", until)];
    const refusal = h("span", { class: "refusal", role: "alert" });
    const form = h(
      "form",
      {},
      h("label", { for: "own-from" }, word("from")),
      from,
      h("label", { for: "own-to" }, word("to")),
      to,
      h("button", { type: "submit", class: "primary" }, word("show")),
      h("span", { class: "hint" }, word("times_note")),
      refusal,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const ends = [read(from.value), read(to.value)];
      if (ends.includes(null) || ends[0] >= ends[1]) return void (refusal.textContent = word("range_refused"));
      this.choose({ range: null, since: ends[0], until: ends[1] });
    });
    return h("details", { class: "own", open: own ? "" : null }, h("summary", {}, word("range_own")), form);
  }

  render() {
    this.renderHead();
    this.renderTold();
    this.renderSeries();
    this.renderSide();
  }

  renderTold() {
    const { value } = this.series;
    const parts = value?.missing.map((name) => word(`part_${name}`)).join(", ");
    const lines = [
      notice(this.series),
      parts && h("p", { class: "not-known unknown", role: "alert" }, said("missing_parts", { parts })),
    ];
    this.parts.told.replaceChildren(...lines.filter(Boolean));
  }

  renderSeries() {
    const { value } = this.series;
    const { series } = this.parts;
    if (!value) {
      this.chart?.close();
      this.chart = this.drawn = null;
      return void series.replaceChildren();
    }
    if (value === this.drawn && this.tabular === this.wasTabular) return;
    this.drawn = value;
    this.wasTabular = this.tabular;
    if (!value.rows.length) this.show(h("p", { class: "none" }, word("no_rows")), value);
    else if (this.tabular) this.show(table(value), value);
    else this.draw(value);
  }

  show(content, value) {
    this.chart?.close();
    this.chart = null;
    this.parts.series.replaceChildren(content, this.notes(value));
  }

  draw(value) {
    const label = said("chart_of", { quantity: property(value.stream.property), name: pick(value.station.name) });
    if (!this.chart) {
      const node = h("div", { class: "hydrograph", role: "img", "aria-label": label });
      this.chart = new Chart(node, (since, until) => this.choose({ range: null, since, until }));
      this.notesPlace = h("div");
      this.parts.series.replaceChildren(node, this.notesPlace);
    }
    const range = this.query.get("range") ?? "";
    const told = { ...value, rain: named(value), range, alerts: spans(value.alerts), marks: marksOf(value) };
    this.notesPlace.replaceChildren(key(told), this.notes(value));
    this.chart.draw((look) => figure(told, look)).catch(() => this.show(h("div", {}, h("p", { class: "not-known unknown", role: "alert" }, word("chart_failed")), table(value)), value));
  }

  notes(value) {
    const file = (format) => h("a", { href: question(value.stream, value, null, { format }), download: "" }, format.toUpperCase());
    const foreseen = value.forecast && !value.forecast.withheld;
    return h(
      "div",
      { class: "notes" },
      h("p", {}, word("times_note"), " ", value.rolled && said("rolled_note", { bucket: word(`bucket_${value.rolled}`) })),
      value.rain && h("p", {}, gauge(value)),
      foreseen && h("p", { class: "notice" }, word("forecast_notice")),
      h("p", { class: "files" }, word("download"), ": ", file("csv"), " · ", file("parquet")),
    );
  }

  renderSide() {
    const { station, stream } = this;
    if (!station || !stream) return;
    const { value } = this.series;
    this.parts.side.replaceChildren(
      stationAlerts(station, value?.alerts ?? null, this.known),
      sumsList(station, stream, this.known) ?? "",
      lastDay(this.quality, stream),
      sheet(station, stream, this.detail.value),
    );
  }
}

const gauge = ({ station, rain }) =>
  rain.station.id === station.id
    ? word("rain_own")
    : said("rain_from", { name: pick(rain.station.name), km: format.number(rain.km, 0) });

const named = (value) => value.rain && { ...value.rain, label: gauge(value) };

// Alerts as bands: from when to when each stood.
const spans = (alerts) =>
  (alerts ?? [])
    .filter(({ newest }) => !newest.shadow)
    .map(({ began_at, ended_at, newest: { severity } }) => ({ began_at, ended_at, severity }));

// What the values are held against: the levels of the water, or the limits of its quality.
function marksOf({ station, stream }) {
  if (stream.levels?.length) return stream.comparable ? stream.levels : [];
  const limits = isWaterQuality(stream) ? (limitsOf(station, stream)?.limits ?? []) : [];
  return limits.flatMap(({ name, low, high }) =>
    [low, high].filter((value) => value !== undefined).map((value) => ({ name, value, rank: 0 })),
  );
}
