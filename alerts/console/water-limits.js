// What a water quality value is held against. The catalogue's own levels come first; beside them only limits that
// were read in a public text, each with its name. Where there is none, that is what is said.

// QCVN 08:2023/BTNMT, Table 2 (rivers), classes A to C; dissolved oxygen also D. It has no limit for turbidity or
// conductivity.
const RIVER = {
  basis: "QCVN 08:2023/BTNMT",
  ph: [
    { name: "A", low: 6.5, high: 8.5 },
    { name: "B, C", low: 6.0, high: 8.5 },
  ],
  dissolved_oxygen: [
    { name: "A", low: 6.0 },
    { name: "B", low: 5.0 },
    { name: "C", low: 4.0 },
    { name: "D", low: 2.0 },
  ],
};
// QCVN 01-1:2024/BYT. Its limit for free chlorine has not been checked against the text: it stays with the rules.
const TAP = { basis: "QCVN 01-1:2024/BYT", turbidity: [{ name: "", high: 2 }] };

const PROPERTIES = new Set(["ph", "dissolved_oxygen", "turbidity", "conductivity", "free_chlorine", "salinity"]);

export const isWaterQuality = (stream) => PROPERTIES.has(stream.property);

// {basis, limits: [{name, low, high}]} for a datastream of a station; null where no limit is known.
export function limitsOf(station, stream) {
  if (stream.levels?.length) {
    return { basis: "", limits: stream.levels.map(({ name, value }) => ({ name, high: value })) };
  }
  const tap = station.datastreams.some((each) => each.property === "free_chlorine");
  const table = tap ? TAP : RIVER;
  const limits = Array.isArray(table[stream.property]) ? table[stream.property] : null;
  return limits && { basis: table.basis, limits };
}

export const holds = ({ low = -Infinity, high = Infinity }, value) => value >= low && value <= high;
