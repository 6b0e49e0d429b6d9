// An action from the key or button to the answer: asked where it must be, pending while on its way, and on a
// conflict with what others have done since, offered again with the version that stands now.

import { ACTIONS, LONGEST_COMMENT, perform, seenAnew, SHELVINGS } from "./actions.js";
import { ask, labelled } from "./dialog.js";
import { h } from "./dom.js";
import * as format from "./format.js";
import { deed, pick, said, word } from "./words.js";

const option = (value, text) => h("option", { value }, text);

const CONTROLS = {
  until: () =>
    h("select", { name: "until" }, option("worse", word("until_worse")), option("resolved", word("until_resolved"))),
  for: () => h("select", { name: "for" }, SHELVINGS.map((each) => option(each, spoken(each)))),
  to: ({ session }) =>
    h("input", { name: "to", required: "", maxlength: 80, value: session.name, autocomplete: "off" }),
  text: () => h("textarea", { name: "text", rows: 3, maxlength: LONGEST_COMMENT, required: "" }),
  comment: (context, needed) =>
    h("textarea", { name: "comment", rows: 3, maxlength: LONGEST_COMMENT, required: needed && "" }),
};

const spoken = (text) => format.span(text.endsWith("h") ? 3600 * parseInt(text) : 60 * parseInt(text));

// Resolves when it is done, refused or left. `busy(true)` while an action without a dialogue is on its way.
export async function handle(name, alert, context, busy = () => {}) {
  if (ACTIONS[name].fields.length) return void openForm(name, alert, context);
  busy(true);
  try {
    await perform(context.api, name, alert);
    context.say(said("done", { action: deed(name), headline: pick(alert.newest.headline) }));
    await context.feed.refreshAnew();
  } catch (error) {
    const { status } = openForm(name, alert, context);
    await explain(error, alert, context, status);
  } finally {
    busy(false);
  }
}

function openForm(name, alert, context) {
  const { fields, needed = [] } = ACTIONS[name];
  const controls = fields.map((field) => CONTROLS[field](context, needed.includes(field)));
  const labels = controls.map((control) => {
    const key = `field_${control.name}${needed.includes(control.name) || control.tagName === "SELECT" ? "" : "_optional"}`;
    return labelled(key, control);
  });
  let seen = alert;
  return ask({
    title: deed(name),
    content: [h("p", { class: "about" }, pick(alert.newest.headline)), h("p", { class: "hint" }, word(`hint_${name}`)), labels],
    button: deed(name),
    danger: name === "cancel",
    submit: async ({ status, send }) => {
      status.replaceChildren(word("sending"));
      try {
        await perform(context.api, name, seen, Object.fromEntries(controls.map((each) => [each.name, each.value.trim()])));
        context.say(said("done", { action: deed(name), headline: pick(alert.newest.headline) }));
        await context.feed.refreshAnew();
        return true;
      } catch (error) {
        seen = await explain(error, seen, context, status);
        send.textContent = error.status === 409 ? word("again_anyway") : word("again");
        return false;
      }
    },
  });
}

// Put into words why it has not happened; resolves to the alert that a second try shall answer for.
export async function explain(error, alert, context, status) {
  if (error.status === 409) {
    status.replaceChildren(h("strong", {}, word("conflict")), since(error.body.since ?? []));
    return seenAnew(context.api, alert).catch(() => alert);
  }
  const known = error.status === undefined ? word("not_sent") : `${word("refused")} ${error.message}`;
  status.replaceChildren(known);
  return alert;
}

// What others have done meanwhile, oldest first.
const since = (events) =>
  h(
    "ul",
    {},
    events.map((event) =>
      h(
        "li",
        {},
        `${format.moment(event.event_time)} ${event.by || word("by_itself")}: ${word(`kind_${event.kind}`)}`,
        event.comment && ` – ${event.comment}`,
      ),
    ),
  );
