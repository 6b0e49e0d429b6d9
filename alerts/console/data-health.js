// Gateways, datastreams, lost sessions and refused messages as tables, worst first. Pure but for the words: small bars
// for the eye, and the same in words for who reads or listens.

import { h } from "./dom.js";
import * as format from "./format.js";
import { matches } from "./fold.js";
import { gapReason } from "./handover-report.js";
import { flagBar, flagWords, hasGap, shareBar } from "./station-quality.js";
import { grid } from "./tables.js";
import { chip, freshness } from "./view.js";
import { pick, property, word } from "./words.js";

const GATEWAY_STATES = ["silent", "never", "unknown", "late", "heard"]; // worst first
const SIGNALS = ["no_data", "never", "unknown", "late", "fresh"];
const OLD = new Set(["no_data", "never", "unknown", "silent"]);
const FATES = ["stored", "duplicates", "conflicts", "rejected"];
const NAMED = 4; // stations behind a gateway that are named in its row; the rest are counted

const order = (list) => (one, other) => list.indexOf(one) - list.indexOf(other);

// `names`: stations by id. A wish that is empty keeps all.
export function gateways(told, names, wish, known) {
  const state = (each) => (known ? each.state : "unknown");
  const worse = (one, other) =>
    order(GATEWAY_STATES)(state(one), state(other)) ||
    other.rejected + other.unreadable - one.rejected - one.unreadable;
  const shown = told.gateways.filter((each) => matches(wish, gatewayTexts(each, names))).sort(worse);
  const columns = ["signal", "gateway_label", "silent_since", ["messages", true], "fate", "rejects", "behind_it"];
  return grid(
    word("gateways_title"),
    columns,
    shown.map((each) => gatewayRow(each, state(each), names)),
  );
}

const gatewayTexts = ({ gateway, stations }, names) => [
  gateway,
  ...stations.flatMap((id) => [id, names.get(id)?.name.vi, names.get(id)?.name.en]),
];

function gatewayRow(each, state, names) {
  return {
    class: OLD.has(state) ? "old" : null,
    "data-gateway": each.gateway,
    cells: [
      [signal(state, `gateway_${state}`), each.alerts.map((id) => h("a", { href: `#/alert/${id}` }, word("alert")))],
      [each.gateway, !each.known && chip("warn", word("not_in_catalogue"))],
      each.last_heard ? h("time", { datetime: each.last_heard }, format.moment(each.last_heard)) : word("never_heard"),
      format.number(each.messages, 0),
      fates(each),
      rejects(each),
      h("span", { class: "behind" }, behind(each, names)),
    ],
  };
}

const LAMPS = { heard: "fresh", silent: "no_data" }; // the same signs as of a station

const signal = (state, key) =>
  h("span", { class: `signal ${LAMPS[state] ?? state}` }, h("i", { "aria-hidden": "true" }), word(key));

function behind({ stations }, names) {
  const named = stations.slice(0, NAMED).map((id) => pick(names.get(id)?.name) || id);
  const more = stations.length - named.length;
  return named.join(", ") + (more > 0 ? ` +${format.number(more, 0)}` : "") || word("nothing");
}

// What became of the readings.
function fates(each) {
  const words = FATES.filter((name) => each[name]).map(
    (name) => `${word(`fate_${name}`)} ${format.number(each[name], 0)}`,
  );
  if (each.unreadable) words.push(`${word("fate_unreadable")} ${format.number(each.unreadable, 0)}`);
  const text = words.join(" · ") || word("no_readings");
  return [
    shareBar(
      FATES.map((name) => [`fate ${name}`, each[name]]),
      text,
    ),
    h("small", {}, text),
  ];
}

const rejects = ({ rejects: refused }) =>
  refused.length
    ? h(
        "ul",
        { class: "rejects" },
        refused.map((each) => h("li", {}, `${word(`reject_${each.reason}`)}: ${format.number(each.count, 0)}`)),
      )
    : "–";

// `quality`: by datastream; a station or datastream whose row has not come yet says that it is not known.
export function datastreams(stations, quality, wish, known) {
  const all = stations.flatMap((station) =>
    station.datastreams.map((stream) => ({
      station,
      stream,
      worth: quality.get(stream.key),
      state: known ? stream.freshness : "unknown",
    })),
  );
  const shown = all.filter(({ station, stream }) => matches(wish, streamTexts(station, stream)));
  shown.sort((one, other) => order(SIGNALS)(one.state, other.state) || weight(one) - weight(other));
  const columns = [
    "signal",
    "station",
    "quantity",
    "expected_samples",
    "flags_label",
    "gap_label",
    ["late_label", true],
  ];
  return grid(word("datastreams_title"), columns, shown.map(streamRow));
}

const streamTexts = (station, stream) => [
  station.id,
  station.name.vi,
  station.name.en,
  station.river?.vi,
  stream.property,
  property(stream.property),
];

// Fewer good readings of those expected come first.
function weight({ worth }) {
  if (!worth) return -1;
  const bad = worth.readings ? (worth.flags.failed + worth.flags.suspect) / worth.readings : 0;
  return (worth.present ?? 1) - bad;
}

function streamRow({ station, stream, worth, state }) {
  const unknown = word("not_known");
  return {
    class: OLD.has(state) ? "old" : null,
    "data-stream": stream.key,
    cells: [
      freshness(state, true),
      h(
        "a",
        { href: `#/station/${encodeURIComponent(station.id)}?stream=${encodeURIComponent(stream.key)}` },
        pick(station.name),
      ),
      property(stream.property),
      worth ? present(worth) : unknown,
      worth
        ? [
            worth.readings > 0 && flagBar(worth.flags, flagWords(worth.flags)),
            h("small", {}, flagWords(worth.flags) || word("no_readings")),
          ]
        : unknown,
      worth ? gap(worth, stream) : unknown,
      worth && worth.late !== null ? percent(worth.late) : unknown,
    ],
  };
}

const percent = (share) => `${format.number(Math.ceil(100 * share - 1e-9), 0)}\u00a0%`;

function present({ present: share }) {
  if (share === null) return word("not_known");
  const text = `${format.percent(share)}\u00a0%`;
  return [
    shareBar(
      [
        ["fate stored", share],
        ["fate gone", 1 - share],
      ],
      text,
    ),
    h("small", {}, text),
  ];
}

const gap = ({ longest_gap_s: seconds, gap_since }, { cadence_s: cadence }) =>
  hasGap(seconds, cadence)
    ? [format.span(seconds), h("small", {}, ` ${word("since")} ${format.moment(gap_since)}`)]
    : word("no_gap");

export function gaps(told) {
  if (!told.gaps.length) return h("p", { class: "none" }, word("nothing"));
  const time = (stamp) => (stamp ? h("time", { datetime: stamp }, format.full(stamp)) : word("not_known"));
  const rows = told.gaps.map((each) => ({
    cells: [time(each.started_at), time(each.ended_at), each.topics.join(", "), gapReason(each)],
  }));
  return grid(word("handover_gaps"), ["begins", "ends", "topics", "why"], rows);
}

// What was refused by any gateway, by reason, most first.
export function refusals(told) {
  const sums = new Map();
  for (const { gateway, rejects: refused } of told.gateways) {
    for (const each of refused) {
      const sum = sums.get(each.reason) ?? { reason: each.reason, count: 0, kinds: 0, last_seen: "", gateways: [] };
      sum.count += each.count;
      sum.kinds += each.kinds;
      sum.gateways.push(gateway || word("not_known"));
      if (each.last_seen > sum.last_seen) sum.last_seen = each.last_seen;
      sums.set(each.reason, sum);
    }
  }
  if (!sums.size) return h("p", { class: "none" }, word("nothing"));
  const rows = [...sums.values()]
    .sort((one, other) => other.count - one.count)
    .map((each) => ({
      "data-reason": each.reason,
      cells: [
        word(`reject_${each.reason}`),
        format.number(each.count, 0),
        format.number(each.kinds, 0),
        h("time", { datetime: each.last_seen }, format.moment(each.last_seen)),
        each.gateways.join(", "),
      ],
    }));
  return grid(
    word("refused_title"),
    ["why", ["refused_label", true], ["kinds_label", true], "last_seen", "gateway_label"],
    rows,
  );
}
