// Which alerts are shown, and in which order: worst first, and of the same severity those that nobody has taken.
// No page and no clock here.

import { fold } from "./fold.js";

const SEVERITIES = ["Unknown", "Minor", "Moderate", "Severe", "Extreme"];
export const FILTERED = ["Extreme", "Severe", "Moderate", "Minor"]; // what a filter offers, worst first

export const rank = (severity) => Math.max(0, SEVERITIES.indexOf(severity));

// Somebody has acknowledged it at the level at which it stands.
export const taken = ({ handling }) => Boolean(handling.acknowledged && !handling.acknowledged.worse);

// Nobody has taken it and nobody has hidden it: it waits for a person.
export const waiting = (alert) => !taken(alert) && !alert.handling.shelved;

const concerns = (alert, name) =>
  alert.handling.assigned_to === name || alert.handling.acknowledged?.by === name;

// One alert against {severity, river, waiting, mine, text} of somebody; `station` may be missing.
export function fits(alert, station, filter, name) {
  const told = alert.newest;
  const text = `${told.headline.vi} ${told.headline.en} ${told.station} ${told.rule}`;
  return (
    (!filter.severity || rank(told.severity) >= rank(filter.severity)) &&
    (!filter.river || station?.river?.vi === filter.river) &&
    (!filter.waiting || waiting(alert)) &&
    (!filter.mine || concerns(alert, name)) &&
    (!filter.text || fold(text).includes(fold(filter.text)))
  );
}

const weight = (alert) => [
  alert.handling.shelved ? 1 : 0,
  -rank(alert.newest.severity),
  taken(alert) ? 1 : 0,
  -alert.newest.level,
  -alert.newest.seq,
];

export function order(one, other) {
  const [first, second] = [weight(one), weight(other)];
  const place = first.findIndex((each, at) => each !== second[at]);
  return place < 0 ? 0 : first[place] - second[place];
}
