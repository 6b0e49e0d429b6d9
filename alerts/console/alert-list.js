// The list of open alerts with its filters, for mouse and keyboard. Part of the watch.

import { ACTIONS, possible } from "./actions.js";
import { alertItem, streamOf } from "./alert-item.js";
import { FILTERED, fits, order } from "./alert-order.js";
import { h, item, setText, sync } from "./dom.js";
import { handle } from "./handle.js";
import { bind } from "./keys.js";
import { pick, severity, word } from "./words.js";

// What was filtered for stays when the language changes or somebody comes back from an alert.
const filter = { severity: "", river: "", waiting: false, mine: false, text: "" };

export function alertList(root, context) {
  const { feed, session, sound } = context;
  const list = h("ol", { id: "alert-list" });
  const count = h("span", { class: "count", id: "alert-count" });
  const kept = h("p", { class: "kept", role: "status" });
  const controls = filters(() => render());
  root.append(
    h("h2", { id: "alerts-title" }, word("alerts"), " ", count),
    controls.node,
    kept,
    list,
  );

  function render() {
    const sight = { known: feed.known(), now: feed.asOf?.now, session };
    const places = new Map(feed.stations.map((station) => [station.id, station]));
    const shown = feed.alerts.filter((alert) => fits(alert, places.get(alert.newest.station), filter, session.name));
    controls.rivers(feed.stations);
    setText(count, sight.known ? String(feed.alerts.length) : "?");
    const hidden = feed.alerts.length - shown.length;
    setText(kept, hidden ? `${hidden} ${word("filtered_out")}` : "");
    const items = shown.sort(order).map((alert) => row(alert, places.get(alert.newest.station), sight));
    sync(list, items.length ? items : [nothing(sight.known, hidden)]);
  }

  function row(alert, station, sight) {
    const stream = streamOf(alert, station);
    const forecast = feed.forecasts.get(alert.newest.target);
    const own = { ...sight, forecast, muted: sound.muted(alert.alert_id) };
    const minute = sight.now?.slice(0, 16);
    const stamp = [alert, stream, forecast, own.known, own.muted, minute, session.scopes];
    return item(alert.alert_id, stamp, () => alertItem(alert, stream, own));
  }

  const alertOf = (node) => feed.alerts.find((each) => each.alert_id === node?.dataset.alert);
  const here = () => document.activeElement?.closest?.("[data-alert]") ?? list.querySelector("[data-alert]");

  list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (button) act(button.dataset.act, button.closest("[data-alert]"));
  });

  function act(name, node) {
    const alert = alertOf(node);
    if (!alert || !possible(name, alert, session)) return;
    const busy = (on) => {
      node.setAttribute("aria-busy", String(on));
      for (const button of node.querySelectorAll("[data-act]")) button.disabled = on;
    };
    handle(name, alert, context, busy);
  }

  function move(step) {
    const rows = [...list.querySelectorAll("[data-alert]")];
    const at = rows.indexOf(document.activeElement?.closest?.("[data-alert]"));
    const next = rows[Math.min(Math.max(at + step, 0), rows.length - 1)];
    next?.querySelector(".headline").focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  function mute() {
    const alert = alertOf(here());
    if (!alert) return;
    sound.mute(alert.alert_id);
    render();
  }

  const doings = Object.entries(ACTIONS).map(([name, { key }]) => [key, [`act_${name}`, () => act(name, here())]]);
  const release = bind("keys_alerts", {
    j: ["key_next", () => move(1)],
    k: ["key_previous", () => move(-1)],
    Enter: ["key_open", (event) => (event.target === document.body ? context.go(`#/alert/${here()?.dataset.alert}`) : false)],
    ...Object.fromEntries(doings),
    m: ["key_mute", mute],
    "/": ["key_search", () => controls.search.focus()],
  });
  return { render, close: release };
}

function nothing(known, hidden) {
  const text = word(hidden ? "no_alerts_filtered" : known ? "no_alerts" : "no_alerts_unknown");
  return item("none", text, () => h("li", { class: "none" }, text));
}

function filters(changed) {
  const worst = h("select", { "aria-label": word("filter_severity") }, h("option", { value: "" }, word("all_severities")));
  worst.append(...FILTERED.map((each) => h("option", { value: each }, `≥ ${severity(each)}`)));
  const river = h("select", { "aria-label": word("filter_river") });
  const search = h("input", { type: "search", "aria-label": word("search_alerts"), placeholder: word("search_alerts") });
  const toggle = (name) => {
    const button = h("button", { type: "button", class: "toggle" }, word(`filter_${name}`));
    const show = () => button.setAttribute("aria-pressed", String(filter[name]));
    button.addEventListener("click", () => {
      filter[name] = !filter[name];
      show();
      changed();
    });
    show();
    return button;
  };
  const follow = (control, name, event) => {
    control.value = filter[name];
    control.addEventListener(event, () => {
      filter[name] = control.value;
      changed();
    });
  };
  follow(worst, "severity", "change");
  follow(river, "river", "change");
  follow(search, "text", "input");
  const node = h(
    "div",
    { class: "sieve", role: "group", "aria-label": word("filters") },
    worst,
    river,
    toggle("waiting"),
    toggle("mine"),
    search,
  );
  return { node, search, rivers: (stations) => offer(river, stations) };
}

// The rivers of the catalogue, in its order.
function offer(select, stations) {
  const known = new Map(stations.filter((each) => each.river).map((each) => [each.river.vi, each.river]));
  const options = [...known].map(([key, river]) => item(key, pick(river), () => h("option", { value: key }, pick(river))));
  sync(select, [item("", word("all_rivers"), () => h("option", { value: "" }, word("all_rivers"))), ...options]);
  if (select.value !== filter.river) select.value = filter.river;
}
