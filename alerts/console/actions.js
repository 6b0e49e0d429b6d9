// What people may do with an alert, once for mouse and keyboard: the key, the words, what is asked and what is sent.
//
// Nothing here pretends that it has happened: the page changes when the server has said so. `seen` is the version
// that the operator saw, so nobody decides over what a colleague has just done.

export const SHELVINGS = ["15min", "30min", "1h", "2h"]; // two hours at most: longer is maintenance
export const LONGEST_COMMENT = 1000; // characters, as the server takes them

const live = (alert) => alert.state !== "ended" && alert.last_known_state !== "ended";

// `fields` are asked in a dialogue; without any the action is sent at once. `needed`: fields that must be filled.
export const ACTIONS = {
  acknowledge: {
    key: "a",
    scope: "acknowledge",
    fields: [],
    body: () => ({ until: "worse" }),
    possible: (alert) => live(alert) && !(alert.handling.acknowledged && !alert.handling.acknowledged.worse),
  },
  acknowledge_until: {
    key: "A",
    path: "acknowledge",
    scope: "acknowledge",
    fields: ["until", "comment"],
    possible: live,
  },
  comment: { key: "c", scope: "acknowledge", fields: ["text"], needed: ["text"], possible: () => true },
  assign: { key: "g", scope: "acknowledge", fields: ["to", "comment"], needed: ["to"], possible: live },
  shelve: { key: "s", scope: "acknowledge", fields: ["for", "comment"], possible: live },
  unshelve: {
    key: "u",
    scope: "acknowledge",
    fields: [],
    possible: (alert) => Boolean(alert.handling.shelved),
  },
  cancel: { key: "x", scope: "acknowledge", fields: ["comment"], needed: ["comment"], possible: live },
};

export const possible = (name, alert, session) =>
  session.may(ACTIONS[name].scope) && ACTIONS[name].possible(alert);

// Send it; resolves to the alert as it stands then, throws a `Problem`.
export function perform(api, name, alert, values = {}) {
  const { path = name, body = () => ({}) } = ACTIONS[name];
  const filled = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
  const sent = { ...body(), ...filled, seen: alert.handling.version };
  return api.post(`/api/v1/alerts/${alert.alert_id}/${path}`, sent);
}

// The alert with the version that stands now, after somebody else has acted on it.
export async function seenAnew(api, alert) {
  const { handling } = await api.get(`/api/v1/alerts/${alert.alert_id}`);
  return { ...alert, handling };
}
