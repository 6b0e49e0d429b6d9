"""Streaming quality tests, named and flagged as in the IOOS QARTOD manuals. Pure.

`flags`: the flag of each test packed into one number per row, and the roll-up. `qartod`: the tests, as
functions over columns. `appraiser`: judges rows as they come, looking back on the rows before them.
"""

from ingest.quality.flags import Flags, Test, calibrating, pack, roll_up, unpack, with_flags, worst
from ingest.quality.qartod import GrossRanges, gross_range

__all__ = [
    "Flags",
    "GrossRanges",
    "Test",
    "calibrating",
    "gross_range",
    "pack",
    "roll_up",
    "unpack",
    "with_flags",
    "worst",
]
