"""What a batch's rows have come to once its own revisions are stored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingest.quality.appraiser import Appraisal, Columns


def settled(rows: Columns, appraisal: Appraisal) -> NDArray[np.int64]:
    """The packed flags of an evaluated batch, with what later rows of the same batch decided."""
    tests, revised = appraisal.tests.copy(), appraisal.revisions
    place = {
        key: row for row, key in enumerate(zip(rows.datastream.tolist(), rows.time.tolist(), strict=True))
    }
    keys = zip(revised.datastream.tolist(), revised.time.tolist(), strict=True)
    for key, decided in zip(keys, revised.tests.tolist(), strict=True):
        if key in place:
            tests[place[key]] = decided
    return tests
