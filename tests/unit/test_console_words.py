"""What the server can say in a word of its own, the console says in Vietnamese and in English."""

import re
from pathlib import Path

import pytest

import alerts
from alerts.model import EventKind
from alerts.sight import Freshness, UnknownReason
from alerts.station_view import NOT_MONITORED
from ingest.catalog import load_catalogue
from ingest.derive import kinds
from ingest.model import BlindReason, Nature

CONSOLE = Path(alerts.__file__).parent / "console"
CATALOGUE = Path(__file__).parents[2] / "config" / "catalog"
PAIR = re.compile(r'^  "?(\w+)"?: \[\s*"([^"]+)",\s*"([^"]+)",?\s*\],$', re.MULTILINE)
WORDS = {key: (vi, en) for key, vi, en in PAIR.findall((CONSOLE / "words.js").read_text(encoding="utf-8"))}

PROPERTIES = {
    datastream.property
    for station in load_catalogue(CATALOGUE).stations
    for datastream in station.datastreams
}
KINDS_SHOWN = ("window_sum", "rain_day", "vn_aqi_hourly", "vn_aqi_daily")
NEEDED = [
    *(f"reason_{reason}" for reason in (*BlindReason, *UnknownReason, "stream_lost")),
    *(f"kind_{kind}" for kind in EventKind),
    *Freshness,
    *(f"property_{name}" for name in sorted(PROPERTIES)),
    NOT_MONITORED,
    *KINDS_SHOWN,
    *(nature.value.lower() for nature in Nature if nature is not Nature.ACTUAL),
]


@pytest.mark.parametrize("key", NEEDED)
def test_the_console_has_both_languages_for_what_the_server_says(key: str) -> None:
    assert key in WORDS


def test_the_page_calls_what_it_shows_by_the_names_of_kinds() -> None:
    page = (CONSOLE / "derived.js").read_text(encoding="utf-8")
    assert set(re.findall(r'"((?:window|rain|vn_aqi)_\w+)"', page)) - {"rain_sums"} == set(KINDS_SHOWN)
    assert set(KINDS_SHOWN) <= kinds().keys()


def test_every_word_of_the_file_was_read() -> None:
    text = (CONSOLE / "words.js").read_text(encoding="utf-8").split("WORDS = {")[1].split("\n};")[0]
    assert len(WORDS) == len(re.findall(r"^  \S+: \[", text, re.MULTILINE)) > 50
