"""The shipped rules on real floods: every true crossing in time, and nothing of what the sensors made up."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from alerts.backtest.material import of_histories, rules_on
from alerts.backtest.score import Card
from alerts.backtest.study import Result, examine
from alerts.backtest.truth import Truth, read_truth
from alerts.model import EventKind
from ingest.catalog import load_catalogue
from ingest.clock import to_datetime
from ingest.model import Nature, Quality
from tests.support.histories import CONFIG, real_history

FLOODS = {  # how many true crossings of BĐ I, II and III there are
    "usgs-01589330-stage-2018-06": (4, 3, 2),
    "hubeau-agly-Y0634020-2020-01": (1, 1, 1),
    "hubeau-agly-Y0674060-2020-01": (1, 1, 2),
}
SEA = "ioos-qc-water-level-2018-2019"
JUMPS = Path(__file__).parents[1] / "cases" / "histories" / "ioos-qc-jumps.yaml"
MINUTE = 60_000_000


@cache
def backtest(stem: str, truth: Truth | None = None) -> Result:
    (material,) = of_histories([real_history(stem)])
    book = rules_on(CONFIG / "rules", load_catalogue(CONFIG / "catalog", Nature.EXERCISE), material)
    return examine(material, book, book, truth or Truth())


def card(result: Result, rule: str) -> Card:
    return next(card for card in result.cards if card.rule == rule)


@pytest.mark.parametrize("stem", FLOODS)
def test_every_true_crossing_is_told_by_the_second_reading_after_it(stem: str) -> None:
    found = card(backtest(stem), "river-level")
    assert [verdict for verdict in found.verdicts if not verdict.hit] == []
    levels = [verdict.level for verdict in found.verdicts]
    assert tuple(levels.count(name) for name in ("BĐ I", "BĐ II", "BĐ III")) == FLOODS[stem]


@pytest.mark.parametrize("stem", FLOODS)
def test_no_level_alert_is_false_and_none_flaps(stem: str) -> None:
    found = card(backtest(stem), "river-level")
    assert (found.false, found.flaps) == ((), 0)


def test_the_glitch_to_zero_fails_and_nothing_is_told_of_the_recovery() -> None:
    result = backtest("hubeau-agly-Y0674060-2020-01")
    rows = result.played.rows
    glitch = np.flatnonzero(rows.value == 0.0)
    assert rows.quality[glitch].tolist() == [Quality.FAIL]
    around = int(rows.time[glitch[0]])
    told = [event for event in result.events if abs(event.detected_at - around) < 6 * 60 * MINUTE]
    assert told == []


@pytest.mark.parametrize("stem", FLOODS)
def test_the_rate_rule_speaks_before_the_first_crossing_of_each_flood(stem: str) -> None:
    """It foretells all but one: the water that wavers around BĐ III of the lower Agly on 23 January."""
    missed = [verdict for verdict in card(backtest(stem), "river-rate").verdicts if not verdict.hit]
    assert [(verdict.target.station.id, verdict.level, day(verdict.crossing.time)) for verdict in missed] == (
        [("AGLY-Y0674060", "BĐ III", "2020-01-23")] if "Y0674060" in stem else []
    )


def day(time: int) -> str:
    return f"{to_datetime(time):%Y-%m-%d}"


def test_the_labelled_jumps_are_what_the_series_says() -> None:
    """No reading that moves by more than 0.7 m in an hour is left without a label."""
    jumps = read_truth(JUMPS).jumps
    (readings,) = real_history(SEA).readings.values()
    wrong = np.zeros(len(readings), np.bool_)
    for jump in jumps:
        inside = (readings.time >= jump.at) & (readings.time <= jump.until)
        assert inside.any(), jump
        wrong |= inside
    good = readings.value[~wrong]
    assert np.abs(np.diff(good)).max() < 0.7
    assert (good.min(), good.max()) == pytest.approx((-0.68, 0.65), abs=0.02)


def test_no_labelled_jump_opens_an_alert() -> None:
    result = backtest(SEA, read_truth(JUMPS))
    assert [one for found in result.cards for one in found.false] == []
    assert {event.rule for event in result.events} <= {"silence"}
    assert {event.kind for event in result.events} == {EventKind.RAISED, EventKind.CLEARED}


def test_no_labelled_jump_passes_its_tests() -> None:
    """All but the readings after a gap, which move no faster than the sea may, and what stays for long."""
    result, jumps = backtest(SEA), read_truth(JUMPS).jumps
    rows, settled = result.played.rows, result.played.settled
    passed = []
    for jump in jumps:
        first = np.flatnonzero(rows.time == jump.at)[0]
        if settled[first] == Quality.PASS:
            passed.append(jump.at)
    assert passed == []
