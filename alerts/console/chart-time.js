// Charts know no time zones: they write a number of milliseconds as if its clock were UTC. So a time that goes
// into a chart is shifted to Việt Nam's clock here, and one that comes out of it is shifted back here: nowhere else.

const ZONE_MS = 7 * 3600_000; // no daylight saving time

// RFC 3339 -> milliseconds on a chart's axis.
export const onAxis = (stamp) => Date.parse(stamp) + ZONE_MS;

// What a chart says of its axis ("2025-10-27 07:00:00.5" or milliseconds) -> RFC 3339 with Z.
export function fromAxis(place) {
  const shifted = typeof place === "number" ? place : Date.parse(`${place.replace(" ", "T")}${place.length > 10 ? "Z" : ""}`);
  return new Date(shifted - ZONE_MS).toISOString();
}
