"""What the catalogue says of a datastream's quality tests (IOOS QARTOD manuals).

Every test is off where it is not configured: its flag is then NOT_EVALUATED. Values are in the datastream's
unit, rates in units per hour. Used by the catalogue; `ingest.quality` has the tests.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ingest.config_model import DatastreamKey, Duration, Model

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]  # zero is a threshold like any other, not "unset"
Month = Annotated[int, Field(ge=1, le=12)]


class Range(Model):
    """QARTOD gross range: outside `fail` the reading is FAIL, outside `suspect` it is SUSPECT."""

    fail: tuple[float, float]
    suspect: tuple[float, float] | None = None


class Gap(Model):
    """QARTOD test 1: a reading more than `late` cadences after the one before is SUSPECT (late), more than
    `missing` cadences MISSING (readings are missing before it). It says nothing of the reading's value and is
    left out of the roll-up."""

    late: Positive = 1.5
    missing: Positive = 3.0


class Climatology(Model):
    """QARTOD test 5: in these months (local time, UTC+07:00) a value outside the span is SUSPECT."""

    months: Annotated[tuple[Month, ...], Field(min_length=1)]
    suspect: tuple[float, float]


class Spike(Model):
    """QARTOD test 6: how far a reading stands out from the ones before and after it.

    `average`: its distance from the line between the two (the manual's definition). `differential`: how far
    it lies above both or below both: a step up is then no spike, and the good readings beside a spike pass.
    """

    suspect: NotNegative
    fail: NotNegative | None = None
    method: Literal["average", "differential"] = "differential"


class RateOfChange(Model):
    """QARTOD test 7: change since the last reading that has not failed, in units per hour."""

    suspect: NotNegative
    fail: NotNegative | None = None


class FlatLine(Model):
    """QARTOD test 8: readings that stay within `tolerance` for this long.

    `tolerance` counts at least as the sensor's resolution. Readings below `above` are not tested: a dry
    street and a river at low water may well stand still.
    """

    suspect: Duration
    fail: Duration | None = None
    tolerance: NotNegative = 0.0
    above: float | None = None


class AttenuatedSignal(Model):
    """QARTOD test 10: the range, or the standard deviation, over `window` is below the least: SUSPECT."""

    window: Duration
    min_range: Positive | None = None
    min_std: Positive | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.min_range is None) == (self.min_std is None):
            raise ValueError("give either min_range or min_std")
        return self


class Neighbour(Model):
    """QARTOD test 11: another datastream's newest reading, at most `within` away in time, says otherwise.

    `difference`: the values are further apart than this. `trend`: over `over` both have moved by more than
    this per hour, in opposite directions. Never beyond SUSPECT.
    """

    of: DatastreamKey
    within: Duration
    difference: Positive | None = None
    trend: Positive | None = None
    over: Duration = 3_600.0

    @model_validator(mode="after")
    def _some_measure(self) -> Self:
        if self.difference is None and self.trend is None:
            raise ValueError("give difference, trend or both")
        return self


class QualityTests(Model):
    """The tests of one datastream beyond its gross range; `resolution` is its sensor's least step."""

    resolution: Positive | None = None
    gap: bool | Gap = False
    climatology: tuple[Climatology, ...] = ()
    spike: Spike | None = None
    rate_of_change: RateOfChange | None = None
    flat_line: FlatLine | None = None
    attenuated_signal: AttenuatedSignal | None = None
    neighbour: Neighbour | None = None
