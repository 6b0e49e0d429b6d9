"""The binary COPY stream, byte for byte as the PostgreSQL manual describes it, and back."""

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.model import ObservationBatch
from ingest.store.binary_copy import Float8s, Int4s, Times, decode, encode

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
MICROS_2000 = 946_684_800_000_000
times = st.integers(-(2**60), 2**60)
rows = st.lists(
    st.tuples(
        st.integers(0, 2**31 - 1),
        times,
        st.floats(allow_nan=False),
        st.sampled_from([1, 2, 3, 4, 9]),
        times,
        st.integers(0, 5),
        st.integers(0, 2**62),
    )
)
Found = list[tuple[int, int, float, int, int, int, int]]


def batch_of(found: Found) -> ObservationBatch:
    columns = list(zip(*found, strict=True)) or [()] * 7
    return ObservationBatch(
        datastream=np.array(columns[0], np.int32),
        time=np.array(columns[1], np.int64),
        value=np.array(columns[2], np.float64),
        quality=np.array(columns[3], np.int8),
        received_at=np.array(columns[4], np.int64),
        message=np.zeros(len(found), np.int32),
        timeless=np.zeros(len(found), np.bool_),
        time_source=np.array(columns[5], np.int8),
        tests=np.array(columns[6], np.int64),
    )


@given(rows)
def test_stream_is_what_struct_packs_field_by_field(found: Found) -> None:
    expected = HEADER
    for datastream, time, value, quality, received, source, tests in found:
        expected += struct.pack(">hiiiq", 7, 4, datastream, 8, time - MICROS_2000)
        expected += struct.pack(">idihiq", 8, value, 2, quality, 8, received - MICROS_2000)
        expected += struct.pack(">ihiq", 2, source, 8, tests)
    assert encode(batch_of(found)) == expected + b"\xff\xff"


@given(rows)
def test_rows_come_back_as_they_were(found: Found) -> None:
    sent, back = batch_of(found), decode(encode(batch_of(found)))
    for name in ("datastream", "time", "value", "quality", "received_at", "time_source", "tests"):
        assert getattr(back, name).dtype == getattr(sent, name).dtype
        assert getattr(back, name).tolist() == getattr(sent, name).tolist()


def test_array_parameter_is_one_dimension_without_nulls() -> None:
    assert Int4s(np.array([7], np.int32)).wire() == struct.pack(">iiIiiii", 1, 0, 23, 1, 1, 4, 7)
    assert Float8s(np.array([1.5])).wire() == struct.pack(">iiIiiid", 1, 0, 701, 1, 1, 8, 1.5)
    time = np.array([MICROS_2000 + 5], np.int64)
    assert Times(time).wire() == struct.pack(">iiIiiiq", 1, 0, 1184, 1, 1, 8, 5)
