// The console: ties feed, session, header and views together. Runs as a module; nothing is inline.

import { Api } from "./api.js";
import { remember, remembered } from "./choices.js";
import { byId, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { markPlace, renderHeader, renderSession } from "./header.js";
import { parse, Router } from "./router.js";
import { Session } from "./session.js";
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
const THEMES = ["system", "light", "dark"];

let wanted = "#/"; // where to go on after logging in

const api = new Api(leave);
const session = new Session(api);
const feed = new Feed(api);
const go = (hash) => (location.hash === hash ? router.open() : (location.hash = hash));

// What a view is given; see router.js.
const context = { api, feed, go, session, login };
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
}

// Nobody is, or no longer: to the door, and back afterwards to where we were.
function leave() {
  if (session.name !== null) {
    session.forget();
    feed.stop();
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

function speak(chosen) {
  setLanguage(chosen);
  document.documentElement.lang = language();
  for (const node of document.querySelectorAll("[data-word]")) setText(node, word(node.dataset.word));
  for (const node of document.querySelectorAll("[data-title]")) node.setAttribute("title", word(node.dataset.title));
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language()));
  }
  renderHeader(feed);
}

function paint(theme) {
  if (theme === THEMES[0]) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId("theme").value = theme;
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
feed.subscribe(() => renderHeader(feed));
feed.listen((event) => setText(byId("announce"), `${word(`kind_${event.kind}`)}: ${event.headline[language()]}`));

paint(THEMES.includes(remembered("theme")) ? remembered("theme") : THEMES[0]);
speak(remembered("language") ?? LANGUAGES[0]);
begin();
