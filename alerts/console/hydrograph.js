// A station's chart as plotly's data and layout: what was measured, what is expected, and what stood around it.
// Pure but for the words: it is told everything, and draws nothing itself.

import { onAxis } from "./chart-time.js";
import * as format from "./format.js";
import * as series from "./series.js";
import { BANDS, isIndex } from "./vn-aqi.js";
import { language, property, said, word } from "./words.js";

const RAIN_SHARE = 0.24; // of the height, above the levels
const MOST_MARKED = 700; // more points than that and each sample's own mark only thickens the line
const DASHES = ["dot", "dash", "solid", "longdashdot"]; // BĐ I, II, III, and what stands above
const SEVERITY = { Minor: "--l1", Moderate: "--l2", Severe: "--l3", Extreme: "--l4" };
const ROOM = 0.06; // of the height, above and below what is drawn

// Text for plotly, which reads a few tags in what it is given.
export const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

// `told`: {stream, rows, step, rolled, since, until, now, rain, forecast, alerts, windows}; `look`: {colour, narrow}.
export function figure(told, look) {
  const draw = told.stream.property === "rainfall" ? [rain(told, "y", look)] : measured(told, look);
  const data = [
    ...hatched(told, look),
    ...foretold(told, look),
    ...draw,
    ...(told.rain ? [rain(told.rain, "y2", look)] : []),
  ].filter((trace) => trace.x.length);
  return { data, layout: layout(told, look, data) };
}

const name = (key) => plain(word(key));

function measured(told, look) {
  const { stream, rows, step, rolled } = told;
  const main = { stream, look };
  if (rolled) return [spread(told, look), line(rows.filter((row) => row.value !== null), step, "mean", main)];
  return [
    line(rows.filter(series.isUsable), step, "observed", main),
    marks(rows.filter(series.isSuspect), "suspect", { symbol: "diamond", size: 9, color: look.colour("--l2") }, main),
    marks(
      rows.filter((row) => series.isFailed(row) && row.value !== null),
      "failed",
      { symbol: "circle-open", size: 9, color: look.colour("--muted"), line: { width: 1.5 } },
      main,
    ),
    marks(
      rows.filter((row) => series.isUsable(row) && series.isBackfilled(row, stream.cadence_s)),
      "backfilled",
      { symbol: "triangle-left-open", size: 8, color: look.colour("--ink"), line: { width: 1.2 } },
      main,
    ),
  ];
}

function line(rows, step, key, { stream, look }) {
  const { x, y, rows: behind } = series.unbroken(rows, step);
  const marked = rows.length <= MOST_MARKED;
  return {
    meta: key,
    type: "scatter",
    mode: marked ? "lines+markers" : "lines",
    connectgaps: false,
    name: name(key),
    x,
    y,
    text: behind.map((row) => (row ? reading(row, stream) : "")),
    hovertemplate: "%{text}<extra></extra>",
    line: { color: look.colour("--water"), width: 2 },
    marker: { size: 3.5, color: look.colour("--water") },
  };
}

function marks(rows, key, marker, { stream }) {
  const { x, y } = series.points(rows);
  const hidden = key === "failed" ? {} : { hoverinfo: "skip" }; // the line under them says it
  const text = rows.map((row) => reading(row, stream));
  const hover = key === "failed" ? { text, hovertemplate: "%{text}<extra></extra>" } : hidden;
  return { meta: key, type: "scatter", mode: "markers", name: name(key), x, y, marker, ...hover };
}

// "3,58 m, nghi ngờ"
function reading(row, stream) {
  const doubts = [
    series.isSuspect(row) && word("suspect"),
    series.isFailed(row) && word("failed"),
    series.isBackfilled(row, stream.cadence_s) && word("backfilled"),
    row.min !== undefined && row.min !== null && between(row, stream.unit),
  ];
  return plain([format.quantity(row.value, stream.unit), ...doubts].filter(Boolean).join(", "));
}

const between = ({ min, max }, unit) =>
  said("between", { low: format.quantity(min, unit), high: format.quantity(max, unit) });

function spread({ rows, step }, look) {
  const filled = rows.filter((row) => row.min !== null && row.max !== null);
  const { x, y } = series.envelope(filled, step);
  return area({ meta: "spread", name: name("spread"), x, y, fillcolor: look.colour("--water"), opacity: 0.28 });
}

const area = (own) => ({
  type: "scatter",
  mode: "lines",
  fill: "toself",
  hoverinfo: "skip",
  line: { width: 0 },
  ...own,
});

function rain(told, axis, look) {
  const { x, y, width, rows } = series.bars(told.rows, told.step);
  return {
    meta: "rain",
    type: "bar",
    name: plain(told.label ?? word("property_rainfall")),
    x,
    y,
    width,
    yaxis: axis,
    text: rows.map((row) => plain(format.quantity(row.value, "mm"))),
    textposition: "none",
    hovertemplate: `%{text}<extra>${name("property_rainfall")}</extra>`,
    marker: {
      color: look.colour("--rain"),
      pattern: { shape: rows.map((row) => (series.isSuspect(row) ? "x" : "")), fgcolor: look.colour("--ink") },
    },
  };
}

function foretold({ forecast, stream }, look) {
  if (!forecast?.horizons.length) return [];
  const { band, middle } = series.fan(forecast);
  const ink = look.colour("--forecast");
  return [
    area({ meta: "fan", name: name("forecast_band"), ...band, fillcolor: ink, opacity: 0.22 }),
    {
      meta: "median",
      type: "scatter",
      mode: "lines",
      name: name("forecast_median"),
      ...middle,
      text: middle.y.map((value) => plain(`${format.quantity(value, stream.unit)} (${word("forecast")})`)),
      hovertemplate: "%{text}<extra></extra>",
      line: { color: ink, width: 2, dash: "dash" },
    },
    ...passing(forecast, ink),
  ];
}

// The middle time at which the next level is passed, with its 80 % as a bar along the level's line.
function passing(forecast, ink) {
  const found = series.passings(forecast);
  if (!found) return [];
  const last = series.fan(forecast).middle.x.at(-1);
  const ends = [found.early, found.late ?? last];
  const at = found.middle === null ? [] : [found.middle];
  const own = { type: "scatter", hoverinfo: "skip", showlegend: false };
  return [
    { ...own, meta: "passing", mode: "lines", x: ends, y: [found.mark, found.mark], line: { color: ink, width: 5 } },
    {
      ...own,
      meta: "passing-middle",
      mode: "markers",
      x: at,
      y: at.map(() => found.mark),
      marker: { symbol: "line-ns", size: 14, color: ink, line: { color: ink, width: 3 } },
    },
  ];
}

// Times in which the sensor was worked on, and times of which nothing is known, across the whole height.
function hatched(told, look) {
  const { stream, rows, step, since, now } = told;
  const until = Date.parse(told.until) < Date.parse(now) ? told.until : now;
  const heard = rows.filter((row) => row.value !== null);
  const silent = series.silences(heard, Math.max(step, stream.cadence_s), since, until);
  const worked = told.windows.map((window) => [later(window.begins, since), sooner(window.ends, told.until)]);
  return [
    blocks("silence", silent, { shape: "/", fgcolor: look.colour("--hatch-line"), solidity: 0.22 }),
    blocks("worked_on", worked, { shape: "x", fgcolor: look.colour("--warn-ink"), solidity: 0.12 }),
  ];
}

const later = (one, other) => (Date.parse(one) > Date.parse(other) ? one : other);
const sooner = (one, other) => (Date.parse(one) < Date.parse(other) ? one : other);

function blocks(key, times, pattern) {
  const corners = times.filter(([from, to]) => Date.parse(from) < Date.parse(to)).map((pair) => pair.map(onAxis));
  const x = corners.flatMap(([from, to], place) => [...(place ? [null] : []), from, from, to, to]);
  const y = corners.flatMap((_, place) => [...(place ? [null] : []), 0, 1, 1, 0]);
  const fillpattern = { fillmode: "replace", size: 9, bgcolor: "rgba(0,0,0,0)", ...pattern };
  return area({ meta: key, name: name(key), x, y, yaxis: "y3", fillpattern, fillcolor: pattern.fgcolor });
}

function layout(told, look, data) {
  const { stream, rain: above } = told;
  const top = above ? 1 - RAIN_SHARE - 0.04 : 1;
  const quiet = { gridcolor: look.colour("--line"), zeroline: false, fixedrange: true };
  return {
    separators: language() === "vi" ? ",." : ".,",
    hovermode: "x unified",
    hoversubplots: "axis",
    dragmode: look.narrow ? false : "zoom",
    bargap: 0,
    showlegend: true,
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", font: { size: 11.5 } },
    margin: { l: look.narrow ? 44 : 58, r: 14, t: 8, b: 40 },
    uirevision: `${stream.key} ${told.range}`,
    xaxis: {
      ...quiet,
      type: "date",
      fixedrange: look.narrow,
      range: [onAxis(told.since), onAxis(told.ends)],
      hoverformat: "%H:%M %d/%m/%Y",
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
    shapes: [...scale(told, look), ...bands(told, look), ...limits(told, look), present(told, look)],
    annotations: [...names(told, look), origin(told, look)].filter(Boolean),
  };
}

const title = ({ property: measures, unit }) => plain(`${property(measures)} (${format.unit(unit)})`.replace(" ()", ""));

// Everything that is drawn, and the next level above it; from 0 for what cannot be less.
function height({ stream }, data) {
  const drawn = data.filter((trace) => !["y2", "y3"].includes(trace.yaxis)).flatMap((trace) => trace.y);
  const seen = drawn.filter((value) => value !== null);
  const levels = marksOf(stream).map((level) => level.value);
  const top = Math.max(...seen, -Infinity);
  const next = levels.filter((value) => value > top)[0];
  const held = levels.filter((value) => value <= top);
  const all = [...seen, ...held, ...(next === undefined ? [] : [next])];
  if (!all.length) return [0, 1];
  const low = stream.property === "rainfall" ? 0 : Math.min(...all);
  const high = Math.max(...all);
  const room = Math.max(high - low, 0.2) * ROOM;
  return [low === 0 ? 0 : low - room, high + room * 2];
}

const marksOf = (stream) => (stream.comparable === false ? [] : (stream.levels ?? []));
const dash = (rank) => DASHES[Math.min(rank, DASHES.length) - 1] ?? "solid";
const tone = (rank) => `--l${Math.min(rank, 4)}`;

const limits = ({ stream }, look) =>
  marksOf(stream).map(({ value, rank }) => ({
    type: "line",
    xref: "paper",
    x0: 0,
    x1: 1,
    y0: value,
    y1: value,
    line: { color: look.colour(tone(rank)), width: 1.8, dash: dash(rank) },
  }));

const names = ({ stream }, look) =>
  marksOf(stream).map(({ name: level, value, rank }) => ({
    xref: "paper",
    x: 0,
    xanchor: "left",
    y: value,
    yanchor: "bottom",
    showarrow: false,
    text: `<b>${plain(level)}</b> ${plain(format.quantity(value, stream.unit))}`,
    font: { size: 11.5, color: look.colour(`${tone(rank)}-ink`) },
    bgcolor: look.colour("--card"),
    opacity: 0.9,
    borderpad: 1,
  }));

function bands({ alerts, until, now }, look) {
  return alerts
    .filter((alert) => alert.opened_at)
    .map(({ opened_at, ended_at, severity }) => ({
      type: "rect",
      yref: "y domain",
      y0: 0,
      y1: 1,
      x0: onAxis(opened_at),
      x1: onAxis(ended_at ?? sooner(now, until)),
      layer: "below",
      line: { width: 0 },
      fillcolor: look.colour(SEVERITY[severity] ?? "--muted"),
      opacity: ended_at ? 0.07 : 0.12,
    }));
}

// The bands of an index behind its line.
const scale = ({ stream }, look) =>
  (isIndex(stream) ? BANDS : []).map(({ to }, place) => ({
    type: "rect",
    xref: "paper",
    x0: 0,
    x1: 1,
    y0: place ? BANDS[place - 1].to : 0,
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

function origin({ forecast, ends }, look) {
  if (!forecast?.horizons.length || Date.parse(forecast.origin) > Date.parse(ends)) return null;
  return {
    xref: "x",
    x: onAxis(forecast.origin),
    xanchor: "left",
    yref: "y domain",
    y: 0,
    yanchor: "bottom",
    showarrow: false,
    text: plain(said("forecast_origin", { at: format.moment(forecast.origin) })),
    font: { size: 11, color: look.colour("--muted") },
  };
}
