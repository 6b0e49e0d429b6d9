// A question over the page: one form, Escape leaves it, the focus comes back to where it was.

import { h } from "./dom.js";
import { word } from "./words.js";

let counter = 0;

// A field with its label; `control` is an input, select or textarea without id.
export function labelled(key, control) {
  control.id = `field-${++counter}`;
  return h("p", { class: "answer" }, h("label", { for: control.id }, word(key)), control);
}

// `submit()` is called on the button and on Ctrl+Enter and may throw nothing; it returns true when the dialogue is
// done. Returns {dialog, status, close}.
export function ask({ title, content, button, danger = false, submit }) {
  const status = h("div", { class: "status", role: "alert" });
  const send = h("button", { type: "submit", class: danger ? "primary danger" : "primary" }, button);
  const cancel = h("button", { type: "button", class: "plain" }, word("leave"));
  const form = h("form", { method: "dialog" }, h("h2", {}, title), content, status, h("p", { class: "row" }, send, cancel));
  const dialog = h("dialog", { "aria-label": title }, form);
  const close = () => dialog.close();
  cancel.addEventListener("click", close);
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.disabled) return;
    send.disabled = true;
    const done = await submit({ status, send });
    send.disabled = false;
    if (done) close();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  document.body.append(dialog);
  dialog.showModal();
  form.querySelector("textarea, input, select")?.focus();
  return { dialog, status, close };
}

// Something to read: its close button has the focus.
export function show(title, content) {
  const button = h("button", { type: "button", class: "primary", autofocus: "" }, word("close"));
  const dialog = h("dialog", { "aria-label": title }, h("h2", {}, title), content, h("p", { class: "row" }, button));
  button.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
