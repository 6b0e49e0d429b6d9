"""Flags of quality tests: four bits a test in one number per row, and the roll-up into the row's quality.

Test n of the QARTOD manual has the n-th hexadecimal digit from the right, so that 0x...3411 reads: timing and
syntax pass, location fails, gross range is suspect. A digit of 0 is a test that is not configured. Three
are ours: what the sensor says of itself, "verify now", and "somebody works on the sensor". Fifteen digits fit
below the number's sign. Stored in `observation.tests`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ingest.model import Quality

Flags = NDArray[np.int8]
Packed = NDArray[np.int64]

BITS = 4


class Test(IntEnum):
    """The tests by their number in the QARTOD water level manual (2021); the order of digits is fixed."""

    __test__ = False  # not a test of pytest's

    GAP = 1
    SYNTAX = 2
    LOCATION = 3
    GROSS_RANGE = 4
    CLIMATOLOGY = 5
    SPIKE = 6
    RATE_OF_CHANGE = 7
    FLAT_LINE = 8
    MULTI_VARIATE = 9
    ATTENUATED_SIGNAL = 10
    NEIGHBOUR = 11
    SENSOR = 12  # what the device, or its blanking distance and range, says of the reading
    VERIFY = 13  # SUSPECT: the third consistent reading in a row that fails range or rate; a person must look
    CALIBRATION = 14  # SUSPECT: measured while somebody works on the sensor

    @property
    def shift(self) -> int:
        """The place of its lowest bit."""
        return BITS * (self - 1)


# They say that a reading came whole and in time, or that a person must look, not what the reading is worth.
APART = frozenset({Test.GAP, Test.SYNTAX, Test.VERIFY})
ROLLED_UP = tuple(test for test in Test if test not in APART)


def mask(*tests: Test) -> int:
    """One bit, the lowest, of each test."""
    return sum(1 << test.shift for test in tests)


_EACH = mask(*ROLLED_UP)

# Which of two flags speaks for a row, from the weakest: the order in which QARTOD rolls tests up.
_PRECEDENCE = (Quality.MISSING, Quality.NOT_EVALUATED, Quality.PASS, Quality.SUSPECT, Quality.FAIL)
RANK: Flags = np.zeros(max(Quality) + 1, np.int8)
RANK[list(_PRECEDENCE)] = np.arange(len(_PRECEDENCE), dtype=np.int8)


def worst(first: Flags, second: Flags) -> Flags:
    """Row by row the flag that outranks the other: FAIL > SUSPECT > PASS > NOT_EVALUATED > MISSING."""
    return np.where(RANK[first] >= RANK[second], first, second)


def pack(flags: Mapping[Test, Flags]) -> Packed:
    """The flags of some tests, columns of one length, as one number per row."""
    if not flags:
        raise ValueError("no test, no rows")
    packed = np.zeros(len(next(iter(flags.values()))), np.int64)
    for test, column in flags.items():
        packed |= column.astype(np.int64) << test.shift
    return packed


def unpack(packed: Packed, test: Test) -> Flags:
    """One test's flags; NOT_EVALUATED where it is not configured."""
    flags = ((packed >> test.shift) & 0xF).astype(np.int8)
    flags[flags == 0] = Quality.NOT_EVALUATED
    return flags


def set_flag(packed: Packed, test: Test, flags: Flags) -> Packed:
    """The numbers with one test's flags in the place of what they had."""
    return (packed & ~(0xF << test.shift)) | (flags.astype(np.int64) << test.shift)


def with_flags(packed: Packed, rows: NDArray[np.int64], test: Test, flags: Flags) -> Packed:
    """A copy in which some rows have these flags of a test."""
    packed = packed.copy()
    packed[rows] = set_flag(packed[rows], test, flags)
    return packed


def not_evaluated(rows: int) -> Flags:
    """So many rows of which nothing can be said."""
    return np.full(rows, Quality.NOT_EVALUATED, np.int8)


def calibrating(packed: Packed) -> NDArray[np.bool_]:
    """Whether a row was measured while somebody worked on the sensor: its value is not the water's."""
    return np.asarray((packed & (0xF << Test.CALIBRATION.shift)) != 0, np.bool_)


def failed(packed: Packed, tests: int = _EACH) -> NDArray[np.bool_]:
    """Whether one of the tests (a `mask`) says FAIL, the only flag that has the third bit."""
    return np.asarray((packed & (tests << 2)) != 0, np.bool_)


def roll_up(packed: Packed) -> Flags:
    """Each row's quality: FAIL > SUSPECT > PASS > NOT_EVALUATED > MISSING over the tests that were run.

    Without any it is NOT_EVALUATED. `Test.GAP`, `SYNTAX` and `VERIFY` have no part in it.
    """
    quality = np.full(len(packed), Quality.NOT_EVALUATED, np.int8)
    one, two, eight = packed & _EACH, (packed >> 1) & _EACH, (packed >> 3) & _EACH
    quality[(eight != 0) & (two == 0)] = Quality.MISSING
    quality[(one & ~two & ~eight) != 0] = Quality.PASS
    quality[(one & two) != 0] = Quality.SUSPECT
    quality[failed(packed)] = Quality.FAIL
    return quality
