"""The catalogue's loader: what a folder of YAML becomes, and how it is refused."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

from ingest.catalog import (
    CatalogueFolder,
    Datastream,
    Level,
    Source,
    catalogue_schema,
    load_catalogue,
    read_catalogue,
)
from ingest.codecs import codecs
from ingest.model import Nature
from ingest.yaml_lines import ConfigError, Severity

CONFIG = Path(__file__).parents[2] / "config"
STATION = """\
stations:
  - id: ST-1
    name: { vi: Trạm một, en: Station one }
    kind: river
    location: { lat: 16.4, lon: 107.5 }
    datastreams:
      - name: water_level
        property: water_level
        unit: m
        cadence: 5min
        source: { gateway: gw-1, device: radar-1, channel: water_level }
        levels:
          - { name: BĐ I, value: 1.0 }
          - { name: BĐ II, value: 2.0 }
"""


def refused(folder: Path, text: str) -> list[str]:
    """The problems of a catalogue of one file, as printed, without the folder's own name."""
    (folder / "city.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_catalogue(folder)
    return [str(problem).rpartition("city.yaml:")[2] for problem in caught.value.problems]


def test_the_shipped_catalogue_loads_and_warns_only_that_nobody_surveyed_its_zeros() -> None:
    catalogue, problems = read_catalogue(CONFIG / "catalog")
    (warning,) = problems
    assert warning.severity is Severity.WARNING
    assert "for exercises alone" in warning.message
    assert "HUE-WL-KIMLONG/water_level" in warning.message
    assert read_catalogue(CONFIG / "catalog", Nature.EXERCISE)[1] == []
    assert len(catalogue.stations) >= 19
    described_by_their_users = {"mapped-json", "mapped-csv"}
    assert {route.codec for route in catalogue.routes} == set(codecs()) - described_by_their_users


def test_the_catalogue_in_the_installed_package_is_the_same() -> None:
    assert load_catalogue(files("huewatch_config") / "catalog") == load_catalogue(CONFIG / "catalog")


def test_the_main_stations_have_the_levels_of_the_decree() -> None:
    datastreams = {key: datastream for key, _, datastream in load_catalogue(CONFIG / "catalog").datastreams()}
    levels = {key: [level.value for level in datastreams[f"{key}/water_level"].levels] for key in
              ("HUE-WL-KIMLONG", "HUE-WL-PHUOC")}  # fmt: skip
    assert levels == {"HUE-WL-KIMLONG": [1.0, 2.0, 3.5], "HUE-WL-PHUOC": [1.5, 3.0, 4.5]}


def test_exactly_one_street_gauge_is_submerged_by_a_metre_and_a_half() -> None:
    ranged = [(key, d.ranging) for key, station, d in load_catalogue(CONFIG / "catalog").datastreams()
              if station.kind == "street"]  # fmt: skip
    saturated = [key for key, r in ranged if r is not None and r.zero_elevation - r.blanking < 1.5]
    assert saturated == ["HUE-FL-VYDA/water_level"]


def test_phu_oc_sees_a_metre_above_any_record_without_saturating() -> None:
    datastream = load_catalogue(CONFIG / "catalog").station("HUE-WL-PHUOC").datastreams[0]
    assert datastream.ranging is not None
    assert datastream.ranging.zero_elevation - datastream.ranging.blanking > 5.81 + 1.0


def test_an_unpublished_level_is_left_out_and_keeps_its_rank_free() -> None:
    datastream = load_catalogue(CONFIG / "catalog").station("HUE-WL-THNHAT").datastreams[0]
    assert [(level.name, level.value, level.rank) for level in datastream.levels] == [("BĐ II", 61.0, 2)]


def test_levels_made_in_code_get_their_place_as_rank() -> None:
    datastream = Datastream(
        name="water_level",
        property="water_level",
        unit="m",
        cadence=300.0,
        source=Source(gateway="g", device="d", channel="c"),
        levels=(Level(name="I", value=1.0), Level(name="II", value=2.0)),
    )
    assert [level.rank for level in datastream.levels] == [1, 2]
    assert Datastream.model_validate_json(STATION_JSON).levels == datastream.levels


STATION_JSON = json.dumps(
    {
        "name": "water_level",
        "property": "water_level",
        "unit": "m",
        "cadence": "5min",
        "source": {"gateway": "g", "device": "d", "channel": "c"},
        "levels": [{"name": "I", "value": 1.0}, {"name": "II", "value": 2.0}],
    }
)


def test_a_nature_given_overrides_every_stations() -> None:
    assert {s.nature for s in load_catalogue(CONFIG / "catalog").stations} == {Nature.ACTUAL}
    exercise = load_catalogue(CONFIG / "catalog", Nature.EXERCISE)
    assert {s.nature for s in exercise.stations} == {Nature.EXERCISE}


def test_what_is_marked_as_an_exercise_does_not_become_real_by_a_switch(tmp_path: Path) -> None:
    drill = STATION.replace("    kind:", "    nature: Exercise\n    kind:", 1)
    assert "nature: Exercise" in drill
    (tmp_path / "city.yaml").write_text(drill, encoding="utf-8")
    assert load_catalogue(tmp_path, Nature.ACTUAL).stations[0].nature is Nature.EXERCISE


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5min", 300), ("30 s", 30), ("2h", 7200), ("1.5h", 5400), ("1d", 86400), ("500ms", 0.5)],
)
def test_a_duration_is_read_with_its_unit(tmp_path: Path, text: str, seconds: float) -> None:
    (tmp_path / "city.yaml").write_text(STATION.replace("5min", text), encoding="utf-8")
    assert load_catalogue(tmp_path).stations[0].datastreams[0].cadence == seconds


@pytest.mark.parametrize(
    "text", ["300", "5 minutes", "min", "0s", "-5min", "5min5", "1e3s", ".inf", "true", "null"]
)
def test_a_duration_without_a_clear_meaning_is_refused(tmp_path: Path, text: str) -> None:
    (problem,) = refused(tmp_path, STATION.replace("cadence: 5min", f"cadence: {text}"))
    assert problem.startswith("10: `cadence`")


@pytest.mark.parametrize("text", [".nan", ".inf", "-.inf", "true", "'1.0'", "1e999", "9" * 400, "[1.0]"])
def test_a_level_that_is_not_a_finite_number_is_refused(tmp_path: Path, text: str) -> None:
    (problem,) = refused(tmp_path, STATION.replace("value: 1.0", f"value: {text}"))
    assert problem.startswith("13: `value`")


def test_every_problem_of_every_file_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("stations: 3\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("- not a mapping\n", encoding="utf-8")
    (tmp_path / "c.yaml").write_text("routes: [\n", encoding="utf-8")
    bad = STATION.replace("kind: river", "kind: sea").replace("unit: m", "units: m")
    (tmp_path / "d.yaml").write_text(bad, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_catalogue(tmp_path)
    where = [(Path(p.file).name, p.line) for p in caught.value.problems]
    assert where == [("a.yaml", 1), ("b.yaml", 1), ("c.yaml", 2), ("d.yaml", 4), ("d.yaml", 7), ("d.yaml", 9)]
    assert all(p.remedy for p in caught.value.problems)


def test_an_unknown_key_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, STATION.replace("        levels:", "        lewels:"))
    assert problem == "12: `lewels` is not known here. Remedy: Write `levels` instead."


def test_an_unknown_section_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, STATION.replace("stations:", "station:"))
    assert problem == "1: `station` is not known here. Remedy: Write `stations` instead."


def test_a_missing_key_is_refused_at_the_entry_that_lacks_it(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, STATION.replace("    kind: river\n", ""))
    assert problem == "2: `kind` is missing. Remedy: Add `kind:`."


def test_a_key_written_twice_is_refused(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, STATION + "    kind: street\n")
    assert problem.startswith("15: `kind` is written twice.")


def test_an_anchor_that_contains_itself_is_refused(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, "stations: &a [*a]\n")
    assert "nests too deeply" in problem


@pytest.mark.parametrize("identifier", ["", "a b", "a/b", "+", "#", "-a", "a" * 65, "a\u202eb", "Kim Long"])
def test_an_identifier_that_could_not_be_a_topic_level_is_refused(tmp_path: Path, identifier: str) -> None:
    (problem,) = refused(tmp_path, STATION.replace("id: ST-1", f"id: {json.dumps(identifier)}"))
    assert problem.startswith("2: `id`")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"stations: \x00\n", b"a: \x07\n"])
def test_a_file_that_is_not_text_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "city.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match="Remedy"):
        load_catalogue(tmp_path)


def test_a_folder_that_is_missing_or_empty_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(ConfigError) as caught:
            load_catalogue(folder)
        assert [p.severity for p in caught.value.problems] == [Severity.ERROR]


def test_the_committed_schema_is_the_models(tmp_path: Path) -> None:
    committed = json.loads((CONFIG / "catalog.schema.json").read_text(encoding="utf-8"))
    assert committed == catalogue_schema(), "run scripts/write_schemas.py"


def test_every_catalogue_file_names_the_schema_for_editors() -> None:
    for file in (CONFIG / "catalog").glob("*.yaml"):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        assert first == "# yaml-language-server: $schema=../catalog.schema.json", file.name


def test_a_folder_is_read_anew_only_where_a_file_has_changed(tmp_path: Path) -> None:
    """A feed asks whenever any `run` has reloaded, and reading keeps its other threads waiting."""
    file = tmp_path / "city.yaml"
    file.write_text(STATION, encoding="utf-8")
    read = CatalogueFolder(tmp_path)
    first = read()
    assert read() is first
    file.write_text(STATION.replace("Station one", "Station 1"), encoding="utf-8")
    second = read()
    assert [station.name.en for station in second.stations] == ["Station 1"]
    file.write_text("stations: []\n", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(ConfigError):
            read()
    file.write_text(STATION, encoding="utf-8")
    assert read() == first


def test_a_station_is_found_by_its_id(tmp_path: Path) -> None:
    (tmp_path / "city.yaml").write_text(STATION, encoding="utf-8")
    catalogue = load_catalogue(tmp_path)
    assert catalogue.station("ST-1") is catalogue.by_id["ST-1"] is catalogue.stations[0]
    with pytest.raises(KeyError):
        catalogue.station("ST-2")
    assert catalogue == load_catalogue(tmp_path)  # whether it was looked up in or not
