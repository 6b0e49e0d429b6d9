// The map: stations by state over a sketch of the waters, with a list that says the same to keyboard and ear.
// Drawn by plotly as plain lines and points in degrees, so it needs no network; tiles only where the feed is set so.

import { h, item, sync } from "./dom.js";
import { BOUNDS, COAST, LABELS, LAGOON, RIVERS } from "./geography.js";
import { floodLegend } from "./legends.js";
import { place } from "./labels.js";
import { colour, CONFIG, layout, plain, plotly } from "./plot.js";
import { alarming, SIGNS, standing, urgency } from "./station-state.js";
import { mapSettings, tilesOf } from "./tiles.js";
import { pick, word } from "./words.js";

const SQUEEZE = 1 / Math.cos((16.42 * Math.PI) / 180); // a degree north is longer than a degree east
const STEP = 0.6; // of the extent at each press of + and -
const MARK = 15; // px: a target of more than 24 px with its edge and what plotly adds to it
const AROUND = 0.022; // degrees around the street gauges of the centre

export function stationMap(root, { feed, go }) {
  const canvas = h("div", { class: "canvas", "aria-hidden": "true" });
  const list = h("ul", { class: "stations", tabindex: 0, "aria-label": word("map_list") });
  const message = h("p", { class: "none", hidden: "" });
  const views = h("div", { class: "row views" }, button("map_all", all), button("map_centre", centre), button("zoom_in", () => zoom(STEP), "+"), button("zoom_out", () => zoom(1 / STEP), "−"));
  root.append(h("h2", { id: "map-title", title: word("map_hint") }, word("map")), views, canvas, message, floodLegend(), list);
  let engine = null;
  let drawn = "";
  let shown = [];
  let extent = { ...BOUNDS };
  let closed = false;
  let drawing = Promise.resolve();

  plotly().then(
    (found) => {
      if (closed) return;
      engine = found;
      render();
    },
    () => {
      message.textContent = word("map_not_loaded");
      message.hidden = false;
    },
  );
  const resized = new ResizeObserver(() => {
    drawn = "";
    render();
  });
  resized.observe(canvas);

  function render() {
    const known = feed.known();
    const alerts = Map.groupBy(feed.alerts.filter((each) => !each.handling.shelved), (each) => each.newest.station);
    shown = feed.stations
      .map((station) => ({ station, ...standing(station, alerts.get(station.id) ?? [], known) }))
      .sort((one, other) => urgency(other.sign) - urgency(one.sign));
    sync(list, shown.map((each) => item(each.station.id, stamp(each), () => row(each))));
    const now = JSON.stringify([shown.map(stamp), extent]);
    if (!engine || now === drawn || !canvas.clientWidth) return;
    drawn = now;
    drawing = drawing.then(draw).catch(failed); // one after the other: plotly does not take two at once
  }

  function failed(error) {
    console.error(error);
    drawn = ""; // tried again at the next change
  }

  async function draw() {
    if (closed) return;
    const size = { width: canvas.clientWidth, height: canvas.clientHeight };
    const box = fitted(extent, size);
    const { tiles, credit } = await mapSettings();
    if (closed) return;
    const traces = [...(tiles ? [] : waters()), ...marks(shown, box, size)];
    const below = tiles ? { images: tilesOf(tiles, box, size.width), annotations: [credited(credit)] } : {};
    await engine.react(canvas, traces, { ...sheet(box), ...below }, CONFIG);
    canvas.removeAllListeners?.("plotly_click");
    canvas.on("plotly_click", ({ points: [point] }) => point.customdata && go(`#/station/${encodeURIComponent(point.customdata)}`));
    canvas.removeAllListeners?.("plotly_relayout");
    canvas.on("plotly_relayout", moved);
  }

  function moved(change) {
    const [west, east] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    const [south, north] = [change["yaxis.range[0]"], change["yaxis.range[1]"]];
    if (west === undefined || south === undefined) return;
    extent = { west, east, south, north };
    render();
  }

  function all() {
    extent = { ...BOUNDS };
    render();
  }

  function centre() {
    const streets = feed.stations.filter((each) => each.kind === "street").map((each) => each.location);
    if (!streets.length) return;
    const [lons, lats] = [streets.map((each) => each.lon), streets.map((each) => each.lat)];
    extent = {
      west: Math.min(...lons) - AROUND,
      east: Math.max(...lons) + AROUND,
      south: Math.min(...lats) - AROUND,
      north: Math.max(...lats) + AROUND,
    };
    render();
  }

  function zoom(factor) {
    const { west, east, south, north } = extent;
    const [x, y] = [(west + east) / 2, (south + north) / 2];
    const [wide, high] = [((east - west) / 2) * factor, ((north - south) / 2) * factor];
    extent = { west: x - wide, east: x + wide, south: y - high, north: y + high };
    render();
  }

  return {
    render,
    close: () => {
      closed = true;
      resized.disconnect();
      drawing.then(() => engine?.purge(canvas));
    },
  };
}

const button = (key, act, text) => {
  const node = h("button", { type: "button", class: "plain small", "aria-label": text && word(key) }, text ?? word(key));
  node.addEventListener("click", act);
  return node;
};

const stamp = ({ station, sign, state, value, age }) => [station.id, station.name, station.location, sign, state, value, age];

const row = ({ station, sign, state, value, age }) =>
  h(
    "li",
    { "data-sign": sign },
    h("a", { href: `#/station/${encodeURIComponent(station.id)}`, "data-part": "station" }, pick(station.name)),
    h("span", { class: "state" }, h("i", { class: `mark ${sign}`, "aria-hidden": "true" }), state),
    h("b", {}, value),
    h("span", { class: "age" }, age),
  );

// The extent widened on one side so that a degree is as long as it is on the ground.
function fitted({ west, east, south, north }, { width, height }) {
  const scale = Math.min(width / (east - west), height / ((north - south) * SQUEEZE));
  const [x, y] = [(west + east) / 2, (south + north) / 2];
  const [wide, high] = [width / scale / 2, height / scale / SQUEEZE / 2];
  return { west: x - wide, east: x + wide, south: y - high, north: y + high };
}

const line = (points, own) => ({
  type: "scatter",
  mode: "lines",
  x: points.map(([lon]) => lon),
  y: points.map(([, lat]) => lat),
  hoverinfo: "skip",
  ...own,
});

function waters() {
  const water = { color: colour("--map-water"), width: 2 };
  const sea = [...COAST, [109.5, 15.9], [109.5, 17.6], [106.2, 17.6], COAST[0]];
  return [
    line(sea, { fill: "toself", fillcolor: colour("--map-sea"), line: { color: colour("--map-shore"), width: 1 } }),
    line(LAGOON, { fill: "toself", fillcolor: colour("--map-sea"), line: { color: colour("--map-shore"), width: 1 } }),
    ...RIVERS.map((river) => line(river.line, { line: { ...water, shape: "spline", width: river.name === "sông Hương" ? 4 : 2.5 } })),
  ];
}

// The least urgent first, so that the worst lies on top. A stale one is hatched by a second mark over the first.
// Names are a trace of their own: plotly never draws again what once had an empty text.
function marks(shown, box, size) {
  const points = shown.toReversed();
  const sides = place(points.map((each) => ({ ...each.station.location, text: label(each), urgent: alarming(each.sign) })), box, size);
  const named = points.map((each, i) => ({ ...each, side: sides[i] })).filter(({ side }) => side);
  const hatched = points.filter(({ sign }) => sign === "stale" || sign === "unwatched");
  return [
    {
      ...at(points, "markers"),
      customdata: points.map((each) => each.station.id),
      hovertext: points.map((each) => plain(`${pick(each.station.name)}: ${each.value}, ${[each.state, each.age].filter(Boolean).join(", ")}`)),
      hoverinfo: "text",
      marker: {
        size: points.map(({ sign }) => (alarming(sign) ? MARK + 3 : MARK - 2)),
        symbol: points.map(({ sign }) => SIGNS[sign].symbol),
        color: points.map(({ sign }) => colour(SIGNS[sign].colour)),
        line: { color: points.map(({ sign }) => colour(SIGNS[sign].edge)), width: 1.5 },
        opacity: 1,
      },
    },
    {
      ...at(hatched, "markers"),
      hoverinfo: "skip",
      marker: { symbol: "line-ne-open", size: MARK - 4, color: colour("--hatch-ink"), line: { color: colour("--hatch-ink"), width: 1.5 } },
    },
    {
      ...at(named, "markers+text"),
      marker: { size: MARK + 3, opacity: 0 }, // names keep clear of the mark
      text: named.map((each) => plain(label(each))),
      textposition: named.map(({ side }) => side),
      textfont: { color: colour("--ink"), size: 11.5 },
      hoverinfo: "skip",
    },
  ];
}

const at = (points, mode) => ({
  type: "scatter",
  mode,
  x: points.map(({ station }) => station.location.lon),
  y: points.map(({ station }) => station.location.lat),
});

// A stale one says how old its level is, one that never spoke has none.
const label = ({ station, sign, value, age }) => {
  if (!age) return pick(station.name);
  return sign === "stale" ? `${pick(station.name)} ${value} (${age})` : `${pick(station.name)} ${value}`;
};

const credited = (text) => ({
  xref: "paper",
  yref: "paper",
  x: 1,
  y: 0,
  text: plain(text ?? ""),
  showarrow: false,
  bgcolor: colour("--card"),
  font: { size: 10 },
});

const sheet = (box) =>
  layout({
    margin: { l: 0, r: 0, t: 0, b: 0 },
    plot_bgcolor: colour("--map-land"),
    dragmode: "pan",
    hovermode: "closest",
    xaxis: { range: [box.west, box.east], visible: false },
    yaxis: { range: [box.south, box.north], visible: false },
    annotations: [
      { x: LABELS.lagoon[0], y: LABELS.lagoon[1], text: word("lagoon"), textangle: 42 },
      { x: LABELS.sea[0], y: LABELS.sea[1], text: word("sea") },
    ].map((each) => ({ ...each, showarrow: false, font: { color: colour("--map-name"), size: 11 } })),
  });
