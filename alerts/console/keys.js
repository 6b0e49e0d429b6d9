// Keys of the console: one table at a time per view, and the help that `?` shows. Keys do nothing while somebody
// types, chooses or answers a dialogue, nor together with Ctrl, Alt or Meta; single letters can be turned off
// (WCAG 2.1.4).

import { allowNotices } from "./attention.js";
import { remember, remembered } from "./choices.js";
import { show } from "./dialog.js";
import { h } from "./dom.js";
import { word } from "./words.js";

const tables = new Set(); // each {title, keys: {key: [word, action]}}
let inUse = remembered("keys") !== "off";

// Let these keys work until the returned function is called. Keys are as `event.key` names them; an action that
// returns false leaves the key to the browser.
export function bind(title, keys) {
  const table = { title, keys };
  tables.add(table);
  return () => tables.delete(table);
}

export function help() {
  if (document.querySelector("dialog")) return;
  const lists = [...tables].map(({ title, keys }) => [
    h("h3", {}, word(title)),
    h(
      "dl",
      { class: "keys" },
      Object.entries(keys).map(([key, [text]]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, word(text).replace("…", ""))]),
    ),
  ]);
  show(word("keys"), [lists, keySwitch(), noticeButton()]);
}

function keySwitch() {
  const box = h("input", { type: "checkbox", checked: inUse && "" });
  box.addEventListener("change", () => {
    inUse = box.checked;
    remember("keys", inUse ? "on" : "off");
  });
  return h("p", {}, h("label", { class: "check" }, box, " ", word("keys_on")));
}

function noticeButton() {
  if (!("Notification" in window) || Notification.permission !== "default") return null;
  const button = h("button", { type: "button", class: "plain" }, word("notify"));
  button.addEventListener("click", async () => {
    await allowNotices();
    button.remove();
  });
  return h("p", {}, button);
}

const typing = (target) => target.closest?.("input, select, textarea, dialog, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || typing(event.target)) return;
  if (!inUse && event.key.length === 1 && event.key !== "?") return;
  for (const { keys } of tables) {
    const [, action] = keys[event.key] ?? [];
    if (!action) continue;
    if (action(event) !== false) event.preventDefault();
    return;
  }
});
