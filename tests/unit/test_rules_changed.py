"""What a changed rule does to alerts that are open, and what a rule that fails does to the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from alerts.condition import Signal
from alerts.model import Event, EventKind, Phase
from alerts.rules import threshold
from alerts.rules.book import RESERVED, Rule
from alerts.rules.kind import Target
from ingest.memory import Windows
from ingest.model import Nature
from tests.property.engine_world import MINUTE, START, Player, Row, Tick, rules

LEVEL = """\
rules:
  - id: level
    kind: threshold
    title: { vi: Mực nước, en: Level }
    select: { stations: [R1] }
    levels: [{ name: one, value: 1.0, severity: Minor }, { name: two, value: 2.0, severity: Moderate }]
    clear: { below: 0.1, hold: 30min }
"""
SILENCE = """\
rules:
  - id: silence
    kind: silence
    title: { vi: Im lặng, en: Silence }
    select: { stations: [R1] }
    after: { cadences: 4, at_least: 30min }
    level: { name: silent, severity: Minor }
"""


def rows(*values: float, first: int = 0) -> list[Row]:
    times = [START + (first + place) * 5 * MINUTE for place in range(len(values))]
    return [Row(10, time, value, 1, time) for time, value in zip(times, values, strict=True)]


def tick(minutes: int) -> list[Tick]:
    return [Tick(START + minutes * MINUTE, START)]


def firing(*values: float) -> Player:
    player = Player(rules(LEVEL))
    player.play(rows(*values))
    assert player.store.events
    return player


def told(player: Player) -> list[tuple[str, int, str]]:
    return [(event.kind.value, event.level, event.reason) for event in player.store.events]


def test_an_alert_that_a_changed_rule_still_holds_takes_the_new_version_in_silence() -> None:
    player = firing(1.5, 1.5)
    before = player.store.conditions["level", "R1/water_level"]
    player.restart(rules(LEVEL.replace("1.0", "1.2")))
    player.play(tick(6))
    after = player.store.conditions["level", "R1/water_level"]
    assert told(player) == [("raised", 1, "")]
    assert after.rule_version != before.rule_version
    assert (after.alert_id, after.level) == (before.alert_id, 1)


def test_an_alert_that_a_changed_rule_cannot_hold_is_cancelled_once() -> None:
    player = firing(1.5, 1.5)
    player.restart(rules(LEVEL.replace("1.0", "1.8")))
    player.play(tick(6))
    player.play(tick(7))
    assert told(player) == [("raised", 1, ""), ("cancelled", 0, "rule changed")]
    condition = player.store.conditions["level", "R1/water_level"]
    assert (condition.phase, condition.level, condition.alert_id) == (Phase.INACTIVE, 0, None)
    assert player.store.events[0].alert_id == player.store.events[1].alert_id


def test_a_level_that_a_changed_rule_raises_or_lowers_is_told() -> None:
    player = firing(1.5, 1.5)
    player.restart(rules(LEVEL.replace("2.0", "1.4")))
    player.play(tick(6))
    player.restart(rules(LEVEL))
    player.play(tick(7))
    assert told(player) == [
        ("raised", 1, ""),
        ("escalated", 2, "rule changed"),
        ("lowered", 1, "rule changed"),
    ]


def test_a_changed_rule_without_data_ends_nothing() -> None:
    player = firing(1.5, 1.5)
    player.store.rows.clear()
    player.restart(rules(LEVEL.replace("1.0", "1.8")))
    player.play(tick(6))
    assert told(player) == [("raised", 1, "")]


def test_an_alert_whose_rule_or_station_is_gone_is_cancelled() -> None:
    for remaining in (SILENCE, LEVEL.replace("R1", "R2")):
        player = firing(1.5, 1.5)
        player.restart(rules(remaining))
        player.play(tick(6))
        assert told(player) == [("raised", 1, ""), ("cancelled", 0, "rule removed")]
        player.restart()
        player.play(tick(7))
        assert len(player.store.events) == 2


def test_a_rule_that_comes_back_counts_on_and_repeats_no_id() -> None:
    player = firing(1.5, 1.5)
    player.restart(rules(SILENCE))
    player.play(tick(6))
    player.restart(rules(LEVEL))
    player.play(rows(1.5, first=2))
    assert told(player)[-1] == ("raised", 1, "")
    assert len({event.event_id for event in player.store.events}) == len(player.store.events) == 3
    assert len({event.alert_id for event in player.store.events}) == 2


def test_a_silence_survives_a_changed_rule() -> None:
    player = Player(rules(SILENCE))
    player.play(rows(1.0))
    player.play(tick(31))
    player.restart(rules(SILENCE.replace("30min", "60min")))
    player.play(tick(32))
    player.play(rows(1.0, first=7))
    assert [kind for kind, *_ in told(player)] == ["raised", "cleared"]


class Broken(threshold.Threshold):
    """A rule kind with an error in it that shows at some values."""

    def signal(
        self,
        settings: threshold.Settings,
        windows: Windows,
        usable: NDArray[np.bool_],
        floor: NDArray[np.float64],
        own: NDArray[np.float64],
    ) -> Signal:
        if (windows.value[:, -1] > 3).any():
            raise ZeroDivisionError("by design")
        return super().signal(settings, windows, usable, floor, own)


def broken_beside_sound() -> list[Rule]:
    sound = rules(LEVEL)[0]
    second = rules(LEVEL.replace("id: level", "id: broken"))[0]
    return [replace(second, kind=Broken()), sound]


def events_of(player: Player, rule: str) -> Sequence[Event]:
    return [event for event in player.store.events if event.rule == rule]


def test_a_rule_that_fails_is_told_once_and_stops_no_other() -> None:
    player = Player(broken_beside_sound())
    for batch in (rows(1.5, 1.5), rows(3.5, 3.5, first=2), rows(3.6, first=4)):
        player.play(batch)
    assert [event.kind for event in events_of(player, "level")] == [EventKind.RAISED, EventKind.ESCALATED]
    assert [event.level for event in events_of(player, "broken")] == [1]  # as it was before it failed
    ours = events_of(player, RESERVED)
    assert [(event.kind, event.target, event.reason) for event in ours] == [
        (EventKind.RAISED, "broken", "ZeroDivisionError: by design")
    ]
    player.restart()
    player.play(rows(3.7, first=5))
    assert len(events_of(player, RESERVED)) == 1


def test_the_alert_about_a_rule_is_real_when_any_of_its_stations_is() -> None:
    broken, _ = broken_beside_sound()
    (target, plan), *_ = broken.plans

    def of(nature: Nature, number: int) -> Target:
        station = target.station.model_copy(update={"nature": nature})
        return replace(target, station=station, key=f"{nature}/level", number=number)

    plans = ((of(Nature.TEST, 99), plan), (of(Nature.ACTUAL, 10), plan))
    player = Player([replace(broken, plans=plans, versions=broken.versions * 2)])
    player.play(rows(3.5, 3.5))
    assert [event.nature for event in events_of(player, RESERVED)] == ["Actual"]


def test_the_alert_about_a_rule_ends_when_the_rule_is_changed() -> None:
    player = Player(broken_beside_sound())
    player.play(rows(3.5, 3.5))
    player.restart(rules(LEVEL.replace("id: level", "id: broken").replace("30min", "40min")))
    player.play(tick(11))
    assert [event.kind for event in events_of(player, RESERVED)] == [EventKind.RAISED, EventKind.CANCELLED]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_never_raises_and_never_ends(value: float) -> None:
    player = firing(1.5, 1.5)
    player.play(rows(*[value] * 20, first=2))
    assert told(player) == [("raised", 1, "")]


def test_blindness_is_told_also_where_no_rule_watches_anything() -> None:
    player = Player([])
    for minute in (0, 2):
        player.play([Tick(START + minute * MINUTE, None)])
    assert [(event.target, event.level_name) for event in player.store.events] == [("@sight", "blind")]
