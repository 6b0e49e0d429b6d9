"""The rows of a history that have been played, as the database would give them. Pure; used by `replay`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ingest.derive import Series
from ingest.derive.deriver import DerivedRows, Span
from ingest.memory import grouped_order
from ingest.model import ObservationBatch
from ingest.quality.appraiser import Revisions

Index = NDArray[np.int64]


class Past:
    """All rows, in order of arrival, by datastream and time; `flags` as they stand now, in order of arrival.

    `ids`: the number of each datastream by its key.
    """

    def __init__(self, rows: ObservationBatch, ids: Mapping[str, int]) -> None:
        self._ids = ids
        self._received = rows.received_at
        self._order = _by_time(rows)
        self._time, self._value = rows.time[self._order], rows.value[self._order]
        highest = max(ids.values(), default=0)
        self._starts = np.searchsorted(rows.datastream[self._order], np.arange(highest + 2)).tolist()
        self.flags = rows.quality.copy()
        self._known: dict[int, set[int]] = {}

    def load(self, spans: Sequence[Span], before: int) -> list[Series]:
        """The rows of each span that arrived before the one at this place, by time."""
        return [self._span(*span, before) for span in spans]

    def store(self, first: int, last: int, quality: NDArray[np.int8]) -> None:
        """Rows from-to were stored with these flags."""
        self.flags[first:last] = quality

    def revise(self, revisions: Revisions) -> None:
        """Later rows have decided some flags anew, in this order."""
        columns = revisions.datastream.tolist(), revisions.time.tolist(), revisions.quality.tolist()
        for number, time, quality in zip(*columns, strict=True):
            self.flags[self._order[self._at(number, time)]] = quality

    def first_known(self, derived: DerivedRows, watched: NDArray[np.bool_]) -> ObservationBatch:
        """The results that nothing was known of before, of datastreams (by number) that somebody watches."""
        known = ~np.isnan(derived.value) & watched[derived.datastream]
        for row in np.flatnonzero(known).tolist():
            seen = self._known.setdefault(int(derived.datastream[row]), set())
            time = int(derived.time[row])
            known[row] = time not in seen
            seen.add(time)
        return derived.take(known).as_observations()

    def arrival(self, key: str, time: int) -> int:
        """When the row of a datastream at a time arrived; of a result the row of its station that gave it.

        Of no such row, when the next of any did.
        """
        station = f"{key.split('/')[0]}/"
        beside = (number for other, number in self._ids.items() if other.startswith(station))
        for number in (self._ids.get(key, 0), *beside):
            at = self._at(number, time)
            if at < self._starts[number + 1] and self._time[at] == time:
                return int(self._received[self._order[at]])
        later = int(np.searchsorted(self._received, time))
        return int(self._received[min(later, len(self._received) - 1)])

    def _at(self, number: int, time: int) -> int:
        first, last = self._starts[number], self._starts[number + 1]
        return int(first + np.searchsorted(self._time[first:last], time))

    def _span(self, number: int, since: int, until: int, before: int) -> Series:
        first, last = self._at(number, since), self._at(number, until + 1)
        place = self._order[first:last]
        there = place < before
        return Series(self._time[first:last][there], self._value[first:last][there], self.flags[place[there]])


def _by_time(rows: ObservationBatch) -> NDArray[np.intp]:
    """The order by datastream and time; most histories have each datastream's rows in order already."""
    order = grouped_order(rows.datastream)
    number, time = rows.datastream[order], rows.time[order]
    if (time[1:] < time[:-1])[number[1:] == number[:-1]].any():
        return np.lexsort((rows.time, rows.datastream))
    return order
