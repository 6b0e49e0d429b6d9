"""Quality tests as pure functions over columns, named and flagged as in the IOOS QARTOD manuals.

Values and series number go in, flags (`ingest.model.Quality`, int8) come out; parameters are arrays indexed
by series number. Nothing here changes a value or drops a row. Called by the normaliser.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.model import Quality
from ingest.quality_settings import Range

Flags = NDArray[np.int8]

# Which of two flags speaks for a row, from the weakest: the order in which QARTOD rolls tests up.
_PRECEDENCE = (Quality.MISSING, Quality.NOT_EVALUATED, Quality.PASS, Quality.SUSPECT, Quality.FAIL)
_RANK: Flags = np.zeros(max(Quality) + 1, np.int8)
_RANK[list(_PRECEDENCE)] = np.arange(len(_PRECEDENCE), dtype=np.int8)


@dataclass(frozen=True, slots=True)
class GrossRanges:
    """Bounds per series, in the series' own unit; a series without a range has `configured` False."""

    configured: NDArray[np.bool_]
    fail_low: NDArray[np.float64]
    fail_high: NDArray[np.float64]
    suspect_low: NDArray[np.float64]
    suspect_high: NDArray[np.float64]

    @classmethod
    def of(cls, ranges: Iterable[Range | None]) -> GrossRanges:
        """The bounds of one configured range (or None) per series; without a suspect range fail is both."""
        everything = Range(fail=(-np.finfo(np.float64).max, np.finfo(np.float64).max))
        rows = list(ranges)
        given = [row or everything for row in rows]
        fail = np.array([row.fail for row in given], np.float64).reshape(-1, 2)
        suspect = np.array([row.suspect or row.fail for row in given], np.float64).reshape(-1, 2)
        configured = np.array([row is not None for row in rows], np.bool_)
        return cls(configured, fail[:, 0], fail[:, 1], suspect[:, 0], suspect[:, 1])


def gross_range(value: NDArray[np.float64], series: NDArray[np.intp], ranges: GrossRanges) -> Flags:
    """QARTOD test 4 per row: FAIL outside the fail range, SUSPECT outside the suspect range, else PASS.

    Bounds belong to the range. Without a range NOT_EVALUATED; a value that is NaN is MISSING.
    """
    suspect = ~((value >= ranges.suspect_low[series]) & (value <= ranges.suspect_high[series]))
    fail = ~((value >= ranges.fail_low[series]) & (value <= ranges.fail_high[series]))
    flags = np.full(len(value), Quality.PASS, np.int8)
    flags[suspect] = Quality.SUSPECT
    flags[fail] = Quality.FAIL
    flags[~ranges.configured[series]] = Quality.NOT_EVALUATED
    flags[np.isnan(value)] = Quality.MISSING
    return flags


def worst(first: Flags, second: Flags) -> Flags:
    """Row by row the flag that outranks the other: FAIL > SUSPECT > PASS > NOT_EVALUATED > MISSING."""
    return np.where(_RANK[first] >= _RANK[second], first, second)
