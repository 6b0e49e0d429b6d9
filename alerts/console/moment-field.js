// A field for a moment, always dd/MM/yyyy HH:mm on Việt Nam's clock: the browser's own field follows the browser's
// language and might ask for AM or PM.

import { h } from "./dom.js";
import { word } from "./words.js";

const SHAPE = /^\s*(\d{1,2})\/(\d{1,2})\/(\d{4})(?:\s+(\d{1,2}):(\d{2}))?\s*$/;
const ZONE_HOURS = 7;
const two = (number) => String(number).padStart(2, "0");

// RFC 3339 -> "27/10/2025 07:00"
export function written(stamp) {
  const at = new Date(Date.parse(stamp) + ZONE_HOURS * 3600_000);
  const day = `${two(at.getUTCDate())}/${two(at.getUTCMonth() + 1)}/${at.getUTCFullYear()}`;
  return `${day} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
}

// "27/10/2025 07:00" or "27/10/2025" -> RFC 3339; null where that is no moment.
export function read(text) {
  const [, day, month, year, hour = 0, minute = 0] = (SHAPE.exec(text) ?? []).map((part) => part && Number(part));
  if (day === undefined || hour > 23 || minute > 59) return null;
  const midnight = new Date(Date.UTC(year, month - 1, day));
  if (midnight.getUTCDate() !== day || midnight.getUTCMonth() !== month - 1) return null; // the 31st of June
  return new Date(midnight.getTime() + ((hour - ZONE_HOURS) * 60 + minute) * 60_000).toISOString();
}

// `value` of the field is its text; ask `read` what it means.
export function momentField(id, stamp) {
  const field = h("input", {
    id,
    type: "text",
    inputmode: "numeric",
    size: 16,
    autocomplete: "off",
    placeholder: word("moment_shape"),
  });
  field.value = stamp ? written(stamp) : "";
  field.addEventListener("input", () => {
    const wrong = field.value.trim() !== "" && read(field.value) === null;
    field.setCustomValidity(wrong ? word("moment_refused") : "");
    field.setAttribute("aria-invalid", String(wrong));
  });
  return field;
}
