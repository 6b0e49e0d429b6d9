"""New, duplicate or conflict: the same as reading row by row, however the stream is split."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.store.classify import NEVER, Marks, Verdict, first_of_key, settle, to_ask

Row = tuple[int, int, float]
Table = dict[tuple[int, int], float]
# Few series, times and values, so that keys meet often.
rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-4, 4), st.sampled_from([-0.0, 0.0, 1.5, 2.5])), max_size=40
)
splits = st.lists(st.integers(0, 40), max_size=5)


def row_by_row(table: Table, row: Row) -> Verdict:
    """The obvious way: one row at a time against a dictionary."""
    datastream, time, value = row
    if (datastream, time) not in table:
        table[datastream, time] = value
        return Verdict.NEW
    return Verdict.DUPLICATE if table[datastream, time] == value else Verdict.CONFLICT


def by_columns(table: Table, marks: Marks, batch: list[Row]) -> tuple[list[int], int]:
    """The store's way, with a dictionary for a table: the verdicts, and how many rows were asked for."""
    datastream = np.array([row[0] for row in batch], np.int32)
    time = np.array([row[1] for row in batch], np.int64)
    value = np.array([row[2] for row in batch], np.float64)
    for one in marks.unknown(datastream).tolist():
        newest = max((t for d, t in table if d == one), default=int(NEVER))
        marks.learn(np.array([one], np.int32), np.array([newest], np.int64))
    first = first_of_key(datastream, time)
    asked = to_ask(first, time, marks.of(datastream))
    found = [row for row in asked.tolist() if batch[row][:2] in table]
    values = [table[batch[row][:2]] for row in found]
    verdict = settle(first, value, np.array(found, np.intp), np.array(values, np.float64))
    new = verdict == Verdict.NEW
    table |= {batch[row][:2]: batch[row][2] for row in np.flatnonzero(new).tolist()}
    marks.adopt(datastream[new], time[new])
    return verdict.tolist(), len(asked)


@given(stream=rows, cuts=splits)
def test_verdicts_equal_the_row_by_row_reference_for_any_split(stream: list[Row], cuts: list[int]) -> None:
    expected_table: Table = {}
    expected = [row_by_row(expected_table, row) for row in stream]
    table: Table = {}
    marks = Marks()
    verdicts: list[int] = []
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for start, end in pairwise(edges):
        verdicts += by_columns(table, marks, stream[start:end])[0]
    assert verdicts == expected
    assert table == expected_table


@given(stream=rows)
def test_forgotten_marks_change_no_verdict(stream: list[Row]) -> None:
    table: Table = {}
    marks = Marks()
    by_columns(table, marks, stream)
    marks.forget()
    assert Verdict.NEW not in by_columns(table, marks, stream)[0]


@given(times=st.lists(st.integers(-(10**15), 10**15), unique=True, max_size=30))
def test_rows_newer_than_their_mark_are_never_asked_for(times: list[int]) -> None:
    table: Table = {}
    marks = Marks()
    for time in sorted(times):
        verdicts, asked = by_columns(table, marks, [(7, time, 1.0), (7, time, 1.0)])
        assert verdicts == [Verdict.NEW, Verdict.DUPLICATE]
        assert asked == 0
