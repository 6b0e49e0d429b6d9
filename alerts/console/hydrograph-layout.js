// The frame of a station's chart: axes, levels, alerts as bands, the moment up to which there are data, as plotly's
// layout. Pure but for the words.

import { onAxis } from "./chart-time.js";
import * as format from "./format.js";
import { plain } from "./plot.js";
import { BANDS, isIndex } from "./vn-aqi.js";
import { language, property, said } from "./words.js";

const RAIN_SHARE = 0.24; // of the height, above the levels
const DASHES = ["dot", "dash", "solid", "longdashdot"]; // BĐ I, II, III, and what stands above
const SEVERITY = { Minor: "--l1", Moderate: "--l2", Severe: "--l3", Extreme: "--l4" };
const ROOM = 0.06; // of the height, above and below what is drawn
const LEAST_HEIGHT = { m: 0.5 }; // what a chart spans at least, so that noise does not look like a flood
const LEAST_SHARE = 0.2; // of the highest value, for other units
const HOVER_PX = 40; // a finger finds a point
const LATE_SHARE_NARROW = 0.5;
const LATE_SHARE = 0.85; // of the range: what begins later has no room to its right

export const sooner = (one, other) => (Date.parse(one) < Date.parse(other) ? one : other);

// `told` and `look` as in hydrograph.js; `data` are the traces that it drew.
export function layout(told, look, data) {
  const { stream, rain: above } = told;
  const top = above ? 1 - RAIN_SHARE - 0.04 : 1;
  const quiet = { gridcolor: look.colour("--line"), zeroline: false, fixedrange: true };
  return {
    hovermode: "closest", // together they would show values of other times under one
    hoverdistance: HOVER_PX,
    dragmode: look.narrow ? false : "zoom",
    bargap: 0,
    margin: { l: look.narrow ? 44 : 58, r: 14, t: 8, b: 40 },
    uirevision: `${stream.key} ${told.range}`,
    xaxis: {
      ...quiet,
      type: "date",
      fixedrange: look.narrow,
      range: [onAxis(told.since), onAxis(told.ends)],
      tickformatstops: [
        { dtickrange: [null, 43_200_000], value: language() === "vi" ? "%H:%M\n%d/%m" : "%H:%M\n%d %b" },
        { dtickrange: [43_200_001, null], value: language() === "vi" ? "%d/%m\n%Y" : "%d %b\n%Y" },
      ],
    },
    yaxis: { ...quiet, domain: [0, top], range: height(told, data), title: { text: title(stream), standoff: 6 } },
    yaxis2: {
      ...quiet,
      domain: [1 - RAIN_SHARE, 1],
      range: above ? [Math.max(1, ...above.rows.map((row) => row.value ?? 0)) * 1.1, 0] : [1, 0],
      title: { text: "mm", standoff: 6 },
      nticks: 4,
      visible: Boolean(above),
    },
    yaxis3: { overlaying: "y", range: [0, 1], visible: false, fixedrange: true },
    yaxis4: { overlaying: "y2", range: [0, 1], visible: false, fixedrange: true },
    shapes: [...scale(told, look), ...bands(told, look), ...limits(told, look), present(told, look)],
    annotations: [...names(told, look), origin(told, look)].filter(Boolean),
  };
}

const title = ({ property: measures, unit }) =>
  plain(`${property(measures)} (${format.unit(unit)})`.replace(" ()", ""));

// Everything that is drawn, and the next level above it; from 0 for what cannot be less.
function height({ stream, marks }, data) {
  const drawn = data.filter((trace) => !["y2", "y3", "y4"].includes(trace.yaxis)).flatMap((trace) => trace.y);
  const seen = drawn.filter((value) => value !== null);
  const levels = marks.map((level) => level.value);
  const top = Math.max(...seen, -Infinity);
  const next = levels.filter((value) => value > top)[0];
  const held = levels.filter((value) => value <= top);
  const all = [...seen, ...held, ...(next === undefined ? [] : [next])];
  if (!all.length) return [0, 1];
  const low = stream.property === "rainfall" ? 0 : Math.min(...all);
  const high = Math.max(...all);
  const least = LEAST_HEIGHT[stream.unit] ?? LEAST_SHARE * Math.abs(high);
  const missing = Math.max(0, least - (high - low)) / 2;
  const room = Math.max(high - low, least, 1e-3) * ROOM;
  return [low === 0 ? 0 : low - missing - room, high + missing + room * 2];
}

const dash = (rank) => DASHES[Math.min(rank, DASHES.length) - 1] ?? "dot";
const tone = (rank) => (rank ? `--l${Math.min(rank, 4)}` : "--muted");
const ink = (rank) => (rank ? `${tone(rank)}-ink` : "--muted");

const limits = ({ marks }, look) =>
  marks.map(({ value, rank }) => ({
    type: "line",
    xref: "paper",
    x0: 0,
    x1: 1,
    y0: value,
    y1: value,
    line: { color: look.colour(tone(rank)), width: 1.8, dash: dash(rank) },
  }));

const names = ({ marks, stream }, look) =>
  marks.map(({ name: level, value, rank }) => ({
    xref: "paper",
    x: 0,
    xanchor: "left",
    y: value,
    yanchor: "bottom",
    showarrow: false,
    text: plain(`${level} ${format.quantity(value, stream.unit)}`.trim()), // not bold by a tag: that is an inline style
    font: { size: 11.5, weight: 700, color: look.colour(ink(rank)) },
    bgcolor: look.colour("--card"),
    opacity: 0.9,
    borderpad: 1,
  }));

function bands({ alerts, until, now }, look) {
  return alerts.map(({ began_at, ended_at, severity }) => ({
    type: "rect",
    yref: "y domain",
    y0: 0,
    y1: 1,
    x0: onAxis(began_at),
    x1: onAxis(ended_at ?? sooner(now, until)),
    layer: "below",
    line: { width: 0 },
    fillcolor: look.colour(SEVERITY[severity] ?? "--muted"),
    opacity: ended_at ? 0.07 : 0.12,
  }));
}

// The bands of an index behind its line.
const scale = ({ stream }, look) =>
  (isIndex(stream) ? BANDS : []).map((to, place) => ({
    type: "rect",
    xref: "paper",
    x0: 0,
    x1: 1,
    y0: place ? BANDS[place - 1] : 0,
    y1: to,
    layer: "below",
    line: { width: 0 },
    fillcolor: look.colour(`--aqi-${place + 1}`),
    opacity: 0.3,
  }));

// Up to where there can be data at all.
const present = ({ now }, look) => ({
  type: "line",
  yref: "paper",
  y0: 0,
  y1: 1,
  x0: onAxis(now),
  x1: onAxis(now),
  line: { color: look.colour("--muted"), width: 1, dash: "dot" },
});

function origin({ forecast, since, ends }, look) {
  if (!forecast?.horizons.length || Date.parse(forecast.origin) > Date.parse(ends)) return null;
  const [from, at, to] = [since, forecast.origin, ends].map(Date.parse);
  return {
    xref: "x",
    x: onAxis(at),
    xanchor: (at - from) / (to - from) > (look.narrow ? LATE_SHARE_NARROW : LATE_SHARE) ? "right" : "left",
    yref: "y domain",
    y: 0,
    yanchor: "bottom",
    showarrow: false,
    text: plain(said("forecast_origin", { at: format.moment(forecast.origin) })),
    font: { size: 11, color: look.colour("--muted") },
  };
}
