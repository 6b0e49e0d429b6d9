// A datastream's rows as the parts of a drawing. Pure: no page, no clock, no words.
//
// Nothing is drawn where nothing was measured: a line ends before the first sample that is missing and begins
// again after it. What failed is no part of a line.

import { onAxis } from "./chart-time.js";

const SUSPECT = 3;
const FAILED = new Set([4, 9]); // QARTOD fail and missing
const MISSING_AFTER = 1.5; // cadences: the sample in between should have come
const LATE_CADENCES = 2; // as in alerts/sight.py
const LATE_AT_LEAST_S = 15 * 60;
const NO_DATA_CADENCES = 4;
const NO_DATA_AT_LEAST_S = 30 * 60;
const HOUR_MS = 3600_000;

const finite = (value) => value !== null && value !== undefined;

export const isUsable = (row) => finite(row.value) && !FAILED.has(row.quality);
export const isSuspect = (row) => finite(row.value) && row.quality === SUSPECT;
export const isFailed = (row) => FAILED.has(row.quality);

// Whether a row came so long after it was measured that it cannot have been on the page in time.
export function isBackfilled(row, cadence) {
  if (!row.received_at) return false;
  const delay = (Date.parse(row.received_at) - Date.parse(row.time)) / 1000;
  return delay > Math.max(LATE_CADENCES * cadence, LATE_AT_LEAST_S);
}

// The points of a line through rows `step` seconds apart, with an empty one wherever a row is missing; `rows` has the
// row behind each point.
export function unbroken(rows, step, value = (row) => row.value) {
  const found = { x: [], y: [], rows: [] };
  const add = (x, y, row) => (found.x.push(onAxis(x)), found.y.push(y), found.rows.push(row));
  let before = null;
  for (const row of rows) {
    const at = Date.parse(row.time);
    if (before !== null && at - before > MISSING_AFTER * step * 1000) add((before + at) / 2, null, null);
    add(at, value(row), row);
    before = at;
  }
  return found;
}

// Rows as points alone.
export const points = (rows) => ({ x: rows.map((row) => onAxis(row.time)), y: rows.map((row) => row.value), rows });

// The stretches of [since, until] in which a series was silent for so long that nothing is known of it, as pairs of
// RFC 3339 times; `until` is at most the time that the data have reached.
export function silences(rows, cadence, since, until) {
  const longest = Math.max(NO_DATA_CADENCES * cadence, NO_DATA_AT_LEAST_S) * 1000;
  const times = [since, ...rows.map((row) => row.time), until];
  return times.slice(1).flatMap((time, place) => {
    const before = times[place];
    return Date.parse(time) - Date.parse(before) > longest ? [[before, time]] : [];
  });
}

// The same of what a chart shows; a failed reading too says that the sensor was there.
export function unknown({ stream, rows, step, since, until, now }) {
  const end = Date.parse(until) < Date.parse(now) ? until : now;
  return silences(
    rows.filter((row) => finite(row.value)),
    Math.max(step, stream.cadence_s),
    since,
    end,
  );
}

// One outline per stretch without a gap, between the lowest and the highest of each roll-up.
export function envelope(rows, step) {
  const { x, rows: kept } = unbroken(rows, step, () => 0);
  const found = { x: [], y: [] };
  for (const [from, to] of stretches(kept)) {
    const there = range(from, to);
    const back = [...there].reverse();
    if (found.x.length) (found.x.push(null), found.y.push(null));
    found.x.push(...there.map((place) => x[place]), ...back.map((place) => x[place]));
    found.y.push(...there.map((place) => kept[place].max), ...back.map((place) => kept[place].min));
  }
  return found;
}

const range = (from, to) => Array.from({ length: to - from }, (_, place) => from + place);

function stretches(rows) {
  const found = [];
  let from = 0;
  rows.forEach((row, place) => {
    if (row !== null) return;
    found.push([from, place]);
    from = place + 1;
  });
  if (from < rows.length) found.push([from, rows.length]);
  return found;
}

// A forecast as the outline of its band and its middle line, both from the newest sample on.
export function fan({ origin, level, horizons }) {
  const x = [onAxis(origin), ...horizons.map((each) => onAxis(each.time))];
  const up = [level, ...horizons.map((each) => each.high)];
  const down = [level, ...horizons.map((each) => each.low)];
  return {
    band: { x: [...x, ...[...x].reverse()], y: [...up, ...[...down].reverse()] },
    middle: { x, y: [level, ...horizons.map((each) => each.expected)] },
  };
}

// When a forecast passes its next level: with 10, 50 and 90 %; null where it does not within its longest horizon.
export function passings({ origin, mark, passes_h: passes }) {
  const at = (hours) => (hours === null ? null : onAxis(Date.parse(origin) + hours * HOUR_MS));
  const [early, middle, late] = passes.map(at);
  return mark === null || early === null ? null : { mark, early, middle, late };
}

// Rain fell between the reading before and this one: a bar ends at its reading's time.
export function bars(rows, step) {
  const kept = rows.filter(isUsable);
  const middle = (row) => onAxis(Date.parse(row.time) - (step * 1000) / 2);
  return { x: kept.map(middle), y: kept.map((row) => row.value), width: step * 1000, rows: kept };
}
