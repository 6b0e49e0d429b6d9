"""A small city, random streams of rows and ticks, and a player that batches and restarts as it is told.

Shared by the engine's property tests. Everything random comes from the seed that a test prints.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from alerts.engine import Engine
from alerts.model import Condition, Event
from alerts.rules.book import Rule, parse_rules
from ingest.catalog import Catalogue, Datastream, Level, Location, Source, Station
from ingest.config_model import Text
from ingest.memory import NEVER
from ingest.model import Changes, Moment, Nature, ObservationBatch, Quality

SECOND = 1_000_000
MINUTE = 60 * SECOND
START = 1_761_400_000 * SECOND

RULES = """
rules:
  - id: level
    kind: threshold
    title: { vi: Mực nước, en: Level }
    select: { property: water_level }
    levels: catalogue
    severities: { I: Minor, II: Moderate, III: Severe }
    confirm: { samples: 2 }
    clear: { below: 0.10 m, hold: 30min }
  - id: strict
    kind: threshold
    title: { vi: Mực nước, en: Level }
    select: { stations: [R1, R3] }
    levels: [{ name: high, value: 150 cm, severity: Minor }]
    confirm: { samples: 3 }
    clear: { below: 5 cm, hold: 20min }
    accept: [pass]
  - id: rate
    kind: rate
    title: { vi: Nước lên, en: Rising }
    select: { property: water_level }
    window: 60min
    span: 30min
    points: 4
    gate: 0.5 m
    levels:
      - { name: fast, value: 30 cm/h, severity: Minor }
      - { name: faster, value: 60 cm/h, severity: Moderate }
    clear: { fraction: 0.6, hold: 20min }
  - id: silence
    kind: silence
    title: { vi: Im lặng, en: Silence }
    select: {}
    after: { cadences: 4, at_least: 30min }
    level: { name: silent, severity: Minor }
  - id: counted
    kind: threshold
    title: { vi: Mực nước, en: Level }
    select: { property: water_level }
    levels: catalogue
    severities: { I: Minor, II: Moderate, III: Severe }
    confirm: { samples: 2, of: 3, at_once_beyond: 20 cm }
    clear: { below: 0.10 m, hold: 20min }
  - id: lasting
    kind: threshold
    title: { vi: Mực nước, en: Level }
    select: { stations: [R1, R2, R3] }
    levels: [{ name: high, value: 1.2 m, severity: Minor }, { name: higher, value: 2.2 m, severity: Severe }]
    confirm: { samples: 2, for: 20min }
    clear: { below: 10 cm, hold: 20min }
    accept: [pass, not_evaluated]
  - id: outside
    kind: threshold
    direction: outside
    title: { vi: Mực nước, en: Level }
    select: { property: water_level }
    levels:
      - { name: odd, low: 0.6 m, high: 2.0 m, severity: Minor }
      - { name: odder, high: 3.0 m, severity: Severe }
    clear: { inside: 10 cm, hold: 20min }
"""

LADDERS = (
    ((1, "I", 1.0), (2, "II", 2.0), (3, "III", 3.5)),
    ((2, "II", 2.0), (3, "III", 3.0)),  # a level that nobody published keeps its rank free
    ((1, "I", 1.0), (2, "II", 1.5)),
    ((1, "I", 1.0),),
)
GATEWAYS = ("g", "g", "h", "i")  # R1 and R2 have one
CADENCES = (5, 5, 5, 15)  # minutes; above 10 one sample opens at once


def city() -> Catalogue:
    """Four gauges R1 to R4."""
    return Catalogue(
        stations=tuple(
            _station(f"R{n}", gateway, cadence, ladder)
            for n, (gateway, cadence, ladder) in enumerate(
                zip(GATEWAYS, CADENCES, LADDERS, strict=True), start=1
            )
        ),
        routes=(),
    )


def _station(name: str, gateway: str, cadence: int, ladder: Sequence[tuple[int, str, float]]) -> Station:
    levels = tuple(Level(name=word, value=value, rank=rank) for rank, word, value in ladder)
    gauge = Datastream(
        name="water_level",
        property="water_level",
        unit="m",
        cadence=cadence * 60.0,
        source=Source(gateway=gateway, device=name, channel="c"),
        levels=levels,
    )
    return Station(
        id=name,
        name=Text(vi=name, en=name),
        kind="river",
        location=Location(lat=16.0, lon=107.0),
        nature=Nature.EXERCISE,
        datastreams=(gauge,),
    )


def rules(text: str = RULES, catalogue: Catalogue | None = None) -> list[Rule]:
    """The rules of a text, numbered 10, 20, ... in the catalogue's order."""
    catalogue = catalogue or city()
    found, problems = parse_rules(text, "rules.yaml", catalogue)
    assert problems == []
    numbers = {key: 10 * (n + 1) for n, (key, _, _) in enumerate(catalogue.datastreams())}
    return [rule.numbered(numbers) for rule in found]


@dataclass(frozen=True)
class Row:
    number: int  # the datastream's
    time: int
    value: float
    quality: int
    received: int


@dataclass(frozen=True)
class Tick:
    now: int
    sighted_since: int | None


Item = Row | Tick


def random_stream(seed: int, steps: int = 150) -> list[Item]:
    """Rows of four gauges in order of arrival (late and lost ones among them), with ticks between."""
    rng = random.Random(seed)
    arriving: list[tuple[int, int, Row]] = []
    for gauge, cadence in enumerate(CADENCES):
        arriving += _gauge(rng, 10 * (gauge + 1), cadence * MINUTE, steps * 5 // cadence)
    arriving.sort(key=lambda entry: entry[:2])
    seen: set[tuple[int, int]] = set()
    items: list[Item] = []
    sighted: int | None = START
    for received, _, row in arriving:
        if (row.number, row.time) not in seen:
            seen.add((row.number, row.time))
            items.append(row)
        if rng.random() < 0.02:
            sighted = None if sighted is not None else received
        if rng.random() < 0.15:
            items.append(Tick(received + rng.randrange(SECOND), sighted))
    return items


def _gauge(rng: random.Random, number: int, cadence: int, rows: int) -> list[tuple[int, int, Row]]:
    """A gauge that wanders around its levels: steep, slow and still by turns."""
    found = []
    value, drift, lost_until = rng.uniform(0.3, 1.5), 0.0, 0
    for n in range(rows):
        if rng.random() < 0.12:
            drift = rng.choice((-0.15, -0.04, -0.01, 0.0, 0.01, 0.04, 0.12))
        value = min(max(value + drift + rng.gauss(0, 0.01), 0.2), 4.2)
        time = START + n * cadence + rng.randrange(-20, 20) * SECOND
        if rng.random() < 0.02:
            lost_until = time + rng.randrange(20, 150) * MINUTE
        if time < lost_until:
            continue
        said, quality = _measured(rng, value)
        delay = rng.randrange(5) * SECOND
        if rng.random() < 0.08:
            delay += rng.randrange(1, 60) * MINUTE  # overtaken by newer rows: late
        found.append((time + delay, rng.randrange(1 << 30), Row(number, time, said, quality, time + delay)))
    return found


def _measured(rng: random.Random, value: float) -> tuple[float, int]:
    draw = rng.random()
    if draw < 0.04:
        return round(value + rng.choice((-2.0, 2.5)), 3), Quality.FAIL
    if draw < 0.14:
        return round(value + rng.choice((-0.4, 0.0, 0.6)), 3), Quality.SUSPECT
    return round(value, 3), rng.choice((Quality.PASS, Quality.PASS, Quality.NOT_EVALUATED))


def columns(rows: Sequence[Row]) -> ObservationBatch:
    """Rows as a batch."""
    count = len(rows)
    return ObservationBatch(
        np.array([row.number for row in rows], np.int32),
        np.array([row.time for row in rows], np.int64),
        np.array([row.value for row in rows], np.float64),
        np.array([row.quality for row in rows], np.int8),
        np.array([row.received for row in rows], np.int64),
        np.zeros(count, np.int32),
        np.zeros(count, np.bool_),
        np.ones(count, np.int8),
        np.zeros(count, np.int64),
    )


@dataclass
class Store:
    """What the database would hold: rows, conditions and the last event of each alert."""

    rows: list[Row] = field(default_factory=list)
    conditions: dict[tuple[str, str], Condition] = field(default_factory=dict)
    last: dict[str, Event] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def recent(self, memory: int, limit: int) -> ObservationBatch:
        """As `ingest.store.read.recent`: each series' newest rows."""
        kept: list[Row] = []
        for number in sorted({row.number for row in self.rows}):
            own = sorted((row for row in self.rows if row.number == number), key=lambda row: row.time)
            kept += [row for row in own if row.time >= own[-1].time - memory][-limit:]
        return columns(kept)


class Player:
    """An engine with its store: plays batches, and restarts from what is stored alone."""

    def __init__(self, found: Sequence[Rule]) -> None:
        self.rules = found
        self.engine = Engine(found)
        self.store = Store()

    def restart(self, found: Sequence[Rule] | None = None) -> None:
        self.rules = found or self.rules
        self.engine = rebuilt(self.rules, self.store)

    def play(self, items: Sequence[Item]) -> None:
        """One transaction: rows, and at most one tick, which comes last."""
        rows = [item for item in items if isinstance(item, Row)]
        tick = items[-1] if isinstance(items[-1], Tick) else None
        now = tick.now if tick else max(row.received for row in rows)
        moment = Moment(now, tick is not None, tick.sighted_since if tick else None)
        outcome = self.engine.evaluate(Changes(columns(rows), moment))
        self.store.rows += rows
        for condition in outcome.conditions:
            self.store.conditions[condition.rule, condition.target] = condition
        for event in outcome.events:
            self.store.last[event.alert_id] = event
        self.store.events += outcome.events
        self.engine.adopt(outcome)


def rebuilt(found: Sequence[Rule], store: Store) -> Engine:
    """An engine that knows only what is stored."""
    engine = Engine(found)
    stored = store.recent(engine.memory_span, engine.memory_rows)
    engine.load(stored, list(store.conditions.values()), store.last)
    return engine


def assert_same_state(live: Engine, again: Engine) -> None:
    """Column by column: what was rebuilt is what lived."""
    everything = np.arange(len(live.numbers))
    ours, theirs = live._state, again._state
    one, two = ours.memory.gather(everything), theirs.memory.gather(everything)
    for name in ("time", "value", "quality", "received"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), name)
    np.testing.assert_array_equal(ours.memory.newest, theirs.memory.newest)
    np.testing.assert_array_equal(ours.memory.arrival, theirs.memory.arrival)
    for left, right in zip(ours.columns, theirs.columns, strict=True):
        assert not left.state.differs(right.state).any()
        np.testing.assert_array_equal(left.ordinal, right.ordinal)
        np.testing.assert_array_equal(left.opened_at, right.opened_at)
        assert left.alert_id == right.alert_id
    assert (one.time != NEVER).sum() == (two.time != NEVER).sum()


def cut(items: Sequence[Item], rng: random.Random, longest: int) -> list[list[Item]]:
    """The items in batches of random length; a tick ends its batch, as a tick's transaction does."""
    batches: list[list[Item]] = [[]]
    left = rng.randint(1, longest)
    for item in items:
        batches[-1].append(item)
        left -= 1
        if isinstance(item, Tick) or left <= 0:
            batches.append([])
            left = rng.randint(1, longest)
    return [batch for batch in batches if batch]
