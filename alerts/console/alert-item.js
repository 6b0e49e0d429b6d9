// One alert of the list: the headline as the server writes it, age, quality and hands under it, the figures of now,
// and unfolded its evidence and everything that can be done with it.

import { ACTIONS, possible } from "./actions.js";
import { toNextLevel } from "./ahead.js";
import { taken, waiting } from "./alert-order.js";
import { h } from "./dom.js";
import * as format from "./format.js";
import { chip, margin, OLD, SUSPECT } from "./view.js";
import { pick, said, severity, word } from "./words.js";

// `sight`: {known, now, session, forecast, muted}; `stream` is the datastream it speaks of, if it is a measured one.
export function alertItem(alert, stream, sight) {
  const event = alert.newest;
  const { known } = sight;
  const state = alert.handling.shelved ? "shelved" : waiting(alert) ? "waiting" : "taken";
  return h(
    "li",
    {
      class: known ? "alert" : "alert old",
      "data-severity": event.severity,
      "data-alert": alert.alert_id,
      "data-handling": state,
    },
    h("span", { class: "badge" }, known ? event.level_name || severity(event.severity) : word("unknown")),
    h(
      "div",
      { class: "lines" },
      h("a", { class: "headline", href: `#/alert/${alert.alert_id}`, "data-part": "headline" }, pick(event.headline)),
      secondLine(alert, sight),
      figures(stream, sight),
      h(
        "details",
        {},
        h("summary", { "data-part": "more" }, word("more")),
        h("p", { class: "row" }, buttons(alert, sight.session, Object.keys(ACTIONS).slice(1), "plain")),
        h("p", {}, [`${word("rule")}: ${event.rule}`, alert.opened_at && `${word("opened")} ${format.moment(alert.opened_at)}`].filter(Boolean).join(" · ")),
        evidenceList(event.evidence, event.unit),
      ),
    ),
    h("div", { class: "acts" }, buttons(alert, sight.session, ["acknowledge"], "primary"), sparkline(event.evidence)),
  );
}

export const buttons = (alert, session, names, kind) =>
  names
    .filter((name) => possible(name, alert, session))
    .map((name) =>
      h(
        "button",
        { type: "button", class: kind, "data-act": name, "data-part": name, "aria-keyshortcuts": ACTIONS[name].key },
        word(`act_${name}`),
      ),
    );

// Its age, its quality, and who has taken it.
export function secondLine(alert, { known, now, muted }) {
  const event = alert.newest;
  const doubted = event.evidence.some((each) => each.quality === SUSPECT);
  const parts = [
    known && age(event, now),
    event.verified && !doubted && word("quality_good"),
    alert.phase === "clearing" && word("clearing"),
    event.delay_s >= 600 && `${word("delay")} ${format.span(event.delay_s)}`,
    !alert.handling.acknowledged && word("nobody"),
    ...handled(alert.handling),
    muted && word("muted"),
  ];
  return h(
    "p",
    { class: "second" },
    h("span", {}, parts.filter(Boolean).join(" · ")),
    doubted && chip("warn", word("suspect")),
    !event.verified && chip("warn", word("unverified")),
    taken(alert) && chip("done", word("kind_acknowledged")),
    alert.handling.shelved && chip("dull", word("kind_shelved")),
  );
}

const age = (event, now) =>
  now && format.age(Math.max(0, (Date.parse(now) - Date.parse(event.observed_at ?? event.event_time)) / 1000));

// What people have done with it, in words.
export function handled({ acknowledged, assigned_to, shelved, comments }) {
  return [
    acknowledged && said(acknowledged.worse ? "acknowledged_worse" : "acknowledged_by", acknowledged),
    assigned_to && said("assigned_to", { to: assigned_to }),
    shelved && said("shelved_until", { by: shelved.by, until: format.moment(shelved.until) }),
    comments > 0 && said("commented", { count: comments }),
  ];
}

// The series that an alert speaks of, be it measured or computed; none of a gateway or of ourselves.
export function streamOf(alert, station) {
  const named = (each) => each.key === alert.newest.target;
  const computed = station?.derived.find(named);
  if (!computed) return station?.datastreams.find(named);
  const newest = computed.newest?.value === null ? null : computed.newest;
  return { ...computed, newest_usable: newest, levels: [], level: null, trend_per_hour: null };
}

// The series as it stands now: level, margin, trend, time to the next level. An old one gives its last level only.
export function figures(stream, { known, now, forecast }) {
  const shown = stream?.newest_usable;
  if (!shown) return null;
  const old = !known || OLD.has(stream.freshness);
  const trend = old || stream.unit !== "m" ? null : format.trend(stream.trend_per_hour);
  const ahead = old ? null : toNextLevel(stream, forecast);
  const pair = (key, content, kind) =>
    h("div", { class: kind }, h("dt", { class: kind === "bare" && "unseen" }, word(key)), " ", h("dd", {}, content));
  return h(
    "dl",
    { class: old ? "figures old" : "figures" },
    pair(old ? "last_known" : "present", [h("b", {}, format.quantity(shown.value, stream.unit)), ` ${format.near(shown.time, now)}`]),
    stream.levels.length > 0 && pair("margin", margin(stream), "bare"),
    trend && pair("trend", `${trend.arrow} ${trend.text}`, "bare"),
    ahead && pair("ahead", ahead, "long"),
    old && pair("signal", word(known ? stream.freshness : "unknown"), "bare"),
  );
}

export const evidenceList = (evidence, unit) =>
  evidence.length > 0 && [
    h("p", {}, word("evidence")),
    h(
      "ul",
      { class: "points" },
      evidence.map((each) =>
        h(
          "li",
          {},
          h("time", { datetime: each.time }, format.moment(each.time)),
          h("b", {}, format.quantity(each.value, unit)),
          each.quality === SUSPECT && chip("warn", word("suspect")),
        ),
      ),
    ),
  ];

const WIDE = 88;
const HIGH = 26;

// The points that decided it, as a line beside the words that say them.
function sparkline(evidence) {
  if (evidence.length < 3) return null;
  const times = evidence.map((each) => Date.parse(each.time));
  const values = evidence.map((each) => each.value);
  const scale = (all, size, value) => ((value - Math.min(...all)) / (Math.max(...all) - Math.min(...all) || 1)) * (size - 6) + 3;
  const place = (at) => [scale(times, WIDE, times[at]), HIGH - scale(values, HIGH, values[at])];
  const points = evidence.map((each, at) => place(at).map((part) => part.toFixed(1)).join(","));
  const [x, y] = place(evidence.length - 1);
  return h(
    "svg",
    { class: "sparkline", width: WIDE, height: HIGH, viewBox: `0 0 ${WIDE} ${HIGH}`, "aria-hidden": "true" },
    h("polyline", { points: points.join(" ") }),
    h("circle", { cx: x, cy: y, r: 2.5 }),
  );
}
