"""Log lines cannot be forged and carry their fields."""

import json
import logging

from ingest.logs import JsonFormatter


def _line(message: str, **fields: object) -> str:
    record = logging.makeLogRecord({"name": "huewatch", "levelname": "WARNING", "msg": message, **fields})
    return JsonFormatter().format(record)


def test_fields_given_as_extra_appear_in_the_line() -> None:
    assert json.loads(_line("blind", reason="no connection"))["reason"] == "no connection"


def test_a_value_with_a_newline_or_escape_stays_on_one_line() -> None:
    line = _line("poison", topic="a\nb\x1b[31m", odd=object())
    assert "\n" not in line
    assert "\x1b" not in line
    assert json.loads(line)["topic"] == "a\nb\x1b[31m"
