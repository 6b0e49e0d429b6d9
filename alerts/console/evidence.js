// The chart on an alert's page: the series around the alert, the readings that decided it with their quality, and
// the limits. Times on the axis are Việt Nam's.

import { h } from "./dom.js";
import * as format from "./format.js";
import { colour, CONFIG, layout, plain, plotly } from "./plot.js";
import { evidenceList } from "./alert-item.js";
import { SUSPECT } from "./view.js";
import { word } from "./words.js";

const BEFORE_MS = 6 * 3_600_000;
const AFTER_MS = 3_600_000;
const MOST = 1000;

// plotly knows no zones: it is given Việt Nam's wall clock as if it were its own.
const local = (stamp) => new Date(Date.parse(stamp) + 7 * 3_600_000).toISOString().slice(0, -1);

export function evidenceChart(root, { api, feed }) {
  const canvas = h("div", { class: "plot", role: "img", "aria-label": word("chart") });
  const list = h("div", { class: "evidence" });
  root.append(h("h2", { id: "evidence-title" }, word("chart")), canvas, list);
  let engine = null;
  let drawn = null;
  let closed = false;

  async function render(newest, events) {
    const points = [...new Map(events.flatMap((event) => event.evidence).map((each) => [each.time, each])).values()];
    const stamp = JSON.stringify([newest.seq, points.length]);
    if (stamp === drawn) return;
    drawn = stamp;
    list.replaceChildren(...[evidenceList(newest.evidence, newest.unit) || []].flat());
    canvas.hidden = points.length === 0;
    if (!points.length) return;
    const [found, rows] = await Promise.all([plotly().catch(() => null), around(newest.target, events)]);
    if (closed || !found) return;
    engine = found;
    engine.react(canvas, traces(rows, points, newest), sheet(newest, stream(newest.target)?.levels ?? []), CONFIG);
  }

  const stream = (key) => feed.stations.flatMap((each) => [...each.datastreams, ...each.derived]).find((each) => each.key === key);

  // The series while the alert lasted; none for what is no series, such as a gateway.
  async function around(key, events) {
    if (!stream(key)) return [];
    const last = events.findLast((event) => event.evidence.length) ?? events[0];
    const since = new Date(Date.parse(events[0].event_time) - BEFORE_MS).toISOString();
    const until = new Date(Date.parse(last.event_time) + AFTER_MS).toISOString();
    const path = `/api/v1/datastreams/${key}/observations?since=${since}&until=${until}&limit=${MOST}`;
    const answer = await api.get(path).catch(() => null);
    return answer?.observations ?? [];
  }

  return {
    render,
    close: () => {
      closed = true;
      engine?.purge(canvas);
    },
  };
}

function traces(rows, points, { unit }) {
  const text = (each) => plain(`${format.moment(each.time)}: ${format.quantity(each.value, unit)}`);
  const usable = rows.filter((each) => each.value !== null && each.quality <= SUSPECT);
  return [
    {
      type: "scatter",
      mode: "lines",
      x: usable.map((each) => local(each.time)),
      y: usable.map((each) => each.value),
      line: { color: colour("--water"), width: 2 },
      hovertext: usable.map(text),
      hoverinfo: "text",
    },
    {
      type: "scatter",
      mode: "markers",
      x: points.map((each) => local(each.time)),
      y: points.map((each) => each.value),
      marker: {
        size: 9,
        symbol: points.map((each) => (each.quality === SUSPECT ? "diamond-open" : "circle")),
        color: colour("--ink"),
        line: { width: 2, color: colour("--ink") },
      },
      hovertext: points.map((each) => text(each) + (each.quality === SUSPECT ? `, ${word("suspect")}` : "")),
      hoverinfo: "text",
    },
  ];
}

function sheet({ threshold, unit }, levels) {
  const limits = levels.length ? levels : threshold === null ? [] : [{ name: word("level_line"), value: threshold, rank: 3 }];
  const tone = (rank) => colour(`--l${Math.min(rank, 4)}`);
  return layout({
    height: 320,
    margin: { l: 56, r: 56, t: 10, b: 40 },
    dragmode: false,
    xaxis: { type: "date", gridcolor: colour("--line"), tickformat: "%H:%M\n%d/%m", title: { text: word("local_time"), font: { size: 11 } }, fixedrange: true },
    yaxis: { gridcolor: colour("--line"), ticksuffix: ` ${unit}`, fixedrange: true, zeroline: false },
    shapes: limits.map(({ value, rank }) => ({
      type: "line",
      xref: "paper",
      x0: 0,
      x1: 1,
      y0: value,
      y1: value,
      line: { color: tone(rank), width: 2, dash: "dash" },
    })),
    annotations: limits.map(({ name, value }) => ({
      xref: "paper",
      x: 1.005,
      xanchor: "left",
      y: value,
      text: plain(name),
      showarrow: false,
    })),
  });
}
