"""The highest and the lowest value of a datastream that can reach a rule, and what sets it. Pure."""

from __future__ import annotations

import numpy as np

from ingest.catalog import Datastream


def highest_possible(datastream: Datastream) -> tuple[float, str]:
    """The highest value that can reach a rule, and what sets it."""
    top, why = np.inf, ""
    if datastream.gross_range is not None:
        top, why = datastream.gross_range.fail[1], "the gross range fails values above"
    ranging = datastream.current().ranging
    if ranging is not None and ranging.highest < top:
        top, why = ranging.highest, "the sensor sees no higher than"
    return round(top, 9), why


def lowest_possible(datastream: Datastream) -> tuple[float, str]:
    """The lowest value that can reach a rule, and what sets it."""
    bottom, why = -np.inf, ""
    if datastream.gross_range is not None:
        bottom, why = datastream.gross_range.fail[0], "the gross range fails values below"
    ranging = datastream.current().ranging
    if ranging is not None:
        seen = ranging.zero_elevation - (ranging.max_range if ranging.measures == "distance" else 0.0)
        if seen > bottom:
            bottom, why = seen, "the sensor sees no lower than"
    return round(bottom, 9), why
