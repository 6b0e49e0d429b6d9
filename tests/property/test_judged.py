"""The judged record is what event time says: for any order of arrival within the lateness, any batches, any
restarts. A slow reference that sorts all rows and steps through them one by one must give the same."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.account import JudgedCondition
from alerts.episode import End, EntryKind, first_fault
from alerts.judging import Judging
from alerts.model import EventKind
from ingest.memory import Windows
from tests.property.engine_world import MINUTE, RULES, Row, rules
from tests.property.judged_world import (
    LATENESS,
    Flag,
    Item,
    JudgedPlayer,
    arriving,
    assert_same_judge,
    batches,
    changes_of,
    flagged,
    rebuilt,
    rows_of,
)
from tests.property.slow_machine import SlowMachine

SEEDS = range(2)
PARTITIONS = (1, 3, 40, 10_000)  # longest batch
MESSAGE = 4  # rows that came in one message

Reference = dict[tuple[str, str], list[tuple[str, int, int]]]


def slow_record(rows: Sequence[Row]) -> Reference:
    """(rule, target) -> (kind, level, event time): all rows that are final, sorted, one after the other."""
    newest = {number: max(row.time for row in rows if row.number == number) for number in numbers(rows)}
    final = sorted((row for row in rows if row.time <= newest[row.number] - LATENESS), key=lambda r: r.time)
    found: Reference = {}
    for rule, station, kind, _, level, time, *_ in SlowMachine().play(list(final)):
        if rule != "silence":
            found.setdefault((rule, f"{station}/water_level"), []).append((kind, level, time))
    return found


def numbers(rows: Sequence[Row]) -> set[int]:
    return {row.number for row in rows}


def record(player: JudgedPlayer) -> Reference:
    found: Reference = {}
    for entry in player.store.entries:
        line = (entry.kind.value, entry.level, entry.event_time)
        found.setdefault((entry.rule, entry.target), []).append(line)
    return found


def played(
    items: Sequence[Item], *, longest: int = 1, seed: int = 0, lateness: int = LATENESS
) -> JudgedPlayer:
    player = JudgedPlayer(rules(), lateness)
    for batch in batches(items, random.Random(seed), longest):
        player.play(batch)
    return player


def test_the_record_is_that_of_a_slow_reference_for_any_order_of_arrival() -> None:
    met: Counter[str] = Counter()
    for seed in SEEDS:
        rows = rows_of(seed)
        expected = slow_record(rows)
        met.update(kind for lines in expected.values() for kind, _, _ in lines)
        ordered = played(rows)
        assert record(ordered) == expected, f"seed {seed}"
        for order in range(2):
            rng = random.Random(100 * seed + order)
            came = arriving(rows, rng)
            met["reordered across a decision"] += crossings(came, expected)
            shuffled = played(came, longest=PARTITIONS[2 * order], seed=order)
            assert shuffled.store.too_late == 0
            assert shuffled.chain() == ordered.chain(), f"seed {seed}, order {order}"
    print(dict(met))
    required = ("raised", "escalated", "lowered", "cleared", "reordered across a decision")
    assert [case for case in required if not met[case]] == []


def crossings(came: Sequence[Row], expected: Reference) -> int:
    """Pairs of rows that came in the other order, with a decision between their times."""
    decided = {
        int(target[1]) * 10: {
            time for (_, one), lines in expected.items() if one == target for *_, time in lines
        }
        for _, target in expected
    }
    found = 0
    newest: dict[int, int] = {}
    for row in came:
        ahead = newest.get(row.number, 0)
        found += any(row.time <= time <= ahead for time in decided.get(row.number, ()))
        newest[row.number] = max(ahead, row.time)
    return found


def test_record_and_told_history_are_the_same_for_any_batches_and_restarts() -> None:
    """Also where rows are too late for the record, which depends on their order but on nothing else."""
    met: Counter[str] = Counter()
    for seed in (3, 5, 10, 11):
        rng = random.Random(seed)
        came = flagged(arriving(rows_of(seed, steps=100), rng), rng)
        lateness = rng.choice((40, 60)) * MINUTE
        expected = played(came, lateness=lateness)
        met["too late"] += expected.store.too_late
        met.update(event.kind.value for event in expected.store.events)
        for longest in PARTITIONS:
            player = JudgedPlayer(rules(), lateness)
            place = 0
            for batch in batches(came, rng, longest):
                met["split inside a message"] += place % MESSAGE > 0
                place += len(batch)
                if rng.random() < (0.05 if longest == 1 else 0.4):
                    phases = {held.phase.name.lower() for held in player.store.held.values()}
                    met.update(f"restart in {phase}" for phase in phases)
                    met["restart with a claim"] += any(
                        held.account.waiting for held in player.store.held.values()
                    )
                    player.restart()
                player.play(batch)
            assert player.chain() == expected.chain(), f"seed {seed}, batches to {longest}"
            assert player.told() == expected.told(), f"seed {seed}, batches to {longest}"
            assert player.store.held == expected.store.held, f"seed {seed}"
            assert player.store.too_late == expected.store.too_late
    print(dict(met))
    required = (
        "split inside a message", "restart in pending", "restart in firing", "restart in clearing",
        "restart with a claim", "too late", "late", "revised",
    )  # fmt: skip
    assert [case for case in required if not met[case]] == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), order=st.integers(0, 10**6), longest=st.integers(1, 60))
def test_the_record_is_the_same_for_any_city(seed: int, order: int, longest: int) -> None:
    rows = rows_of(seed, steps=60)
    player = JudgedPlayer(rules())
    rng = random.Random(order)
    for batch in batches(flagged(arriving(rows, rng), rng), rng, longest):
        if rng.random() < 0.3:
            player.restart()
        player.play(batch)
    assert record(player) == slow_record(rows)


def test_a_row_is_judged_on_the_flag_that_it_has_when_it_is_final() -> None:
    changed = 0
    for seed in SEEDS:
        rows, rng = rows_of(seed), random.Random(seed)
        items = flagged(arriving(rows, rng), rng)
        for longest in PARTITIONS[2:]:
            assert record(played(items, longest=longest, seed=seed)) == slow_record(rows), f"seed {seed}"
        as_they_came = [item for item in items if isinstance(item, Row)]
        changed += slow_record(as_they_came) != slow_record(rows)
    print(f"{changed} records depend on a flag that came later")
    assert changed


def test_rebuilt_state_equals_live_state_at_every_prefix() -> None:
    seed = 7
    print(f"seed {seed}")
    rng = random.Random(seed)
    player = JudgedPlayer(rules(), 40 * MINUTE)
    waiting = 0
    for item in flagged(arriving(rows_of(seed, steps=80), rng), rng):
        player.play([item])
        assert_same_judge(player.judge, rebuilt(player.rules, player.store, player.lateness))
        waiting += bool(player.judge._state.claims.any())
    assert waiting


def test_a_target_that_was_only_pending_leaves_nothing_behind() -> None:
    player = JudgedPlayer(rules())
    for row in gauge([0.5, 1.2, *([0.5] * 20)]):
        player.play([row])
        assert_same_judge(player.judge, rebuilt(player.rules, player.store))
    assert "level" in {rule for rule, _ in player.store.held}


def test_a_commit_that_fails_leaves_no_trace() -> None:
    """`evaluate` twice, adopt once: the judgement that was not committed changed nothing."""
    rng = random.Random(5)
    player = JudgedPlayer(rules())
    for batch in batches(flagged(arriving(rows_of(5), rng), rng), rng, 30):
        changes = changes_of(batch)
        first, again = (player.judge.evaluate(changes, player.judge.numbers) for _ in range(2))
        assert first.entries == again.entries
        assert first.conditions == again.conditions
        assert_same_judge(player.judge, rebuilt(player.rules, player.store))
        player.play(batch)
    assert player.store.entries


def test_every_chain_holds_and_ends_where_it_must() -> None:
    player = played(arriving(rows_of(3), random.Random(3)), longest=20)
    for key, held in player.store.held.items():
        own = [entry for entry in player.store.entries if (entry.rule, entry.target) == key]
        assert first_fault(own, end_of(held)) is None
    assert len(player.store.held) > 3


def end_of(held: JudgedCondition) -> End:
    return End(held.ordinal, held.hash)


def test_a_series_faster_than_the_catalogue_says_is_final_sooner_and_goes_judged() -> None:
    """Every 10 s instead of every 5 min: more rows wait than are kept waiting."""
    start, second = 1_761_400_000_000_000, 1_000_000
    values = [0.5 if n < 200 else 1.4 for n in range(500)]
    rows = [Row(10, start + n * 10 * second, value, 1, start) for n, value in enumerate(values)]
    chains = {longest: played(rows, longest=longest).chain() for longest in (1, 7, 500)}
    assert chains[1] == chains[7] == chains[500]
    raised = [entry for entry in played(rows).store.entries if entry.rule == "level"]
    assert [(entry.kind, entry.event_time) for entry in raised] == [
        (EntryKind.RAISED, start + 201 * 10 * second)
    ]


def test_a_state_of_another_version_begins_again_and_the_record_says_so() -> None:
    rows = [row for row in rows_of(2) if row.number == 10]
    player = JudgedPlayer(rules())
    high = next(n for n in range(len(rows)) if _firing_after(player, rows[n]))
    player.restart(rules(RULES.replace("samples: 2", "samples: 3")))
    before = len(player.store.entries)
    for row in rows[high + 1 :]:
        player.play([row])
    entries = [entry for entry in player.store.entries[before:] if entry.rule == "level"]
    assert [entry.kind for entry in entries[:2]] == [EntryKind.RULE_CHANGED, EntryKind.RAISED]
    assert entries[0].rule_version != player.store.entries[0].rule_version
    held = player.store.held["level", "R1/water_level"]
    own = [
        entry for entry in player.store.entries if (entry.rule, entry.target) == ("level", "R1/water_level")
    ]
    assert first_fault(own, end_of(held)) is None


def _firing_after(player: JudgedPlayer, row: Row) -> bool:
    player.play([row])
    held = player.store.held.get(("level", "R1/water_level"))
    return held is not None and held.level > 0


def test_a_rule_that_is_gone_ends_in_the_record() -> None:
    player = JudgedPlayer(rules())
    rows = [row for row in rows_of(2) if row.number == 10]
    next(n for n in range(len(rows)) if _firing_after(player, rows[n]))
    player.restart([rule for rule in rules() if rule.id != "level"])
    judged = player.play([rows[-1]])
    assert [entry.kind for entry in judged.entries if entry.rule == "level"] == [EntryKind.RULE_REMOVED]
    assert player.store.held["level", "R1/water_level"].level == 0


# -- mistakes that these laws must catch, planted one at a time


def off_by_one(patch: pytest.MonkeyPatch) -> None:
    advance = Judging._advance

    def early(self: Judging, at: np.ndarray, high: np.ndarray, place: np.ndarray) -> None:
        advance(self, at, high - 1, place)

    patch.setattr(Judging, "_advance", early)


def sees_the_future(patch: pytest.MonkeyPatch) -> None:
    as_of = Judging._as_of

    def ahead(self: Judging, at: np.ndarray, column: np.ndarray) -> Windows:
        return as_of(self, at, np.minimum(column + 1, self._windows.time.shape[1] - 1))

    patch.setattr(Judging, "_as_of", ahead)


def flag_of_arrival(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Judging, "revise", lambda *_: None)


def judges_what_is_too_late(patch: pytest.MonkeyPatch) -> None:
    listen = Judging._listen

    def back(self: Judging, at: np.ndarray, place: np.ndarray, time: np.ndarray) -> None:
        self._marks[at] = np.minimum(self._marks[at], time - 1)
        listen(self, at, place, time)

    patch.setattr(Judging, "_listen", back)


@pytest.mark.parametrize("mistake", [off_by_one, sees_the_future, flag_of_arrival, judges_what_is_too_late])
def test_a_planted_mistake_is_found(
    mistake: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    streams: list[list[Item]] = [[*gauge([0.5] * 5 + [1.2] * 10)]]  # the raise is due with the last row
    for seed in range(3):
        rng = random.Random(seed)
        streams.append(flagged(arriving(rows_of(seed), rng), rng))
    right = [played(items, longest=40, lateness=40 * MINUTE).chain() for items in streams]
    mistake(monkeypatch)
    wrong = [played(items, longest=40, lateness=40 * MINUTE).chain() for items in streams]
    assert wrong != right


def gauge(values: Sequence[float]) -> list[Row]:
    """R1 every five minutes, in order and without a fault."""
    times = [1_761_400_000_000_000 + place * 5 * MINUTE for place in range(len(values))]
    return [Row(10, time, value, 1, time) for time, value in zip(times, values, strict=True)]


def test_told_raise_that_a_flag_takes_back_is_revised_and_names_the_row() -> None:
    rows = gauge([0.5, 0.5, 1.2, 1.2, *([0.5] * 40)])
    items: list[Item] = [*rows[:6], Flag(10, rows[3].time, 4), *rows[6:]]
    player = played(items, longest=5)
    level = [event for event in player.store.events if event.rule == "level"]
    assert [event.kind for event in level] == [EventKind.RAISED, EventKind.CLEARED, EventKind.REVISED]
    assert level[2].alert_id == level[0].alert_id
    assert (level[2].previous_level, level[2].level) == (1, 0)
    assert "no alert" in level[2].reason
    assert "flag fail (was pass)" in level[2].reason
    assert [entry for entry in player.store.entries if entry.rule == "level"] == []


def test_revised_leaves_an_open_alert_open() -> None:
    rows = gauge([0.5, 1.2, 1.2, *([0.95] * 30)])
    player = played([*rows[:4], Flag(10, rows[2].time, 4), *rows[4:]])
    level = [event for event in player.store.events if event.rule == "level"]
    assert [event.kind for event in level] == [EventKind.RAISED, EventKind.REVISED]
    assert (level[1].level, level[1].level_name) == (1, "I")
    assert player.store.conditions["level", "R1/water_level"].level == 1


def test_crossing_that_only_late_rows_show_is_late_and_for_the_record_only() -> None:
    rows = gauge([0.5, 0.5, 1.2, 1.2, 1.2, *([0.5] * 40)])
    late = [Row(row.number, row.time, row.value, row.quality, rows[8].received) for row in rows[2:5]]
    player = played([*rows[:2], *rows[5:9], *late, *rows[9:]], longest=6)
    level = [event for event in player.store.events if event.rule == "level"]
    assert [(event.kind, event.level) for event in level] == [(EventKind.LATE, 1)]
    assert level[0].event_time == rows[3].time
    assert level[0].reason == "late, would have"
    assert ("level", "R1/water_level") not in player.store.conditions
    kinds = [entry.kind for entry in player.store.entries if entry.rule == "level"]
    assert kinds == [EntryKind.RAISED, EntryKind.CLEARED]


def test_confirmation_that_late_rows_shift_by_a_sample_is_the_same_crossing() -> None:
    rows = gauge([0.5, 1.2, 1.2, 1.2, *([1.3] * 40)])
    player = played([rows[0], *rows[2:4], rows[1], *rows[4:]])
    level = [event for event in player.store.events if event.rule == "level"]
    assert [(event.kind, event.event_time) for event in level] == [(EventKind.RAISED, rows[3].time)]
    judged = [entry for entry in player.store.entries if entry.rule == "level"]
    assert [(entry.kind, entry.event_time) for entry in judged] == [(EntryKind.RAISED, rows[2].time)]
