// What is chosen above a station's series: the stretch of time, and chart or table.

import { h } from "./dom.js";
import { momentField, read } from "./moment-field.js";
import { period, RANGES } from "./station-data.js";
import { word } from "./words.js";

const USUAL = "24h";

export const isTabular = (query) => query.get("as") === "table";

// `choose(changes)` puts what somebody chose into the address; `now`: how far the data reach.
export function tools(query, stream, now, choose) {
  const own = query.get("since") !== null;
  const chosen = own ? "own" : (query.get("range") ?? USUAL);
  const ranges = Object.keys(RANGES).map((name) =>
    button(`range_${name}`, name === chosen, () => choose({ range: name, since: null, until: null })),
  );
  return [
    h("div", { class: "choice", role: "group", "aria-label": word("range") }, ranges),
    ownRange(period(query, now, stream), own, choose),
    h(
      "div",
      { class: "choice", role: "group", "aria-label": word("form") },
      button("as_chart", !isTabular(query), () => choose({ as: null })),
      button("as_table", isTabular(query), () => choose({ as: "table" })),
    ),
  ];
}

function button(key, pressed, act) {
  const made = h("button", { type: "button", "aria-pressed": String(pressed), "data-word": key }, word(key));
  made.addEventListener("click", act);
  return made;
}

function ownRange({ since, until }, open, choose) {
  const [from, to] = [momentField("own-from", since), momentField("own-to", until)];
  const refusal = h("span", { class: "refusal", role: "alert" });
  const form = h(
    "form",
    { novalidate: "" },
    h("label", { for: "own-from" }, word("from")),
    from,
    h("label", { for: "own-to" }, word("to")),
    to,
    h("button", { type: "submit", class: "primary" }, word("show")),
    h("span", { class: "hint" }, word("times_note")),
    refusal,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const ends = [read(from.value), read(to.value)];
    const wrong = ends.includes(null) ? "moment_refused" : ends[0] >= ends[1] ? "range_refused" : null;
    if (wrong) refusal.textContent = word(wrong);
    else choose({ range: null, since: ends[0], until: ends[1] });
  });
  return h("details", { class: "own", open: open ? "" : null }, h("summary", {}, word("range_own")), form);
}
