"""However a stream is cut into batches, and wherever the service restarts, a row comes to the same flags."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ingest.catalog import Datastream, Source
from ingest.model import Quality
from ingest.quality.appraiser import Appraisal, Appraiser
from ingest.quality.flags import RANK, Test, roll_up
from ingest.quality_settings import (
    AttenuatedSignal,
    Climatology,
    FlatLine,
    Gap,
    Neighbour,
    QualityTests,
    Range,
    RateOfChange,
    Spike,
)
from tests.property.quality_reference import Item, Reference

MINUTE = 60_000_000
START = 1_761_866_000_000_000  # 30 October 2025, 23:13 UTC: the month turns at 17:00 UTC on the next day
RANGE = Range(fail=(-1.0, 9.0), suspect=(-0.5, 6.0))
SPIKE = Spike(suspect=0.15, fail=0.5)
RATE = RateOfChange(suspect=1.5, fail=3.0)

TESTS = (
    QualityTests(spike=SPIKE, rate_of_change=RATE, flat_line=FlatLine(suspect=1_200.0, fail=1_800.0)),
    QualityTests(
        spike=Spike(suspect=0.15, fail=0.5, method="average"),
        rate_of_change=RateOfChange(suspect=1.5),
        attenuated_signal=AttenuatedSignal(window=2_400.0, min_range=0.02),
        gap=True,
    ),
    QualityTests(
        spike=SPIKE,
        rate_of_change=RATE,
        neighbour=Neighbour(of="S/d1", within=900.0, difference=1.0, trend=0.05, over=1_200.0),
        flat_line=FlatLine(suspect=1_200.0, tolerance=0.01, above=1.0),
    ),
    QualityTests(
        neighbour=Neighbour(of="S/d3", within=600.0, trend=0.1, over=900.0),
        attenuated_signal=AttenuatedSignal(window=1_800.0, min_std=0.01),
        gap=Gap(late=1.2, missing=2.0),
        rate_of_change=RATE,
        resolution=0.01,
    ),
    QualityTests(climatology=(Climatology(months=(10,), suspect=(0.0, 1.2)),)),
    QualityTests(),
)
RESETS = {1: [START + 200 * MINUTE], 3: [START + 90 * MINUTE, START + 260 * MINUTE]}


REQUIRED = (
    *(f"{test} {flag}" for test in ("SPIKE", "RATE_OF_CHANGE", "FLAT_LINE") for flag in (1, 2, 3, 4)),
    *(f"{test} {flag}" for test in ("CLIMATOLOGY", "ATTENUATED_SIGNAL", "NEIGHBOUR") for flag in (1, 3)),
    "GAP 1", "GAP 2", "GAP 3", "GAP 9", "VERIFY 3", "SENSOR 3", "SENSOR 4", "NEIGHBOUR 2", "revision",
)  # fmt: skip


def city() -> list[tuple[int, str, Datastream]]:
    """Six gauges with the ids 1 to 6; the last has no tests and no range."""
    return [
        (
            number,
            f"S/d{number}",
            Datastream(
                name=f"d{number}",
                property="water_level",
                unit="m",
                cadence=300.0,
                source=Source(gateway="g", device=str(number), channel="c"),
                gross_range=RANGE if tests != QualityTests() else None,
                quality=tests,
            ),
        )
        for number, tests in enumerate(TESTS, start=1)
    ]


def own_range(number: int, value: float) -> Quality:
    """What the normaliser knows already: the gross range."""
    if TESTS[number - 1] == QualityTests() or -0.5 <= value <= 6.0:
        return Quality.PASS
    return Quality.SUSPECT if -1.0 <= value <= 9.0 else Quality.FAIL


def worse(one: Quality, other: Quality) -> bool:
    return bool(RANK[one] > RANK[other])


def random_stream(seed: int, steps: int = 90) -> list[Item]:
    """Rows in order of arrival: spikes, jumps that stay, calm, gaps, bursts, late and failed ones too."""
    rng = random.Random(seed)
    arriving: list[tuple[float, int, Item]] = []
    for number in range(1, len(TESTS) + 1):
        time, level = START + rng.randrange(5 * MINUTE), 1.0
        delay = 0.0
        for step in range(steps):
            time += rng.choice(
                [5, 5, 5, 5, 5, 5, 5, 5, 1, 7, 11, 40, 5, 5, 5, 5, 5, 5, 5, 260]
            ) * MINUTE + rng.randrange(2_000_000)
            mood = rng.random()
            if mood < 0.5:
                level = round(level + rng.choice([-0.02, -0.01, 0.0, 0.0, 0.01, 0.02]), 3)
            elif mood < 0.53:
                level = round(min(4.1, max(0.2, level + rng.uniform(-1.0, 1.0))), 3)
            value = level + (rng.choice([-0.3, 0.4, 1.5, 12.0]) if rng.random() < 0.06 else 0.0)
            told = rng.choice([Quality.SUSPECT, Quality.FAIL]) if rng.random() < 0.03 else Quality.PASS
            gross = own_range(number, value)
            quality = gross if worse(gross, told) else told  # as the normaliser gives it
            delay = (
                rng.uniform(0, rng.choice([60, 60, 400])) * MINUTE
                if rng.random() < 0.08
                else delay
                if rng.random() < 0.5
                else 0.0
            )
            arriving.append((time + delay, step, Item(number, time, round(value, 3), quality)))
    arriving.sort(key=lambda entry: entry[:2])
    return [item for _, _, item in arriving]


@dataclass
class Rows:
    """Columns of rows, and their flags where they are stored ones."""

    datastream: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.int8]
    tests: NDArray[np.int64]

    @classmethod
    def of(cls, items: Sequence[Item], tests: Sequence[int] | None = None) -> Rows:
        return cls(
            np.array([item.datastream for item in items], np.int32),
            np.array([item.time for item in items], np.int64),
            np.array([item.value for item in items], np.float64),
            np.array([item.quality for item in items], np.int8),
            np.array(tests if tests is not None else [0] * len(items), np.int64),
        )


class Player:
    """An appraiser and the database that it writes to."""

    def __init__(self) -> None:
        self.appraiser = Appraiser(city(), RESETS)
        self.stored: dict[tuple[int, int], tuple[Item, int]] = {}
        self.arrived: dict[tuple[int, int], int] = {}
        self.revisions = 0

    def play(self, items: Sequence[Item]) -> Appraisal:
        appraisal = self.appraiser.evaluate(Rows.of(items))
        self.appraiser.adopt(appraisal)
        for item, tests in zip(items, appraisal.tests.tolist(), strict=True):
            self.stored[item.datastream, item.time] = (item, tests)
            self.arrived[item.datastream, item.time] = tests
        revised = appraisal.revisions
        for number, time, tests in zip(revised.datastream, revised.time, revised.tests, strict=True):
            item, before = self.stored[int(number), int(time)]
            assert before != int(tests)
            self.stored[int(number), int(time)] = (item, int(tests))
            self.revisions += 1
        assert (appraisal.quality == roll_up(appraisal.tests)).all()
        return appraisal

    def restart(self) -> None:
        """Another appraiser, from what a service would read back."""
        self.appraiser = Appraiser(city(), RESETS)
        self.appraiser.rebuild(self.rows())

    def rows(self) -> Rows:
        chosen: list[tuple[Item, int]] = []
        for need in self.appraiser.needs():
            for number in need.datastreams:
                own = sorted((row for row in self.stored.values() if row[0].datastream == number), key=_time)
                newest = own[-1][0].time if own else 0
                own = [row for row in own if row[0].time >= newest - need.span][-need.rows :]
                chosen += own
        return Rows.of([item for item, _ in chosen], [tests for _, tests in chosen])


def _time(row: tuple[Item, int]) -> int:
    return row[0].time


def reference_run(items: Sequence[Item]) -> Reference:
    reference = Reference(city(), RESETS)
    for item in items:
        reference.take(item)
    return reference


def flags_of(tests: int) -> dict[Test, int]:
    return {test: tests >> test.shift & 0xF for test in Test if tests >> test.shift & 0xF}


def assert_same(player: Player, flags: Mapping[tuple[int, int], dict[Test, int]], where: str) -> None:
    for key, (item, tests) in player.stored.items():
        assert flags_of(tests) == flags[key], f"{where}: {item}"


def cut(items: Sequence[Item], rng: random.Random, longest: int) -> Iterator[Sequence[Item]]:
    at = 0
    while at < len(items):
        end = at + rng.randint(1, longest)
        yield items[at:end]
        at = end


def test_every_row_comes_to_what_the_slow_reference_says_for_any_batches_and_restarts() -> None:
    met: Counter[str] = Counter()
    for seed in range(5):
        items = random_stream(seed)
        expected = reference_run(items)
        for flags in expected.flags.values():
            met.update(f"{test.name} {flag}" for test, flag in flags.items())
        for longest in (1, 4, 60, 10_000):
            rng, player = random.Random(100 * seed + longest), Player()
            for batch in cut(items, rng, longest):
                if rng.random() < (0.02 if longest == 1 else 0.2):
                    player.restart()
                player.play(batch)
            assert_same(player, expected.flags, f"seed {seed}, batches to {longest}")
            met["revision"] += player.revisions
    print(dict(met))
    assert [case for case in REQUIRED if not met[case]] == []


def test_a_row_has_the_same_flags_at_its_arrival_for_any_cuts() -> None:
    """Alerts are decided on them, so that what was told does not depend on how batches were cut."""
    decided_within_a_batch = 0
    for seed in range(3):
        items = random_stream(seed)
        players = []
        for longest in (1, 7, 10_000):
            player = Player()
            for batch in cut(items, random.Random(seed + longest), longest):
                player.play(batch)
            players.append(player)
        one_by_one, *others = players
        for player in others:
            assert player.arrived == one_by_one.arrived
        final = {key: tests for key, (_, tests) in one_by_one.stored.items()}
        decided_within_a_batch += sum(final[key] != tests for key, tests in others[-1].arrived.items())
    print(f"{decided_within_a_batch} rows were decided by a later row of their batch")
    assert decided_within_a_batch


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), lengths=st.lists(st.integers(1, 80), min_size=1, max_size=6))
def test_flags_are_the_same_for_any_cuts(seed: int, lengths: list[int]) -> None:
    items = random_stream(seed, steps=40)
    player, at = Player(), 0
    while at < len(items):
        length = lengths[at % len(lengths)]
        player.play(items[at : at + length])
        at += length
    assert_same(player, reference_run(items).flags, f"seed {seed}")


def test_rebuilt_memory_equals_live_memory_at_every_prefix() -> None:
    player = Player()
    rng = random.Random(3)
    for batch in cut(random_stream(99, steps=50), rng, 3):
        player.play(batch)
        rebuilt = Appraiser(city(), RESETS)
        rebuilt.rebuild(player.rows())
        for number in range(1, len(TESTS) + 1):
            for live, other in zip(
                player.appraiser.remembered(number), rebuilt.remembered(number), strict=True
            ):
                np.testing.assert_array_equal(live, other)


def test_a_commit_that_fails_leaves_no_trace() -> None:
    """`evaluate` twice, adopt once: what was not committed changed nothing."""
    player = Player()
    for batch in cut(random_stream(5, steps=40), random.Random(5), 40):
        rows = Rows.of(batch)
        player.appraiser.evaluate(Rows.of(batch[: len(batch) // 2]))
        first, again = player.appraiser.evaluate(rows), player.appraiser.evaluate(rows)
        assert first.tests.tolist() == again.tests.tolist()
        assert first.revisions.tests.tolist() == again.revisions.tests.tolist()
        np.testing.assert_array_equal(player.play(batch).tests, first.tests)
