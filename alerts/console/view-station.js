// One station: how it stands, its hydrograph or table over a range, its alerts, its sensor. Opened by the router as
// #/station/ID?range=24h&stream=KEY&as=table, or with since= and until=.

import { h } from "./dom.js";
import { Kept, notice } from "./kept.js";
import { stationAlerts } from "./station-alerts.js";
import { load, period } from "./station-data.js";
import { choices, facts, quantities, sheet } from "./station-facts.js";
import { lastDay } from "./station-quality.js";
import { SeriesPlace } from "./station-series.js";
import { sumsList } from "./station-sums.js";
import { isTabular, tools } from "./station-tools.js";
import { pick, said, word } from "./words.js";

const SLOW_MS = 60_000; // the sensor's sheet and the last day's quality change slowly
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
    const { heading, picker, state, tools: above, told, series, side } = this.parts;
    const split = h("div", { class: "split" }, h("section", {}, above, told, series), side);
    root.append(h("article", { class: "station-page" }, heading, state, picker, split));
    this.place = new SeriesPlace(series, (since, until) => this.choose({ range: null, since, until }));
    const path = encodeURIComponent(id);
    this.series = new Kept(
      () => this.ask(),
      () => this.render(),
    );
    this.detail = new Kept(
      () => api.get(`/api/v1/stations/${path}`),
      () => this.renderSide(),
    );
    this.quality = new Kept(
      () => api.get(`/api/v1/quality?station=${path}`),
      () => this.renderSide(),
    );
  }

  begin() {
    this.leave = this.feed.subscribe(() => this.follow());
    const slow = () => (this.detail.refresh(), this.quality.refresh());
    this.timer = setInterval(slow, SLOW_MS);
    this.follow();
    if (this.station || !this.feed.loaded) slow();
  }

  close() {
    this.leave();
    clearInterval(this.timer);
    for (const kept of [this.series, this.detail, this.quality]) kept.close();
    this.place.close();
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

  // How far the data reach; a device's clock may be a little ahead of the last commit.
  get reached() {
    const [now, newest] = [this.feed.asOf.now, this.stream?.newest?.time ?? ""];
    return Date.parse(newest) > Date.parse(now) ? newest : now;
  }

  ask() {
    const span = period(this.query, this.reached, this.stream);
    return load(this.api, this.station, this.stream, this.feed.stations, span, this.reached);
  }

  // What came by the stream: new readings of ours, or another state of our alerts, ask for the series again.
  follow() {
    this.renderHead();
    if (!this.stream || !this.feed.asOf?.now) return;
    if (!this.parts.tools.hasChildNodes()) this.renderTools();
    const alerts = this.feed.alerts.filter((alert) => alert.newest.station === this.id);
    const told = alerts.map((each) => [each.newest.seq, each.handling.version]);
    const mark = JSON.stringify([this.stream.key, this.stream.newest?.time, told, this.known]);
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
    this.stamp = null;
    this.renderTools();
    if ("as" in changes) this.render();
    else this.series.ask(() => this.ask());
  }

  renderHead() {
    const { station, stream } = this;
    const { heading, state, picker } = this.parts;
    if (!station) {
      const text = h("p", { class: "none" }, word(this.feed.loaded ? "no_such_station" : "loading"));
      return heading.replaceChildren(text, h("a", { href: "#/" }, word("back_to_watch")));
    }
    const forecast = this.series.value?.forecast ?? null;
    const stamp = JSON.stringify([station, this.known, stream?.key, forecast]);
    if (stamp === this.stamp) return undefined;
    this.stamp = stamp;
    const river = station.river && h("small", {}, pick(station.river));
    heading.replaceChildren(h("h2", {}, pick(station.name), river, h("small", {}, station.id)));
    if (!stream) return state.replaceChildren(h("p", { class: "none" }, word("no_datastreams")));
    state.replaceChildren(facts(station, stream, forecast, this.known));
    refocus(picker, "stream", () =>
      picker.replaceChildren(quantities(station, stream, (key) => this.choose({ stream: key }))),
    );
    return this.renderSide();
  }

  renderTools() {
    const { tools: place } = this.parts;
    const act = (changes) => this.choose(changes);
    refocus(place, "word", () => place.replaceChildren(...tools(this.query, this.stream, this.reached, act)));
  }

  render() {
    this.renderHead();
    this.renderTold();
    this.place.render(this.series.value, isTabular(this.query), this.query.get("range") ?? "");
    this.renderSide();
  }

  renderTold() {
    const parts = this.series.value?.missing.map((name) => word(`part_${name}`)).join(", ");
    const missing = parts && h("p", { class: "not-known unknown", role: "alert" }, said("missing_parts", { parts }));
    this.parts.told.replaceChildren(...[notice(this.series), missing].filter(Boolean));
  }

  renderSide() {
    const { station, stream } = this;
    if (!station || !stream) return;
    this.parts.side.replaceChildren(
      stationAlerts(station, this.series.value?.alerts ?? null, this.series.value?.comments ?? [], this.known),
      sumsList(station, stream, this.known) ?? "",
      stream.derived ? "" : lastDay(this.quality, stream),
      sheet(station, stream, this.detail.value),
    );
  }
}

// Draw a part anew and give the focus back to the button that had it.
function refocus(place, name, draw) {
  const held = place.contains(document.activeElement) ? document.activeElement.dataset[name] : null;
  draw();
  if (held) place.querySelector(`[data-${name}="${CSS.escape(held)}"]`)?.focus();
}
