// The watch: map and open alerts side by side, then rivers, streets, sums and indices, and what happened.

import { alertList } from "./alert-list.js";
import { indexRow, indicesOf, sumsOf, sumsRow } from "./derived.js";
import { h, item, sync } from "./dom.js";
import { legends } from "./legends.js";
import { stationMap } from "./map.js";
import { eventItem, otherRow, stationCard } from "./view.js";
import { word } from "./words.js";

export function open(root, parameters, context) {
  const { feed } = context;
  const places = skeleton(root);
  const parts = [stationMap(places.map, context), alertList(places.alerts, context)];
  const show = () => {
    for (const part of parts) part.render();
    renderStations(feed, places, feed.known());
    sync(places.events, eventItems(feed));
  };
  show();
  const leave = feed.subscribe(show);
  return () => {
    leave();
    for (const part of parts) part.close();
  };
}

function skeleton(root) {
  const places = {};
  const place = (name, tag, attributes = {}) => (places[name] = h(tag, { id: name, ...attributes }));
  const titled = (id, ...content) =>
    h("section", { "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, word(id)), content);
  const columns = ["station", "quantity", "value", "time", "signal"];
  const head = columns.map((key) => h("th", { scope: "col", class: key === "value" && "figure" }, word(key)));
  const rows = h("table", {}, h("thead", {}, h("tr", {}, head)), place("others", "tbody"));
  root.append(
    place("map", "section", { "aria-labelledby": "map-title" }),
    place("alerts", "section", { "aria-labelledby": "alerts-title" }),
    h(
      "div",
      { class: "rest" },
      titled("rivers", place("rivers", "div", { class: "cards" })),
      titled("streets", place("streets", "div", { class: "cards" })),
      titled("others", h("div", { class: "table", tabindex: 0, role: "group", "aria-labelledby": "others-title" }, rows)),
      legends(),
    ),
    h(
      "section",
      { class: "events", "aria-labelledby": "events-title" },
      h("h2", { id: "events-title" }, word("events")),
      place("events", "ol", { tabindex: 0, "aria-labelledby": "events-title" }),
    ),
  );
  return places;
}

// How a device fares is shown with its station and with the data's health: here stands what it measures.
const DEVICES = new Set(["battery", "battery_voltage", "rssi", "snr", "gateways", "f_cnt"]);

// Alerts first, then the highest level, then the catalogue's order.
const urgency = ({ station, stream }) => (station.state === "alert" ? 100 : 0) + (stream.level?.rank ?? 0);

function renderStations(feed, places, known) {
  const level = ({ stream }) => stream.property === "water_level";
  const all = feed.stations.flatMap((station) => station.datastreams.map((stream) => ({ station, stream })));
  for (const [id, kind] of [["rivers", "river"], ["streets", "street"]]) {
    const shown = all.filter((each) => level(each) && each.station.kind === kind);
    shown.sort((one, other) => urgency(other) - urgency(one));
    sync(places[id], shown.map(({ station, stream }) => card(station, stream, known)));
    places[id].closest("section").hidden = shown.length === 0;
  }
  const carded = (each) => level(each) && ["river", "street"].includes(each.station.kind);
  const others = all.filter((each) => !carded(each) && !DEVICES.has(each.stream.property));
  const indices = feed.stations.flatMap((station) => indicesOf(station).map((each) => indexItem(station, each, known)));
  const rows = [...others.flatMap(({ station, stream }) => rowsOf(station, stream, known)), ...indices];
  sync(places.others, rows);
  places.others.closest("section").hidden = rows.length === 0;
}

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

const eventItems = (feed) =>
  feed.events.length
    ? feed.events.map((event) => item(String(event.seq), event.seq, () => eventItem(event)))
    : [item("none", "none", () => h("li", { class: "none" }, word("no_events")))];
