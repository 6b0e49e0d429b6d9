"""`/api/v1/datastreams/{key}/observations`: what one datastream measured, raw or rolled up into buckets.

Promises: pages go back in time from the newest row, each oldest first, and neither repeat nor skip a row that
stood when the first was asked for; a bucket without a row is missing and never a zero; no statement runs over
more rows than the feed's statement timeout allows. Called by the HTTP application.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import Field
from starlette.responses import Response

from alerts import feed_store, observation_store, wire
from alerts.access import Scope
from alerts.api import answers, cursors, documents, models_data
from alerts.api.asking import AskedPage, AskedSpan, ExportsOf, ReaderOf, position, question
from alerts.api.city import Series
from alerts.api.files import Exports, observations_of, wanted_format
from alerts.api.guard import needs
from alerts.api.reader import Connection, Reader
from alerts.api.sheets import MEDIA_TYPES, Format, Kind, Sheet
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

BUCKET_COLUMNS = {
    "datastream": Kind.TEXT,
    "unit": Kind.TEXT,
    "nature": Kind.TEXT,
    "begins": Kind.TIME,
    "ends": Kind.TIME,
    "partial": Kind.TRUTH,
    "min": Kind.NUMBER,
    "mean": Kind.NUMBER,
    "max": Kind.NUMBER,
    "count": Kind.WHOLE,
    "suspect": Kind.WHOLE,
    "failed": Kind.WHOLE,
    "coverage": Kind.NUMBER,
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
    format: Literal["json", "csv", "parquet"] | None = Field(
        None, description="of the answer; goes before `Accept`. A file has the whole range, oldest first"
    )


@router.get(
    "/datastreams/{key:path}/observations",
    operation_id="listObservations",
    responses=documents.answers(
        models_data.Observations | models_data.Results | models_data.Buckets,
        paged=True,
        files=tuple(MEDIA_TYPES.values()),
    ),
)
def observations(
    request: Request,
    reader: ReaderOf,
    exports: ExportsOf,
    key: str,
    asked: Annotated[AskedObservations, Query()],
) -> Response:
    """What a datastream measured, newest page first, each page oldest first.

    Raw: each reading with its quality; of a derived datastream its results, where a value of null is unknown.
    With `bucket`: least, mean and greatest of what counts (flags 1, 2 and 3), how many, how many of them
    suspect, how many failed and were left out, and the `coverage`: the share of the cadence's intervals that
    hold a reading. Buckets are whole, `since` and `until` are moved out to their edges; one without a row is
    missing. The one that still runs is `partial`, its coverage is of the time that has passed.

    As CSV or Parquet: the whole range in one file, oldest first, without pages; an empty field is unknown.
    """
    series = series_of(reader, key)
    form = wanted_format(request, asked.format)
    if form is not None:
        return _file(reader, exports, series, asked, form)
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
    body = about(series) | {"bucket": None, "observations": found}
    return answers.page(request, body, as_of, following)


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


def _file(
    reader: Reader, exports: Exports, series: Series, asked: AskedObservations, form: Format
) -> Response:
    """The whole range as a file."""
    if asked.limit is not None or asked.cursor is not None:
        raise HTTPException(422, "limit, cursor: a file has no pages; choose its range by since and until.")
    said = {"nature": series.station.nature.value}
    with reader.snapshot() as connection:
        as_of = reader.as_of(connection)
        stretch = _whole(connection, reader.nature.value, series, asked, None)
    name = series.key.replace("/", "_")
    if asked.bucket is not None:
        name = f"{name}_{asked.bucket}"
        pieces = _bucket_pieces(reader, series, WIDTHS[asked.bucket], stretch, as_of)
        return exports.answer(Sheet(BUCKET_COLUMNS, pieces, said), form, name, as_of)
    since, until = (EARLIEST, EARLIEST) if stretch is None else (stretch.since, stretch.until)
    return exports.answer(observations_of(reader, [series], since, until, said), form, name, as_of)


def _bucket_pieces(
    reader: Reader, series: Series, width: Width, stretch: Stretch | None, as_of: AsOf
) -> Iterator[list[tuple[Any, ...]]]:
    """Page after page of buckets, oldest first, each from the next row that there is."""
    limit = _bucket_limit(series, width, None)
    while stretch is not None:
        with reader.snapshot() as connection:
            oldest = observation_store.oldest_time(connection, stretch)
            if oldest is None:
                return
            since = width.begins(oldest)
            until = min(since + limit * width.length, stretch.until)
            part = replace(stretch, since=since, until=until)
            found = _buckets(connection, part, width, series)
        yield [_bucket_row(each, width, series, as_of) for each in found]
        stretch = replace(stretch, since=until)


def _bucket_row(bucket: Bucket, width: Width, series: Series, as_of: AsOf) -> tuple[Any, ...]:
    told = bucket_json(bucket, width, series, as_of)
    told |= about(series) | {"begins": bucket.begins, "ends": bucket.begins + width.length}
    return tuple(told[name] for name in BUCKET_COLUMNS)


def _rolled_up(request: Request, reader: Reader, series: Series, asked: AskedObservations) -> Response:
    width = WIDTHS[asked.bucket or "1d"]
    limit = _bucket_limit(series, width, asked.limit)
    before = position(asked, cursors.Time, series.key)
    with reader.snapshot() as connection:
        as_of = reader.as_of(connection)
        stretch = _whole(connection, reader.nature.value, series, asked, before)
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
    asked: AskedObservations,
    before: int | None,
) -> Stretch | None:
    """What is asked for, of buckets from edge to edge; None for a datastream without rows as yet."""
    number = observation_store.numbers_of(connection, nature, [series.key]).get(series.key)
    since = EARLIEST if asked.since is None else asked.since
    until = LATEST if asked.until is None else asked.until
    if number is None:
        return None
    if asked.bucket is not None:
        width = WIDTHS[asked.bucket]
        since, until = width.begins(since), width.begins(until - 1) + width.length
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
    found = _buckets(connection, replace(stretch, since=since, until=until), width, series)
    earlier = observation_store.newest_time(connection, replace(stretch, until=since))
    return found, None if earlier is None else since


def _buckets(connection: Connection, stretch: Stretch, width: Width, series: Series) -> list[Bucket]:
    return observation_store.buckets(
        connection, stretch, width.length, width.offset, series.datastream.cadence
    )


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
