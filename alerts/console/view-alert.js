// One alert: what stands now, what can be done, the readings behind it as a chart, and its whole history.

import { ACTIONS, possible } from "./actions.js";
import { buttons, figures, secondLine, streamOf } from "./alert-item.js";
import { approve } from "./approve.js";
import { h, item, sync } from "./dom.js";
import { evidenceChart } from "./evidence.js";
import * as format from "./format.js";
import { handle } from "./handle.js";
import { bind } from "./keys.js";
import { pick, said, severity, word } from "./words.js";

const BESIDE = new Set(["acknowledged", "assigned", "commented", "shelved", "unshelved", "approved", "unanswered"]);

export function open(root, { id }, context) {
  const { api, feed } = context;
  const head = h("div", { class: "head" });
  const chart = h("section", { class: "chart", "aria-labelledby": "evidence-title" });
  const timeline = h("ol", { class: "timeline" });
  const past = h("section", { "aria-labelledby": "timeline-title" }, h("h2", { id: "timeline-title" }, word("timeline")), timeline);
  root.append(h("p", {}, h("a", { href: "#/" }, `← ${word("back")}`)), head, h("div", { class: "columns" }, chart, past));
  const drawing = evidenceChart(chart, context);
  let alert = null;
  let events = [];
  let closed = false;
  let newest = -1;

  async function load() {
    try {
      const answer = await api.get(`/api/v1/alerts/${encodeURIComponent(id)}`);
      if (closed) return;
      ({ events } = answer);
      alert = standing(answer, feed);
      render();
    } catch (error) {
      if (!closed && !alert) head.replaceChildren(h("p", { class: "none" }, word(error.status === 404 || error.status === 422 ? "alert_unknown" : "not_loaded")));
    }
  }

  function render() {
    const stamp = [alert, stream(alert, feed), feed.known(), feed.asOf?.now?.slice(0, 16), context.session.scopes];
    sync(head, [item("head", stamp, () => summary(alert, context))]);
    sync(timeline, events.toReversed().map((event) => item(String(event.seq), event.seq, () => entry(event))));
    drawing.render(alert.newest, events);
  }

  head.addEventListener("click", (event) => {
    const name = event.target.closest("[data-act]")?.dataset.act;
    if (name) act(name);
  });

  function act(name) {
    if (name === "approve") return approve(alert, context, load);
    if (!alert || !possible(name, alert, context.session)) return undefined;
    return handle(name, alert, context, (busy) => {
      for (const button of head.querySelectorAll("[data-act]")) button.disabled = busy;
    });
  }

  const doings = Object.entries(ACTIONS).map(([name, { key }]) => [key, [`act_${name}`, () => act(name)]]);
  const release = bind("keys_alert", Object.fromEntries(doings));
  // What happened to this alert shows in the sequence: only then its history is asked for again.
  const leave = feed.subscribe(() => {
    const seq = feed.events.find((event) => event.alert_id === id)?.seq ?? 0;
    if (alert) render();
    if (seq === newest && alert) return;
    newest = seq;
    load();
  });
  load();
  return () => {
    closed = true;
    leave();
    release();
    drawing.close();
  };
}

// The alert as the list has it; one that has ended by its last event about the condition.
function standing({ alert_id, handling, events }, feed) {
  const told = events.filter((event) => !BESIDE.has(event.kind) && !(event.kind === "cancelled" && event.by));
  const newest = told.at(-1) ?? events.at(-1);
  const state = newest.level === 0 ? "ended" : handling.cancelled ? "cancelled" : "open";
  const listed = feed.alerts.find((each) => each.alert_id === alert_id);
  return { alert_id, handling, newest, state, last_known_state: state, phase: listed?.phase, opened_at: events[0].event_time };
}

const stream = (alert, { stations }) => streamOf(alert, stations.find((each) => each.id === alert.newest.station));

function summary(alert, context) {
  const { feed } = context;
  const event = alert.newest;
  const sight = { known: feed.known(), now: feed.asOf?.now, forecast: feed.forecasts.get(event.target) };
  const over = alert.state === "ended";
  const names = Object.keys(ACTIONS);
  const may = alert.state !== "cancelled" && context.session.may("administer");
  return h(
    "article",
    { class: "alert one", "data-severity": over ? "Unknown" : event.severity, "data-alert": alert.alert_id },
    h("span", { class: "badge" }, over ? word("alert_over") : event.level_name || severity(event.severity)),
    h(
      "div",
      { class: "lines" },
      h("h2", { class: "headline" }, pick(event.headline)),
      secondLine(alert, { ...sight, known: sight.known && !over, muted: context.sound.muted(alert.alert_id) }),
      figures(stream(alert, feed), sight),
      h(
        "p",
        { class: "row" },
        buttons(alert, context.session, names.slice(0, 1), "primary"),
        buttons(alert, context.session, names.slice(1), "plain"),
        may && h("button", { type: "button", class: "plain", "data-act": "approve", "data-part": "approve" }, word("act_approve")),
      ),
      h(
        "p",
        { class: "row links" },
        h("a", { href: `#/station/${encodeURIComponent(event.station)}` }, word("open_station")),
        h("a", { href: "/api/v1/cap/feed.atom" }, word("cap_link")),
        h("span", {}, `${word("rule")}: ${event.rule}`),
      ),
    ),
  );
}

function entry(event) {
  const late = event.delay_s >= 600 && said("late_by", { by: format.span(event.delay_s) });
  return h(
    "li",
    { "data-severity": event.severity, "data-kind": event.kind, "data-seq": event.seq },
    h("time", { datetime: event.event_time }, format.moment(event.event_time)),
    h("span", { class: "kind" }, word(`kind_${event.kind}`)),
    event.by && h("b", { class: "by" }, event.by),
    late && h("small", {}, late),
    h("p", {}, BESIDE.has(event.kind) || event.by ? words(event) : pick(event.headline)),
    event.told_to.length > 0 && h("p", { class: "hint" }, said("told_to", { names: event.told_to.join(", ") })),
  );
}

// What somebody did, without the headline that stands above it already.
function words(event) {
  const parts = [
    event.assigned_to && said("assigned_to", { to: event.assigned_to }),
    event.until && `${word("field_until").toLowerCase()} ${format.moment(event.until)}`,
    event.approval && said("approved_by", { by: event.by, response: event.approval.response.map((each) => word(`response_${each}`)).join(", ") }),
    event.approval && pick(event.approval),
    event.comment && `“${event.comment}”`,
  ];
  return parts.filter(Boolean).join(" · ");
}
