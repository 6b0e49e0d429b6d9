// Every told event by its number in the one sequence, oldest first, and the way to those that follow.

import { h } from "./dom.js";
import * as format from "./format.js";
import { grid } from "./tables.js";
import { chip } from "./view.js";
import { pick, said, word } from "./words.js";

// `go(after)`: show what follows a number; null: the newest.
export function eventsTable({ events, head, position, next }, go) {
  const button = (key, act) => {
    const made = h("button", { type: "button", class: "plain" }, word(key));
    made.addEventListener("click", act);
    return made;
  };
  return [
    h(
      "p",
      { class: "files", role: "status" },
      said("events_head", { head: format.number(head, 0) }),
      " · ",
      word("times_note"),
    ),
    events.length
      ? grid(
          word("history_events"),
          [["seq", true], "time", "kind_label", "alert", "by_label", "comment_label"],
          events.map(row),
        )
      : h("p", { class: "none" }, word("events_none")),
    h(
      "div",
      { class: "actions" },
      next && button("events_next", () => go(position)),
      button("events_newest", () => go(null)),
    ),
  ];
}

// Why, where the data alone do not say it; for some reasons the server has no words but its own.
function why({ by, reason }) {
  if (by || !reason) return "";
  const key = `why_${reason.replaceAll(" ", "_")}`;
  return word(key) === key ? reason : word(key);
}

const row = (event) => ({
  "data-severity": event.severity,
  "data-seq": event.seq,
  cells: [
    format.number(event.seq, 0),
    h("time", { datetime: event.event_time }, format.full(event.event_time)),
    [word(`kind_${event.kind}`), event.shadow && chip("dull", word("shadow"))],
    h("a", { href: `#/alert/${event.alert_id}` }, pick(event.headline)),
    event.by || "–",
    event.comment || why(event) || "–",
  ],
});
