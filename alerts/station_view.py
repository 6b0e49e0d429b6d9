"""A station as operators see it: newest values, the level reached, the margin to BĐ, the trend, how fresh.

State and freshness are two signs: a station without recent data keeps its last level and says how old it is,
and its state reads *unknown*. Margins are always computed here, from the value and the level's own threshold
(a printed one may be wrong). Pure; called by the HTTP feed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from alerts.feed_store import USABLE
from alerts.sight import AsOf, Freshness, freshness, station_freshness
from alerts.trend import slope_per_hour
from alerts.wire import Json, stamp
from ingest.catalog import Datastream, Station
from ingest.clock import MICROS_PER_SECOND
from ingest.store.read import Observed

Windows = Mapping[str, Sequence[Observed]]  # datastream key -> its newest stretch, oldest first
DIGITS = 4  # of a margin or slope: a tenth of a millimetre


def station_json(station: Station, windows: Windows, alerting: Collection[str], as_of: AsOf) -> Json:
    """One station. `alerting`: ids of stations with an open alert."""
    newest = {key: rows[-1].time for key, rows in windows.items() if rows}
    fresh = None if as_of.now is None else station_freshness(station, newest, as_of.now)
    return {
        "id": station.id,
        "name": station.name.model_dump(),
        "kind": station.kind,
        "river": station.river.model_dump() if station.river else None,
        "location": station.location.model_dump(),
        "nature": station.nature.value,
        "state": _state(station.id in alerting, fresh, as_of),
        "freshness": fresh.value if fresh and as_of.known else "unknown",
        "datastreams": [
            datastream_json(station, datastream, windows.get(f"{station.id}/{datastream.name}", ()), as_of)
            for datastream in station.datastreams
        ],
    }


def datastream_json(station: Station, datastream: Datastream, rows: Sequence[Observed], as_of: AsOf) -> Json:
    """One datastream with its newest observation; level, margin and trend are of its usable ones only."""
    usable = [row for row in rows if row.quality in USABLE]
    last = rows[-1] if rows else None
    fresh = None
    if as_of.now is not None and as_of.known:
        fresh = freshness(datastream.cadence, last.time if last else None, as_of.now)
    return {
        **describe(station, datastream),
        "newest": observation_json(last, as_of) if last else None,
        "newest_usable": observation_json(usable[-1], as_of) if usable else None,
        "level": _level(datastream, usable),
        "trend_per_hour": _trend(usable),
        "freshness": fresh.value if fresh else "unknown",
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
        "levels": [{"rank": each.rank, "name": each.name, "value": each.value} for each in datastream.levels],
    }


def observation_json(row: Observed, as_of: AsOf) -> Json:
    """One observation and its age against the clock that the data live by."""
    age = None if as_of.now is None else round(max(0, as_of.now - row.time) / MICROS_PER_SECOND)
    return {"time": stamp(row.time), "value": row.value, "quality": row.quality, "age_s": age}


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


def _trend(usable: Sequence[Observed]) -> float | None:
    slope = slope_per_hour([row.time for row in usable], [row.value for row in usable])
    return None if slope is None else round(slope, DIGITS)


def _state(alerting: bool, fresh: Freshness | None, as_of: AsOf) -> str:
    if not as_of.known or fresh in (None, Freshness.NO_DATA, Freshness.NEVER):
        return "unknown"
    return "alert" if alerting else "normal"
