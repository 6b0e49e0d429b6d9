// The console: ties feed, session, header and views together. Runs as a module; nothing is inline.

import { Api } from "./api.js";
import { remember, remembered } from "./choices.js";
import { callOut } from "./attention.js";
import { byId, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { markPlace, renderHeader, renderSession, renderSound } from "./header.js";
import { bind, help } from "./keys.js";
import { Presence } from "./presence.js";
import { parse, Router } from "./router.js";
import { Session } from "./session.js";
import { Sound } from "./sound.js";
import { LANGUAGES, language, setLanguage, word } from "./words.js";

const VIEWS = {
  watch: () => import("./view-watch.js"),
  alert: () => import("./view-alert.js"),
  station: () => import("./view-station.js"),
  history: () => import("./view-history.js"),
  data: () => import("./view-data.js"),
  handover: () => import("./view-handover.js"),
  login: () => import("./view-login.js"),
};
const LOGIN = "#/login";
const RETRY_MS = 2000;
const SAID_MS = 6000;
const THEMES = ["system", "light", "dark"];

let wanted = "#/"; // where to go on after logging in

const api = new Api(leave);
const session = new Session(api);
const feed = new Feed(api);
const sound = new Sound(feed);
const presence = new Presence(api);
const go = (hash) => (location.hash === hash ? router.open() : (location.hash = hash));

// What a view is given; see router.js.
const context = { api, feed, go, session, login, sound, say };
const router = new Router(byId("view"), VIEWS, context, opened);

function opened({ name }) {
  markPlace(name);
  if (name !== "login" && byId("view").dataset.moved) byId("view").focus({ preventScroll: true });
  byId("view").dataset.moved = "yes";
}

async function login(token) {
  await session.login(token);
  enter();
  go(wanted);
}

// Somebody is logged in: the feed starts.
function enter() {
  renderSession(session);
  feed.start();
  presence.start();
}

// Nobody is, or no longer: to the door, and back afterwards to where we were.
function leave() {
  if (session.name !== null) {
    session.forget();
    feed.stop();
    presence.stop();
  }
  renderSession(session);
  if (byId("view").dataset.view === "login") return; // it shows why by itself
  if (parse(location.hash).name !== "login") wanted = location.hash || "#/";
  go(LOGIN);
}

async function logout() {
  await session.logout().catch(() => {}); // the cookie may have ended before
  wanted = "#/";
  leave();
}

async function begin() {
  try {
    await session.begin();
  } catch (error) {
    if (error.status === 401) return undefined; // `leave` has been told
    if (error.status !== 403) return void setTimeout(begin, RETRY_MS); // no server yet: the lamp says so
    return leave();
  }
  if (parse(location.hash).name === "login") location.hash = "#/";
  enter();
  return router.open();
}

let hiding = null;

// What has just been done, at the lower edge for a while and to a screen reader.
function say(text) {
  setText(byId("said"), text);
  byId("said").hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (byId("said").hidden = true), SAID_MS);
}

function speak(chosen) {
  setLanguage(chosen);
  document.documentElement.lang = language();
  for (const node of document.querySelectorAll("[data-word]")) setText(node, word(node.dataset.word));
  for (const node of document.querySelectorAll("[data-title]")) node.setAttribute("title", word(node.dataset.title));
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language()));
  }
  byId("said").hidden = true; // what was said was said in the other one
  renderHeader(feed);
  renderSound(sound);
}

function paint(theme) {
  if (theme === THEMES[0]) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId("theme").value = theme;
}

// Any touch lifts the browser's block, but for one of the button that says what it does itself.
function lift({ target }) {
  if (!byId("sound").contains(target)) sound.touch();
}

// The first press lifts the browser's block; from then on it is on or off.
function switchSound() {
  sound.choose(sound.state !== "on");
  renderSound(sound);
}

// Charts take the theme's colours when they are drawn: the view is opened again.
const again = () => document.body.dataset.session && router.open();

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    remember("language", button.dataset.language);
    speak(button.dataset.language);
    again();
  });
}
byId("theme").addEventListener("change", () => {
  remember("theme", byId("theme").value);
  paint(byId("theme").value);
  again();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
byId("logout").addEventListener("click", logout);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment belongs to the router
  byId("view").focus();
});
addEventListener("hashchange", () => (location.hash.startsWith("#token=") ? begin() : router.open()));
byId("sound").addEventListener("click", switchSound);
byId("help").addEventListener("click", help);
for (const touch of ["pointerdown", "keydown"]) addEventListener(touch, lift, { capture: true });
bind("keys_everywhere", {
  "?": ["key_help", help],
  w: ["key_watch", () => go("#/")],
  o: ["key_sound", switchSound],
});
// What is left of the screen below the bar: the watch fills it.
new ResizeObserver(([bar]) => {
  document.documentElement.style.setProperty("--top", `${Math.ceil(bar.contentRect.height)}px`);
}).observe(document.querySelector(".top"));
feed.subscribe(() => {
  renderHeader(feed);
  renderSound(sound);
  sound.watch();
  callOut(feed, sound);
});
feed.listen((event) => setText(byId("announce"), `${word(`kind_${event.kind}`)}: ${event.headline[language()]}`));

paint(THEMES.includes(remembered("theme")) ? remembered("theme") : THEMES[0]);
speak(remembered("language") ?? LANGUAGES[0]);
begin();
