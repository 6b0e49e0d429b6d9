"""What confirms a level: some of the newest samples, time, a neighbour, or a sample beyond doubt.

Settings that kinds share, and the one judgement among them that looks at values. Pure.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from alerts.rules.quantity import QuantityField
from ingest.config_model import Duration, Model

Floats = NDArray[np.float64]

TREND_SAMPLES = 3  # before the newest: two steps that rise make a trend
TREND_STEEPENS = 2.0  # a flood steepens; a sample that rises more than twice as fast as before is a spike


class Samples(Model):
    """`samples` of the newest `of` (None: of as many) stand at or above a level, the newest among them."""

    samples: Annotated[int, Field(ge=1, le=10)] = 2
    of: Annotated[int, Field(ge=1, le=10)] | None = None

    @model_validator(mode="after")
    def _enough(self) -> Samples:
        if self.of is not None and self.of < self.samples:
            raise ValueError(f"{self.samples} of {self.of} samples can never be: `of` is at least `samples`")
        return self


class Confirm(Samples):
    """And all samples for the time `for`; where the cadence is longer than `at_once_above` one is enough.

    `neighbours`: one that stands at its level confirms ours. `at_once_beyond`: a sample so far beyond a level
    that continues the trend confirms it alone.
    """

    sustained: Duration | None = Field(default=None, alias="for")
    at_once_above: Duration = 600.0
    at_once_beyond: QuantityField | None = None
    neighbours: bool = False


def sure_beyond(value: Floats, time: NDArray[np.int64], trusted: NDArray[np.bool_], beyond: Floats) -> Floats:
    """The level (n) that the newest sample of (n, k) confirms by itself: its value less `beyond` (n), where
    it continues the trend, else -inf.

    It does where the two steps before it rose, and it rises at most twice as fast as over both of them.
    """
    rows = np.arange(len(value))[:, None]
    newest = np.argsort(trusted, axis=1, kind="stable")[:, -TREND_SAMPLES - 1 :]
    if newest.shape[1] <= TREND_SAMPLES:
        return np.full(len(value), -np.inf)
    known = trusted[:, -1] & trusted[rows, newest].all(axis=1)
    rise = np.diff(np.where(known[:, None], value[rows, newest], 0.0), axis=1)
    took = np.maximum(np.diff(time[rows, newest], axis=1), 1)
    before = rise[:, :-1].sum(axis=1) / took[:, :-1].sum(axis=1)
    continues = (rise > 0).all(axis=1) & (rise[:, -1] / took[:, -1] <= TREND_STEEPENS * before)
    return np.where(known & continues, value[:, -1] - beyond, -np.inf)
