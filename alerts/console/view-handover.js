// The handover of the watch: the report as it was when it was made, to be read, printed and accepted by name. It does
// not change under who reads it; what has come since is counted beside it. Opened by the router as #/handover.

import { h } from "./dom.js";
import * as format from "./format.js";
import { report } from "./handover-report.js";
import { Kept, notice } from "./kept.js";
import { pick, reason, said, word } from "./words.js";

const PATH = "/api/v1/handover";
const CONFLICT = 409;
const LONGEST_NAME = 80; // as in alerts/handling.py
const LONGEST_COMMENT = 1000;

export function open(root, parameters, context) {
  const page = new HandoverPage(root, context);
  page.begin();
  return () => page.close();
}

class HandoverPage {
  constructor(root, { api, feed, session }) {
    Object.assign(this, { api, feed, session });
    this.told = h("div");
    this.news = h("div", { role: "status" });
    this.body = h("div");
    root.append(h("article", { class: "handover" }, this.told, this.news, this.body));
    this.report = new Kept(
      () => api.get(PATH),
      () => this.render(),
    );
  }

  begin() {
    this.leave = this.feed.subscribe(() => this.renderNews());
    this.report.refresh();
    this.render();
  }

  close() {
    this.leave();
    this.report.close();
  }

  render() {
    this.told.replaceChildren(notice(this.report) ?? "");
    this.renderNews();
    const { value } = this.report;
    if (!value || value === this.shown) return;
    this.shown = value;
    this.form = this.acceptance(value);
    this.body.replaceChildren(this.head(value), ...report(value, this.feed.stations), this.form, this.signatures());
  }

  renderNews() {
    const { value } = this.report;
    const later = value ? this.feed.events.filter((event) => event.seq > value.seq) : [];
    if (!later.length) return this.news.replaceChildren();
    const text = said("handover_news", { count: later.length });
    if (this.news.textContent.startsWith(text)) return;
    this.news.replaceChildren(h("div", { class: "news" }, h("strong", {}, text), this.again()));
  }

  again() {
    const button = h("button", { type: "button", class: "plain" }, word("remake"));
    button.addEventListener("click", () => this.report.refresh());
    return button;
  }

  head(value) {
    const print = h("button", { type: "button", class: "plain print" }, word("print"));
    print.addEventListener("click", () => window.print());
    const { as_of: asOf, last } = value;
    return h(
      "header",
      { class: "report-head" },
      h("h2", {}, word("handover_title"), drill(this.feed.nature)),
      h("p", {}, said("handover_made", { at: format.full(value.made_at), since: format.full(value.since) })),
      h("p", {}, asOf.now && said("handover_data", { at: format.full(asOf.now) }), " · ", sight(asOf)),
      h("p", {}, last ? said("handover_last", { ...last, at: format.full(last.at) }) : word("handover_first")),
      h("p", { class: "printed-names" }, names(this.leaver(value), this.session.name)),
      h("div", { class: "actions" }, print, this.again()),
    );
  }

  // Whom somebody takes over from: as it stands in the form, or else who took over last.
  leaver(value) {
    return value.last?.incoming ?? "";
  }

  acceptance(value) {
    if (!this.session.may("acknowledge")) return h("p", { class: "acceptance" }, word("accept_may_not"));
    const leaver = h("input", {
      id: "leaver",
      required: "",
      maxlength: LONGEST_NAME,
      value: this.leaver(value),
      autocomplete: "off",
    });
    const comment = h("textarea", { id: "handover-comment", rows: 3, maxlength: LONGEST_COMMENT });
    const answer = h("div", { class: "answer", role: "alert" });
    const button = h("button", { type: "submit", class: "primary" }, word("accept"));
    const form = h(
      "form",
      { class: "acceptance", "aria-labelledby": "acceptance-title" },
      h("h3", { id: "acceptance-title" }, word("accept_title")),
      h("p", {}, said("accept_hint", { name: this.session.name ?? "" })),
      h("label", { for: "leaver" }, word("leaver")),
      leaver,
      h("label", { for: "handover-comment" }, word("comment_label")),
      comment,
      answer,
      button,
    );
    leaver.addEventListener("input", () => this.name(leaver.value));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      const wish = { leaver: leaver.value.trim(), seq: value.seq, comment: comment.value.trim() };
      try {
        const accepted = await this.api.post(`${PATH}/accept`, wish);
        form.replaceChildren(h("p", { class: "accepted", role: "status" }, done(accepted.handover ?? accepted)));
      } catch (error) {
        answer.replaceChildren(this.refusal(error));
        button.disabled = false;
      }
    });
    return form;
  }

  // The printed names follow the form.
  name(leaver) {
    for (const place of this.body.querySelectorAll("[data-name=leaver]")) place.textContent = leaver;
  }

  refusal(error) {
    const conflict = error.status === CONFLICT;
    const since = error.body?.since ?? [];
    return h(
      "div",
      { class: "not-known unknown" },
      h("strong", {}, word(conflict ? "accept_conflict" : "accept_refused")),
      h("span", {}, error.body?.detail ?? word("no_server")),
      since.length > 0 &&
        h(
          "ul",
          {},
          since.map((event) => h("li", {}, pick(event.headline))),
        ),
      conflict && this.again(),
    );
  }

  signatures() {
    const line = (key, name) =>
      h(
        "div",
        {},
        h("strong", {}, word(key)),
        h("span", {}, word("signature")),
        h("span", { class: "line", "data-name": key }, name),
      );
    return h(
      "div",
      { class: "signatures" },
      line("leaver", this.leaver(this.shown)),
      line("incoming", this.session.name ?? ""),
    );
  }
}

const names = (leaver, incoming) => [
  word("leaver"),
  ": ",
  h("b", { "data-name": "leaver" }, leaver),
  " · ",
  word("incoming"),
  ": ",
  h("b", { "data-name": "incoming" }, incoming ?? ""),
];

const drill = (nature) =>
  nature && nature !== "Actual" ? h("small", { class: "drill" }, word(nature.toLowerCase())) : null;

function sight({ state, reason: why }) {
  const key = { current: "live", blind: "blind", unknown: "unknown" }[state];
  return [word("handover_sight"), ": ", h("strong", {}, word(key)), why && ` (${reason(why)})`];
}

const done = ({ incoming, leaver, at, released }) =>
  said("accepted_note", { incoming, leaver, at: format.full(at), count: released.length });
