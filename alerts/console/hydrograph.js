// A station's chart as plotly's data and layout: what was measured, what is expected, and what stood around it.
// Pure but for the words: it is told everything, and draws nothing itself.

import { onAxis } from "./chart-time.js";
import * as format from "./format.js";
import { layout, sooner } from "./hydrograph-layout.js";
import { plain } from "./plot.js";
import * as series from "./series.js";
import { said, word } from "./words.js";

const MOST_MARKED = 700; // more points than that and each sample's own mark only thickens the line

// `told`: {stream, rows, step, rolled, since, until, ends, now, rain, forecast, alerts, windows, marks}, of which `marks`
// are the named levels {name, value, rank} or limits (rank 0); `look`: {colour, narrow}.
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
  if (rolled)
    return [
      spread(told, look),
      line(
        rows.filter((row) => row.value !== null),
        step,
        "mean",
        main,
      ),
    ];
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
  const text = rows.map((row) => reading(row, stream));
  const alone = { text, hovertemplate: "%{text}<extra></extra>" };
  const hover = key === "failed" ? alone : { hoverinfo: "skip" }; // the line under the others says it
  return { meta: key, type: "scatter", mode: "markers", name: name(key), x, y, marker, ...hover };
}

// "07:00:00 27/10/2025" and under it "3,58 m, nghi ngờ"; a time of its own, since each point has one.
const label = (time, text) => `${plain(format.full(time))}<br>${plain(text)}`;

function reading(row, stream) {
  const doubts = [
    series.isSuspect(row) && word("suspect"),
    series.isFailed(row) && word("failed"),
    series.isBackfilled(row, stream.cadence_s) && word("backfilled"),
    row.min !== undefined && row.min !== null && between(row, stream.unit),
  ];
  return label(row.begins ?? row.time, [format.quantity(row.value, stream.unit), ...doubts].filter(Boolean).join(", "));
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
    hovertext: rows.map((row) => label(row.time, format.quantity(row.value, "mm"))),
    hovertemplate: "%{hovertext}<extra></extra>",
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
      text: [{ time: forecast.origin }, ...forecast.horizons].map(({ time }, place) =>
        label(time, `${format.quantity(middle.y[place], stream.unit)} (${word("forecast")})`),
      ),
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
  const own = { type: "scatter", hoverinfo: "skip" };
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

// Times in which the sensor was worked on, and times of which nothing is known, across the whole height: of the rain
// too, where an empty place would look dry.
function hatched(told, look) {
  const { since, rain: beside } = told;
  const worked = told.windows.map((window) => [later(window.begins, since), sooner(window.ends, told.until)]);
  const silent = { shape: "/", fgcolor: look.colour("--hatch-line"), solidity: 0.22 };
  return [
    blocks("silence", series.unknown(told), silent),
    blocks("worked_on", worked, { shape: "x", fgcolor: look.colour("--warn-ink"), solidity: 0.12 }),
    ...(beside ? [blocks("silence", series.unknown({ ...told, ...beside }), silent, "rain")] : []),
  ];
}

const later = (one, other) => (Date.parse(one) > Date.parse(other) ? one : other);

function blocks(key, times, pattern, of = "") {
  const corners = times.filter(([from, to]) => Date.parse(from) < Date.parse(to)).map((pair) => pair.map(onAxis));
  const x = corners.flatMap(([from, to], place) => [...(place ? [null] : []), from, from, to, to]);
  const y = corners.flatMap((_, place) => [...(place ? [null] : []), 0, 1, 1, 0]);
  const fillpattern = { fillmode: "replace", size: 9, bgcolor: "rgba(0,0,0,0)", ...pattern };
  return area({
    meta: key + of,
    name: name(key),
    x,
    y,
    yaxis: of ? "y4" : "y3",
    fillpattern,
    fillcolor: pattern.fgcolor,
  });
}
