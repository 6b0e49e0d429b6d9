"""A station as operators see it: newest values, the level reached, the margin to BĐ, the trend, how fresh.

State and freshness are two signs: a station without recent data keeps its last level and says how old it is,
and its state reads *unknown*. Margins are always computed here, from the value and the level's own threshold
(a printed one may be wrong), and only of heights whose zero lets them be compared with one. Pure; called by
the HTTP feed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from alerts.feed_store import USABLE
from alerts.handling import Story
from alerts.sight import AsOf, Freshness, freshness, not_monitored, station_freshness
from alerts.trend import slope_per_hour
from alerts.wire import Json, stamp
from ingest.catalog import Datastream, Station
from ingest.clock import MICROS_PER_SECOND
from ingest.derive import derivation
from ingest.derive.margin import MarginSettings
from ingest.derive.settings import DerivedDatastream
from ingest.installation import BEGINNING, Installed, Reference
from ingest.model import Nature, TimeSource
from ingest.quality import Test
from ingest.store.maintenance import Window
from ingest.store.read import Appraised, Observed, Result

Windows = Mapping[str, Sequence[Observed]]  # datastream key -> its newest stretch, oldest first
Results = Mapping[str, Result]  # key of a derived datastream -> its newest row
NOT_MONITORED = "not_monitored"
DIGITS = 4  # of a margin or slope: a tenth of a millimetre
COVERAGE_DIGITS = 4
TIME_SOURCES = {0: None} | {source.value: source.name.lower() for source in TimeSource}
KINDS_OF_TESTS = 4_096  # different sets of flags; a city sees some dozens


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands at stations: `alerting` and `doubted` are ids of stations with an open alert, and of those
    whose open alerts were all cancelled as issued in error; `covered`: the window over a datastream's key."""

    alerting: Collection[str] = ()
    doubted: Collection[str] = ()
    covered: Mapping[str, Window] = field(default_factory=dict)

    @classmethod
    def of(cls, stories: Sequence[Story], windows: Sequence[Window]) -> Standing:
        """From the open alerts and the windows that last. An alert of a sensor that is worked on says nothing
        of its station now."""
        covered = {key: window for window in windows for key in window.datastreams}
        heeded = [story for story in stories if story.event.target not in covered and not story.event.shadow]
        alerting = {story.event.station for story in heeded if not story.hidden}
        doubted = {story.event.station for story in heeded} - alerting
        return cls(alerting, doubted, covered)


def station_json(
    station: Station, windows: Windows, results: Results, standing: Standing, as_of: AsOf
) -> Json:
    """One station. `not_monitored`: properties of which every sensor is being worked on; `maintenance`: the
    windows that say so."""
    fresh = _station_freshness(station, windows, as_of)
    return {
        "id": station.id,
        "name": station.name.model_dump(),
        "kind": station.kind,
        "river": station.river.model_dump() if station.river else None,
        "ward": station.ward.model_dump() if station.ward else None,
        "location": station.location.model_dump(),
        "nature": station.nature.value,
        "state": _state(station, standing, fresh, as_of),
        "not_monitored": not_monitored(station, standing.covered),
        "maintenance": _maintenance(station, standing.covered),
        "freshness": fresh.value if fresh and as_of.known else "unknown",
        "datastreams": [
            datastream_json(station, datastream, windows.get(f"{station.id}/{datastream.name}", ()), as_of)
            for datastream in station.datastreams
        ],
        "derived": [
            _derived_json(station, derived, results.get(f"{station.id}/{derived.name}"), as_of)
            for derived in station.derived
        ],
    }


def station_state(station: Station, windows: Windows, standing: Standing, as_of: AsOf) -> str:
    """The `state` of a station alone."""
    return _state(station, standing, _station_freshness(station, windows, as_of), as_of)


def datastream_json(station: Station, datastream: Datastream, rows: Sequence[Observed], as_of: AsOf) -> Json:
    """One datastream with its newest observation; level, margin and trend are of its usable ones only."""
    usable = [row for row in rows if row.quality in USABLE]
    last = rows[-1] if rows else None
    return {
        **describe(station, datastream),
        "newest": observation_json(last, as_of) if last else None,
        "newest_usable": observation_json(usable[-1], as_of) if usable else None,
        "level": _level(datastream, usable) if comparable(station, datastream) else None,
        "trend_per_hour": _trend(datastream, usable),
        "freshness": freshness_of(datastream.cadence, last.time if last else None, as_of),
    }


def describe(station: Station, datastream: Datastream) -> Json:
    """What the catalogue says of a datastream."""
    return {
        "key": f"{station.id}/{datastream.name}",
        "station": station.id,
        "name": datastream.name,
        "property": datastream.property,
        "unit": datastream.unit,
        "cadence_s": datastream.cadence,
        "derived": False,
        "reference": station.reference(datastream).value,
        "comparable": comparable(station, datastream),
        "levels": [{"rank": each.rank, "name": each.name, "value": each.value} for each in datastream.levels],
    }


def describe_derived(station: Station, derived: DerivedDatastream) -> Json:
    """What the catalogue says of a derived datastream; `window_s` and `scheme` are None where its kind has
    none."""
    settings = derived.derive
    return {
        "key": f"{station.id}/{derived.name}",
        "station": station.id,
        "name": derived.name,
        "property": derived.property,
        "unit": derived.unit,
        "cadence_s": derived.cadence,
        "derived": True,
        "kind": settings.kind,
        "inputs": [f"{station.id}/{name}" for name in derivation(derived, station).inputs],
        "comparable": shown(station, derived),
        "window_s": getattr(settings, "window", None),
        "scheme": getattr(settings, "scheme", None),
    }


def sensor_json(installed: Installed) -> Json:
    """The sensor of a datastream as the catalogue has it: where it hangs, and what it sees; metres."""
    ranging = installed.ranging
    return {
        "gateway": installed.source.gateway,
        "device": installed.source.device,
        "channel": installed.source.channel,
        "since": None if installed.since == BEGINNING else stamp(installed.since),
        "datum": installed.datum,
        "surveyed": installed.surveyed,
        "by": installed.by,
        "zero_elevation": ranging and ranging.zero_elevation,
        "highest": ranging and ranging.highest,
    }


def comparable(station: Station, datastream: Datastream) -> bool:
    """Whether its values may be compared with its levels: not without a zero in the station's datum, and at a
    real station not by one that holds for simulated sensors alone."""
    reference = station.reference(datastream)
    if reference is Reference.EXERCISE:
        return station.nature is not Nature.ACTUAL
    return reference is not Reference.UNREFERENCED


def observation_json(row: Observed | Appraised, as_of: AsOf) -> Json:
    """One observation and its age against the clock that the data live by."""
    return {
        "time": stamp(row.time),
        "value": row.value,
        "quality": row.quality,
        "age_s": _age(row.time, as_of),
    }


def appraised_json(row: Appraised, as_of: AsOf) -> Json:
    """The same, and what it is worth: whose clock, what each quality test said, whether it was revised."""
    return {
        **observation_json(row, as_of),
        "received_at": stamp(row.received_at),
        "time_source": TIME_SOURCES.get(row.time_source),
        "tests": tests_json(row.tests),
        "revised": row.revised,
    }


@lru_cache(KINDS_OF_TESTS)
def tests_json(packed: int) -> Mapping[str, int]:
    """The flag of each quality test that was run. Shared between answers: read it only."""
    flags = ((test, packed >> test.shift & 0xF) for test in Test)
    return {test.name.lower(): flag for test, flag in flags if flag}


def result_rows(
    station: Station, derived: DerivedDatastream, rows: Sequence[Result], as_of: AsOf
) -> list[Json]:
    """Rows of a derived datastream; a value of None is unknown.

    `since`: the other end of the time that a row speaks of, None where it speaks of a moment. The margins of
    a height that may not be compared with its levels are withheld.
    """
    at = np.array([row.time for row in rows], np.int64)
    ends = derivation(derived, station).since(at).tolist()
    visible = shown(station, derived)
    return [
        {
            "time": stamp(row.time),
            "since": stamp(end) if end != row.time else None,
            "value": row.value if visible else None,
            "quality": row.quality,
            "coverage": round(row.coverage, COVERAGE_DIGITS),
            "inputs_until": stamp(row.inputs_until),
            "revision": row.revision,
            "age_s": _age(row.time, as_of),
        }
        for row, end in zip(rows, ends, strict=True)
    ]


def _derived_json(station: Station, derived: DerivedDatastream, last: Result | None, as_of: AsOf) -> Json:
    """A derived datastream with its newest row, be that unknown: an older one does not speak of now."""
    return {
        **describe_derived(station, derived),
        "newest": result_rows(station, derived, [last], as_of)[0] if last else None,
        "freshness": freshness_of(derived.cadence, last.time if last else None, as_of),
    }


def shown(station: Station, derived: DerivedDatastream) -> bool:
    """Whether its values may be shown: not margins of a height that cannot be compared with its levels."""
    settings = derived.derive
    if not isinstance(settings, MarginSettings):
        return True
    return all(comparable(station, each) for each in station.datastreams if each.name == settings.of)


def _age(time: int, as_of: AsOf) -> int | None:
    return None if as_of.now is None else round(max(0, as_of.now - time) / MICROS_PER_SECOND)


def freshness_of(cadence: float, newest: int | None, as_of: AsOf) -> str:
    if as_of.now is None or not as_of.known:
        return "unknown"
    return freshness(cadence, newest, as_of.now).value


def _level(datastream: Datastream, usable: Sequence[Observed]) -> dict[str, Any] | None:
    """The level reached by the newest usable value, and how far it is from the ones around it."""
    if not usable or not datastream.levels:
        return None
    value = usable[-1].value
    below = [level for level in datastream.levels if value >= level.value]
    above = [level for level in datastream.levels if value < level.value]
    reached = below[-1] if below else None
    following = above[0] if above else None
    return {
        "rank": reached.rank if reached else 0,
        "name": reached.name if reached else "",
        "above": None if reached is None else round(value - reached.value, DIGITS),
        "next_name": following.name if following else None,
        "to_next": None if following is None else round(following.value - value, DIGITS),
    }


def _trend(datastream: Datastream, usable: Sequence[Observed]) -> float | None:
    """The slope since the sensor was installed that the newest value comes from."""
    if not usable:
        return None
    begun = max((time for time in datastream.resets() if time <= usable[-1].time), default=usable[0].time)
    rows = [row for row in usable if row.time >= begun]
    slope = slope_per_hour(tuple(row.time for row in rows), tuple(row.value for row in rows))
    return None if slope is None else round(slope, DIGITS)


def _maintenance(station: Station, covered: Mapping[str, Window]) -> list[Json]:
    """Each window over sensors of a station, once."""
    keys = [f"{station.id}/{each.name}" for each in station.datastreams]
    windows = {covered[key].id: covered[key] for key in keys if key in covered}
    return [
        {
            "id": window.id,
            "datastreams": [key for key in keys if key in window.datastreams],
            "owner": window.owner,
            "reason": window.reason,
            "begins": stamp(window.begins),
            "ends": stamp(window.ends),
        }
        for window in windows.values()
    ]


def _station_freshness(station: Station, windows: Windows, as_of: AsOf) -> Freshness | None:
    keys = (f"{station.id}/{each.name}" for each in station.datastreams)
    newest = {key: windows[key][-1].time for key in keys if windows.get(key)}
    return None if as_of.now is None else station_freshness(station, newest, as_of.now)


def _state(station: Station, standing: Standing, fresh: Freshness | None, as_of: AsOf) -> str:
    """A station whose height cannot be compared with its levels, whose sensor is being worked on, or whose
    open alert people have cancelled is never *normal*."""
    if not as_of.known or fresh in (None, Freshness.NO_DATA, Freshness.NEVER):
        return "unknown"
    if station.id in standing.alerting:
        return "alert"
    if not_monitored(station, standing.covered):
        return NOT_MONITORED
    if station.id in standing.doubted:
        return "unknown"
    unjudged = any(each.levels and not comparable(station, each) for each in station.datastreams)
    return "unknown" if unjudged else "normal"
