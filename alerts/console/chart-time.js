// Charts know no time zones. Plotly takes a date that is a number for one of the browser's own zone, and a text
// without a zone as it stands: so whatever goes into a chart is Việt Nam's clock as such a text, written here, and
// what comes out of it is read here. Nowhere else.

const ZONE_MS = 7 * 3600_000; // no daylight saving time

// RFC 3339, or milliseconds since 1970 -> "2025-10-27T07:00:00.000"
export function onAxis(moment) {
  const at = typeof moment === "number" ? moment : Date.parse(moment);
  return new Date(at + ZONE_MS).toISOString().slice(0, -1);
}

// "2025-10-27 07:00:00.5", or less of it -> RFC 3339 with Z
export function fromAxis(text) {
  const [date, clock = "00:00"] = text.trim().split(/[ T]/);
  return new Date(Date.parse(`${date}T${clock}Z`) - ZONE_MS).toISOString();
}
