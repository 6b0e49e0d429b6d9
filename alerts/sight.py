"""How far we can see: what a feed may claim at this moment.

Promises: when the last commit is older than `UNKNOWN_AFTER_S`, every state reads *unknown*; while the writer
is blind, so does the feed say. Ages of commits are real time, measured by the database; the freshness of a
station is judged against the writer's own `now`, which is logical time in a demonstration.
No I/O and no clock: called by the HTTP feed and by delivery with rows that they read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ingest.catalog import Catalogue, Station
from ingest.clock import MICROS_PER_SECOND

# A commit older than this says nothing about now. Within 60 s of the last one every feed must say so, the
# slowest too: status events and the retained status go out every 5 s and take some seconds where all is slow.
UNKNOWN_AFTER_S = 45.0
LATE_CADENCES, LATE_AT_LEAST_S = 2, 15 * 60  # default of domain.md 6.3 for river levels
NO_DATA_CADENCES, NO_DATA_AT_LEAST_S = 4, 30 * 60

Newest = Mapping[str, int]  # datastream key -> phenomenon time of its newest observation, microseconds


class Sight(StrEnum):
    CURRENT = "current"
    BLIND = "blind"  # the writer lives, but readings may be missing: no broker, or a backlog drains
    UNKNOWN = "unknown"  # no recent commit, or none that we could read


class UnknownReason(StrEnum):
    """Why nothing can be claimed; the console has words for each."""

    STARTING = "starting"
    NO_COMMIT_YET = "no_commit_yet"
    COMMIT_TOO_OLD = "commit_too_old"
    DATABASE_UNREACHABLE = "database_unreachable"
    FEED_STALLED = "feed_stalled"
    FEED_LOST = "feed_lost"
    FEED_STOPPED = "feed_stopped"


class Freshness(StrEnum):
    """Ordered from good to bad by `WORSE`."""

    FRESH = "fresh"
    LATE = "late"
    NO_DATA = "no_data"
    NEVER = "never"


WORSE = tuple(Freshness)


@dataclass(frozen=True, slots=True)
class WriterRow:
    """One partition's row: `age_s` real seconds since `committed_at`, times in microseconds.

    A partition that was claimed and has not committed yet has no times.
    """

    partition: str
    committed_at: int | None
    age_s: float
    now_at: int | None
    sighted_since: int | None
    blind_reason: str


@dataclass(frozen=True, slots=True)
class AsOf:
    """What every answer carries. `time` is the last commit, `now` the clock that the data live by."""

    state: Sight
    time: int | None
    age_s: float | None
    now: int | None
    sighted_since: int | None
    reason: str  # a `BlindReason` or `UnknownReason`; empty while we see
    backlog_s: float | None  # while blind: how far the newest reading lies behind `now`
    stations_unknown: tuple[str, ...]
    stations_not_monitored: tuple[str, ...] = ()  # somebody works on every sensor of a property there

    @property
    def known(self) -> bool:
        """Whether states may be claimed at all."""
        return self.state is not Sight.UNKNOWN


def look(
    writers: Sequence[WriterRow], newest: Newest, catalogue: Catalogue, covered: Collection[str] = ()
) -> AsOf:
    """The sight of the whole feed: as old as its oldest partition, as blind as its blindest.

    `covered`: keys of the datastreams whose sensors are being worked on.
    """
    clocks = [row.now_at for row in writers if row.now_at is not None]
    if not clocks or any(row.committed_at is None for row in writers):
        return unknown(None, UnknownReason.NO_COMMIT_YET, catalogue)
    oldest = max(writers, key=lambda row: row.age_s)
    blind = [row for row in writers if row.sighted_since is None]
    now = max(clocks)
    seen = AsOf(
        state=Sight.BLIND if blind else Sight.CURRENT,
        time=oldest.committed_at,
        age_s=max(0.0, oldest.age_s),
        now=now,
        sighted_since=None if blind else max(row.sighted_since or 0 for row in writers),
        reason=blind[0].blind_reason if blind else "",
        backlog_s=_behind(newest, now) if blind else None,
        stations_unknown=_without_data(catalogue, newest, now),
        stations_not_monitored=tuple(each.id for each in catalogue.stations if not_monitored(each, covered)),
    )
    if oldest.age_s > UNKNOWN_AFTER_S:
        return unknown(seen, UnknownReason.COMMIT_TOO_OLD, catalogue)
    return seen


def aged(seen: AsOf, elapsed_s: float, catalogue: Catalogue) -> AsOf:
    """What was seen `elapsed_s` real seconds ago, as it may be claimed now."""
    if not seen.known or seen.age_s is None:
        return seen
    older = replace(seen, age_s=seen.age_s + elapsed_s)
    if seen.age_s + elapsed_s > UNKNOWN_AFTER_S:
        return unknown(older, UnknownReason.COMMIT_TOO_OLD, catalogue)
    return older


def unknown(last: AsOf | None, reason: UnknownReason, catalogue: Catalogue) -> AsOf:
    """Nothing may be claimed. The times of `last`, seen before, stay: people see since when."""
    everyone = tuple(station.id for station in catalogue.stations)
    if last is None:
        return AsOf(Sight.UNKNOWN, None, None, None, None, reason, None, everyone)
    return replace(last, state=Sight.UNKNOWN, reason=reason, stations_unknown=everyone)


def freshness(cadence_s: float, newest: int | None, now: int) -> Freshness:
    """How fresh a datastream is that should report every `cadence_s` seconds."""
    if newest is None:
        return Freshness.NEVER
    age_s = (now - newest) / MICROS_PER_SECOND
    if age_s > max(NO_DATA_CADENCES * cadence_s, NO_DATA_AT_LEAST_S):
        return Freshness.NO_DATA
    if age_s > max(LATE_CADENCES * cadence_s, LATE_AT_LEAST_S):
        return Freshness.LATE
    return Freshness.FRESH


def station_freshness(station: Station, newest: Newest, now: int) -> Freshness:
    """A station is as fresh as its worst datastream; one without datastreams never reported."""
    each = (
        freshness(datastream.cadence, newest.get(f"{station.id}/{datastream.name}"), now)
        for datastream in station.datastreams
    )
    return max(each, key=WORSE.index, default=Freshness.NEVER)


def not_monitored(station: Station, covered: Collection[str]) -> list[str]:
    """The properties of which every sensor of a station is being worked on."""
    keys: dict[str, list[bool]] = {}
    for each in station.datastreams if covered else ():
        keys.setdefault(each.property, []).append(f"{station.id}/{each.name}" in covered)
    return [name for name, inside in keys.items() if all(inside)]


def _without_data(catalogue: Catalogue, newest: Newest, now: int) -> tuple[str, ...]:
    silent = (Freshness.NO_DATA, Freshness.NEVER)
    return tuple(s.id for s in catalogue.stations if station_freshness(s, newest, now) in silent)


def _behind(newest: Newest, now: int) -> float | None:
    if not newest:
        return None
    return max(0.0, (now - max(newest.values())) / MICROS_PER_SECOND)
