"""When a series began anew: a new sensor, a new zero. Rows before are not looked at from rows after. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ingest.memory import NEVER

LATER = np.iinfo(np.int64).max
Times = NDArray[np.int64]


class Resets:
    """The times at which each series begins anew; a row at that very time belongs to the new installation."""

    def __init__(self, series: int, times: Mapping[int, Sequence[int]]) -> None:
        most = max((len(of_one) for of_one in times.values()), default=0)
        self._times = np.full((series, most), LATER)
        for number, of_one in times.items():
            self._times[number, : len(of_one)] = sorted(of_one)

    def floor(self, series: NDArray[np.int64], time: Times) -> Times:
        """The newest time up to `time` at which each row's series began anew; `NEVER` when it did not."""
        if not self._times.shape[1]:
            return np.full(len(series), NEVER)
        times = self._times[series]
        return np.asarray(np.where(times <= time[:, None], times, NEVER).max(axis=1), np.int64)

    def ceiling(self, series: NDArray[np.int64], time: Times) -> Times:
        """The next such time after `time`; the end of time when there is none."""
        if not self._times.shape[1]:
            return np.full(len(series), LATER)
        times = self._times[series]
        return np.asarray(np.where(times > time[:, None], times, LATER).min(axis=1), np.int64)
