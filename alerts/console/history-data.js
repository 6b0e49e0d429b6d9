// What the history asks the server for, from what stands in its form, and what is left to be chosen here.

import { fold, matches } from "./fold.js";

const HOUR_MS = 3_600_000;
const DAYS = { "24h": 1, "7d": 7, "30d": 30 };
const MOST_STATIONS = 50; // that one request may name
const PAGE = 100; // of an answer
const ENOUGH = 50; // rows to show before somebody asks for more
const MOST_PAGES = 20; // asked one after another while few of them fit

// {since, until} of the form, RFC 3339; an end that is not given is open.
function span(query, now) {
  if (query.get("since") || query.get("until")) return { since: query.get("since"), until: query.get("until") };
  const days = DAYS[query.get("range") ?? "7d"];
  return days
    ? { since: new Date(Date.parse(now) - days * 24 * HOUR_MS).toISOString(), until: null }
    : { since: null, until: null };
}

// The stations that a text means: by name, river, ward or id, in any writing. Null: all of them.
function meant(query, stations) {
  const wish = query.get("q")?.trim();
  if (!wish) return null;
  return stations.filter((each) => matches(wish, texts(each))).map((each) => each.id);
}

const texts = ({ id, name, river, ward }) => [id, name.vi, name.en, river?.vi, river?.en, ward?.vi, ward?.en];

// The path of the first page, or null where no station is meant: then there is nothing to ask. `rules`: those that are
// known by name; a text that is none of them is looked for here.
export function address(query, stations, rules, now, path = "/api/v1/alerts") {
  const ids = meant(query, stations);
  if (ids?.length === 0) return null;
  const asked = new URLSearchParams();
  const alerts = path.endsWith("/alerts");
  if (alerts) asked.set("state", query.get("state") ?? "all");
  for (const [name, value] of Object.entries(alerts ? span(query, now) : {})) if (value) asked.set(name, value);
  if (query.get("severity")) asked.set("severity", query.get("severity"));
  if (rules.has(query.get("rule"))) asked.set("rule", query.get("rule"));
  if (ids && ids.length <= MOST_STATIONS) for (const id of ids) asked.append("station", id);
  asked.set("limit", PAGE);
  return `${path}?${asked}`;
}

// What the server cannot choose: who acknowledged it, part of a rule's name, and stations where too many are meant. Of
// an alert, or of an event alone.
export function chosen(query, stations) {
  const [by, rule] = ["by", "rule"].map((name) => query.get(name)?.trim());
  const ids = meant(query, stations);
  const many = ids && ids.length > MOST_STATIONS ? new Set(ids) : null;
  return (told) => {
    const event = told.newest ?? told;
    return (
      (!by || !told.newest || acknowledgedBy(told, by)) &&
      (!rule || fold(event.rule).includes(fold(rule))) &&
      (!many || many.has(event.station))
    );
  };
}

const acknowledgedBy = ({ handling }, wish) =>
  [handling.acknowledged?.by, handling.cancelled?.by].some((name) => name && fold(name).includes(fold(wish)));

// Pages from `path` on until enough fit or there are no more: {alerts, next, seen}.
export async function collect(api, path, fits, most = MOST_PAGES, enough = ENOUGH) {
  const found = { alerts: [], next: path, seen: 0, asOf: null };
  for (let pages = 0; found.next && found.alerts.length < enough && pages < most; pages += 1) {
    const answer = await api.get(found.next);
    found.seen += answer.alerts.length;
    found.alerts.push(...answer.alerts.filter(fits));
    found.next = answer.next ?? null;
    found.asOf = answer.as_of;
  }
  return found;
}
