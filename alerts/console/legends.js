// The three scales that must not be mixed up, each under its own name: flood levels, air quality, disaster risk.

import { h } from "./dom.js";
import { said, word } from "./words.js";

const mark = (sign) => h("i", { class: `mark ${sign}`, "aria-hidden": "true" });
const entry = (sign, text) => h("li", {}, mark(sign), text);

// Under the map, whose marks it explains.
export const floodLegend = () =>
  legend(
    "legend_bd",
    [
      entry("l1", "BĐ I"),
      entry("l2", "BĐ II"),
      entry("l3", "BĐ III"),
      entry("l4", word("legend_above_top")),
      entry("a3", word("legend_other")),
      entry("normal", word("legend_none")),
      entry("unjudged", word("state_no_levels")),
      entry("stale", word("legend_stale")),
    ],
    word("legend_bd_note"),
  );

export const legends = () =>
  h(
    "section",
    { class: "legends", "aria-label": word("legends") },
    legend(
      "legend_aqi",
      [1, 2, 3, 4, 5, 6].map((band) => h("li", { class: `band aqi${band}` }, `${BANDS[band - 1]} ${word(`aqi_${band}`)}`)),
      word("legend_aqi_note"),
    ),
    legend(
      "legend_risk",
      [1, 2, 3, 4, 5].map((n) => h("li", { class: `band risk${n}` }, said("risk", { n }))),
      h("strong", { class: "declared" }, word("reference_only")),
      " ",
      word("legend_risk_note"),
    ),
  );

const BANDS = ["0–50", "51–100", "101–150", "151–200", "201–300", "301–500"];

const legend = (key, entries, ...note) =>
  h("div", { class: "legend", "data-legend": key }, h("h3", {}, word(key)), h("ul", {}, entries), h("p", {}, note));
