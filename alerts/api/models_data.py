"""Answers about readings and what became of them: observations, forecasts, quality, gateways, the account."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from alerts.api.models import Answer, Flag, Key, NatureOf, Page, Seen, Stamp, Words
from alerts.forecast.outlook import Withheld

TestFlags = dict[str, Literal[1, 2, 3, 4, 9]]


class Observation(Answer):
    """One observation and its age."""

    time: Stamp
    value: float
    quality: Flag
    age_s: int | None


class AppraisedObservation(Observation):
    """One observation and what it is worth."""

    received_at: Stamp = Field(description="when it came; long after `time` it was backfilled")
    time_source: Literal["device", "gateway", "server", "arrival", "corrected"] | None = Field(
        description="whose clock `time` is from; null where it was not recorded"
    )
    tests: TestFlags = Field(description="the flag of each quality test that was run")
    revised: bool = Field(description="whether flag or level were another at arrival")


class ResultRow(Answer):
    """One result of a derived datastream, of the time after `since` up to `time` or of the moment `time`."""

    time: Stamp
    since: Stamp | None
    value: float | None = Field(description="null: unknown")
    quality: Flag
    coverage: float = Field(ge=0, le=1, description="the share of what was asked that its inputs could tell")
    inputs_until: Stamp
    revision: int
    age_s: int | None


class Bucket(Answer):
    """What a datastream did from `begins` until before `ends`; values are null where no reading counts."""

    begins: Stamp
    ends: Stamp
    partial: bool = Field(description="it has not ended")
    min: float | None
    mean: float | None
    max: float | None
    count: int = Field(description="readings that count: flags 1, 2 and 3")
    suspect: int = Field(description="of them those flagged 3")
    failed: int = Field(description="readings left out: flags 4 and 9")
    coverage: float = Field(ge=0, le=1, description="the share of the cadence's intervals with a reading")


class OfDatastream(Page):
    """A page about one datastream."""

    datastream: Key
    property: str
    unit: str
    nature: NatureOf


class Observations(OfDatastream):
    """What was measured, oldest first; `next` leads back in time."""

    bucket: None
    observations: list[AppraisedObservation]


class Results(OfDatastream):
    """Of a derived datastream: its results, oldest first; `next` leads back in time."""

    bucket: None
    observations: list[ResultRow]


class Buckets(OfDatastream):
    """Rolled up, oldest first; a bucket without a row is missing; `next` leads back in time."""

    bucket: Literal["15min", "1h", "1d"]
    buckets: list[Bucket]


class Horizon(Answer):
    """What is expected at `time`, `hours` after the origin."""

    hours: float
    time: Stamp
    expected: float
    low: float = Field(description="passed with 90 %")
    high: float = Field(description="passed with 10 %")
    chance: float | None = Field(description="of having passed `mark` by then; null without a mark")


class Forecast(Answer):
    """One extrapolation of a level from its own last day. It is no bulletin of the weather service."""

    datastream: Key
    nature: NatureOf
    unit: str
    model: str
    origin: Stamp = Field(description="the reading it was made from")
    made_at: Stamp
    age_s: int | None = Field(description="of the origin")
    state: Literal["current", "past", "unknown"] = Field(
        description="past: made from a reading that says nothing of now; unknown: the feed cannot see"
    )
    level: float = Field(description="at the origin")
    withheld: Withheld | None = Field(description="why nothing may be said; there are no horizons then")
    horizons: list[Horizon]
    mark: float | None = Field(description="the level that comes next")
    passes_h: list[float | None] = Field(
        description="hours from the origin until `mark` is passed with 10, 50, 90 %; null: later"
    )
    notice: Words = Field(description="what must stand beside it wherever people see it")


class Skill(Answer):
    """How the forecasts of one horizon have fared."""

    hours: float
    scored: int
    coverage: float = Field(description="share of outcomes between `low` and `high`; 0.8 is meant")
    mean_error: float = Field(description="mean absolute error, in the datastream's unit")
    ratio: float | None = Field(description="that error over the one of 'it stays as it is'; below 1 helps")


class NewestForecast(Forecast):
    """The newest forecast of a datastream, with its record."""

    skill: list[Skill]


class NewestForecasts(Seen):
    """The newest forecast of each datastream that has one."""

    forecasts: list[NewestForecast]


class Forecasts(Page):
    """The forecasts of one datastream, oldest first; `next` leads back in time."""

    datastream: Key
    forecasts: list[Forecast]


class FlagCounts(Answer):
    """How many readings have each flag."""

    passed: int
    not_evaluated: int
    suspect: int
    failed: int
    missing: int


class Quality(Answer):
    """What the readings of one datastream were worth in a time."""

    datastream: Key
    station: str
    property: str
    cadence_s: float
    readings: int
    flags: FlagCounts
    tests: dict[str, FlagCounts] = Field(description="per quality test that was run")
    present: float | None = Field(
        ge=0,
        le=1,
        description="the share of the cadence's intervals that hold a reading; null: none asked for",
    )
    longest_gap_s: int = Field(description="the longest time without a reading, edges included")
    gap_since: Stamp = Field(description="when that gap began")
    late: float | None = Field(
        ge=0, le=1, description="the share that came after a newer reading; null without a reading"
    )
    newest: Stamp | None


class QualityPage(Page):
    """The quality of measured datastreams between two times, by key."""

    since: Stamp
    until: Stamp
    quality: list[Quality]


class Rejected(Answer):
    """Messages or readings that were refused for one reason and are not resolved."""

    reason: str
    count: int
    kinds: int = Field(description="different messages among them")
    last_seen: Stamp


class Gateway(Answer):
    """One gateway: what came by it since `since`, and who depends on it."""

    gateway: str
    state: Literal["heard", "late", "silent", "never", "unknown"] = Field(
        description="by the shortest cadence behind it; silent also while an alert says so"
    )
    last_heard: Stamp | None = Field(description="the minute of its last message")
    messages: int
    unreadable: int
    readings: int
    stored: int
    duplicates: int
    conflicts: int
    rejected: int
    rejects: list[Rejected]
    alerts: list[str] = Field(description="ids of the open alerts about its silence")
    stations: list[str] = Field(description="stations of the catalogue that report by it now")
    datastreams: int
    known: bool = Field(description="whether the catalogue names it")


class Gateways(Seen):
    """Every gateway of the catalogue and every other that was heard of."""

    since: Stamp
    gateways: list[Gateway]


class LedgerRow(Answer):
    """messages = readable + empty + unreadable; decoded = stored + duplicate + conflict + rejected."""

    gateway: str
    messages: int
    readable: int
    empty: int
    unreadable: int
    decoded: int
    stored: int
    duplicate: int
    conflict: int
    rejected: int


class Ledger(Seen):
    """The account of every message and reading, per gateway."""

    gateways: list[LedgerRow]


class Gap(Answer):
    """A time in which the broker kept nothing for us."""

    partition: str
    session: int
    topics: list[str]
    started_at: Stamp | None
    ended_at: Stamp
    reason: str


class Gaps(Seen):
    """Newest first."""

    gaps: list[Gap]


class OpenDay(Answer):
    """One day of UTC+7 on which anything was measured."""

    day: str = Field(json_schema_extra={"format": "date"})
    begins: Stamp
    ends: Stamp
    state: Literal["partial", "settling", "final"] = Field(
        description="partial: it runs; settling: late readings of it are still taken up; final: neither"
    )
    csv: str = Field(description="path of the file")
    parquet: str = Field(description="path of the file")


class OpenData(Page):
    """What is published, by whom, under which licence; days newest first."""

    publisher: str | None = Field(description="null: nobody has said so yet")
    licence: str | None = Field(description="null: nobody has said so yet, and nothing is granted")
    documentation: str
    version: str = Field(description="of the files' form")
    nature: NatureOf
    days: list[OpenDay]
