"""The vectorised engine tells what a slow and obvious machine tells, row by row."""

from __future__ import annotations

import random
from collections import Counter

from alerts.model import Event
from tests.property.engine_world import Player, cut, random_stream, rules
from tests.property.slow_machine import SlowMachine, Told

SEEDS = range(200, 212)
REQUIRED = [
    (rule, kind)
    for rule in ("level", "strict", "rate", "silence", "counted", "lasting", "outside")
    for kind in ("raised", "escalated", "lowered", "cleared")
    if kind in ("raised", "cleared") or rule not in ("strict", "silence")
] + [("late", "raised"), ("gateway", "raised"), ("gateway", "cleared"), ("huewatch-self", "raised")]


def as_told(event: Event) -> Told:
    return (
        event.rule,
        event.target.removesuffix("/water_level"),
        event.kind.value,
        event.previous_level,
        event.level,
        event.event_time,
        event.verified,
        event.learnt_late,
    )


def test_one_sample_was_sure_and_two_of_three_had_one_between() -> None:
    """What the rules `counted` and `lasting` are there for happens in these streams."""
    met: Counter[str] = Counter()
    for seed in SEEDS:
        machine = SlowMachine()
        machine.play(random_stream(seed, steps=120))
        met.update(machine.met)
    print(dict(met))
    assert [case for case in ("sure", "one between", "too short") if not met[case]] == []


def test_the_engine_tells_what_the_slow_machine_tells() -> None:
    met: Counter[tuple[str, str]] = Counter()
    for seed in SEEDS:
        items = random_stream(seed, steps=120)
        player = Player(rules())
        for batch in cut(items, random.Random(seed), 60):
            player.play(batch)
        expected = SlowMachine().play(items)
        assert [as_told(event) for event in player.store.events] == expected, f"seed {seed}"
        met.update((rule, kind) for rule, _, kind, *_ in expected)
        met.update(("late", kind) for *_, kind, _, _, _, _, late in expected if late)
        met.update(("gateway", kind) for _, place, kind, *_ in expected if place.startswith("@gateway"))
    print(dict(met))
    assert [case for case in REQUIRED if not met[case]] == []
