"""What new rows are worth and what follows from them: quality tests, then derived datastreams.

Called by the writer between classifying rows and letting the sinks decide. `evaluate` changes nothing: it
returns what is to be stored and, after COMMIT only, adopted. Flags of a row are those at its arrival; what a
later row decides of it is a revision, so that neither depends on how a stream is cut into batches. Derived
results come from the flags that stand now. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ingest.bursts import Burst, Bursts
from ingest.catalog import Catalogue
from ingest.derive import Series
from ingest.derive.deriver import DerivedRows, Deriver, Load, Staged
from ingest.derive.inputs import REACH, News
from ingest.model import ObservationBatch, Quality, Revised
from ingest.quality import calibrating, worst
from ingest.quality.appraiser import Appraisal, Appraiser, Need, Revisions

# Of the datastreams that a need names the newest rows, a part of the datastreams at a time.
Read = Callable[[Need], Iterable[ObservationBatch]]
SUSPECT = np.int8(Quality.SUSPECT)


@dataclass(frozen=True, slots=True)
class Refined:
    """What a batch of new rows came to: the rows with their flags, revisions of earlier ones, the bursts
    that make yet others doubtful, results."""

    rows: ObservationBatch
    revisions: Revisions
    burst: Burst
    derived: DerivedRows
    appraisal: Appraisal
    staged: Staged

    def revised(self, doubted: Revised) -> Revised:
        """The rows whose flag is another now, with those of a burst that the store found to be doubted."""
        told = self.revisions.quality != self.revisions.was
        return Revised(
            np.concatenate((self.revisions.datastream[told], doubted.datastream)),
            np.concatenate((self.revisions.time[told], doubted.time)),
            np.concatenate((self.revisions.quality[told], doubted.quality)),
        )


class Refiner:
    """The tests and derivations of one catalogue; `ids` are the numbers of its datastreams, derived ones too.

    Datastreams without a number belong to another nature and are left out.
    """

    def __init__(self, catalogue: Catalogue, ids: Mapping[str, int]) -> None:
        ours = [(ids[key], key, stream) for key, _, stream in catalogue.datastreams() if key in ids]
        resets = {ids[key]: times for key, times in catalogue.resets().items() if key in ids}
        self._appraiser = Appraiser(ours, resets)
        self._bursts = Bursts({number: stream.cadence for number, _, stream in ours})
        self._deriver = Deriver(catalogue, ids)

    def rebuild(self, read: Read) -> None:
        """Forget all and remember what `read` gives of each need: rows as they are to be read now."""
        self._appraiser.forget()
        for need in self._appraiser.needs():
            for rows in read(need):
                self._appraiser.recall(rows)
        self._deriver.rebuild(lambda need: map(_news, read(need)))
        self._bursts.forget()
        for rows in read(Need(self._bursts.datastreams, 2, REACH)):
            self._bursts.recall(rows)

    def evaluate(self, fresh: ObservationBatch, load: Load) -> Refined:
        """Judge and derive; `fresh` are rows without duplicates, in order of arrival."""
        burst = self._bursts.find(fresh)
        if len(burst.rows):
            doubted = fresh.quality.copy()
            doubted[burst.rows] = worst(doubted[burst.rows], np.full(len(burst.rows), SUSPECT))
            fresh = replace(fresh, quality=doubted)
        appraisal = self._appraiser.evaluate(fresh, calibrating(fresh.tests))
        rows = replace(fresh, quality=appraisal.quality, tests=appraisal.tests)
        revisions = appraisal.revisions
        told = revisions.quality != revisions.was  # results depend on nothing else of a row's flags
        nothing = np.zeros(np.count_nonzero(told))
        revised = News(revisions.datastream[told], revisions.time[told], nothing, revisions.quality[told])
        derived, staged = self._deriver.evaluate(_news(rows), revised, load)
        return Refined(rows, revisions, burst, derived, appraisal, staged)

    def rederive(self, number: int, rows: Series, newest: int, load: Load) -> DerivedRows:
        """The results on which stored rows of a datastream bear, since their values have changed."""
        return self._deriver.rederive(number, rows, newest, load)

    def adopt(self, refined: Refined) -> None:
        """After COMMIT: what was judged and derived becomes memory."""
        self._appraiser.adopt(refined.appraisal)
        self._bursts.adopt(refined.burst)
        self._deriver.adopt(refined.staged)


def _news(rows: ObservationBatch) -> News:
    return News(rows.datastream, rows.time, rows.value, rows.quality)
