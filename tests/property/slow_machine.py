"""The alert semantics once more, slowly: one row at a time, plain lists, nothing shared with the engine.

Written from the rules' documentation alone; it knows the rules of `engine_world.RULES` by heart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

from ingest.model import Quality
from tests.property.engine_world import CADENCES, GATEWAYS, LADDERS, MINUTE, SECOND, Item, Row, Tick

HOUR = 60 * MINUTE
GOOD = (Quality.PASS, Quality.NOT_EVALUATED)

# rule, station or gateway, kind, previous level, level, event time, verified, learnt late
Told = tuple[str, str, str, int, int, int, bool, bool]


@dataclass
class Condition:
    level: int = 0
    clearing_since: int | None = None


@dataclass
class Gauge:
    name: str
    gateway: str
    cadence: int
    ladder: dict[int, float]  # rank -> raised at or above
    rows: list[Row] = field(default_factory=list)
    newest: int = -1
    heard: int | None = None
    silent: bool = False
    held: dict[str, Condition] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    time: int
    value: float
    suspect: bool


@dataclass
class Gateway:
    """One that several gauges have; `returned`: when it was heard of again after its last silence."""

    name: str
    gauges: list[Gauge]
    silent: bool = False
    returned: int = -1

    @property
    def heard(self) -> int | None:
        return max((gauge.heard for gauge in self.gauges if gauge.heard is not None), default=None)


class SlowMachine:
    def __init__(self) -> None:
        self.gauges = {
            10 * (n + 1): Gauge(
                f"R{n + 1}", GATEWAYS[n], CADENCES[n], {rank: value for rank, _, value in LADDERS[n]}
            )
            for n in range(len(CADENCES))
        }
        names = [name for name in sorted(set(GATEWAYS)) if GATEWAYS.count(name) > 1]
        self.gateways = {
            name: Gateway(name, [gauge for gauge in self.gauges.values() if gauge.gateway == name])
            for name in names
        }
        self.blind_since: int | None = None
        self.blind_told = False

    def play(self, items: list[Item]) -> list[Told]:
        told: list[Told] = []
        for item in items:
            told += self.tick(item) if isinstance(item, Tick) else self.row(item)
        return told

    def tick(self, tick: Tick) -> Iterator[Told]:
        yield from self.blindness(tick)
        if tick.sighted_since is None:
            return
        for gateway in self.gateways.values():
            if gateway.heard is None or gateway.silent:
                continue
            begin = max(gateway.heard, tick.sighted_since, gateway.returned)
            limit = min(max(4 * gauge.cadence, 30) for gauge in gateway.gauges) * MINUTE
            if tick.now - begin >= limit:
                gateway.silent = True
                yield ("silence", f"@gateway/{gateway.name}", "raised", 0, 1, begin + limit, True, False)
        for gauge in self.gauges.values():
            led = self.gateways.get(gauge.gateway)
            if gauge.heard is None or gauge.silent or (led and led.silent):
                continue
            begin = max(gauge.heard, tick.sighted_since, led.returned if led else -1)
            limit = max(4 * gauge.cadence, 30) * MINUTE
            if tick.now - begin >= limit:
                gauge.silent = True
                yield ("silence", gauge.name, "raised", 0, 1, begin + limit, True, False)

    def blindness(self, tick: Tick) -> Iterator[Told]:
        if tick.sighted_since is not None:
            if self.blind_told:
                yield ("huewatch-self", "@sight", "cleared", 1, 0, tick.now, True, False)
            self.blind_since, self.blind_told = None, False
        elif self.blind_since is None:
            self.blind_since = tick.now
        elif not self.blind_told and tick.now - self.blind_since >= 2 * MINUTE:
            self.blind_told = True
            yield ("huewatch-self", "@sight", "raised", 0, 1, tick.now, True, False)

    def row(self, row: Row) -> Iterator[Told]:
        gauge = self.gauges[row.number]
        gauge.rows = sorted([*gauge.rows, row], key=lambda known: known.time)
        late = row.time <= gauge.newest
        gauge.newest = max(gauge.newest, row.time)
        gauge.heard = max(row.received, gauge.heard or 0)
        yield from self.level(gauge, row, late)
        if gauge.name in ("R1", "R3"):
            yield from self.strict(gauge, row, late)
        yield from self.rate(gauge, row, late)
        if gauge.silent:
            gauge.silent = False
            yield ("silence", gauge.name, "cleared", 1, 0, row.received, True, False)
        led = self.gateways.get(gauge.gateway)
        if led and led.silent:
            led.silent, led.returned = False, row.received
            yield ("silence", f"@gateway/{led.name}", "cleared", 1, 0, row.received, True, False)

    def level(self, gauge: Gauge, row: Row, late: bool) -> Iterator[Told]:
        if Quality.FAIL in (row.quality, gauge.rows[-1].quality):
            return
        samples = [
            Sample(known.time, known.value, known.quality == Quality.SUSPECT)
            for known in gauge.rows
            if known.quality != Quality.FAIL and known.time >= gauge.newest - 24 * HOUR
        ]
        needed = 1 if gauge.cadence > 10 else 2
        clear = {rank: round(limit - 0.10, 9) for rank, limit in gauge.ladder.items()}
        yield from decide("level", gauge, samples, gauge.ladder, clear, 30 * MINUTE, needed, 2, late)

    def strict(self, gauge: Gauge, row: Row, late: bool) -> Iterator[Told]:
        if {row.quality, gauge.rows[-1].quality} != {Quality.PASS}:
            return
        samples = [
            Sample(known.time, known.value, False) for known in gauge.rows if known.quality == Quality.PASS
        ]
        yield from decide("strict", gauge, samples, {1: 1.5}, {1: 1.45}, 20 * MINUTE, 3, 3, late)

    def rate(self, gauge: Gauge, row: Row, late: bool) -> Iterator[Told]:
        newest = gauge.rows[-1]
        if row.quality not in GOOD or newest.quality not in GOOD:
            return
        condition = gauge.held.setdefault("rate", Condition())
        if condition.level == 0 and newest.value < min(gauge.ladder.values()) - 0.5:
            return
        points = [
            known for known in gauge.rows if known.quality in GOOD and known.time >= newest.time - 60 * MINUTE
        ]
        if len(points) < 4 or points[-1].time - points[0].time < 30 * MINUTE:
            return
        slope = median(
            (b.value - a.value) / ((b.time - a.time) / HOUR)
            for n, a in enumerate(points)
            for b in points[n + 1 :]
            if b.time - a.time >= SECOND
        )
        now = [Sample(newest.time, slope, False)]
        yield from decide("rate", gauge, now, {1: 0.3, 2: 0.6}, {1: 0.18, 2: 0.36}, 20 * MINUTE, 1, 1, late)


def decide(
    rule: str,
    gauge: Gauge,
    samples: list[Sample],
    ladder: dict[int, float],
    clear: dict[int, float],
    hold: int,
    needed: int,
    verifying: int,
    late: bool,
) -> Iterator[Told]:
    """One new usable sample, the last of `samples`; or a late one among them, which may only raise."""
    condition = gauge.held.setdefault(rule, Condition())
    now, level = samples[-1], condition.level
    confirmed = agreed(samples, ladder, needed)
    if confirmed > level:
        sure = agreed(samples, ladder, verifying) >= confirmed
        verified = sure and not any(sample.suspect for sample in samples[-verifying:])
        kind = "escalated" if level else "raised"
        condition.level, condition.clearing_since = confirmed, None
        yield (rule, gauge.name, kind, level, confirmed, now.time, verified, late)
    elif late:
        return
    elif level and now.value >= clear[level]:
        condition.clearing_since = None
    elif level and not now.suspect:
        if condition.clearing_since is None:
            condition.clearing_since = now.time
        run = below(samples, clear[level])
        if len(run) < len(samples):
            condition.clearing_since = max(condition.clearing_since, first_sure(run))
        if now.time - condition.clearing_since >= hold:
            condition.level, condition.clearing_since = stand(samples, clear, level, hold)
            kind = "lowered" if condition.level else "cleared"
            yield (rule, gauge.name, kind, level, condition.level, now.time, True, False)


def agreed(samples: list[Sample], ladder: dict[int, float], needed: int) -> int:
    newest = samples[-needed:]
    if len(newest) < needed:
        return 0
    return max(
        (rank for rank, limit in ladder.items() if all(sample.value >= limit for sample in newest)), default=0
    )


def stand(samples: list[Sample], clear: dict[int, float], level: int, hold: int) -> tuple[int, int | None]:
    """Where a target comes to stand below `level`, and since when it clears from there."""
    now = samples[-1]
    for rank in sorted(clear, reverse=True):
        if rank >= level:
            continue
        if now.value >= clear[rank]:
            return rank, None
        begin = first_sure(below(samples, clear[rank]))
        if now.time - begin < hold:
            return rank, begin
    return 0, None


def below(samples: list[Sample], limit: float) -> list[Sample]:
    """The newest samples that all stand below a limit."""
    run: list[Sample] = []
    for sample in reversed(samples):
        if sample.value >= limit:
            break
        run.insert(0, sample)
    return run


def first_sure(run: list[Sample]) -> int:
    return next(sample.time for sample in run if not sample.suspect)
