"""`time_to_level`: foretold before it is reached, no more once it is, and never from what may not be used."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.forecast import model
from alerts.forecast.lattice import lattice_of
from alerts.forecast.passing import exceeded
from alerts.forecast.priors import PRIORS
from alerts.headline import headline
from alerts.model import Event, EventKind
from alerts.rule_test import trace
from alerts.rules.book import Rule, parse_rules
from alerts.rules.table import RuleTable
from ingest.catalog import Catalogue
from ingest.memory import Rows, Windows
from tests.property.engine_world import MINUTE, START, Player, Row, city

RULE = """\
rules:
  - id: foretold
    kind: time_to_level
    title: { vi: Dự kiến vượt, en: Foretold }
    select: { stations: [R1] }
    levels: catalogue
    severities: { I: Minor, II: Minor, III: Moderate }
    within: 3h
    probability: 0.8
    reach: 1 m
    confirm: 2
    clear: { below: 0.10 m, hold: 30min }
"""


def steps(begin: float, *speeds: float) -> list[float]:
    """Levels every 5 minutes from `begin`, an hour at each speed (m/h)."""
    levels = [begin]
    for speed in speeds:
        levels += [levels[-1] + speed * (step + 1) / 12 for step in range(12)]
    return [round(level, 4) for level in levels]


FAST = steps(0.3, 0.0, 0.0, 0.2, 0.3, 0.4, 0.4, 0.4, 0.3, 0.1, 0.0, 0.0, -0.1)
SLOW = steps(0.3, *[0.09] * 9, 0.03, 0.0, 0.0)


def rule(text: str = RULE, catalogue: Catalogue | None = None) -> Rule:
    catalogue = catalogue or city()
    rules, problems = parse_rules(text, "rules.yaml", catalogue)
    assert problems == [], problems
    return rules[0].numbered({key: 10 * (n + 1) for n, (key, _, _) in enumerate(catalogue.datastreams())})


def tidal() -> Catalogue:
    first, *rest = city().stations
    return Catalogue(stations=(first.model_copy(update={"tags": ("tidal",)}), *rest), routes=())


def told(
    levels: list[float], late: int = 0, catalogue: Catalogue | None = None, quality: int = 1
) -> list[Event]:
    player = Player([rule(catalogue=catalogue)])
    rows = [
        Row(10, START + 5 * MINUTE * step, level, quality, START + (5 * step + late) * MINUTE)
        for step, level in enumerate(levels)
    ]
    for row in rows:
        player.play([row])
    return player.store.events


def test_a_level_is_foretold_before_it_is_reached_and_left_to_the_level_rule_then() -> None:
    events = told(SLOW)
    reached = START + 5 * MINUTE * next(step for step, level in enumerate(SLOW) if level >= 1.0)
    assert [event.kind for event in events] == [EventKind.RAISED, EventKind.CLEARED]
    raised, cleared = events
    assert raised.level_name == "I ≤ 3 h (p ≥ 80 %)"
    assert raised.event_time <= reached - 60 * MINUTE
    assert raised.threshold == 1.0 <= (raised.value or 0.0)
    assert (raised.observed or 1.0) < 1.0
    assert raised.verified
    assert cleared.event_time >= reached + 30 * MINUTE
    assert cleared.value is None  # nothing was foretold any more


def test_all_levels_end_together_once_the_highest_is_reached() -> None:
    """No level below it is told as foretold again: they were all passed before."""
    kinds = [(event.kind, event.level) for event in told(FAST)]
    assert (EventKind.RAISED, 2) in kinds or (EventKind.ESCALATED, 2) in kinds
    assert EventKind.LOWERED not in [kind for kind, _ in kinds]
    assert kinds[-1] == (EventKind.CLEARED, 0)


def test_what_people_read_says_what_it_is() -> None:
    raised, cleared = told(SLOW)
    line = headline(raised, city().stations[0])
    assert line.vi.startswith("DIỄN TẬP: R1: CÓ THỂ VƯỢT I ≤ 3 h (p ≥ 80 %), 0,")
    assert "ngoại suy tự động, không phải bản tin KTTV (damped-bank 1)" in line.vi
    assert "automatic extrapolation, not a bulletin (damped-bank 1)" in line.en
    assert "không còn dự kiến vượt I," in headline(cleared, city().stations[0]).vi


@pytest.mark.parametrize(
    "levels",
    [
        steps(0.9, *[0.0] * 8),  # near the level, and still
        steps(0.9, *[0.01, -0.01] * 4),
        steps(1.9, *[-0.2] * 6),  # above the level, and falling
    ],
)
def test_nothing_is_foretold_of_water_that_does_not_rise(levels: list[float]) -> None:
    assert told(levels) == []


def test_rows_that_came_late_say_nothing() -> None:
    assert told(FAST, late=14) != []
    assert told(FAST, late=16) == []


def test_doubted_rows_say_nothing() -> None:
    assert told(FAST, quality=3) == []


def test_where_the_tide_may_be_at_work_nothing_is_foretold() -> None:
    ripple = steps(0.8, *([0.06] * 3 + [-0.06] * 3) * 2)
    ripple += steps(ripple[-1], 0.07, 0.07, 0.07)
    assert told(ripple, catalogue=tidal()) == []
    assert told(SLOW, catalogue=tidal()) != []  # nine hours one way
    assert told(FAST, catalogue=tidal()) != []


def test_a_spike_alone_foretells_nothing() -> None:
    levels = steps(0.5, *[0.0] * 6)
    levels[40] += 0.6
    assert told(levels) == []


def test_the_signal_is_the_forecast_of_each_series_whatever_stands_beside_it() -> None:
    """Twenty series at once, each rising faster: each as alone, and as the forecast itself says."""
    table = RuleTable(rule(), {10: 0})
    windows = Windows.empty(20, 72, 24 * 3_600 * 1_000_000)
    for step in range(72):
        at = np.full(20, START + 10 * step * MINUTE)
        levels = 0.9 + 0.03 * np.arange(20) * (step - 71) / 6
        windows.push(np.arange(20), Rows(np.arange(20), at, levels, np.ones(20, np.int8), at))
    pair, floor = np.zeros(20, np.int64), np.full(20, -np.inf)
    signal = table.signal(windows, floor, pair).value
    usable = table.usable(windows)
    passed = exceeded(model.forecast(lattice_of(windows.time, windows.value, usable), PRIORS), 3.0, 0.8)
    foretold = np.isfinite(signal[:, -1])
    assert 2 <= foretold.sum() < 20
    np.testing.assert_allclose(signal[foretold, -1], passed[foretold])
    for series in range(20):
        alone = table.signal(windows.take(np.array([series])), floor[:1], pair[:1]).value
        np.testing.assert_array_equal(alone[0], signal[series])


def test_a_gap_changes_nothing() -> None:
    rising = " ".join(f"{level:g}" for level in FAST[: FAST.index(1.0)])
    found = trace(rule(), f"{rising} 0.9@2h 0.9 0.9")
    assert [len(step.events) for step in found[-3:]] == [0, 0, 0]
    assert found[-1].after.name == "FIRING"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("within: 3h", "within: 24h"), "Nothing is foretold beyond 12 h"),
        (("probability: 0.8", "probability: 0.99"), "probability"),
        (("severities: { I: Minor, II: Minor, III: Moderate }", "severities: { I: Minor }"), "no severity"),
    ],
)
def test_what_cannot_be_right_is_refused(change: tuple[str, str], says: str) -> None:
    _, problems = parse_rules(RULE.replace(*change), "rules.yaml", city())
    assert any(says in str(problem) for problem in problems), problems


def test_neither_batches_nor_restarts_change_what_is_foretold() -> None:
    rows = [
        Row(10, START + 5 * MINUTE * step, level, 1, START + (5 * step + 1) * MINUTE)
        for step, level in enumerate(FAST)
    ]

    def events(size: int, restart_every: int) -> list[tuple[EventKind, str, int, float | None]]:
        player = Player([rule()])
        for batch, at in enumerate(range(0, len(rows), size), start=1):
            player.play(rows[at : at + size])
            if batch % restart_every == 0:
                player.restart()
        return [(one.kind, one.level_name, one.event_time, one.value) for one in player.store.events]

    expected = events(1, 10_000)
    assert len(expected) >= 3
    assert events(13, 10_000) == expected
    assert events(1, 7) == expected
    assert events(5, 2) == expected
