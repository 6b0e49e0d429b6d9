// The bar at the top of every view: exercise, lamp, clock, who is logged in, and the title in the browser's tab.

import { byId, setText } from "./dom.js";
import * as format from "./format.js";
import { reason, word } from "./words.js";

const SAFE = "Actual";
const BANNERS = { unknown: "unknown_banner", blind: "blind_banner", not_live: "not_live_banner" };

export function renderHeader(feed) {
  const sight = feed.sight();
  renderLamp(sight);
  renderClock(feed.asOf?.now);
  const drill = feed.nature && feed.nature !== SAFE ? word(feed.nature.toLowerCase()) : "";
  byId("exercise").hidden = !drill;
  setText(byId("exercise").querySelector("strong"), drill);
  setText(byId("exercise").querySelector("span"), word("exercise_line"));
  const count = feed.alerts.length ? `(${feed.alerts.length}) ` : "";
  document.title = `${count}${drill ? `${drill} · ` : ""}${word("title")}`;
}

function renderLamp(sight) {
  byId("sight").dataset.state = sight.state;
  document.body.dataset.sight = sight.state;
  setText(byId("sight-state"), word(sight.state));
  const told = sight.age === null ? "" : `${word("committed")} ${format.age(sight.age)}`;
  setText(byId("sight-detail"), [reason(sight.reason), told].filter(Boolean).join(" · "));
  const banner = BANNERS[sight.state];
  byId("banner").hidden = !banner;
  setText(byId("banner"), banner ? word(banner) : "");
}

function renderClock(now) {
  setText(byId("clock"), now ? format.clock(now) : "--:--:--");
  setText(byId("clock-date"), now ? format.date(now) : "");
}

// The part that only changes when somebody comes or goes.
export function renderSession(session) {
  const known = session.name !== null;
  document.body.dataset.session = known ? "open" : "none";
  byId("who").hidden = !known;
  setText(byId("who-name"), session.name ?? "");
}

// Its state in words: a desk must never believe that it would hear what it cannot.
export function renderSound(sound) {
  const { state } = sound;
  byId("sound").dataset.state = state;
  byId("sound").setAttribute("aria-pressed", String(state === "on"));
  setText(byId("sound"), word(`sound_${state}`));
}

export function markPlace(name) {
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}
