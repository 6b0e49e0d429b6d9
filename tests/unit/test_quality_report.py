"""What readings were worth: against a plain count, and where the two ends of the time matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.quality_report import Worth, worth
from ingest.model import ObservationBatch, Quality
from ingest.quality import Test

S = 1_000_000
CADENCE = 60.0


def rows(
    times: list[int], flags: list[int] | None = None, received: list[int] | None = None
) -> ObservationBatch:
    """Readings at these seconds, of one series."""
    count = len(times)
    return ObservationBatch(
        datastream=np.zeros(count, np.int32),
        time=np.array(times, np.int64) * S,
        value=np.zeros(count),
        quality=np.array(flags or [1] * count, np.int8),
        received_at=np.array(received or times, np.int64) * S,
        message=np.full(count, -1, np.int32),
        timeless=np.zeros(count, np.bool_),
        time_source=np.zeros(count, np.int8),
        tests=np.full(count, 3 << Test.SPIKE.shift, np.int64),
    )


def judged(times: list[int], until: int = 600, **more: list[int]) -> Worth:
    return worth(rows(times, **more), 0, until * S, CADENCE)


def test_a_whole_stretch_is_all_there() -> None:
    found = judged(list(range(0, 600, 60)))
    assert (found.present, found.longest_gap, found.late) == (1.0, 60 * S, 0.0)
    assert found.flags == {Quality.PASS: 10}
    assert found.tests == {Test.SPIKE: {Quality.SUSPECT: 10}}


def test_nothing_is_a_gap_from_end_to_end() -> None:
    found = judged([])
    assert (found.readings, found.present, found.late, found.newest) == (0, 0.0, None, None)
    assert (found.longest_gap, found.gap_since) == (600 * S, 0)


@pytest.mark.parametrize(
    ("times", "gap", "since"),
    [([300, 360], 300, 0), ([0, 60], 540, 60), ([0, 400, 500], 400, 0), ([0, 100, 500], 400, 100)],
)
def test_the_longest_gap_may_lie_at_either_end(times: list[int], gap: int, since: int) -> None:
    found = judged(times)
    assert (found.longest_gap, found.gap_since) == (gap * S, since * S)


def test_readings_that_waver_around_their_cadence_are_all_there() -> None:
    assert judged([0, 62, 119, 181, 240, 297, 362, 420, 482, 538]).present == 1.0


def test_many_readings_in_one_interval_are_one() -> None:
    assert judged(list(range(10))).present == 0.1


def test_of_a_time_shorter_than_the_cadence_nothing_is_expected() -> None:
    assert judged([0], until=30).present is None


@given(
    st.lists(
        st.tuples(st.integers(0, 599), st.integers(0, 2_000)), unique_by=lambda each: each[0], max_size=30
    )
)
def test_late_is_what_came_after_a_newer_reading(readings: list[tuple[int, int]]) -> None:
    readings.sort()
    times, received = [time for time, _ in readings], [came for _, came in readings]
    found = judged(times, received=received)
    late = [
        came for place, came in enumerate(received) if any(came > later for later in received[place + 1 :])
    ]
    assert found.late == (None if not readings else pytest.approx(len(late) / len(readings)))
    assert sum(found.flags.values()) == found.readings == len(readings)
    assert 0 <= (found.present or 0) <= 1
