// What was alerted: every alert that fits the form, newest first, and behind it every event by its number. What the
// form holds stands in the address. Opened by the router as #/history?q=...&severity=...

import { csv, save } from "./csv.js";
import { h } from "./dom.js";
import { eventsTable } from "./history-events.js";
import { FILE_COLUMNS, alertsTable, fileRow } from "./history-table.js";
import { address, chosen, collect } from "./history-data.js";
import { Kept, notice } from "./kept.js";
import { momentField, read } from "./moment-field.js";
import { said, word } from "./words.js";

const SEVERITIES = ["Extreme", "Severe", "Moderate", "Minor"];
const STATES = ["all", "open", "ended"];
const RANGES = ["24h", "7d", "30d", "all"];
const SETTLE_MS = 300; // while somebody types
const FILE_MOST = 5_000; // alerts of a file
const FILE_PAGES = 100;

export function open(root, parameters, context) {
  const page = new HistoryPage(root, parameters, context);
  page.begin();
  return () => page.close();
}

class HistoryPage {
  constructor(root, { query }, { api, feed }) {
    Object.assign(this, { query, api, feed });
    this.told = h("div");
    this.list = h("div");
    this.form = this.makeForm();
    this.tabs = h("div", { class: "choice", role: "group" });
    root.append(
      h(
        "article",
        { class: "history" },
        h("h2", {}, word("history_title")),
        this.tabs,
        this.form,
        this.told,
        this.list,
      ),
    );
    this.kept = new Kept(
      () => this.ask(),
      () => this.render(),
    );
  }

  begin() {
    this.leave = this.feed.subscribe(() => this.follow());
    this.renderTabs();
    this.render();
    this.follow();
  }

  close() {
    this.leave();
    clearTimeout(this.settling);
    this.kept.close();
  }

  get events() {
    return this.query.get("view") === "events";
  }

  // The first request waits until the stations are known by name, since the form may name some. Later ones come
  // when somebody changes the form: what is read does not move by itself.
  follow() {
    if (this.begun || !this.feed.loaded || !this.feed.asOf?.now) return;
    this.begun = true;
    this.kept.refresh();
  }

  async ask() {
    const { stations, asOf } = this.feed;
    if (this.events) return this.askEvents();
    const path = address(this.query, stations, this.rules(), asOf.now);
    if (path === null) return { alerts: [], next: null, seen: 0, nowhere: true };
    return { ...(await collect(this.api, path, chosen(this.query, stations))), path };
  }

  async askEvents() {
    const { stations, asOf } = this.feed;
    const after = this.query.get("after");
    const path = address(this.query, stations, this.rules(), asOf.now, "/api/v1/events");
    if (path === null) return { events: [], nowhere: true };
    const answer = await this.api.get(path + (after ? `&after=${encodeURIComponent(after)}` : ""));
    return { ...answer, events: answer.events.filter(chosen(this.query, stations)) };
  }

  // The rules that have spoken of late, for the field's suggestions.
  rules() {
    return new Set([...this.feed.events, ...this.feed.alerts.map((alert) => alert.newest)].map((event) => event.rule));
  }

  change(name, value) {
    if (value) this.query.set(name, value);
    else this.query.delete(name);
    history.replaceState(null, "", `#/history${this.query.size ? `?${this.query}` : ""}`);
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.begun && this.kept.ask(() => this.ask()), SETTLE_MS);
  }

  renderTabs() {
    const tab = (key, view) => {
      const pressed = String(this.events === (view === "events"));
      const button = h("button", { type: "button", "aria-pressed": pressed, "data-word": key }, word(key));
      button.addEventListener("click", () => {
        this.change("view", view);
        this.change("after", null);
        this.renderTabs();
        this.tabs.querySelector(`[data-word=${key}]`).focus();
      });
      return button;
    };
    this.tabs.replaceChildren(tab("history_alerts", null), tab("history_events", "events"));
    for (const node of this.form.querySelectorAll("[data-for]"))
      node.hidden = node.dataset.for !== (this.events ? "events" : "alerts");
  }

  makeForm() {
    const text = (name, hint) =>
      this.field(name, h("input", { type: "search", placeholder: hint ?? "", autocomplete: "off" }));
    const pick = (name, values, key, title) =>
      this.field(
        name,
        h(
          "select",
          {},
          values.map((each) => h("option", { value: each }, word(`${key}_${each || "any"}`))),
        ),
        title,
      );
    return h(
      "form",
      { class: "filters", role: "search", "aria-label": word("history_title") },
      text("q", word("q_hint")),
      pick("severity", ["", ...SEVERITIES], "severity", "history_severity"),
      this.ruleField(text("rule")),
      alertsOnly(pick("state", STATES, "state_of")),
      alertsOnly(text("by")),
      alertsOnly(pick("range", RANGES, "range")),
      alertsOnly(this.moment("since", "from")),
      alertsOnly(this.moment("until", "to")),
      eventsOnly(this.field("after", h("input", { type: "number", min: 0, step: 1 }))),
    );
  }

  ruleField(field) {
    field.querySelector("input").setAttribute("list", "known-rules");
    field.append(
      h(
        "datalist",
        { id: "known-rules" },
        [...this.rules()].sort().map((rule) => h("option", { value: rule })),
      ),
    );
    return field;
  }

  field(name, control, key = `filter_${name}`) {
    control.id = `filter-${name}`;
    const fallback = { state: "all", range: "7d" }[name] ?? "";
    control.value = this.query.get(name) ?? fallback;
    control.addEventListener("input", () => this.change(name, control.value === fallback ? null : control.value));
    return h("div", { class: "field" }, h("label", { for: control.id }, word(key)), control);
  }

  moment(name, key) {
    const control = momentField(`filter-${name}`, this.query.get(name));
    control.addEventListener("change", () => {
      if (control.reportValidity()) this.change(name, read(control.value));
    });
    return h("div", { class: "field" }, h("label", { for: control.id }, word(key)), control);
  }

  render() {
    const { kept, list, told } = this;
    told.replaceChildren(notice(kept) ?? "");
    list.className = kept.state === "stale" ? "old" : "";
    if (!kept.value) return list.replaceChildren();
    if (kept.value.nowhere) return list.replaceChildren(h("p", { class: "none" }, word("history_nowhere")));
    if (kept.value.events) return list.replaceChildren(...eventsTable(kept.value, (after) => this.goAfter(after)));
    return list.replaceChildren(...this.alerts(kept.value));
  }

  goAfter(after) {
    this.form.querySelector("#filter-after").value = after ?? "";
    this.change("after", after === null ? null : String(after));
  }

  alerts(value) {
    const count = said("history_count", { shown: value.alerts.length, seen: value.seen });
    const more = h("button", { type: "button", class: "plain more" }, word("show_more"));
    more.addEventListener("click", () => this.more(value, more));
    const file = h("button", { type: "button", class: "plain" }, "CSV");
    file.addEventListener("click", () => this.file(value.path, file));
    return [
      h(
        "p",
        { class: "files", role: "status" },
        count,
        " · ",
        word("times_note"),
        " · ",
        word("download"),
        ": ",
        file,
        " · ",
        h("a", { href: value.path, download: "" }, "JSON"),
      ),
      value.alerts.length ? alertsTable(value.alerts) : h("p", { class: "none" }, word("history_none")),
      value.next && more,
    ].filter(Boolean);
  }

  async more(value, button) {
    button.disabled = true;
    try {
      const page = await collect(this.api, value.next, chosen(this.query, this.feed.stations));
      if (this.kept.value !== value) return;
      Object.assign(value, {
        alerts: [...value.alerts, ...page.alerts],
        next: page.next,
        seen: value.seen + page.seen,
      });
      this.render();
      this.list.querySelector("button.more")?.focus();
    } catch (error) {
      button.disabled = false;
      button.textContent = `${word("show_more_failed")} (${error.body?.detail ?? word("no_server")})`;
    }
  }

  async file(path, button) {
    button.disabled = true;
    try {
      const all = await collect(this.api, path, chosen(this.query, this.feed.stations), FILE_PAGES, FILE_MOST);
      save("huewatch-alerts.csv", csv(FILE_COLUMNS, all.alerts.map(fileRow)));
    } catch (error) {
      this.told.replaceChildren(
        h("p", { class: "not-known unknown", role: "alert" }, word("file_failed"), " ", error.message),
      );
    } finally {
      button.disabled = false;
    }
  }
}

const only = (kind) => (node) => (node.setAttribute("data-for", kind), node);
const alertsOnly = only("alerts");
const eventsOnly = only("events");
