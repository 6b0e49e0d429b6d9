// The sums of rain and the indices that are computed from a station's readings, with how much they cover.

import { sum, sumsOf } from "./derived.js";
import { h } from "./dom.js";
import { word } from "./words.js";

// Null where nothing is computed from this datastream.
export function sumsList(station, stream, known) {
  const sums = sumsOf(station, stream);
  if (!sums.length) return null;
  return h(
    "section",
    { class: "sums", "aria-labelledby": "sums-title" },
    h("h3", { id: "sums-title" }, word("rain_sums")),
    h(
      "ul",
      {},
      sums.map((each) => sum(each, known)),
    ),
  );
}
