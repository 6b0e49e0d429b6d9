"""The registry of codecs, and the times that all of them share."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import ingest.codecs
from ingest.codecs import Undecodable, codecs, names
from ingest.codecs.base import parse_time

KNOWN = (
    "advantech-wise",
    "airgradient",
    "campbell-csijson",
    "campbell-geojson",
    "chirpstack-gateway",
    "chirpstack-v4",
    "huewatch-json",
    "mapped-csv",
    "mapped-json",
    "senml-cbor",
    "senml-json",
    "sensorthings",
    "sparkplug-b",
    "tasmota",
    "teltonika",
    "the-things-stack-v3",
    "tt10",
)


def test_registry_finds_every_codec_with_its_documentation() -> None:
    assert names() == KNOWN
    for name, codec in codecs().items():
        assert codec.name == name
        assert codec.version >= 1
        assert re.search("Topics?[ :]", codec.documentation)


def test_new_codec_is_one_new_file(tmp_path: Path) -> None:
    (tmp_path / "flat.py").write_text(
        "from ingest.codecs.base import Codec, Decoded\n"
        "CODEC = Codec('flat', 1, lambda address, payload: Decoded(()), frozenset(), 'Flat.')\n"
    )
    program = f"import ingest.codecs as c; c.__path__.append({str(tmp_path)!r}); print(*c.names())"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == sorted([*KNOWN, "flat"])


def test_two_codecs_of_one_name_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = SimpleNamespace(CODEC=codecs()["huewatch-json"])
    monkeypatch.setattr(ingest.codecs, "import_module", lambda name: twin)
    with pytest.raises(ValueError, match="two codecs are named 'huewatch-json'"):
        codecs.__wrapped__()


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T07:00:00+07:00", 0),
        ("1969-12-31T19:30:00-04:30", 0),
        ("1970-01-01T00:00:00.1Z", 100_000),
        ("1970-01-01T00:00:00.000001999Z", 1),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2025-10-27T20:00:00+07:00", 1_761_570_000_000_000),
        ("2024-02-29T23:59:59+00:00", 1_709_251_199_000_000),
        ("0001-01-01T00:00:00+14:00", -62_135_596_800_000_000 - 14 * 3_600_000_000),
    ],
)
def test_time_is_microseconds_cut_and_never_rounded(text: str, micros: int) -> None:
    assert parse_time(text) == micros


@pytest.mark.parametrize(
    "text", ["", "Z", "2025-10-27T20:00Z", "2025-10-27 20:00:00Z", "2025-10-27T20:00:00z"]
)
def test_time_in_another_form_is_undecodable(text: str) -> None:
    with pytest.raises(Undecodable, match="RFC 3339"):
        parse_time(text)
