"""Dated installations: whose a reading is, what a corrected zero changes, what may not look across."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from alerts.rules.book import load_rules, read_rules
from ingest.catalog import Catalogue, Datastream, Ranging, load_catalogue, read_catalogue
from ingest.installation import BEGINNING, END, Correction, Reference, Rezeroed, Zero, rezero
from ingest.model import Intake, Nature, Quality, RawMessage, RejectReason
from ingest.normalise import Normaliser
from ingest.series import SeriesTable
from ingest.units import UnknownUnit
from ingest.yaml_lines import ConfigError, Problem, Severity
from tests.property.engine_world import MINUTE, RULES, START, Player, Row, city, rules

SECOND, HOUR = 1_000_000, 60 * MINUTE
NOON = 1_761_541_200_000_000  # 2025-10-27T12:00:00+07:00
MOVED, REPLACED = NOON, NOON + 2 * HOUR

HEAD = """\
routes:
  - { filter: hue/v1/+/+/readings, codec: huewatch-json, gateway_level: 3, device_level: 4 }
stations:
  - id: ST
    name: { vi: Trạm, en: Station }
    kind: river
    location: { lat: 16.4, lon: 107.5 }
    datum: Local
    datastreams:
      - name: water_level
        property: water_level
        unit: m
        cadence: 5min
        source: { gateway: gw, device: old, channel: distance, unit: mm }
"""
RANGING = "        ranging: { zero_elevation: 8.0, blanking: 0.5, max_range: 10.0 }\n"
DATED = """\
        installations:
          - { datum: Local, surveyed: true, by: A }
          - { valid_from: "2025-10-27T12:00:00+07:00", zero_elevation: 7.5,
              datum: Local, surveyed: true, by: A }
          - { valid_from: "2025-10-27T14:00:00+07:00", device: new, unit: cm,
              zero_elevation: 6.0, blanking: 0.3, datum: Local, surveyed: true, by: B }
"""
LEVELS = "        levels: [{ name: BĐ I, value: 1.0 }, { name: BĐ II, value: 2.0 }]\n"
IDS = {"ST/water_level": 7, "TWO/water_level": 8}


def read(folder: Path, text: str, nature: Nature | None = None) -> tuple[Catalogue, list[Problem]]:
    (folder / "city.yaml").write_text(text, encoding="utf-8")
    return read_catalogue(folder, nature)


@pytest.fixture
def dated(tmp_path: Path) -> Catalogue:
    catalogue, problems = read(tmp_path, HEAD + RANGING + DATED)
    assert problems == []
    return catalogue


def said(device: str, value: float, time: int | None = None, channel: str = "distance") -> RawMessage:
    body: dict[str, object] = {"channel": channel, "value": value}
    if time is not None:
        body["time"] = str(np.datetime64(time, "us")) + "Z"
    return RawMessage(
        f"hue/v1/gw/{device}/readings", json.dumps(body).encode(), 1, False, False, REPLACED + HOUR, 1, 1
    )


def intake(catalogue: Catalogue, *messages: RawMessage) -> Intake:
    return Normaliser(catalogue, IDS, Nature.ACTUAL).intake(messages, REPLACED + HOUR)


# -- which installation a reading is of


@pytest.mark.parametrize(
    ("device", "value", "time", "level"),
    [
        ("old", 3000, MOVED - 30 * 24 * HOUR, 5.0),
        ("old", 3000, MOVED - 1, 5.0),
        ("old", 3000, MOVED, 4.5),
        ("old", 3000, REPLACED - 1, 4.5),
        ("new", 300.0, REPLACED, 3.0),
        ("new", 300.0, None, 3.0),  # the time of arrival
    ],
)
def test_a_reading_uses_the_installation_that_is_valid_at_its_time(
    dated: Catalogue, device: str, value: float, time: int | None, level: float
) -> None:
    result = intake(dated, said(device, value, time))
    assert result.observations.value.tolist() == [level]
    assert result.observations.datastream.tolist() == [7]


def test_a_late_reading_of_the_old_sensor_uses_the_old_zero_beside_a_new_one_of_the_new(
    dated: Catalogue,
) -> None:
    result = intake(dated, said("new", 300.0, REPLACED + MINUTE), said("old", 3000, MOVED - MINUTE))
    assert result.observations.value.tolist() == [3.0, 5.0]
    assert result.rejects == []


@pytest.mark.parametrize(
    ("device", "time"), [("old", REPLACED), ("old", None), ("new", REPLACED - 1), ("new", MOVED)]
)
def test_a_sensor_that_stood_nowhere_at_that_time_is_not_installed(
    dated: Catalogue, device: str, time: int | None
) -> None:
    result = intake(dated, said(device, 1.0, time), said("new", 300.0))
    assert [reject.reason for reject in result.rejects] == [RejectReason.NOT_INSTALLED]
    assert result.observations.value.tolist() == [3.0]


def test_each_installation_has_its_own_blanking(dated: Catalogue) -> None:
    result = intake(dated, said("old", 400, MOVED - 1), said("new", 40.0), said("new", 25.0))
    assert result.observations.value.tolist() == [7.5, 5.6, 5.7]
    assert result.observations.quality.tolist() == [
        Quality.SUSPECT, Quality.NOT_EVALUATED, Quality.SUSPECT,
    ]  # fmt: skip


def test_between_two_sensors_there_may_be_none(tmp_path: Path) -> None:
    text = (HEAD + RANGING + DATED).replace(
        "zero_elevation: 7.5,", 'zero_elevation: 7.5, valid_until: "2025-10-27T13:00:00+07:00",'
    )
    catalogue, problems = read(tmp_path, text)
    assert problems == []
    result = intake(catalogue, said("old", 3000, MOVED + HOUR - 1), said("old", 3000, MOVED + HOUR))
    assert result.observations.value.tolist() == [4.5]
    assert [reject.reason for reject in result.rejects] == [RejectReason.NOT_INSTALLED]


def test_a_device_may_move_to_another_station(tmp_path: Path) -> None:
    other = """\
  - id: TWO
    name: { vi: Hai, en: Two }
    kind: river
    location: { lat: 16.4, lon: 107.5 }
    datastreams:
      - name: water_level
        property: water_level
        unit: m
        cadence: 5min
        source: { gateway: gw, device: old, channel: distance, unit: mm }
        ranging: { zero_elevation: 20.0, blanking: 0.5, max_range: 10.0 }
        installations:
          - { valid_from: "2025-10-27T14:00:00+07:00" }
"""
    catalogue, problems = read(tmp_path, HEAD + RANGING + DATED + other)
    assert problems == []
    result = intake(catalogue, said("old", 3000, REPLACED - 1), said("old", 3000, REPLACED))
    assert result.observations.datastream.tolist() == [7, 8]
    assert result.observations.value.tolist() == [4.5, 17.0]
    _, problems = read(tmp_path, HEAD + RANGING + DATED + other.replace("T14:00", "T13:00"))
    assert ["feeds ST/water_level already" in problem.message for problem in problems] == [True]


def test_a_probe_in_the_water_counts_upwards_from_its_zero(tmp_path: Path) -> None:
    probe = "        ranging: { zero_elevation: -1.2, blanking: 0, max_range: 5.0, measures: depth }\n"
    catalogue, problems = read(tmp_path, HEAD + probe)
    assert problems == []
    result = intake(catalogue, *(said("old", mm) for mm in (0, 2345, 5000, 5001, -1)))
    assert result.observations.value.tolist() == [-1.2, 1.145, 3.8, 3.8, -1.201]
    assert result.observations.quality.tolist() == [2, 2, 3, 3, 4]


def test_thousands_of_readings_agree_with_one_at_a_time() -> None:
    seed = 20251027
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    streams = [_random_stream(rng, number) for number in range(20)]
    table = SeriesTable([(stream, Nature.ACTUAL) for stream in streams])
    channels = list(table.channels)
    channel = rng.integers(0, len(channels), 5_000)
    time = NOON + rng.integers(-50, 50, 5_000) * MINUTE
    raw = rng.uniform(600, 9_000, 5_000)
    unit = np.full(5_000, table.channels[channels[0]].units["mm"])
    evaluated = table.evaluate(channel, unit, raw, time)
    for row in range(5_000):
        series, level = _by_hand(streams, channels[channel[row]], int(time[row]), float(raw[row]))
        assert bool(evaluated.installed[row]) is (series is not None)
        if series is not None:
            assert evaluated.series[row] == series
            assert evaluated.value[row] == pytest.approx(level)


def _random_stream(rng: np.random.Generator, number: int) -> Datastream:
    dates = sorted(rng.choice(np.arange(-40, 40), rng.integers(0, 5), replace=False).tolist())
    entries = [
        {"valid_from": None if n == 0 and rng.random() < 0.5 else _iso(NOON + date * MINUTE),
         "device": f"d{number}-{rng.integers(0, 2)}", "zero_elevation": float(rng.uniform(8, 12)),
         **({"valid_until": _iso(NOON + (date + 1) * MINUTE)} if n and rng.random() < 0.2 else {})}
        for n, date in enumerate(dates)
    ]  # fmt: skip
    source = {"gateway": "g", "device": f"d{number}-0", "channel": "c", "unit": "mm"}
    body = {
        "name": "l", "property": "water_level", "unit": "m", "cadence": "5min", "source": source,
        "ranging": {"zero_elevation": 10.0, "blanking": 0.1, "max_range": 20.0}, "installations": entries,
    }  # fmt: skip
    return Datastream.model_validate_json(json.dumps(body))


def _iso(time: int) -> str:
    return f"{np.datetime64(time // SECOND, 's')}Z"


def _by_hand(
    streams: list[Datastream], identity: tuple[str, str, str], time: int, raw: float
) -> tuple[int | None, float]:
    for series, stream in enumerate(streams):
        valid = stream.installed(time)
        if valid is not None and valid.identity == identity:
            assert valid.ranging is not None
            return series, valid.ranging.zero_elevation - raw / 1000
    return None, 0.0


# -- what the catalogue refuses


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("T12:00:00+07:00", "T15:00:00+07:00", "begins no later than the one above it"),
        ("T12:00:00+07:00", "T12:00:00", "is not a time with its offset"),
        ('"2025-10-27T12:00:00+07:00"', "1761541200", "is not a time with its offset"),
        ('"2025-10-27T12:00:00+07:00"', "2025-10-27", "is not a time with its offset"),
        ('"2025-10-27T12:00:00+07:00"', "2025-02-30T12:00:00Z", "is not a time with its offset"),
        ('valid_from: "2025-10-27T12:00:00+07:00", ', "", "has no `valid_from`"),
        ("unit: cm", "unit: furlong", "'furlong' is not known"),
        ("unit: cm", "unit: degC", "cannot be converted"),
        ("blanking: 0.3", "blanking: 11", "Blanking 11 m reaches the maximum range"),
        (
            "zero_elevation: 7.5",
            'zero_elevation: 7.5, valid_until: "2025-10-27T14:30:00+07:00"',
            "ends after the next one has begun",
        ),
        (
            "zero_elevation: 7.5",
            'zero_elevation: 7.5, valid_until: "2025-10-27T11:30:00+07:00"',
            "ends before it begins",
        ),
        ("surveyed: true, by: B", "surveyd: true, by: B", "`surveyd` is not known"),
    ],
)
def test_what_cannot_be_right_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = HEAD + RANGING + DATED
    assert old in text
    _, problems = read(tmp_path, text.replace(old, new, 1))
    assert any(message in p.message and p.severity is Severity.ERROR and p.line for p in problems), problems


def test_half_a_ranging_sensor_is_refused(tmp_path: Path) -> None:
    _, problems = read(tmp_path, HEAD + DATED)
    assert any("needs blanking and max_range" in problem.message for problem in problems), problems


def test_the_newest_installation_is_what_warnings_are_about(tmp_path: Path) -> None:
    text = HEAD + RANGING + DATED + "        record: 5.8\n"
    _, problems = read(tmp_path, text)
    assert [problem.severity for problem in problems] == [Severity.WARNING]
    assert "saturates at 5.7 m, below The record (5.8 m)" in problems[0].message


def test_a_channel_that_feeds_two_at_a_time_is_refused_by_the_table_too(dated: Catalogue) -> None:
    stream = dated.stations[0].datastreams[0]
    with pytest.raises(ValueError, match="at a time"):
        SeriesTable([(stream, Nature.ACTUAL), (stream, Nature.ACTUAL)])
    with pytest.raises(ValueError, match="of different kinds"):
        SeriesTable([(stream, Nature.ACTUAL), (stream, Nature.TEST)])


def test_a_substance_lets_shares_of_air_become_mass(tmp_path: Path) -> None:
    text = HEAD.replace("water_level", "o3").replace("unit: m\n", "unit: ug/m3\n")
    text = text.replace("channel: distance, unit: mm", "channel: o3, unit: ppb")
    _, problems = read(tmp_path, text)
    assert [problem.remedy.split(":")[0] for problem in problems] == ["Name the gas"]
    substance = "        substance: { name: O3, temperature: 25, pressure: 1013.25 }\n"
    catalogue, problems = read(tmp_path, text + substance)
    assert problems == []
    stream = catalogue.stations[0].datastreams[0]
    table = SeriesTable([(stream, Nature.ACTUAL)])
    units = table.channels["gw", "old", "o3"].units
    value = table.evaluate(
        np.zeros(3, np.intp), np.array([units[None], units["ppm"], units["mg/m3"]]),
        np.array([50.0, 0.05, 0.1]), np.zeros(3, np.int64),
    ).value  # fmt: skip
    assert value.tolist() == pytest.approx([98.09, 98.09, 100.0], abs=0.01)
    with pytest.raises(UnknownUnit):
        SeriesTable([(stream.model_copy(update={"substance": None}), Nature.ACTUAL)])
    _, problems = read(tmp_path, HEAD + RANGING + substance)
    assert any("neither a share of air" in problem.message for problem in problems)


# -- levels that mean something


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("", Reference.UNREFERENCED),
        ("{ datum: Local, by: A }", Reference.UNREFERENCED),
        ("{ surveyed: true, by: A }", Reference.UNREFERENCED),
        ("{ datum: Other, surveyed: true, by: A }", Reference.UNREFERENCED),
        ("{ datum: Local, surveyed: true, by: exercise }", Reference.EXERCISE),
        ("{ datum: Local, surveyed: true, by: A }", Reference.REFERENCED),
    ],
)
def test_a_level_is_referenced_by_a_surveyed_zero_in_the_stations_datum(
    tmp_path: Path, entry: str, expected: Reference
) -> None:
    text = HEAD + RANGING + (f"        installations: [{entry}]\n" if entry else "")
    catalogue, _ = read(tmp_path, text)
    station = catalogue.stations[0]
    assert station.reference(station.datastreams[0]) is expected


def test_a_street_has_depth_and_rain_has_no_zero() -> None:
    found = {}
    for key, station, stream in load_catalogue(Path(__file__).parents[2] / "config/catalog").datastreams():
        found[key] = station.reference(stream)
    assert found["HUE-FL-DAPDA/water_level"] is Reference.DEPTH
    assert found["HUE-WL-KIMLONG/rainfall"] is Reference.NOT_A_LEVEL
    assert found["HUE-RS-TATRACH/inflow"] is Reference.NOT_A_LEVEL
    assert found["HUE-RS-TATRACH/reservoir_level"] is Reference.EXERCISE


BOOK = """\
rules:
  - id: level
    kind: threshold
    title: { vi: Mực nước, en: Level }
    select: { property: water_level }
    levels: catalogue
    severities: { BĐ I: Minor, BĐ II: Moderate }
    clear: { below: 0.10 m, hold: 30min }
  - id: silence
    kind: silence
    title: { vi: Im lặng, en: Silence }
    select: {}
    after: { cadences: 4, at_least: 30min }
    level: { name: silent, severity: Minor }
"""


def ruled(folder: Path, text: str, nature: Nature | None = None, book: str = BOOK) -> list[Problem]:
    catalogue, _ = read(folder, text, nature)
    (folder / "rules").mkdir()
    (folder / "rules" / "rules.yaml").write_text(book, encoding="utf-8")
    return read_rules(folder / "rules", catalogue)[1]


def test_a_rule_on_a_gauge_that_nobody_surveyed_is_refused(tmp_path: Path) -> None:
    (problem,) = ruled(tmp_path, HEAD + RANGING + LEVELS)
    assert problem.severity is Severity.ERROR
    assert "not referenced (chưa quy chiếu): ST/water_level" in problem.message
    assert problem.line == 5
    with pytest.raises(ConfigError):
        load_rules(tmp_path / "rules", load_catalogue(tmp_path))


def test_so_is_one_with_levels_of_its_own(tmp_path: Path) -> None:
    own = BOOK.replace("levels: catalogue", "levels: [{ name: high, value: 2, severity: Minor }]")
    own = own.replace("    severities: { BĐ I: Minor, BĐ II: Moderate }\n", "")
    (problem,) = ruled(tmp_path, HEAD + RANGING, book=own)
    assert problem.severity is Severity.ERROR


def test_in_an_exercise_it_is_a_warning(tmp_path: Path) -> None:
    (problem,) = ruled(tmp_path, HEAD + RANGING + LEVELS, Nature.EXERCISE)
    assert problem.severity is Severity.WARNING


def test_without_its_levels_the_gauge_tells_depth_only_and_nothing_is_wrong(tmp_path: Path) -> None:
    problems = ruled(tmp_path, HEAD + RANGING)
    assert ["watches nothing" in problem.message for problem in problems] == [True]


def test_a_surveyed_gauge_is_let_through(tmp_path: Path) -> None:
    assert ruled(tmp_path, HEAD + RANGING + DATED + LEVELS) == []


def test_a_zero_of_the_exercise_is_a_warning_for_a_real_station_alone(tmp_path: Path) -> None:
    text = HEAD + RANGING + DATED.replace("by: B", "by: exercise") + LEVELS
    _, problems = read(tmp_path, text)
    assert [(p.severity, "for exercises alone" in p.message) for p in problems] == [(Severity.WARNING, True)]
    assert read(tmp_path, text, Nature.EXERCISE)[1] == []


# -- what may not look across


def test_the_catalogue_says_when_new_installations_begin(dated: Catalogue) -> None:
    assert dated.resets() == {"ST/water_level": (MOVED, REPLACED)}
    assert load_catalogue(Path(__file__).parents[2] / "config/catalog").resets() == {}


def gauges(reset: int | None) -> Catalogue:
    """The world of the engine's tests, whose R1 has a new installation at a time."""
    catalogue = city()
    if reset is None:
        return catalogue
    stations = []
    for station in catalogue.stations:
        (stream,) = station.datastreams
        body = {"valid_from": _iso(reset)}
        changed = Datastream.model_validate_json(json.dumps({**_plain(stream), "installations": [{}, body]}))
        stations.append(station.model_copy(update={"datastreams": (changed,)}))
    return catalogue.model_copy(update={"stations": tuple(stations)})


def _plain(stream: Datastream) -> dict[str, object]:
    kept = stream.model_dump(mode="json", include={"name", "property", "unit", "source", "levels"})
    return {**kept, "cadence": f"{stream.cadence} s"}


def jump(first: int, count: int, value: float) -> list[Row]:
    times = [START + (first + place) * 5 * MINUTE for place in range(count)]
    return [Row(10, time, value, Quality.PASS, time) for time in times]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(("reset", "raised"), [(None, True), (START + 8 * 5 * MINUTE, False)])
def test_a_new_installation_raises_no_rate_alert(reset: int | None, raised: bool, restart: bool) -> None:
    """A sensor remounted 0.6 m higher by its new zero: the step is no rise of the water."""
    player = Player([rule for rule in rules(RULES, gauges(reset)) if rule.id == "rate"])
    player.play(jump(0, 8, 0.8))
    if restart:
        player.restart()
    for place in range(8, 24):
        player.play(jump(place, 1, 0.8 + 0.6))
    assert bool(player.store.events) is raised


def test_a_rise_after_a_new_installation_is_told(tmp_path: Path) -> None:
    player = Player([rule for rule in rules(RULES, gauges(START)) if rule.id == "rate"])
    player.play(
        [Row(10, START + n * 5 * MINUTE, 0.8 + n * 0.05, 1, START + n * 5 * MINUTE) for n in range(14)]
    )
    assert [event.level_name for event in player.store.events] == ["faster"]


def test_levels_of_two_sensors_confirm_each_other() -> None:
    player = Player([rule for rule in rules(RULES, gauges(START + 5 * MINUTE)) if rule.id == "level"])
    player.play(jump(0, 2, 1.2))
    assert [event.level_name for event in player.store.events] == ["I"]


def test_a_new_installation_is_no_new_version_of_the_rules() -> None:
    before, after = rules(RULES, gauges(None)), rules(RULES, gauges(START))
    assert [rule.versions for rule in before] == [rule.versions for rule in after]


# -- corrected zeros


OLD, NEW = "gw/old/distance", "gw/new/distance"
REGISTERED = [
    Zero("ST/water_level", BEGINNING, 8.0, OLD, 1),
    Zero("ST/water_level", MOVED, 7.5, OLD, 1),
    Zero("ST/water_level", REPLACED, 6.0, NEW, 1),
]


def changed(catalogue: Catalogue, old: str, new: str, folder: Path) -> Catalogue:
    text = HEAD + RANGING + DATED
    assert old in text
    return read(folder, text.replace(old, new, 1))[0]


def test_the_first_start_registers_every_zero_and_corrects_nothing(dated: Catalogue) -> None:
    assert rezero([], dated) == Rezeroed(tuple(REGISTERED), ())


def test_nothing_new_is_nothing_to_do(dated: Catalogue) -> None:
    assert rezero(REGISTERED, dated) == Rezeroed((), ())


def test_a_corrected_zero_moves_the_levels_of_its_own_time(dated: Catalogue, tmp_path: Path) -> None:
    again = rezero(REGISTERED, changed(dated, "zero_elevation: 7.5", "zero_elevation: 7.62", tmp_path))
    assert again.register == (Zero("ST/water_level", MOVED, 7.62, OLD, 2),)
    assert again.corrections == (Correction("ST/water_level", MOVED, REPLACED, 0.12, 2),)
    text = "ST/water_level from 2025-10-27T05:00Z until 2025-10-27T07:00Z: +0.12 m, revision 2"
    assert str(again.corrections[0]) == text


def test_a_second_correction_starts_from_the_first(dated: Catalogue, tmp_path: Path) -> None:
    once = rezero(REGISTERED, changed(dated, "zero_elevation: 7.5", "zero_elevation: 7.62", tmp_path))
    back = rezero([*REGISTERED, *once.register], dated)
    assert back.register == (Zero("ST/water_level", MOVED, 7.5, OLD, 3),)
    assert back.corrections == (Correction("ST/water_level", MOVED, REPLACED, -0.12, 3),)
    everything = [*REGISTERED, *once.register, *back.register]
    assert rezero(everything, dated) == Rezeroed((), ())
    assert rezero(everything[::-1], dated) == Rezeroed((), ())


def test_the_newest_zero_corrects_until_now(dated: Catalogue, tmp_path: Path) -> None:
    again = rezero(REGISTERED, changed(dated, "zero_elevation: 6.0", "zero_elevation: 5.9", tmp_path))
    assert again.corrections == (Correction("ST/water_level", REPLACED, END, -0.1, 2),)


def test_a_corrected_date_moves_the_levels_between_the_two(dated: Catalogue, tmp_path: Path) -> None:
    again = rezero(REGISTERED, changed(dated, "T12:00:00", "T13:00:00", tmp_path))
    later = MOVED + HOUR
    assert again.register == (
        Zero("ST/water_level", MOVED, None, "", 2),
        Zero("ST/water_level", later, 7.5, OLD, 2),
    )
    assert again.corrections == (Correction("ST/water_level", MOVED, later, 0.5, 2),)
    assert rezero([*REGISTERED, *again.register], changed(dated, "T12:00:00", "T13:00:00", tmp_path)) == (
        Rezeroed((), ())
    )


def test_a_move_that_is_registered_after_the_fact_corrects_what_came_since(
    dated: Catalogue, tmp_path: Path
) -> None:
    assert rezero(REGISTERED[:1], dated).corrections == (
        Correction("ST/water_level", MOVED, REPLACED, -0.5, 2),
    )  # and nothing from the change of the device on: the new zero says nothing of the old sensor


def test_what_has_no_zero_is_left_alone() -> None:
    catalogue = city()
    assert rezero([Zero("GONE/water_level", BEGINNING, 1.0, OLD, 1)], catalogue) == Rezeroed((), ())


def test_the_reading_behind_a_level_is_found_again() -> None:
    down = Ranging(zero_elevation=8.0, blanking=0.5, max_range=10.0)
    up = Ranging(zero_elevation=-1.0, blanking=0.0, max_range=5.0, measures="depth")
    assert (down.reading_of(5.0), up.reading_of(1.5)) == (3.0, 2.5)
    assert (down.highest, up.highest) == (7.5, 4.0)
