// What a datastream's readings of the last day were worth: how many came, which flags they have, the longest gap.

import { h } from "./dom.js";
import * as format from "./format.js";
import { notice } from "./kept.js";
import { said, word } from "./words.js";

const MISSED_AFTER = 1.5; // cadences without a reading: less is the cadence itself

export const hasGap = (seconds, cadence) => seconds > MISSED_AFTER * cadence;

const FLAGS = ["passed", "not_evaluated", "suspect", "failed", "missing"];

// Shares of a whole as a bar of [class, count], told in words by `label`.
export function shareBar(parts, label) {
  const total = parts.reduce((sum, [, count]) => sum + count, 0);
  let from = 0;
  const drawn = parts.map(([name, count]) => {
    const width = total ? (100 * count) / total : 0;
    const part = h("rect", { class: name, x: `${from}%`, y: 0, width: `${width}%`, height: 10 });
    from += width;
    return part;
  });
  return h(
    "svg",
    { class: "bar", height: 10, role: "img", "aria-label": label },
    h("rect", { class: "track", width: "100%", height: 10 }),
    drawn,
  );
}

// A bar of the flags; the words under it say the same.
export const flagBar = (flags, label) =>
  shareBar(FLAGS.filter((name) => flags[name]).map((name) => [`flag ${name}`, flags[name]]), label);

export const flagWords = (flags) =>
  FLAGS.filter((name) => flags[name])
    .map((name) => `${word(`flags_${name}`)} ${format.number(flags[name], 0)}`)
    .join(" · ");

// `kept`: the answer of GET quality for the station.
export function lastDay(kept, stream) {
  const found = kept.value?.quality.find((each) => each.datastream === stream.key);
  return h(
    "section",
    { class: "last-day", "aria-labelledby": "last-day-title" },
    h("h3", { id: "last-day-title" }, word("last_day_quality")),
    notice(kept),
    found && told(found),
    kept.value && !found && h("p", { class: "none" }, word("not_known")),
  );
}

function told(found) {
  const words = flagWords(found.flags);
  const lines = [
    found.present !== null && said("completeness", { share: format.percent(found.present) }),
    hasGap(found.longest_gap_s, found.cadence_s)
      ? said("longest_gap", { span: format.span(found.longest_gap_s) })
      : word("no_gap"),
    found.late !== null && said("late_share", { share: Math.ceil(100 * found.late - 1e-9) }),
  ];
  return [
    flagBar(found.flags, words),
    h("p", {}, words || word("no_readings")),
    h("p", {}, lines.filter(Boolean).join(" · ")),
  ];
}
