"""What the catalogue's lint refuses, where it says so, and what it lets pass."""

import random
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ingest.catalog import read_catalogue
from ingest.lint import common_topic, filter_fault, report
from ingest.yaml_lines import Problem, Severity

CITY = """\
routes:
  - { filter: hue/v1/+/+/readings, codec: huewatch-json, gateway_level: 3, device_level: 4 }
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
        source: { gateway: gw-1, device: udl-1, channel: distance, unit: mm }
        ranging: { zero_elevation: 8.0, blanking: 0.5, max_range: 10.0 }
        gross_range: { fail: [-1.5, 9.0], suspect: [-0.8, 6.2] }
        record: 5.81
        levels:
          - { name: BĐ I, value: 1.0 }
          - { name: BĐ II, value: 2.0 }
          - { name: BĐ III, value: 3.5 }
"""
SECOND = """\
  - id: ST-2
    name: { vi: Trạm hai, en: Station two }
    kind: river
    location: { lat: 16.4, lon: 107.5 }
    datastreams:
      - name: water_level
        property: water_level
        unit: m
        cadence: 5min
        source: { gateway: gw-1, device: udl-2, channel: distance, unit: mm }
"""


def problems_of(folder: Path, text: str) -> list[Problem]:
    (folder / "city.yaml").write_text(text, encoding="utf-8")
    return read_catalogue(folder)[1]


def test_a_sound_catalogue_has_no_problem(tmp_path: Path) -> None:
    assert problems_of(tmp_path, CITY + SECOND) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("ST-2", "ST-1", 21, "Station ST-1 exists already"),
        ("device: udl-2", "device: udl-1", 30, "feeds ST-1/water_level already"),
        ("value: 2.0", "value: 1.0", 17, "BĐ II (1) does not lie above BĐ I (1)"),
        ("name: BĐ II,", "name: BĐ I,", 17, "Two levels are named BĐ I"),
        ("fail: [-1.5, 9.0]", "fail: [9.0, -1.5]", 15, "inverted"),
        ("suspect: [-0.8, 6.2]", "suspect: [6.2, -0.8]", 15, "inverted"),
        ("suspect: [-0.8, 6.2]", "suspect: [-2.0, 6.2]", 15, "wider than the fail range"),
        ("suspect: [-0.8, 6.2]", "suspect: [-0.8, 3.0]", 15, "BĐ III (3.5 m) lies outside"),
        ("suspect: [-0.8, 6.2]", "suspect: [-0.8, 5.8]", 15, "The record (5.81 m) lies outside"),
        ("blanking: 0.5", "blanking: 10.0", 14, "Blanking 10 m reaches the maximum range 10 m"),
        ("lon: 107.5", "lon: 106.9", 7, "lies outside Huế"),
        ("distance, unit: mm", "distance, unit: furlong", 13, "Unit 'furlong' is not known"),
        ("distance, unit: mm", "distance, unit: degC", 13, "cannot be converted"),
        ("unit: m\n", "unit: mm\n", 11, "A ranging sensor's level is in metres"),
        ("codec: huewatch-json", "codec: huewatch-jsn", 2, "Codec 'huewatch-jsn' is not known"),
        ("gateway_level: 3", "gateway_level: 6", 2, "gateway_level is 6"),
        ("device_level: 4", "device_level: 9", 2, "device_level is 9"),
        ("hue/v1/+/+/readings", "hue/v1/+/x+/readings", 2, "+ stands alone in its level"),
        ("hue/v1/+/+/readings", "+/tick", 2, "also matches Huewatch's own topics"),
        ("udl-2, channel: distance, unit: mm }", "udl-2, channel: distance, unit: mm }\n"
         "        neighbours: [ST-1/water_levle]", 31, "There is no datastream ST-1/water_levle"),
        ("udl-2, channel: distance, unit: mm }", "udl-2, channel: distance, unit: mm }\n"
         "        neighbours: [ST-2/water_level]", 31, "no neighbour of itself"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_an_error_at_its_line(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    text = CITY + SECOND
    assert old in text
    problems = problems_of(tmp_path, text.replace(old, new, 1))
    match = [p for p in problems if message in p.message]
    assert [(p.line, p.severity) for p in match] == [(line, Severity.ERROR)], problems
    assert match[0].remedy


def test_two_datastreams_of_one_name_are_an_error(tmp_path: Path) -> None:
    again = SECOND[SECOND.index("      - name") :].replace("udl-2", "udl-3")
    (problem,) = problems_of(tmp_path, CITY + SECOND + again)
    assert (problem.line, "two datastreams named water_level" in problem.message) == (31, True)


@pytest.mark.parametrize(
    ("zero", "above"), [(4.0, ["BĐ III", "The record"]), (6.3, ["The record"]), (6.32, [])]
)
def test_a_level_that_the_sensor_cannot_see_is_a_warning(
    tmp_path: Path, zero: float, above: list[str]
) -> None:
    problems = problems_of(tmp_path, CITY.replace("zero_elevation: 8.0", f"zero_elevation: {zero}"))
    assert [p.severity for p in problems] == [Severity.WARNING] * len(above)
    assert [p.message.split("below ")[1].split(" (")[0] for p in problems] == above


def test_overlapping_routes_are_refused_with_a_topic_that_both_match(tmp_path: Path) -> None:
    route = "  - { filter: hue/v1/gw-1/#, codec: huewatch-json, gateway_level: 3, device_level: 3 }\n"
    (problem,) = problems_of(tmp_path, CITY.replace("stations:", route + "stations:"))
    assert problem.line == 3
    assert "both match hue/v1/gw-1/x/readings" in problem.message


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/c", False),
        ("a/+", "a/b", True),
        ("a/+", "+/b", True),
        ("a/+/c", "a/b/+", True),
        ("a/+/c", "a/+/d", False),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/#", "b/#", False),
        ("a/+/#", "a", False),
        ("a/+/#", "a/#", True),
        ("+/b/#", "a/+/c", True),
        ("#", "a/b", True),
        ("#", "$SYS/a", False),
        ("+/a", "$SYS/a", False),
        ("$SYS/#", "$SYS/+/b", True),
        ("a//b", "a/+/b", True),
        ("/a", "+/a", True),
        ("a/", "a", False),
        ("hue/v1/+/+/readings", "application/+/device/+/event/+", False),
    ],
)
def test_two_filters_overlap_when_a_topic_matches_both(one: str, other: str, overlap: bool) -> None:
    for left, right in ((one, other), (other, one)):
        topic = common_topic(left, right)
        assert (topic is not None) is overlap
        if topic is not None:
            assert matches(left, topic)
            assert matches(right, topic)


def matches(topic_filter: str, topic: str) -> bool:
    """MQTT 5, 4.7, by recursion over levels: a second way to say it."""
    if topic.startswith("$") and topic_filter[0] in "+#":
        return False

    def walk(levels: list[str], names: list[str]) -> bool:
        if levels[:1] == ["#"]:
            return True
        if not levels or not names:
            return not levels and not names
        return levels[0] in ("+", names[0]) and walk(levels[1:], names[1:])

    return walk(topic_filter.split("/"), topic.split("/"))


def test_overlap_agrees_with_matching_of_random_topics() -> None:
    seed = 20251027
    print(f"seed {seed}")
    chance = random.Random(seed)
    topics = ["/".join(levels) for n in (1, 2, 3) for levels in _words(["a", "b", ""], n)]
    overlaps = 0
    for _ in range(2_000):
        one, other = (_random_filter(chance) for _ in range(2))
        both = [t for t in topics if t and matches(one, t) and matches(other, t)]
        topic = common_topic(one, other)
        assert topic is not None or not both, (one, other, both)
        assert topic is None or (matches(one, topic) and matches(other, topic)), (one, other, topic)
        overlaps += topic is not None
    assert 200 < overlaps < 1_800


def _words(alphabet: list[str], length: int) -> list[list[str]]:
    if length == 0:
        return [[]]
    return [[letter, *rest] for letter in alphabet for rest in _words(alphabet, length - 1)]


def _random_filter(chance: random.Random) -> str:
    levels = chance.choices(["a", "b", "+", ""], k=chance.randint(1, 3))
    if chance.random() < 0.3:
        levels[-1] = "#"
    return "/".join(levels) or "a"


@pytest.mark.parametrize("good", ["a", "#", "+", "a/#", "/", "a//b", "+/+/#", "$SYS/#", "á/b"])
def test_a_valid_filter_has_no_fault(good: str) -> None:
    assert filter_fault(good) is None


@pytest.mark.parametrize(
    "bad", ["", "a#", "a/#/b", "#/a", "a+", "+a/b", "a/b#", "a\0", "$share/g/a", "x" * 65_536]
)
def test_an_invalid_filter_has_a_fault(bad: str) -> None:
    assert filter_fault(bad) is not None


def test_the_report_prints_what_was_written_and_fails_only_for_errors() -> None:
    warning = Problem("a.yaml", 3, "[bold]odd[/bold].", "Look.", Severity.WARNING)
    error = Problem("b.yaml", 12, "Wrong.", "Correct it.")
    out = StringIO()
    assert report([error, warning], Console(file=out, width=40)) == 1
    assert out.getvalue() == (
        "a.yaml:3: warning: [bold]odd[/bold]. Remedy: Look.\nb.yaml:12: Wrong. Remedy: Correct it.\n"
    )
    assert report([warning], Console(file=StringIO())) == 0
    assert report([], Console(file=StringIO())) == 0


RING = "[[16.44, 107.54], [16.44, 107.58], [16.47, 107.58], [16.47, 107.54], [16.44, 107.54]]"

CROSSED = RING.replace("[16.44, 107.58], [16.47, 107.58]", "[16.47, 107.58], [16.44, 107.58]")


def with_area(area: str) -> str:
    return CITY.replace("    datastreams:\n", f"    area: {area}\n    datastreams:\n", 1)


def test_a_sound_area_has_no_problem(tmp_path: Path) -> None:
    assert problems_of(tmp_path, with_area(f"{{ polygon: {RING}, communes: ['19774'] }}")) == []


@pytest.mark.parametrize(
    ("area", "message"),
    [
        ("{}", "The area says nothing."),
        (f"{{ polygon: {RING.replace(', [16.44, 107.54]]', ']')} }}", "its last point is not its first"),
        (f"{{ polygon: {CROSSED} }}", "crosses itself"),
        (f"{{ polygon: {RING.replace('16.47', '17.47')} }}", "17.47, 107.58 lies outside Huế"),
    ],
)
def test_an_area_that_cannot_be_says_why(tmp_path: Path, area: str, message: str) -> None:
    (problem,) = problems_of(tmp_path, with_area(area))
    assert message in problem.message
    assert (problem.file, problem.line) == (str(tmp_path / "city.yaml"), 8)


def test_an_area_with_the_longitude_first_is_no_place_on_earth(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, with_area("{ polygon: [[107.54, 16.44]] }"))
    assert "90" in problem.message
