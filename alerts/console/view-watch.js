// The watch: open alerts, rivers, streets, sums and indices, and what happened. Opened by the router.

import { indexRow, indicesOf, sumsOf, sumsRow } from "./derived.js";
import { h, setText, sync } from "./dom.js";
import { alertItem, eventItem, otherRow, stationCard } from "./view.js";
import { language, word } from "./words.js";

export function open(root, parameters, { feed }) {
  const places = skeleton(root);
  const show = () => render(feed, places);
  show();
  return feed.subscribe(show);
}

function skeleton(root) {
  const places = {};
  const place = (name, tag, attributes = {}) => (places[name] = h(tag, { id: name, ...attributes }));
  const titled = (id, key, ...content) =>
    h("section", { "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, word(key)), content);
  const columns = ["station", "quantity", "value", "time", "signal"];
  const head = columns.map((key) => h("th", { scope: "col", class: key === "value" && "figure" }, word(key)));
  root.append(
    h(
      "div",
      { class: "watch" },
      h(
        "section",
        { id: "alerts", "aria-labelledby": "alerts-title" },
        h("h2", { id: "alerts-title" }, word("alerts"), " ", place("alert-count", "span", { class: "count" })),
        place("alert-list", "div"),
      ),
      titled("rivers", "rivers", place("rivers", "div", { class: "cards" })),
      titled("streets", "streets", place("streets", "div", { class: "cards" })),
      titled(
        "others",
        "others",
        h(
          "div",
          { class: "table", tabindex: 0, role: "region", "aria-labelledby": "others-title" },
          h("table", {}, h("thead", {}, h("tr", {}, head)), place("others", "tbody")),
        ),
      ),
    ),
    h(
      "section",
      { class: "events", "aria-labelledby": "events-title" },
      h("h2", { id: "events-title" }, word("events")),
      place("events", "ol", { tabindex: 0, "aria-labelledby": "events-title" }),
    ),
    h("p", { class: "legend" }, word("legend")),
  );
  return places;
}

function render(feed, places) {
  const { state } = feed.sight();
  const known = state !== "unknown" && state !== "connecting";
  renderAlerts(feed, places, known);
  renderStations(feed, places, known);
  sync(places.events, eventItems(feed));
}

function renderAlerts(feed, places, known) {
  const streams = new Map(datastreams(feed).map(({ stream }) => [stream.key, stream]));
  setText(places["alert-count"], known ? String(feed.alerts.length) : "?");
  const items = feed.alerts.map((alert) => {
    const stream = streams.get(alert.newest.target);
    return item(alert.alert_id, [alert, stream, known], () => alertItem(alert, stream, known));
  });
  if (!items.length) {
    const text = word(known ? "no_alerts" : "no_alerts_unknown");
    items.push(item("none", text, () => h("p", { class: "none" }, text)));
  }
  sync(places["alert-list"], items);
}

// Alerts first, then the highest level, then the catalogue's order.
const urgency = ({ station, stream }) => (station.state === "alert" ? 100 : 0) + (stream.level?.rank ?? 0);

function renderStations(feed, places, known) {
  const level = ({ stream }) => stream.property === "water_level";
  const all = datastreams(feed);
  for (const [id, kind] of [["rivers", "river"], ["streets", "street"]]) {
    const shown = all.filter((each) => level(each) && each.station.kind === kind);
    shown.sort((one, other) => urgency(other) - urgency(one));
    sync(places[id], shown.map(({ station, stream }) => card(station, stream, known)));
    places[id].closest("section").hidden = shown.length === 0;
  }
  const others = all.filter((each) => !level(each) || !["river", "street"].includes(each.station.kind));
  const indices = feed.stations.flatMap((station) => indicesOf(station).map((each) => indexItem(station, each, known)));
  const rows = [...others.flatMap(({ station, stream }) => rowsOf(station, stream, known)), ...indices];
  sync(places.others, rows);
  places.others.closest("section").hidden = rows.length === 0;
}

const datastreams = (feed) =>
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

const eventItems = (feed) =>
  feed.events.length
    ? feed.events.map((event) => item(String(event.seq), event.seq, () => eventItem(event)))
    : [item("none", "none", () => h("li", { class: "none" }, word("no_events")))];

function item(key, content, make) {
  return { key, stamp: `${language()} ${JSON.stringify(content)}`, make };
}
