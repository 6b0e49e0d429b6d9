"""The alert semantics once more, slowly: one row at a time, plain lists, nothing shared with the engine.

Written from the rules' documentation alone; it knows the rules of `engine_world.RULES` by heart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median

from ingest.model import Quality
from tests.property.engine_world import CADENCES, GATEWAYS, LADDERS, MINUTE, SECOND, Item, Row, Tick

HOUR = 60 * MINUTE
GOOD = (Quality.PASS, Quality.NOT_EVALUATED)

At = dict[int, Callable[[float], bool]]  # rank -> whether a value is at that level
RISES, RISES_ON = {1: 0.3, 2: 0.6}, {1: 0.18, 2: 0.36}  # m/h
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


@dataclass(frozen=True)
class Confirm:
    """`needed` of the newest `of`, for `sustain`; `verifying` make it verified; `beyond` is sure at once."""

    needed: int
    verifying: int
    of: int = 0
    sustain: int = 0
    beyond: float | None = None


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
        self.met: Counter[str] = Counter()
        self.late = False  # whether the row of now came behind a newer one: it may only raise
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
        self.late = row.time <= gauge.newest
        gauge.newest = max(gauge.newest, row.time)
        gauge.heard = max(row.received, gauge.heard or 0)
        yield from self.level(gauge, row)
        if gauge.name in ("R1", "R3"):
            yield from self.strict(gauge, row)
        yield from self.rate(gauge, row)
        if gauge.silent:
            gauge.silent = False
            yield ("silence", gauge.name, "cleared", 1, 0, row.received, True, False)
        led = self.gateways.get(gauge.gateway)
        if led and led.silent:
            led.silent, led.returned = False, row.received
            yield ("silence", f"@gateway/{led.name}", "cleared", 1, 0, row.received, True, False)
        yield from self.counted(gauge, row)
        if gauge.name != "R4":
            yield from self.lasting(gauge, row)
        yield from self.outside(gauge, row)

    def level(self, gauge: Gauge, row: Row) -> Iterator[Told]:
        confirm = Confirm(needed=1 if gauge.cadence > 10 else 2, verifying=2)
        if Quality.FAIL not in (row.quality, gauge.rows[-1].quality):
            yield from self.ladder("level", gauge, plausible(gauge), gauge.ladder, 0.10, 30, confirm)

    def strict(self, gauge: Gauge, row: Row) -> Iterator[Told]:
        samples = [
            Sample(known.time, known.value, False) for known in gauge.rows if known.quality == Quality.PASS
        ]
        if {row.quality, gauge.rows[-1].quality} == {Quality.PASS}:
            yield from self.ladder("strict", gauge, samples, {1: 1.5}, 0.05, 20, Confirm(3, 3))

    def counted(self, gauge: Gauge, row: Row) -> Iterator[Told]:
        slow = gauge.cadence > 10
        confirm = Confirm(1 if slow else 2, 2, 0 if slow else 3, beyond=0.20)
        if Quality.FAIL not in (row.quality, gauge.rows[-1].quality):
            yield from self.ladder("counted", gauge, plausible(gauge), gauge.ladder, 0.10, 20, confirm)

    def lasting(self, gauge: Gauge, row: Row) -> Iterator[Told]:
        samples = [Sample(known.time, known.value, False) for known in gauge.rows if known.quality in GOOD]
        confirm = Confirm(2, 2, sustain=20 * MINUTE)
        if row.quality in GOOD and gauge.rows[-1].quality in GOOD:
            yield from self.ladder("lasting", gauge, samples, {1: 1.2, 2: 2.2}, 0.10, 20, confirm)

    def outside(self, gauge: Gauge, row: Row) -> Iterator[Told]:
        at: At = {1: lambda value: value <= 0.6 or value >= 2.0, 2: lambda value: value >= 3.0}
        holds: At = {1: lambda value: value <= 0.7 or value >= 1.9, 2: lambda value: value >= 2.9}
        confirm = Confirm(needed=1 if gauge.cadence > 10 else 2, verifying=2)
        if Quality.FAIL not in (row.quality, gauge.rows[-1].quality):
            samples = plausible(gauge)
            yield from self.decide("outside", gauge, samples, at, holds, 20 * MINUTE, confirm)

    def ladder(
        self,
        rule: str,
        gauge: Gauge,
        samples: list[Sample],
        ladder: dict[int, float],
        back: float,
        hold: int,
        confirm: Confirm,
    ) -> Iterator[Told]:
        """Levels from which a value goes up, and back by `back`; `hold` in minutes."""
        at = {rank: at_or_above(limit) for rank, limit in ladder.items()}
        holds = {rank: at_or_above(round(limit - back, 9)) for rank, limit in ladder.items()}
        sure = {
            rank
            for rank, limit in ladder.items()
            if confirm.beyond is not None
            and continues(samples)
            and samples[-1].value - confirm.beyond >= limit
        }
        yield from self.decide(rule, gauge, samples, at, holds, hold * MINUTE, confirm, sure)

    def rate(self, gauge: Gauge, row: Row) -> Iterator[Told]:
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
        at, holds = ({rank: at_or_above(limit) for rank, limit in one.items()} for one in (RISES, RISES_ON))
        yield from self.decide("rate", gauge, now, at, holds, 20 * MINUTE, Confirm(1, 1))

    def decide(
        self,
        rule: str,
        gauge: Gauge,
        samples: list[Sample],
        at: At,
        holds: At,
        hold: int,
        confirm: Confirm,
        sure: set[int] | None = None,
    ) -> Iterator[Told]:
        """One new usable sample, the last of `samples`; or a late one among them, which may only raise."""
        condition, sure = gauge.held.setdefault(rule, Condition()), sure or set()
        now, level = samples[-1], condition.level
        confirmed = agreed(samples, at, confirm.needed, confirm, sure)
        self.count(samples, at, confirm, confirmed, sure)
        if confirmed > level:
            verified = agreed(samples, at, confirm.verifying, confirm, sure, trusted=True) >= confirmed
            kind = "escalated" if level else "raised"
            condition.level, condition.clearing_since = confirmed, None
            yield (rule, gauge.name, kind, level, confirmed, now.time, verified, self.late)
        elif self.late:
            return
        elif level and holds[level](now.value):
            condition.clearing_since = None
        elif level and not now.suspect:
            if condition.clearing_since is None:
                condition.clearing_since = now.time
            run = below(samples, holds[level])
            if len(run) < len(samples):
                condition.clearing_since = max(condition.clearing_since, first_sure(run))
            if now.time - condition.clearing_since >= hold:
                condition.level, condition.clearing_since = stand(samples, holds, level, hold)
                kind = "lowered" if condition.level else "cleared"
                yield (rule, gauge.name, kind, level, condition.level, now.time, True, False)

    def count(self, samples: list[Sample], at: At, confirm: Confirm, confirmed: int, sure: set[int]) -> None:
        """Which of the cases that are rare took place."""
        plain = agreed(samples, at, confirm.needed, confirm, set())
        self.met["sure"] += confirmed > plain
        strictly = agreed(samples, at, confirm.needed, Confirm(confirm.needed, 0), sure)
        self.met["one between"] += confirmed > strictly
        self.met["too short"] += confirm.sustain > 0 and confirmed < strictly


def plausible(gauge: Gauge) -> list[Sample]:
    """What did not fail its tests within a day."""
    return [
        Sample(known.time, known.value, known.quality == Quality.SUSPECT)
        for known in gauge.rows
        if known.quality != Quality.FAIL and known.time >= gauge.newest - 24 * HOUR
    ]


def at_or_above(limit: float) -> Callable[[float], bool]:
    return lambda value: value >= limit


def continues(samples: list[Sample]) -> bool:
    """Whether the newest sample goes on rising, at most twice as fast as over the two steps before it."""
    good = [sample for sample in samples if not sample.suspect][-4:]
    if samples[-1].suspect or len(good) < 4:
        return False
    a, b, c, d = good
    speed = (c.value - a.value) / (c.time - a.time)
    return a.value < b.value < c.value < d.value and (d.value - c.value) / (d.time - c.time) <= 2 * speed


def agreed(
    samples: list[Sample], at: At, needed: int, confirm: Confirm, sure: set[int], trusted: bool = False
) -> int:
    """The highest confirmed rank; when only what is trusted counts, a suspect sample is at no level."""

    def is_at(rank: int, sample: Sample) -> bool:
        return at[rank](sample.value) and not (trusted and sample.suspect)

    found = 0
    for rank in at:
        if not is_at(rank, samples[-1]):
            continue
        count = sum(is_at(rank, sample) for sample in samples[-max(confirm.of, needed) :])
        run = samples[-1].time
        for sample in reversed(samples):
            if not is_at(rank, sample):
                break
            run = sample.time
        lasted = samples[-1].time - run >= confirm.sustain
        if rank in sure or (count >= needed and lasted):
            found = max(found, rank)
    return found


def stand(samples: list[Sample], holds: At, level: int, hold: int) -> tuple[int, int | None]:
    """Where a target comes to stand below `level`, and since when it clears from there."""
    now = samples[-1]
    for rank in sorted(holds, reverse=True):
        if rank >= level:
            continue
        if holds[rank](now.value):
            return rank, None
        begin = first_sure(below(samples, holds[rank]))
        if now.time - begin < hold:
            return rank, begin
    return 0, None


def below(samples: list[Sample], holds: Callable[[float], bool]) -> list[Sample]:
    """The newest samples that all do not hold a level."""
    run: list[Sample] = []
    for sample in reversed(samples):
        if holds(sample.value):
            break
        run.insert(0, sample)
    return run


def first_sure(run: list[Sample]) -> int:
    return next(sample.time for sample in run if not sample.suspect)
