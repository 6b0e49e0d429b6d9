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
TABLES = {path.name: path.read_text(encoding="utf-8") for path in sorted(CONSOLE.glob("words*.js"))}
WORDS = {key: (vi, en) for text in TABLES.values() for key, vi, en in PAIR.findall(text)}

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


@pytest.mark.parametrize("name", TABLES)
def test_every_word_of_a_table_was_read_and_stands_in_no_other(name: str) -> None:
    table = re.split(r"export const [A-Z]+ = {", TABLES[name])[1].split("\n};")[0]
    own = re.findall(r"^  \"?(\w+)\"?: \[", table, re.MULTILINE)
    assert {key for key, _, _ in PAIR.findall(table)} == set(own)
    assert len(own) == len(set(own)) > 10
    others = [key for other, text in TABLES.items() if other != name for key, _, _ in PAIR.findall(text)]
    assert not set(own) & set(others)
