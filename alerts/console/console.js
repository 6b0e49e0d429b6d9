// The console: ties the feed to the page. Runs as a module; nothing is inline.

import { indexRow, indicesOf, sumsOf, sumsRow } from "./derived.js";
import { byId, h, setText, sync } from "./dom.js";
import { Feed } from "./feed.js";
import * as format from "./format.js";
import { LANGUAGES, language, reason, setLanguage, word } from "./words.js";
import { alertItem, eventItem, otherRow, stationCard } from "./view.js";

const KEY = "huewatch-language";
const SAFE = "Actual";

const feed = new Feed(render, announce);

// Alerts first, then the highest level, then the catalogue's order.
const urgency = ({ station, stream }) => (station.state === "alert" ? 100 : 0) + (stream.level?.rank ?? 0);

function render() {
  const sight = feed.sight();
  const known = sight.state !== "unknown" && sight.state !== "connecting";
  renderSight(sight);
  renderClock();
  renderAlerts(known);
  renderStations(known);
  sync(byId("events"), eventItems());
}

function renderSight(sight) {
  byId("sight").dataset.state = sight.state;
  document.body.dataset.sight = sight.state;
  setText(byId("sight-state"), word(sight.state));
  const told = sight.age === null ? "" : `${word("committed")} ${format.age(sight.age)}`;
  setText(byId("sight-detail"), [reason(sight.reason), told].filter(Boolean).join(" · "));
  const banner = { unknown: "unknown_banner", blind: "blind_banner" }[sight.state];
  byId("banner").hidden = !banner;
  setText(byId("banner"), banner ? word(banner) : "");
  const drill = feed.nature && feed.nature !== SAFE;
  byId("exercise").hidden = !drill;
  if (drill) {
    setText(byId("exercise").querySelector("strong"), word(feed.nature.toLowerCase()));
    setText(byId("exercise").querySelector("span"), word("exercise_line"));
  }
  document.title = `${drill ? `${word(feed.nature.toLowerCase())} · ` : ""}${feed.alerts.length || ""} ${word("title")}`.trim();
}

function renderClock() {
  const now = feed.asOf?.now;
  setText(byId("clock"), now ? format.clock(now) : "--:--:--");
  setText(byId("clock-date"), now ? format.date(now) : "");
}

function renderAlerts(known) {
  const streams = new Map(datastreams().map(({ stream }) => [stream.key, stream]));
  setText(byId("alert-count"), known ? String(feed.alerts.length) : "?");
  const items = feed.alerts.map((alert) => {
    const stream = streams.get(alert.newest.target);
    return item(alert.alert_id, [alert, stream, known], () => alertItem(alert, stream, known));
  });
  if (!items.length) {
    const text = word(known ? "no_alerts" : "no_alerts_unknown");
    items.push(item("none", text, () => h("p", { class: "none" }, text)));
  }
  sync(byId("alert-list"), items);
}

function renderStations(known) {
  const level = ({ stream }) => stream.property === "water_level";
  const all = datastreams();
  for (const [id, kind] of [["rivers", "river"], ["streets", "street"]]) {
    const shown = all.filter((each) => level(each) && each.station.kind === kind);
    shown.sort((one, other) => urgency(other) - urgency(one));
    sync(byId(id), shown.map(({ station, stream }) => card(station, stream, known)));
    byId(id).closest("section").hidden = shown.length === 0;
  }
  const others = all.filter((each) => !level(each) || !["river", "street"].includes(each.station.kind));
  const indices = feed.stations.flatMap((station) => indicesOf(station).map((each) => indexItem(station, each, known)));
  const rows = [...others.flatMap(({ station, stream }) => rowsOf(station, stream, known)), ...indices];
  sync(byId("others"), rows);
  byId("others").closest("section").hidden = rows.length === 0;
}

const datastreams = () =>
  feed.stations.flatMap((station) => station.datastreams.map((stream) => ({ station, stream })));

const card = (station, stream, known) =>
  item(stream.key, [station.name, station.maintenance, stream, known], () => stationCard(station, stream, known));

function rowsOf(station, stream, known) {
  const stamp = [station.name, station.maintenance, stream, known];
  const row = item(stream.key, stamp, () => otherRow(station, stream, known));
  const sums = sumsOf(station, stream);
  if (!sums.length || !stream.newest) return [row];
  return [row, item(`${stream.key} sums`, [sums, known], () => sumsRow(station, sums, known))];
}

const indexItem = (station, index, known) =>
  item(index.key, [station.name, index, known], () => indexRow(station, index, known));

const eventItems = () =>
  feed.events.length
    ? feed.events.map((event) => item(String(event.seq), event.seq, () => eventItem(event)))
    : [item("none", "none", () => h("li", { class: "none" }, word("no_events")))];

function item(key, content, make) {
  return { key, stamp: `${language()} ${JSON.stringify(content)}`, make };
}

// A screen reader is told each new event once; eyes find it at the top of the list.
function announce(event) {
  const text = event.headline[language()];
  setText(byId("announce"), `${word(`kind_${event.kind}`)}: ${text}`);
}

function speak(chosen) {
  setLanguage(chosen);
  document.documentElement.lang = language();
  for (const node of document.querySelectorAll("[data-word]")) setText(node, word(node.dataset.word));
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language()));
  }
  render();
}

function choose(chosen) {
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // a browser that keeps nothing still shows the page
  }
  speak(chosen);
}

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => choose(button.dataset.language));
}
speak(remembered() ?? LANGUAGES[0]);
feed.start();
