"""The memory of all series: what is copied out of it, however many at once."""

import numpy as np

from ingest.memory import CHUNK, Rows, SeriesMemory

ROWS, SPAN = 5, 3_000


def filled(series: int, seed: int) -> SeriesMemory:
    """Each series with none to nine rows, so that rings are empty, partly filled and gone round."""
    rng = np.random.default_rng(seed)
    memory = SeriesMemory(series, ROWS, SPAN)
    counts = rng.integers(0, 10, series)
    for turn in range(9):
        which = np.flatnonzero(counts > turn)
        time = turn * 1_000 + rng.integers(0, 900, len(which))
        quality = rng.integers(1, 4, len(which)).astype(np.int8)
        rows = Rows(which, time, rng.normal(size=len(which)), quality, time + 5)
        memory.append(rows, np.zeros(len(which), np.int64))
    return memory


def test_many_windows_at_once_are_each_what_it_is_alone() -> None:
    seed = 3
    print(f"seed {seed}")
    memory = filled(2 * CHUNK + 7, seed)
    series = np.random.default_rng(seed).permutation(2 * CHUNK + 7)
    together = memory.gather(series)
    for at in (0, CHUNK - 1, CHUNK, 2 * CHUNK - 1, 2 * CHUNK, len(series) - 1):
        alone = memory.gather(series[at : at + 1])
        for one, many in zip(alone.columns(), together.columns(), strict=True):
            np.testing.assert_array_equal(one[0], many[at])
    assert (together.time[:, 1:] >= together.time[:, :-1]).all()


def test_what_is_copied_out_is_a_copy() -> None:
    memory = filled(3, seed=1)
    copy = memory.gather(np.arange(3))
    before = [column.copy() for column in memory.gather(np.arange(3)).columns()]
    for column in copy.columns():
        column[:] = 0
    for one, other in zip(before, memory.gather(np.arange(3)).columns(), strict=True):
        np.testing.assert_array_equal(one, other)
