// Are the data well: gateways and what became of what they sent, each datastream's last day, times in which readings
// may have been lost, and what was refused. Worst first. Opened by the router as #/data?q=...

import { receivers } from "./handover-report.js";
import { datastreams, gaps, gateways, refusals } from "./data-health.js";
import { h } from "./dom.js";
import { Kept, notice } from "./kept.js";
import { word } from "./words.js";

const REFRESH_MS = 30_000; // sums of a day move slowly
const MOST_PAGES = 40; // 50 datastreams each

export function open(root, parameters, context) {
  const page = new DataPage(root, parameters, context);
  page.begin();
  return () => page.close();
}

// Every page of the last day's quality, by datastream.
async function wholeQuality(api) {
  const found = new Map();
  let next = "/api/v1/quality";
  for (let pages = 0; next && pages < MOST_PAGES; pages += 1) {
    const answer = await api.get(next);
    for (const each of answer.quality) found.set(each.datastream, each);
    next = answer.next;
  }
  return found;
}

class DataPage {
  constructor(root, { query }, { api, feed }) {
    Object.assign(this, { query, feed });
    this.kept = {
      gateways: new Kept(
        () => api.get("/api/v1/gateways"),
        () => this.render(),
      ),
      quality: new Kept(
        () => wholeQuality(api),
        () => this.render(),
      ),
      handover: new Kept(
        () => api.get("/api/v1/handover"),
        () => this.render(),
      ),
      gaps: new Kept(
        () => api.get("/api/v1/gaps"),
        () => this.render(),
      ),
    };
    this.places = {};
    const part = (name, title) =>
      h(
        "section",
        { class: "report-part", "aria-labelledby": `${name}-title`, "data-part": name },
        h("h3", { id: `${name}-title` }, word(title)),
        (this.places[name] = h("div")),
      );
    root.append(
      h(
        "article",
        { class: "data-health" },
        h("h2", {}, word("data_title")),
        this.search(),
        part("gateways", "gateways_title"),
        part("datastreams", "datastreams_title"),
        part("refusals", "refused_title"),
        part("gaps", "handover_gaps"),
        h("div", { "data-part": "receivers" }, (this.places.receivers = h("div"))),
      ),
    );
  }

  begin() {
    this.leave = this.feed.subscribe(() => this.render());
    this.timer = setInterval(() => document.hidden || this.refresh(), REFRESH_MS);
    this.refresh();
    this.render();
  }

  close() {
    this.leave();
    clearInterval(this.timer);
    for (const kept of Object.values(this.kept)) kept.close();
  }

  refresh() {
    for (const kept of Object.values(this.kept)) kept.refresh();
  }

  search() {
    const field = h("input", {
      type: "search",
      id: "data-search",
      value: this.query.get("q") ?? "",
      placeholder: word("q_hint"),
      autocomplete: "off",
    });
    field.addEventListener("input", () => {
      this.query.set("q", field.value);
      history.replaceState(null, "", `#/data?${this.query}`);
      this.render();
    });
    const box = h("div", { class: "field" }, h("label", { for: "data-search" }, word("data_search")), field);
    return h("form", { class: "filters", role: "search" }, box);
  }

  render() {
    const wish = this.query.get("q") ?? "";
    const { stations } = this.feed;
    const known = !["unknown", "connecting"].includes(this.feed.sight().state);
    const names = new Map(stations.map((each) => [each.id, each]));
    const { gateways: heard, quality, gaps: lost, handover } = this.kept;
    this.fill("gateways", [heard], [wish, known, stations.length], () => gateways(heard.value, names, wish, known));
    const fresh = stations.flatMap((each) => each.datastreams.map((one) => [one.key, one.freshness]));
    this.fill("datastreams", [quality], [wish, known, fresh], () => datastreams(stations, quality.value, wish, known));
    this.fill("refusals", [heard], [], () => refusals(heard.value));
    this.fill("gaps", [lost], [], () => gaps(lost.value));
    this.fill("receivers", [handover], [], () => receivers(handover.value.receivers));
  }

  // Drawn anew only where something has changed: who scrolls or selects in a table is left alone.
  fill(name, [kept], others, make) {
    const place = this.places[name];
    const stamp = JSON.stringify([kept.state, kept.state === "stale" && Math.floor(kept.age / 30), ...others]);
    if (place.stamp === stamp && place.value === kept.value) return;
    const scrolled = place.querySelector(".table")?.scrollTop ?? 0;
    Object.assign(place, { stamp, value: kept.value });
    place.className = kept.state === "stale" ? "old" : "";
    place.replaceChildren(...[notice(kept), kept.value && make()].filter(Boolean));
    if (scrolled) place.querySelector(".table").scrollTop = scrolled;
  }
}
