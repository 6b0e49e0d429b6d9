// Numbers and times for people: always UTC+7, whatever the browser's zone; comma in Vietnamese, point in English.

import { language, word } from "./words.js";

const ZONE_MS = 7 * 3600_000; // Việt Nam has no daylight saving time
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (number) => String(number).padStart(2, "0");

// `stamp`: RFC 3339, or milliseconds since 1970.
function local(stamp) {
  const at = new Date((typeof stamp === "number" ? stamp : Date.parse(stamp)) + ZONE_MS);
  return {
    hour: two(at.getUTCHours()),
    minute: two(at.getUTCMinutes()),
    second: two(at.getUTCSeconds()),
    day: two(at.getUTCDate()),
    month: at.getUTCMonth(),
    year: at.getUTCFullYear(),
  };
}

export function clock(stamp) {
  const { hour, minute, second } = local(stamp);
  return `${hour}:${minute}:${second}`;
}

export function date(stamp) {
  const { day, month, year } = local(stamp);
  return language() === "vi" ? `${day}/${two(month + 1)}/${year}` : `${day} ${MONTHS[month]} ${year}`;
}

// "07:00 27/10" or "07:00, 27 Oct"
export function moment(stamp) {
  const { hour, minute, day, month } = local(stamp);
  return language() === "vi"
    ? `${hour}:${minute} ${day}/${two(month + 1)}`
    : `${hour}:${minute}, ${day} ${MONTHS[month]}`;
}

// "07:00:05 27/10/2025" or "07:00:05, 27 Oct 2025"
export const full = (stamp) => `${clock(stamp)}${language() === "vi" ? " " : ", "}${date(stamp)}`;

// The same, shorter where it is the day of `now`: "07:00".
export function near(stamp, now) {
  const [at, beside] = [local(stamp), local(now ?? stamp)];
  const today = now && at.day === beside.day && at.month === beside.month && at.year === beside.year;
  return today ? `${at.hour}:${at.minute}` : moment(stamp);
}

export function number(value, digits = 2) {
  const [whole, part] = Math.abs(value).toFixed(digits).split(".");
  const [point, thousand] = language() === "vi" ? [",", "."] : [".", ","];
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, thousand);
  const sign = value < 0 && Number(value.toFixed(digits)) !== 0 ? "\u2212" : "";
  return sign + (part ? grouped + point + part : grouped);
}

const DIGITS = { m: 2, mm: 1, "m3/s": 0, "%": 1, "ug/m3": 1, 1: 0 };
const UNITS = { "m3/s": "m³/s", "ug/m3": "µg/m³", 1: "" };

export const unit = (name) => UNITS[name] ?? name;

export function quantity(value, unit) {
  return `${number(value, DIGITS[unit] ?? 2)}\u00a0${UNITS[unit] ?? unit}`.trimEnd();
}

// How much of its time a sum covers, in whole per cent: 100 only where nothing is missing.
export const percent = (share) => Math.floor(share * 100 + 1e-6);

// A span of time in its two largest units.
export function span(seconds) {
  const minutes = Math.floor(seconds / 60);
  const vi = language() === "vi";
  if (seconds < 60) return `${Math.floor(seconds)} ${vi ? "giây" : "s"}`;
  if (minutes < 60) return `${minutes} ${vi ? "phút" : "min"}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) {
    const rest = minutes % 60;
    return `${hours} ${vi ? "giờ" : "h"}${rest ? ` ${rest} ${vi ? "phút" : "min"}` : ""}`;
  }
  return `${Math.floor(hours / 24)} ${vi ? "ngày" : "d"}`;
}

export const age = (seconds) => (seconds < 5 ? word("just_now") : `${span(seconds)} ${word("ago")}`);

const STEADY_M_PER_HOUR = 0.01; // less than 1 cm/h is within the gauge's noise

// A slope of a level in metres per hour, spoken in cm/h; `arrow` repeats it for the eye.
export function trend(perHour) {
  if (perHour === null || perHour === undefined) return null;
  const size = Math.abs(perHour);
  if (size < STEADY_M_PER_HOUR) return { arrow: "\u2192", text: word("steady") };
  const way = perHour > 0 ? "rising" : "falling";
  const text = `${word(way)} ${number(size * 100, 0)}\u00a0cm/${word("hour")}`;
  return { arrow: perHour > 0 ? "\u2197" : "\u2198", text };
}
