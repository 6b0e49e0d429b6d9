"""Tables as files: what a reader of CSV and of Parquet finds in them, whatever the cells hold."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.api.sheets import FORMULA, Format, Kind, Sheet, written

COLUMNS = {
    "text": Kind.TEXT,
    "time": Kind.TIME,
    "number": Kind.NUMBER,
    "whole": Kind.WHOLE,
    "truth": Kind.TRUTH,
}
MIDNIGHT = 1_761_498_000_000_000  # 2025-10-26T17:00:00Z

CELLS = st.tuples(
    st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12),
    st.none() | st.integers(-2_208_988_800_000_000, 7_258_118_399_999_999),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.booleans(),
)
PIECES = st.lists(st.lists(CELLS, max_size=4), max_size=4)

Rows = Sequence[Sequence[Any]]


def whole(pieces: Sequence[Rows], form: Format) -> bytes:
    return b"".join(written(Sheet(COLUMNS, pieces, {"licence": "CC-BY-4.0"}), form))


def test_csv_is_rfc_4180_with_a_header() -> None:
    text = whole([[("a", MIDNIGHT, 3.5, 1, True)], [('b,"c"\nd', None, None, None, None)]], Format.CSV)
    assert text == (
        b'text,time,number,whole,truth\r\na,2025-10-26T17:00:00.000Z,3.5,1,true\r\n"b,""c""\nd",,,,\r\n'
    )


@pytest.mark.parametrize("first", FORMULA)
def test_a_text_that_looks_like_a_formula_is_none(first: str) -> None:
    text = whole([[(f"{first}HYPERLINK(1)", 0, -1.0, -1, False)]], Format.CSV).decode()
    (_, row) = csv.reader(io.StringIO(text, newline=""))
    assert row == [f"'{first}HYPERLINK(1)", "1970-01-01T00:00:00.000Z", "-1.0", "-1", "false"]


@given(PIECES)
def test_a_reader_of_csv_finds_every_row(pieces: list[Rows]) -> None:
    text = whole(pieces, Format.CSV).decode()
    header, *found = csv.reader(io.StringIO(text, newline=""))
    assert header == list(COLUMNS)
    rows = [row for piece in pieces for row in piece]
    assert len(found) == len(rows)
    for read, (said, _, number, count, _) in zip(found, rows, strict=True):
        assert read[0].removeprefix("'") == (said or "").removeprefix("'")
        assert read[2] == ("" if number is None else repr(number))
        assert read[3] == ("" if count is None else str(count))


@given(PIECES)
def test_a_reader_of_parquet_finds_every_row_and_the_licence(pieces: list[Rows]) -> None:
    table = pyarrow.parquet.read_table(io.BytesIO(whole(pieces, Format.PARQUET)))
    assert [str(field.type) for field in table.schema] == [
        "string",
        "timestamp[us, tz=UTC]",
        "double",
        "int64",
        "bool",
    ]
    assert table.schema.metadata[b"licence"] == b"CC-BY-4.0"
    rows = [row for piece in pieces for row in piece]
    assert table.num_rows == len(rows)
    for name, place in (("text", 0), ("number", 2), ("whole", 3), ("truth", 4)):
        assert table.column(name).to_pylist() == [row[place] for row in rows]
    assert table.column("time").cast("int64").to_pylist() == [row[1] for row in rows]


def test_an_empty_table_is_a_file_with_its_columns() -> None:
    assert whole([], Format.CSV) == b"text,time,number,whole,truth\r\n"
    assert pyarrow.parquet.read_table(io.BytesIO(whole([], Format.PARQUET))).num_rows == 0
