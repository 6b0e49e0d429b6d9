"""What the demo shows, drawn from the feed's words."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from simulators.expected import Expected, What
from simulators.judge import Line, Verdict
from simulators.scenario import MINUTE, load_scenario
from simulators.screen import View, bar, clock_words, plain_event, render, trend_sign, verdict_table

SCENARIO = load_scenario()
LEVELS = [{"rank": 1, "name": "BĐ I", "value": 1.0}, {"rank": 2, "name": "BĐ II", "value": 2.0}]
STATION = {
    "id": "HUE-WL-KIMLONG",
    "name": {"vi": "Đập Đá", "en": "Dap Da causeway"},
    "kind": "street",
    "datastreams": [
        {
            "levels": LEVELS,
            "newest_usable": {"value": 2.34},
            "level": {"rank": 2, "name": "BĐ II"},
            "trend_per_hour": 0.12,
        },
        {"levels": [], "newest_usable": None, "level": None, "trend_per_hour": None},
    ],
}
EVENT = {
    "kind": "raised",
    "level": 2,
    "event_time": "2025-10-26T07:51:00Z",
    "headline": {"vi": "Kim Long TRÊN BĐ II", "en": "Kim Long ABOVE BĐ II"},
}


def drawn(renderable: object, width: int = 160) -> str:
    console = Console(width=width, height=30, file=io.StringIO(), record=True)
    console.print(renderable)
    return console.export_text()


def test_screen_shows_station_level_trend_alert_and_counts():
    view = View(SCENARIO, "http://127.0.0.1:8080", SCENARIO.start + 20 * 60 * MINUTE, step=240)
    view.stations, view.told = [STATION], [EVENT]
    view.ledger = {"decoded": 1234, "stored": 1200, "duplicate": 30, "rejected": 4, "unreadable": 0}
    text = drawn(render(view, 160))
    for words in (
        "DIỄN TẬP · EXERCISE",
        "26-10 15:00",
        "Đập Đá",
        "Dap Da causeway",
        "2.34",
        "BĐ II",
        "↑+12 cm/h",
    ):
        assert words in text
    assert "Kim Long TRÊN BĐ II" in text
    assert "1,234" in text


def test_screen_before_the_first_reading_shows_a_dash():
    silent = {**STATION, "datastreams": [{**STATION["datastreams"][0], "newest_usable": None, "level": None}]}
    view = View(SCENARIO, "http://127.0.0.1:8080", SCENARIO.start, stations=[silent])
    assert "–" in drawn(render(view, 80))


@pytest.mark.parametrize(("value", "filled"), [(-5.0, 0), (0.5, 0), (2.4, 16), (1.0, 3), (1.5, 9)])
def test_bar_is_filled_up_to_the_value_and_never_beyond_its_end(value, filled):
    found = bar(value, [1.0, 2.0])
    assert len(found) == 18
    assert found.count("█") == filled


@pytest.mark.parametrize(
    ("slope", "words"), [(None, ""), (0.01, "→+1 cm/h"), (0.12, "↑+12 cm/h"), (-0.05, "↓-5 cm/h")]
)
def test_trend_is_an_arrow_and_centimetres(slope, words):
    assert trend_sign(slope) == words


def test_times_are_local_to_hue():
    assert clock_words(SCENARIO.start) == "25-10 19:00"
    assert plain_event(EVENT).startswith("26-10 14:51  raised")


def test_verdict_shows_window_told_and_difference_and_marks_what_is_wrong():
    at = SCENARIO.start + 5 * 60 * MINUTE
    expected = Expected("T", "Kim Long", What.RISE, 3, "BĐ III", at, at - 10 * MINUTE, at + 15 * MINUTE, True)
    lines = (
        Line(True, "Kim Long", "rise BĐ III", expected, at + 4 * MINUTE),
        Line(False, "Phú Ốc", "rise BĐ III", expected, remark="never told within its window"),
    )
    text = drawn(verdict_table(Verdict(lines)))
    assert "25-10 23:50 – 00:15" in text
    assert "+4" in text
    assert "✗" in text
    assert "never told within its window" in text
