"""The registry of kinds, and what lint says of a derived datastream that cannot be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

import ingest.derive
from ingest.derive import derivation, kinds, names, problems
from ingest.derive.settings import DerivedDatastream
from tests.property.derive_world import derived, station, stream

BD = [{"name": "BĐ I", "value": None}, {"name": "BĐ III", "value": 3.5}]
STREAMS = [
    stream("rainfall", "mm", "10min"),
    stream("intensity", "mm/h", "10min"),
    stream("water_level", "m", "5min", levels=BD),
    stream("depth", "m", "5min"),
    stream("outflow", "m3/s", "15min"),
    stream("f_cnt", "1", "10min"),
    stream("pm2_5", "ug/m3", "1h"),
    stream("o3", "ppb", "1h"),
    stream("no2", "ug/m3", "2h"),
]
GOOD: list[tuple[str, str, dict[str, Any]]] = [
    ("mm", "10min", {"kind": "window_sum", "of": "rainfall", "window": "24h"}),
    (
        "mm",
        "10min",
        {"kind": "window_sum", "of": "rainfall", "window": "1h", "counter": True, "rollover": 6553.6},
    ),
    ("mm", "10min", {"kind": "rain_day", "of": "rainfall"}),
    ("m", "5min", {"kind": "margin", "of": "water_level", "level": "BĐ III"}),
    ("m3/s", "15min", {"kind": "step", "of": "outflow", "window": "1h"}),
    ("%", "10min", {"kind": "frame_loss", "of": "f_cnt"}),
    ("ug/m3", "1h", {"kind": "window_mean", "of": "pm2_5", "window": "24h"}),
    ("ug/m3", "1h", {"kind": "window_max", "of": "pm2_5", "window": "24h"}),
    ("1", "1h", {"kind": "vn_aqi_hourly", "pm2_5": "pm2_5"}),
    ("1", "24h", {"kind": "vn_aqi_daily", "pm2_5": "pm2_5"}),
]


def faults(unit: str, cadence: str, name: str = "result", **derive: Any) -> list[tuple[tuple[Any, ...], str]]:
    """(path, message) of what is wrong with one derived datastream."""
    place = station(STREAMS, derived(unit, cadence, **derive) | {"name": name})
    found = list(problems(place.derived[0], place))
    assert all(remedy.endswith(".") for _, _, remedy in found)
    return [(path, message) for path, message, _ in found]


def test_the_registry_finds_every_kind_with_its_documentation() -> None:
    assert names() == (
        "days_left",
        "frame_loss",
        "margin",
        "rain_day",
        "step",
        "vn_aqi_daily",
        "vn_aqi_hourly",
        "window_max",
        "window_mean",
        "window_sum",
    )
    for name, kind in kinds().items():
        assert kind.name == name
        assert kind.settings.model_fields["kind"].annotation.__args__ == (name,)  # type: ignore[union-attr]
        assert "Coverage: " in kind.documentation


def test_a_new_kind_is_one_new_file(tmp_path: Path) -> None:
    (tmp_path / "flat.py").write_text(
        "from typing import Literal\n"
        "from ingest.derive.kind import DeriveSettings, Kind\n"
        "class FlatSettings(DeriveSettings):\n"
        "    kind: Literal['flat']\n"
        "none = lambda *given: iter(())\n"
        "KIND = Kind('flat', FlatSettings, none, none, 'Flat.')\n"
    )
    program = (
        f"import ingest.derive as d; d.__path__.append({str(tmp_path)!r})\n"
        "from ingest.derive.settings import DerivedDatastream as D\n"
        "print(D(name='a', property='a', unit='m', cadence='5min', derive={'kind': 'flat'}).derive.kind)"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["flat"]


def test_two_kinds_of_one_name_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = SimpleNamespace(KIND=kinds()["margin"])
    monkeypatch.setattr(ingest.derive, "import_module", lambda name: twin)
    with pytest.raises(ValueError, match="two kinds are named 'margin'"):
        kinds.__wrapped__()


@pytest.mark.parametrize(("unit", "cadence", "derive"), GOOD)
def test_what_can_be_computed_has_no_fault_and_is_built(
    unit: str, cadence: str, derive: dict[str, Any]
) -> None:
    assert faults(unit, cadence, **derive) == []
    place = station(STREAMS, derived(unit, cadence, **derive))
    ready = derivation(place.derived[0], place)
    assert set(ready.inputs) <= {entry["name"] for entry in STREAMS}
    assert ready.rows > 0
    assert hash(ready) == hash(derivation(place.derived[0], place))


@pytest.mark.parametrize(
    ("unit", "cadence", "derive", "path", "said"),
    [
        (
            "mm",
            "10min",
            {"kind": "window_sum", "of": "rainfal", "window": "1h"},
            ("derive", "of"),
            "no 'rainfal'",
        ),
        ("mm", "10min", {"kind": "rain_day", "of": "result"}, ("derive", "of"), "itself derived"),
        (
            "mm/h",
            "10min",
            {"kind": "window_sum", "of": "intensity", "window": "1h"},
            ("derive", "of"),
            "speed",
        ),
        ("cm", "10min", {"kind": "rain_day", "of": "rainfall"}, ("unit",), "in cm"),
        ("mm", "5min", {"kind": "rain_day", "of": "rainfall"}, ("cadence",), "300 s"),
        (
            "mm",
            "10min",
            {"kind": "window_sum", "of": "rainfall", "window": "5min"},
            ("derive", "window"),
            "shorter",
        ),
        (
            "mm",
            "10min",
            {"kind": "rain_day", "of": "rainfall", "rollover": 9.0},
            ("derive", "rollover"),
            "counter",
        ),
        (
            "m",
            "5min",
            {"kind": "margin", "of": "water_level", "level": "BĐ I"},
            ("derive", "level"),
            "no level",
        ),
        ("m", "5min", {"kind": "margin", "of": "depth", "level": "BĐ I"}, ("derive", "level"), "no level"),
        ("m", "5min", {"kind": "margin", "of": "level", "level": "BĐ I"}, ("derive", "of"), "no 'level'"),
        ("m3/s", "15min", {"kind": "step", "of": "flow"}, ("derive", "of"), "no 'flow'"),
        (
            "m3/s",
            "15min",
            {"kind": "step", "of": "outflow", "window": "5min"},
            ("derive", "window"),
            "shorter",
        ),
        ("1", "10min", {"kind": "frame_loss", "of": "f_cnt"}, ("unit",), "no unit but %"),
        ("%", "10min", {"kind": "frame_loss", "of": "rainfall"}, ("derive", "of"), "count of frames"),
        ("ug/m3", "1h", {"kind": "window_mean", "of": "pm10", "window": "8h"}, ("derive", "of"), "no 'pm10'"),
        ("1", "1h", {"kind": "vn_aqi_hourly"}, ("derive",), "without PM2.5 or PM10"),
        ("1", "1h", {"kind": "vn_aqi_hourly", "pm2_5": "pm2_5", "o3": "o3"}, ("derive", "o3"), "ppb"),
        ("1", "1h", {"kind": "vn_aqi_hourly", "pm10": "pm2_5"}, ("derive", "pm10"), "measures pm2_5"),
        (
            "1",
            "1h",
            {"kind": "vn_aqi_hourly", "pm2_5": "pm2_5", "no2": "no2"},
            ("derive", "no2"),
            "hourly means",
        ),
        (
            "1",
            "24h",
            {"kind": "vn_aqi_daily", "pm2_5": "pm2_5", "zone": "+05:30"},
            ("derive", "zone"),
            "hours",
        ),
        ("furlong", "5min", {"kind": "margin", "of": "depth", "level": "x"}, ("unit",), "not known"),
    ],
)
def test_what_cannot_be_computed_is_said_with_its_place(
    unit: str, cadence: str, derive: dict[str, Any], path: tuple[str, ...], said: str
) -> None:
    assert any(where == path and said in message for where, message in faults(unit, cadence, **derive))


def test_a_name_that_is_taken_is_refused() -> None:
    found = faults("mm", "10min", name="rainfall", kind="rain_day", of="rainfall")
    assert [path for path, _ in found] == [("name",)]


@pytest.mark.parametrize(
    "derive",
    [
        {"kind": "window_summ", "of": "rainfall", "window": "1h"},
        {"of": "rainfall", "window": "1h"},
        {"kind": "window_sum", "of": "rainfall"},
        {"kind": "window_sum", "of": "rainfall", "window": 3600},
        {"kind": "window_sum", "of": "rainfall", "window": "1h", "accept": []},
        {"kind": "window_sum", "of": "rainfall", "window": "1h", "accept": ["fail"]},
        {"kind": "window_sum", "of": "rainfall", "window": "1h", "rollover": 0},
        {"kind": "rain_day", "of": "rainfall", "day_starts": "7pm"},
        {"kind": "rain_day", "of": "rainfall", "zone": "ICT"},
        {"kind": "vn_aqi_hourly", "pm2_5": "pm2_5", "scheme": "EPA"},
        {"kind": "frame_loss", "of": "f_cnt", "bits": 8},
        {"kind": "margin", "of": "water_level", "level": "BĐ III", "levels": []},
    ],
)
def test_settings_that_no_kind_has_are_refused(derive: dict[str, Any]) -> None:
    entry = {"name": "a", "property": "a", "unit": "mm", "cadence": "10min", "derive": derive}
    with pytest.raises(ValidationError):
        DerivedDatastream.model_validate_json(json.dumps(entry))


def test_a_missing_input_is_not_built() -> None:
    place = station(STREAMS, derived("mm", "10min", kind="rain_day", of="snow"))
    with pytest.raises(ValueError, match="measures no 'snow'"):
        derivation(place.derived[0], place)
