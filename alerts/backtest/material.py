"""What a backtest plays: rows of CSV histories or of the database, with the catalogue that they are of.

CSV files whose times overlap are played together, as one city; others one after the other, lest the end of
one look like a silence in the next. Reads files and the database; called by `huewatch backtest`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from alerts.history import History, joined_catalogue, observations
from alerts.history_description import HUE
from alerts.rules.book import Rule, load_rules
from alerts.rules.kind import MEMORY_BOUND, Target
from ingest.catalog import Catalogue
from ingest.clock import to_datetime
from ingest.derive import derivation
from ingest.model import Nature, ObservationBatch, Quality
from ingest.quality import Test
from ingest.quality.flags import unpack
from ingest.store.binary_copy import decode
from ingest.store.connection import Connection
from ingest.store.errors import reactions

WARM_UP = MEMORY_BOUND  # microseconds: as far as any rule looks back
_NUMBERS = "SELECT key, id FROM datastream WHERE nature = %s AND key = ANY(%s)"
_ARRIVED = """
COPY (SELECT datastream, time, value, first_quality, received_at, time_source, tests
FROM observation_current WHERE datastream = ANY(%s) AND received_at >= %s AND received_at < %s
ORDER BY received_at, datastream, time) TO STDOUT (FORMAT binary)
"""


@dataclass(frozen=True, slots=True)
class Material:
    """Rows in order of arrival, by the datastreams' `keys`; scored from `since` on, to the last.

    Times in microseconds; `shown_in`: the zone of each station, microseconds east of Greenwich.
    """

    catalogue: Catalogue
    keys: tuple[str, ...]  # of the numbers that `rows` has: the first is 1
    rows: ObservationBatch
    since: int
    shown_in: Mapping[str, int]

    @property
    def span(self) -> int:
        """How long the scored part is, at least a second."""
        return max(int(self.rows.received_at[-1]) - self.since, 1_000_000)


def of_histories(histories: Sequence[History]) -> list[Material]:
    """The files, those together that overlap in time."""
    groups: list[tuple[int, list[History]]] = []  # with the last time of each
    spans = [(history, *_span(history)) for history in histories if history.readings]
    for history, first, last in sorted(spans, key=lambda span: span[1]):
        if groups and first <= groups[-1][0]:
            end, members = groups[-1]
            groups[-1] = max(end, last), [*members, history]
        else:
            groups.append((last, [history]))
    return [_together(members) for _, members in groups]


def _span(history: History) -> tuple[int, int]:
    arrivals = [readings.received for readings in history.readings.values()]
    return min(int(each.min()) for each in arrivals), max(int(each.max()) for each in arrivals)


def _together(histories: Sequence[History]) -> Material:
    catalogue = joined_catalogue(histories)
    keys = tuple(sorted({key for history in histories for key in history.readings}))
    rows = observations(histories, {key: number for number, key in enumerate(keys, start=1)})
    shown_in = {
        station.id: history.shown_in for history in histories for station in history.catalogue.stations
    }
    return Material(catalogue, keys, rows, int(rows.received_at[0]), shown_in)


@reactions()
def of_database(
    connection: Connection, catalogue: Catalogue, nature: Nature, since: int, until: int
) -> Material | None:
    """What arrived from `since` until `until`, and `WARM_UP` before it for the windows; None if nothing did.

    Levels are by today's zeros. Blindness of the service itself is not played again.
    """
    wanted = [key for key, _, _ in catalogue.datastreams()]
    ids = dict(connection.execute(_NUMBERS, (nature.value, wanted)).fetchall())
    numbers = list(ids.values())
    parameters = (numbers, to_datetime(since - WARM_UP), to_datetime(until))
    with connection.cursor() as cursor, cursor.copy(_ARRIVED, parameters) as stream:
        found = bytearray()
        for row in stream:
            found += row
    rows = decode(found)
    if not len(rows) or rows.received_at[-1] < since:
        return None
    present = np.unique(rows.datastream)
    names = {number: key for key, number in ids.items()}
    keys = tuple(names[number] for number in present.tolist())
    told = unpack(rows.tests, Test.SENSOR)  # the other tests are done again; without any, the flag is all
    told = np.where(rows.tests == 0, rows.quality, np.where(told == 0, Quality.NOT_EVALUATED, told))
    rows = replace(
        rows,
        datastream=(np.searchsorted(present, rows.datastream) + 1).astype(np.int32),
        quality=told.astype(np.int8),
        tests=np.zeros(len(rows), np.int64),
    )
    return Material(catalogue, keys, rows, since, {station.id: HUE for station in catalogue.stations})


def rules_on(folder: Path | Traversable, city: Catalogue, material: Material) -> tuple[Rule, ...]:
    """The rules of a folder with those of their targets that the material has rows of; `ConfigError`.

    They are read against the configuration's own stations as well, so that a rule which selects some of these
    is no mistake.
    """
    here = {station.id for station in material.catalogue.stations}
    others = tuple(station for station in city.stations if station.id not in here)
    whole = Catalogue(stations=(*material.catalogue.stations, *others), routes=())
    return tuple(kept for rule in load_rules(folder, whole) if (kept := _restricted(rule, material)).plans)


def _restricted(rule: Rule, material: Material) -> Rule:
    kept = [place for place, (target, _) in enumerate(rule.plans) if _is_here(target, material.keys)]
    plans = tuple(rule.plans[place] for place in kept)
    return replace(rule, plans=plans, versions=tuple(rule.versions[place] for place in kept))


def _is_here(target: Target, keys: Sequence[str]) -> bool:
    """Whether there are rows of a datastream, or of one that it is derived from."""
    if not target.derived:
        return target.key in keys
    station = target.station
    made = next(one for one in station.derived if one.name == target.datastream.name)
    return any(f"{station.id}/{name}" in keys for name in derivation(made, station).inputs)
