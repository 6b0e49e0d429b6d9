"""`/api/v1/datastreams/{key}/observations`: what one datastream measured, raw or rolled up into buckets.

Promises: pages go back in time from the newest row, each oldest first, and neither repeat nor skip a row that
stood when the first was asked for; a bucket without a row is missing and never a zero; no statement runs over
more rows than the feed's statement timeout allows. Called by the HTTP application.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import Field
from starlette.responses import Response

from alerts import feed_store, observation_store, wire
from alerts.access import Scope
from alerts.api import answers, cursors, documents, models_data
from alerts.api.asking import AskedPage, AskedSpan, ReaderOf, position, question
from alerts.api.city import Series
from alerts.api.guard import needs
from alerts.api.reader import Connection, Reader
from alerts.feed_store import Wanted
from alerts.observation_store import Bucket, Stretch
from alerts.sight import AsOf
from alerts.station_view import appraised_json, result_rows, shown
from ingest.clock import MICROS_PER_SECOND
from ingest.store.partitions import EARLIEST, LATEST
from ingest.store.read import Appraised, Result

RAW, MOST_RAW = 1_000, 5_000  # rows; 5,000 are 17 days of a 5-minute series
BUCKETS, MOST_BUCKETS = 500, 5_000
ROLLED_UP = 300_000  # rows behind one answer: within the statement timeout of 2 s on two busy cores
DIGITS = 9  # of a mean, as levels are rounded
COVERAGE_DIGITS = 4

MINUTE = 60 * MICROS_PER_SECOND


class Width(NamedTuple):
    """How long a bucket is and what its beginnings are counted from, microseconds."""

    length: int
    offset: int

    def begins(self, time: int) -> int:
        """When the bucket of a time begins."""
        return (time - self.offset) // self.length * self.length + self.offset


WIDTHS = {
    "15min": Width(15 * MINUTE, 0),
    "1h": Width(60 * MINUTE, 0),
    "1d": Width(24 * 60 * MINUTE, -7 * 60 * MINUTE),  # the days of Việt Nam, UTC+7
}

router = APIRouter(tags=["observations"], dependencies=[Depends(needs(Scope.READ))])


class AskedObservations(AskedSpan, AskedPage):
    """The parameters of `observations`."""

    limit: int | None = Field(
        None, ge=1, le=MOST_RAW, description=f"rows (by default {RAW:,}) or buckets ({BUCKETS:,}) of a page"
    )
    bucket: Literal["15min", "1h", "1d"] | None = Field(
        None, description="roll up into buckets of this width; days are those of UTC+7"
    )


@router.get(
    "/datastreams/{key:path}/observations",
    operation_id="listObservations",
    responses=documents.answers(
        models_data.Observations | models_data.Results | models_data.Buckets, paged=True
    ),
)
def observations(
    request: Request, reader: ReaderOf, key: str, asked: Annotated[AskedObservations, Query()]
) -> Response:
    """What a datastream measured, newest page first, each page oldest first.

    Raw: each reading with its quality; of a derived datastream its results, where a value of null is unknown.
    With `bucket`: least, mean and greatest of what counts (flags 1, 2 and 3), how many, how many of them
    suspect, how many failed and were left out, and the `coverage`: the share of the cadence's intervals that
    hold a reading. Buckets are whole, `since` and `until` are moved out to their edges; one without a row is
    missing. The one that still runs is `partial`, its coverage is of the time that has passed.
    """
    series = series_of(reader, key)
    if asked.bucket is not None:
        return _rolled_up(request, reader, series, asked)
    before = position(asked, cursors.Time, key)
    limit = asked.limit or RAW
    until = asked.until if before is None else before
    wanted = Wanted(key, reader.nature, asked.since, until, limit + 1)
    with reader.snapshot() as connection:
        as_of = reader.as_of(connection)
        rows, found = rows_of(connection, series, wanted, as_of)
    following = None
    if len(rows) > limit:
        following = cursors.write(question(asked, key), rows[1].time)
        found = found[1:]
    return answers.page(request, about(series) | {"bucket": None, "observations": found}, as_of, following)


def series_of(reader: Reader, key: str) -> Series:
    """The datastream of a key; 404 when the catalogue has none."""
    series = reader.city.series.get(key)
    if series is None:
        raise HTTPException(404, "No datastream has this key; /api/v1/datastreams lists them.")
    return series


def about(series: Series) -> wire.Json:
    """What an answer about one datastream says of it."""
    return {
        "datastream": series.key,
        "property": series.datastream.property,
        "unit": series.datastream.unit,
        "nature": series.station.nature.value,
    }


def rows_of(
    connection: Connection, series: Series, wanted: Wanted, as_of: AsOf
) -> tuple[Sequence[Appraised | Result], list[wire.Json]]:
    """The rows of a datastream as stored, and as they are told; a value that may not be shown is None."""
    if series.derived:
        results = feed_store.results_of(connection, wanted)
        return results, result_rows(series.station, series.derived, results, as_of)
    rows = feed_store.observations_of(connection, wanted)
    return rows, [appraised_json(row, as_of) for row in rows]


def _rolled_up(request: Request, reader: Reader, series: Series, asked: AskedObservations) -> Response:
    width = WIDTHS[asked.bucket or "1d"]
    limit = _bucket_limit(series, width, asked.limit)
    before = position(asked, cursors.Time, series.key)
    with reader.snapshot() as connection:
        as_of = reader.as_of(connection)
        stretch = _whole(connection, reader.nature.value, series, width, asked, before)
        found, following = ([], None) if stretch is None else _page(connection, stretch, width, limit, series)
    told = [bucket_json(each, width, series, as_of) for each in found]
    cursor = None if following is None else cursors.write(question(asked, series.key), following)
    return answers.page(request, about(series) | {"bucket": asked.bucket, "buckets": told}, as_of, cursor)


def _bucket_limit(series: Series, width: Width, wanted: int | None) -> int:
    """How many buckets a page may have; 422 when more are wanted than can be rolled up in time."""
    rows = width.length / MICROS_PER_SECOND / series.datastream.cadence
    most = max(1, min(MOST_BUCKETS, int(ROLLED_UP / max(rows, 1.0))))
    if wanted is not None and wanted > most:
        raise HTTPException(
            422, f"limit: at most {most} such buckets of this datastream fit into one answer."
        )
    return min(BUCKETS, most) if wanted is None else wanted


def _whole(
    connection: Connection,
    nature: str,
    series: Series,
    width: Width,
    asked: AskedObservations,
    before: int | None,
) -> Stretch | None:
    """What is asked for, from edge to edge of its buckets; None for a datastream without rows as yet."""
    number = observation_store.numbers_of(connection, nature, [series.key]).get(series.key)
    since = EARLIEST if asked.since is None else width.begins(asked.since)
    until = LATEST if asked.until is None else width.begins(asked.until - 1) + width.length
    if number is None:
        return None
    return Stretch(number, series.derived is not None, since, until if before is None else before)


def _page(
    connection: Connection, stretch: Stretch, width: Width, limit: int, series: Series
) -> tuple[list[Bucket], int | None]:
    """The newest `limit` buckets' time of a stretch, and before which time the next page begins."""
    newest = observation_store.newest_time(connection, stretch)
    if newest is None:
        return [], None
    until = width.begins(newest) + width.length
    since = max(stretch.since, until - limit * width.length)
    found = observation_store.buckets(
        connection,
        replace(stretch, since=since, until=until),
        width.length,
        width.offset,
        series.datastream.cadence,
    )
    earlier = observation_store.newest_time(connection, replace(stretch, until=since))
    return found, None if earlier is None else since


def bucket_json(bucket: Bucket, width: Width, series: Series, as_of: AsOf) -> wire.Json:
    """One bucket as it is told; `coverage` is of the time that has passed."""
    ends = bucket.begins + width.length
    passed = ends if as_of.now is None else min(ends, max(as_of.now, bucket.begins))
    slots = (passed - bucket.begins) / MICROS_PER_SECOND / series.datastream.cadence
    visible = series.derived is None or shown(series.station, series.derived)
    values = (bucket.least, bucket.mean, bucket.greatest) if visible else (None, None, None)
    least, mean, greatest = (None if value is None else round(value, DIGITS) for value in values)
    return {
        "begins": wire.stamp(bucket.begins),
        "ends": wire.stamp(ends),
        "partial": as_of.now is None or as_of.now < ends,
        "min": least,
        "mean": mean,
        "max": greatest,
        "count": bucket.count,
        "suspect": bucket.suspect,
        "failed": bucket.failed,
        "coverage": round(min(1.0, bucket.slots / max(slots, 1.0)), COVERAGE_DIGITS),
    }
