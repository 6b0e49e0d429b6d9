// What the station page asks the server for, and in which grain; every answer of it comes back in one piece, with
// the names of the parts that did not come.

import * as series from "./series.js";

export const RANGES = { "6h": 6, "24h": 24, "3d": 72, "7d": 168 }; // hours
const MOST = 2_000; // points: what a browser draws at once and a screen can tell apart
const BUCKETS = [
  ["15min", 900],
  ["1h", 3_600],
  ["1d", 86_400],
];
const PAGE = 5_000; // rows: the most that the server gives at once
const MOST_PAGES = 10; // more than a chart can hold is a mistake of ours
const COMMENTS = 6; // the newest: all of them stand at their alerts
const HOUR_MS = 3_600_000;
const FORESEEN_MS = 6 * HOUR_MS; // the longest horizon of the forecasts
const MARGIN = 0.02; // of the range, so that the newest point does not stand on the edge
const NEARBY_KM = 30; // a rain gauge further away says little of this water

const stamp = (ms) => new Date(ms).toISOString();
export const path = (key) => `/api/v1/datastreams/${key.split("/").map(encodeURIComponent).join("/")}`;

// {since, until, ends} of a range that ends where the data have reached, or of an own one. `ends` is how far the axis
// goes: over the forecast where there can be one.
export function period(query, now, stream) {
  const own = query.get("since") && query.get("until");
  if (own) return { since: query.get("since"), until: query.get("until"), ends: query.get("until") };
  const hours = RANGES[query.get("range")] ?? RANGES["24h"];
  const reached = Date.parse(now);
  const ahead = foreseen(stream) ? Math.min(FORESEEN_MS, hours * HOUR_MS) : MARGIN * hours * HOUR_MS;
  return { since: stamp(reached - hours * HOUR_MS), until: stamp(reached + 1), ends: stamp(reached + ahead) };
}

// null: each sample; otherwise the finest roll-up that is not more than a chart takes.
export function grain(cadence, { since, until }) {
  const seconds = (Date.parse(until) - Date.parse(since)) / 1000;
  if (seconds / cadence <= MOST) return null;
  return BUCKETS.find(([, size]) => size > cadence && seconds / size <= MOST) ?? BUCKETS.at(-1);
}

export const question = (stream, { since, until }, more = {}) =>
  `${path(stream.key)}/observations?${new URLSearchParams({ since, until, ...more })}`;

// Every page of a stretch, oldest first. `rolled`: null or [bucket, seconds].
async function rowsOf(api, stream, span, rolled) {
  const found = [];
  let next = question(stream, span, rolled ? { bucket: rolled[0] } : { limit: PAGE });
  for (let pages = 0; next && pages < MOST_PAGES; pages += 1) {
    const answer = await api.get(next);
    found.unshift(...(rolled ? answer.buckets.map(asRow) : answer.observations));
    next = answer.next;
  }
  return found;
}

// A roll-up stands in its middle; rain adds up.
const asRow = (bucket) => ({
  ...bucket,
  time: stamp((Date.parse(bucket.begins) + Date.parse(bucket.ends)) / 2),
  value: bucket.mean,
  sum: bucket.mean === null ? null : bucket.mean * bucket.count,
});

const kilometres = (one, other) =>
  111.2 * Math.hypot(one.lat - other.lat, (one.lon - other.lon) * Math.cos((one.lat * Math.PI) / 180));

// The rain gauge that belongs to a station's water: its own, the nearest on its river, or the nearest of all.
export function rainFor(station, stations) {
  const gauges = stations.flatMap((each) => {
    const stream = each.datastreams.find(({ property }) => property === "rainfall");
    const same = station.river && each.river?.vi === station.river.vi;
    return stream ? [{ station: each, stream, same, km: kilometres(station.location, each.location) }] : [];
  });
  const rank = (each) => (each.station.id === station.id ? -2 : each.same ? -1 : 0);
  gauges.sort((one, other) => rank(one) - rank(other) || one.km - other.km);
  return gauges[0] && (rank(gauges[0]) < 0 || gauges[0].km <= NEARBY_KM) ? gauges[0] : null;
}

// Everything that the page shows of one stretch. Rejects only where the series itself did not come; `missing` names
// what else did not.
export async function load(api, station, stream, stations, span, now) {
  const rain = wet(station, stream) ? rainFor(station, stations) : null;
  const rolled = grain(stream.cadence_s, span);
  const rainRolled = rain && grain(rain.stream.cadence_s, span);
  const places = new URLSearchParams({ station: station.id });
  const asked = {
    rows: rowsOf(api, stream, span, rolled),
    rain: rain && rowsOf(api, rain.stream, span, rainRolled),
    forecast: foreseen(stream) ? api.get(`/api/v1/forecasts?${places}`) : null,
    alerts: api.get(`/api/v1/alerts?${places}&state=all`),
    comments: api.get(`/api/v1/events?${places}&kind=commented&limit=${COMMENTS}`),
  };
  const { answers, missing } = await settle(asked);
  const { rows } = answers;
  return {
    station,
    stream,
    rows: rolled && stream.property === "rainfall" ? rows.map(summed) : rows,
    rolled: rolled?.[0] ?? null,
    step: rolled?.[1] ?? stream.cadence_s,
    ...span,
    now,
    rain: answers.rain && {
      ...rain,
      rows: rainRolled ? answers.rain.map(summed) : answers.rain,
      step: rainRolled?.[1] ?? rain.stream.cadence_s,
    },
    forecast: answers.forecast?.forecasts.find((each) => each.datastream === stream.key) ?? null,
    alerts: answers.alerts?.alerts ?? null,
    comments: answers.comments?.events.toReversed() ?? [],
    windows: worked(station, stream, rows, rolled?.[1] ?? stream.cadence_s),
    missing,
  };
}

// The answers by name, null where one did not come; the first must.
async function settle(asked) {
  const names = Object.keys(asked);
  const settled = await Promise.allSettled(Object.values(asked));
  if (settled[0].status === "rejected") throw settled[0].reason;
  const came = ({ status }) => status === "fulfilled";
  return {
    answers: Object.fromEntries(names.map((name, place) => [name, came(settled[place]) ? settled[place].value : null])),
    missing: names.filter((_, place) => !came(settled[place])),
  };
}

const HEALTH = new Set(["battery", "battery_voltage", "rssi", "snr", "gateways", "f_cnt"]);

// What a device says of itself.
export const isHealth = ({ property: name }) => HEALTH.has(name);

// Whether rain belongs beside it: beside water under the open sky, and not beside itself or a device's health.
const OPEN_WATER = new Set(["river", "street", "reservoir", "barrage", "tide"]);
const wet = (station, stream) =>
  (OPEN_WATER.has(station.kind) || Boolean(station.river)) && stream.property !== "rainfall" && !isHealth(stream);

const foreseen = (stream) => stream.unit === "m" && stream.levels?.length > 0;
const summed = (row) => ({ ...row, value: row.sum });

// The windows that stand, and those that the rows themselves tell of: measured while somebody worked there.
function worked(station, stream, rows, step) {
  const standing = station.maintenance.filter((window) => window.datastreams.includes(stream.key));
  const marked = rows.filter((row) => row.tests?.calibration);
  const past = series
    .unbroken(marked, step)
    .rows.reduce(
      (found, row) => (row === null ? [...found, []] : [...found.slice(0, -1), [...found.at(-1), row]]),
      [[]],
    );
  const spans = past.filter((each) => each.length).map((each) => ({ begins: each[0].time, ends: each.at(-1).time }));
  return [...standing, ...spans];
}
