"""Numbers that a gateway sent as 32-bit floats, read as the decimal that was meant.

A level of 0.9 m sent as a float32 is 0.89999998 m as a double, and would stay just under the threshold that
it has reached. The shortest decimal that rounds to the same float32 is 0.9; it differs by less than half a
unit in the last place of what was sent. Pure. Called by the codecs of binary formats.
"""

from __future__ import annotations

import numpy as np

_LARGEST = float(np.finfo(np.float32).max)


def from_float32(value: float) -> float:
    """The shortest decimal that is this float32; whole numbers, NaN and infinities stay as they are."""
    if not abs(value) <= _LARGEST or value.is_integer():
        return value
    return float(str(np.float32(value)))


def narrowed(value: float) -> float:
    """The same for a value that may have been a float32: one that has all its digits in 24 bits."""
    if abs(value) <= _LARGEST and float(np.float32(value)) == value:
        return from_float32(value)
    return value
