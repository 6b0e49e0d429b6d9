// How long until the next level: from the forecast where there is one, else from the trend, and then it says so.
// No page and no clock here.

import * as format from "./format.js";
import { said, word } from "./words.js";

const LONGEST_H = 12; // a straight line says nothing of a later time
const RISING_M_PER_H = 0.01; // less is within the gauge's noise
const HOUR_MS = 3_600_000;

// Hours until the next level if it goes on as it does; null where it does not rise towards one in time.
export function byTrend({ level, trend_per_hour: slope }) {
  if (!level || level.to_next === null || !(slope >= RISING_M_PER_H)) return null;
  const hours = level.to_next / slope;
  return hours <= LONGEST_H ? hours : null;
}

// In words, for a stream whose data are of now; null where nothing is to be said. `forecast` is the newest of the
// stream, as /api/v1/forecasts gives it, or undefined.
export function toNextLevel(stream, forecast) {
  if (forecast?.state === "current" && forecast.passes_h[1] !== null) return byForecast(stream, forecast);
  const hours = byTrend(stream);
  if (hours === null) return null;
  const by = format.span(Math.round(hours * 12) * 300); // to 5 minutes: a trend knows no more
  return said("in_about", { level: stream.level.next_name, by, how: word("by_trend") });
}

// Its middle, and the 80 % around it; a late end that lies beyond the forecast is left open.
function byForecast(stream, { origin, mark, passes_h: [early, likely, late] }) {
  const at = (hours) => (hours === null ? "…" : format.moment(Date.parse(origin) + hours * HOUR_MS));
  const level = stream.levels.find((each) => each.value === mark)?.name ?? format.quantity(mark, stream.unit);
  return said("passing_at", { level, at: at(likely), range: `${at(early)} – ${at(late)}` });
}
