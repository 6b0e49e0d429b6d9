// The approval of a text that tells people to act: its words in both languages, what they shall do, and the name of
// who answers for it, typed once more. Nothing is sent on a single press.

import { ask, labelled } from "./dialog.js";
import { h } from "./dom.js";
import { explain } from "./handle.js";
import { deed, pick, said, word } from "./words.js";

const WHILE_OPEN = ["Prepare", "Avoid", "Shelter", "Evacuate"];
const AFTERWARDS = ["AllClear"];
const LONGEST = 500; // characters, as the server takes them: half a minute of a loudspeaker

export function approve(alert, context, done) {
  const offered = alert.state === "ended" ? AFTERWARDS : WHILE_OPEN;
  const response = h("select", {}, offered.map((each) => h("option", { value: each }, word(`response_${each}`))));
  const text = () => h("textarea", { rows: 3, maxlength: LONGEST, required: "" });
  const [vi, en] = [text(), text()];
  const name = h("input", { required: "", autocomplete: "off" });
  const named = labelled("field_name", name);
  named.querySelector("label").textContent = said("field_name", { name: context.session.name });
  let seen = alert;
  ask({
    title: deed("approve"),
    content: [
      h("p", { class: "about" }, pick(alert.newest.headline)),
      h("p", { class: "hint" }, word("hint_approve")),
      labelled("field_response", response),
      labelled("field_vi", vi),
      labelled("field_en", en),
      named,
    ],
    button: deed("approve"),
    danger: true,
    submit: async ({ status }) => {
      if (name.value.trim() !== context.session.name) {
        status.replaceChildren(word("wrong_name"));
        name.focus();
        return false;
      }
      const body = { response: [response.value], vi: vi.value.trim(), en: en.value.trim(), seen: seen.handling.version };
      try {
        await context.api.post(`/api/v1/alerts/${alert.alert_id}/approve`, body);
      } catch (error) {
        seen = await explain(error, seen, context, status);
        return false;
      }
      context.say(said("done", { action: deed("approve"), headline: pick(alert.newest.headline) }));
      done();
      return true;
    },
  });
}
