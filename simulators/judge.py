"""The verdict: what was told, stored and counted, against what truth expects. Pure.

`judge` takes the feed's own words (JSON) and shares nothing with `alerts`. Every told event must be expected
and within its window, every required one told, every published reading stored, repeated or refused.
Called by `demo`; tests plant mistakes and must see them named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from ingest.clock import to_micros
from simulators.expected import Expected, What
from simulators.gateways import STATUS
from simulators.plan import Published
from simulators.scenario import MINUTE
from simulators.truth import Quiet

RULE_KINDS = {
    "rate": What.RATE,
    "silence": What.SILENCE,
    "saturation": What.SUBMERGED,
    "flat_line": What.STUCK,
}
WATCH = "@watch"  # told when nobody is at the page: of people, and not of the flood
LEVELS = ("threshold", "accumulation")  # kinds whose rises and falls are judged


@dataclass(frozen=True, slots=True)
class Line:
    """One thing judged: where, what, its window, when it was told (microseconds UTC), and whether rightly."""

    ok: bool
    place: str
    what: str
    expected: Expected | None = None
    told: int | None = None
    remark: str = ""

    @property
    def minutes_off(self) -> float | None:
        """Told this many minutes after the truth (negative: before), where it had to be told."""
        if self.expected is None or self.told is None or not self.expected.required:
            return None
        return (self.told - self.expected.at) / MINUTE


@dataclass(frozen=True, slots=True)
class Verdict:
    """All lines, in order of time; `ok` when every one is right."""

    lines: tuple[Line, ...]

    @property
    def ok(self) -> bool:
        return all(line.ok for line in self.lines)


@dataclass(frozen=True, slots=True)
class Telling:
    """One step told: a level reached or left, a rate, a silence.

    An event that skips levels tells of each; `passed`: of one between where it came from and where it is.
    """

    target: str
    what: What
    level: int
    at: int
    passed: bool = False


@dataclass(slots=True)
class _Record:
    """An expectation and what was told of it."""

    expected: Expected
    told: list[int] = field(default_factory=list)


def judge(
    expected: Sequence[Expected],
    told_events: Sequence[Mapping[str, Any]],
    ledger: Mapping[str, int],
    published: Published,
    quiet: Sequence[Quiet] = (),
) -> Verdict:
    """Compare; `told_events` in the order that the feed returns, `ledger` summed over all gateways."""
    records = [_Record(item) for item in expected]
    known = {(item.target, item.what, item.level) for item in expected}
    unexpected: list[Line] = []
    notified = [  # a rule on trial tells nobody
        event for event in told_events if not event.get("shadow") and event["target"] != WATCH
    ]
    for event in notified:
        unexpected += _improper(event)
        for telling in tellings(event):
            if telling.passed and (telling.target, telling.what, telling.level) not in known:
                continue  # a level that nobody has published for that station
            record = _match(records, telling)
            if record is None:
                unexpected.append(_unexpected(telling, event))
            else:
                record.told.append(telling.at)
    lines = [_line(record) for record in records if record.told or record.expected.required]
    calm = [_calm(item, notified) for item in quiet]
    return Verdict((*lines, *unexpected, *calm, *_once(told_events), *conservation(ledger, published)))


def moment(value: int | str) -> int:
    """Microseconds UTC, from microseconds or RFC 3339."""
    return value if isinstance(value, int) else to_micros(datetime.fromisoformat(value))


def tellings(event: Mapping[str, Any]) -> Iterator[Telling]:
    """What one event tells; ends of rates, silences and blind sensors tell nothing that truth must judge."""
    kind, target = event["kind"], str(event["target"])
    at = moment(event["event_time"])
    level, previous = int(event["level"]), int(event["previous_level"])
    if kind in ("raised", "escalated"):
        what = RULE_KINDS.get(event["rule_kind"], What.RISE)
        if what in (What.SILENCE, What.SUBMERGED, What.STUCK):
            yield Telling(target, what, 0, at)
            return
        for step in range(previous + 1, level + 1):
            yield Telling(target, what, step, at, passed=step < level)
    elif kind in ("lowered", "cleared") and event["rule_kind"] not in RULE_KINDS:
        for step in range(previous, level, -1):
            yield Telling(target, What.FALL, step, at, passed=step < previous)


def _match(records: Sequence[_Record], telling: Telling) -> _Record | None:
    """The expectation whose window holds this telling, and that is not yet used up; the nearest in truth."""
    candidates = [
        record
        for record in records
        if record.expected.target == telling.target
        and record.expected.what is telling.what
        and record.expected.level == telling.level
        and record.expected.earliest <= telling.at <= record.expected.latest
        and not (record.told and record.expected.once)
    ]
    return min(candidates, key=lambda record: abs(record.expected.at - telling.at), default=None)


def _improper(event: Mapping[str, Any]) -> Iterator[Line]:
    """What no event of a flood that is played may be."""
    place = str(event["target"])
    told = moment(event["event_time"])
    if event["nature"] != STATUS:
        yield Line(False, place, "nature", told=told, remark=f"told as {event['nature']}, not as {STATUS}")
    if event["kind"] == "cancelled":
        yield Line(False, place, "cancelled", told=told, remark="nothing was issued in error")
    if event["rule_kind"] not in (*LEVELS, *RULE_KINDS):
        yield Line(False, place, str(event["rule_kind"]), told=told, remark="a kind that truth does not know")


def _unexpected(telling: Telling, event: Mapping[str, Any]) -> Line:
    words = f"{telling.what} {event.get('level_name') or telling.level or ''}".strip()
    return Line(False, telling.target, words, told=telling.at, remark=f"unexpected ({event['rule']})")


def _line(record: _Record) -> Line:
    expected = record.expected
    words = f"{expected.what} {expected.level_name}".strip()
    if record.told:
        return Line(True, expected.place, words, expected, record.told[0])
    return Line(False, expected.place, words, expected, remark="never told within its window")


def _calm(quiet: Quiet, told_events: Sequence[Mapping[str, Any]]) -> Line:
    """Whether a faulty sensor kept from telling what is not so."""
    false = [
        telling
        for event in told_events
        for telling in tellings(event)
        if telling.target == quiet.target
        and telling.what in quiet.what
        and quiet.begins <= telling.at <= quiet.ends
    ]
    kinds = " or ".join(quiet.what)
    return Line(
        not false, quiet.place, f"no {kinds}: {quiet.reason}", remark=f"{len(false)} told" if false else ""
    )


def _once(told_events: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """One sequence without steps back, and no event twice."""
    numbers = [int(event["seq"]) for event in told_events]
    rising = all(before < after for before, after in pairwise(numbers))
    names = {event["event_id"] for event in told_events}
    ok = rising and len(names) == len(numbers)
    remark = "" if ok else f"{len(names)} names for {len(numbers)} events, in order: {rising}"
    yield Line(ok, "", f"{len(numbers)} events, each once and in order", remark=remark)


def conservation(ledger: Mapping[str, int], published: Published) -> Iterator[Line]:
    """Nothing lost: what was published arrived, and what arrived was stored, known already, or refused."""
    decoded, stored, duplicate = ledger["decoded"], ledger["stored"], ledger["duplicate"]
    conflict, rejected = ledger["conflict"], ledger["rejected"]
    quarantined = rejected + ledger["unreadable"]
    yield _equal(
        "readings received = stored + duplicate + quarantined", decoded, stored + duplicate + rejected
    )
    yield _equal("readings published = received", published.readings + published.repeated, decoded)
    yield _equal("distinct valid readings published = stored", published.storable, stored)
    yield _equal("readings in conflict", 0, conflict)
    yield _equal("unreadable messages", 0, ledger["unreadable"])
    words = f"refused: {quarantined} (each says that it cannot measure)"
    least = published.refused
    remark = "" if quarantined >= least else f"at least {least} expected"
    yield Line(quarantined >= least, "", words, remark=remark)


def _equal(words: str, one: int, other: int) -> Line:
    return Line(one == other, "", words, remark=str(one) if one == other else f"{one:,} ≠ {other:,}")
