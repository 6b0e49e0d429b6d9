// The door: a token is pasted once, and the feed answers with a cookie. `context.login(token)` opens the rest.

import { h } from "./dom.js";
import { word } from "./words.js";

export function open(root, parameters, context) {
  const field = h("input", {
    id: "token",
    type: "password",
    autocomplete: "current-password",
    spellcheck: "false",
    required: "",
    "aria-describedby": "login-refusal",
  });
  const refusal = h("p", { id: "login-refusal", class: "refusal", role: "alert" });
  const button = h("button", { type: "submit", class: "primary" }, word("log_in"));
  const form = h(
    "form",
    { class: "login" },
    h("h2", {}, word("login_title")),
    h("p", {}, word("login_hint")),
    h("label", { for: "token" }, word("token")),
    field,
    refusal,
    button,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    refusal.textContent = "";
    try {
      await context.login(field.value.trim());
    } catch (error) {
      refusal.textContent = error.status === 401 ? word("token_refused") : error.body?.detail ?? word("no_server");
      field.value = "";
      field.focus();
    } finally {
      button.disabled = false;
    }
  });
  root.append(form);
  field.focus();
}
