"""However the rows are batched, and wherever the service restarts, the told events are the same."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from alerts.model import Condition, Event, EventKind, Phase
from ingest.model import Changes, Moment, Quality
from tests.property.engine_world import (
    Item,
    Player,
    Row,
    Tick,
    assert_same_state,
    columns,
    cut,
    random_stream,
    rebuilt,
    rules,
)

SEEDS = range(6)
PARTITIONS = (1, 3, 40, 10_000)  # longest batch

REQUIRED = (
    "raised", "escalated", "lowered", "cleared",
    "split in pending", "split in clearing", "split at a candidate",
    "restart in pending", "restart in firing", "restart in clearing", "restart in silence",
    "late row", "suspect row", "failed row", "tick", "blind tick", "not verified", "two levels at once",
)  # fmt: skip


def told(events: Sequence[Event]) -> list[Event]:
    """Events without the time of decision, which is the batch's and not the data's."""
    return [replace(event, detected_at=0) for event in events]


def reference_run(items: Sequence[Item]) -> Player:
    """Every row and every tick in a transaction of its own."""
    player = Player(rules())
    for item in items:
        player.play([item])
    return player


def phases(conditions: Sequence[Condition]) -> set[str]:
    found = {condition.phase.name.lower() for condition in conditions if condition.rule != "silence"}
    found |= {"silence" for condition in conditions if condition.rule == "silence" and condition.level}
    found |= {"candidate" for condition in conditions if condition.level and condition.candidate_level}
    return found


def test_events_are_the_same_for_any_batches_and_restarts() -> None:
    met: Counter[str] = Counter()
    for seed in SEEDS:
        items = random_stream(seed)
        expected = reference_run(items)
        count_cases(met, items, expected.store.events)
        for longest in PARTITIONS:
            rng = random.Random(1_000 * seed + longest)
            player = Player(rules())
            for batch in cut(items, rng, longest):
                count_place(met, "split", player)
                if rng.random() < (0.02 if longest == 1 else 0.3):
                    count_place(met, "restart", player)
                    player.restart()
                player.play(batch)
            assert told(player.store.events) == told(expected.store.events), (
                f"seed {seed}, batches to {longest}"
            )
            assert player.store.conditions == expected.store.conditions, f"seed {seed}"
    print(dict(met))
    assert {case: met[case] for case in REQUIRED if not met[case]} == {}


def count_cases(met: Counter[str], items: Sequence[Item], events: Sequence[Event]) -> None:
    newest: dict[int, int] = {}
    for item in items:
        if isinstance(item, Tick):
            met["tick"] += 1
            met["blind tick"] += item.sighted_since is None
            continue
        met["late row"] += item.time < newest.get(item.number, 0)
        met["suspect row"] += item.quality == Quality.SUSPECT
        met["failed row"] += item.quality == Quality.FAIL
        newest[item.number] = max(newest.get(item.number, 0), item.time)
    for event in events:
        met[event.kind.value] += 1
        met["not verified"] += not event.verified
        met["two levels at once"] += abs(event.level - event.previous_level) > 1


def count_place(met: Counter[str], what: str, player: Player) -> None:
    for phase in phases(list(player.store.conditions.values())):
        met[f"{what} at a {phase}" if phase == "candidate" else f"{what} in {phase}"] += 1


def test_rebuilt_state_equals_live_state_at_every_prefix() -> None:
    seed = 77
    print(f"seed {seed}")
    player = Player(rules())
    for item in random_stream(seed, steps=80):
        player.play([item])
        assert_same_state(player.engine, rebuilt(player.rules, player.store))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 60), max_size=8), restarts=st.integers(0, 255)
)
def test_events_are_the_same_for_any_cuts(seed: int, cuts: list[int], restarts: int) -> None:
    items = random_stream(seed, steps=40)
    expected = reference_run(items)
    player = Player(rules())
    for place, batch in enumerate(cut_at(items, cuts)):
        if restarts >> (place % 8) & 1:
            player.restart()
        player.play(batch)
    assert told(player.store.events) == told(expected.store.events)


def cut_at(items: Sequence[Item], lengths: Sequence[int]) -> list[list[Item]]:
    batches: list[list[Item]] = [[]]
    for item in items:
        batches[-1].append(item)
        longest = lengths[len(batches) % len(lengths)] if lengths else len(items)
        if isinstance(item, Tick) or len(batches[-1]) >= longest:
            batches.append([])
    return [batch for batch in batches if batch]


def test_a_commit_that_fails_leaves_no_trace() -> None:
    """`evaluate` twice, adopt once: the outcome that was not committed changed nothing."""
    items = [item for item in random_stream(5) if isinstance(item, Row)]
    player = Player(rules())
    for batch in cut(items, random.Random(5), 30):
        rows = [item for item in batch if isinstance(item, Row)]
        changes = Changes(columns(rows), Moment(rows[-1].received, False, None))
        first, again = player.engine.evaluate(changes), player.engine.evaluate(changes)
        assert first.events == again.events
        assert first.conditions == again.conditions
        assert_same_state(player.engine, rebuilt(player.rules, player.store))
        player.play(batch)
    assert any(event.kind is EventKind.RAISED for event in player.store.events)
    assert any(condition.phase is not Phase.INACTIVE for condition in player.store.conditions.values())
