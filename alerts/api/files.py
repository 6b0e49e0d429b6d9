"""Answers as files: which format is wanted, what goes into it, how many are made at once.

Promises: a file is read from the database in runs of bounded size, and no connection and no transaction waits
for a client that reads slowly: runs go on after the row that was read last, so nothing is repeated or left
out. What can be refused is refused before the first byte; a file that breaks off later ends without the last
chunk, which a client must take for an error. Called by the routers.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from fastapi import HTTPException, Request
from starlette.responses import StreamingResponse

from alerts import observation_store
from alerts.api.answers import JSON, sighted
from alerts.api.city import Series
from alerts.api.reader import Reader
from alerts.api.sheets import MEDIA_TYPES, Format, Kind, Sheet, written
from alerts.observation_store import RUN, Row
from alerts.sight import AsOf
from alerts.station_view import shown
from ingest.clock import MICROS_PER_SECOND

AT_ONCE = 4  # files being made: each takes half a core at most, and the console must stay quick
OBSERVATIONS = {
    "datastream": Kind.TEXT,
    "station": Kind.TEXT,
    "property": Kind.TEXT,
    "unit": Kind.TEXT,
    "nature": Kind.TEXT,
    "time": Kind.TIME,
    "value": Kind.NUMBER,
    "quality": Kind.WHOLE,
}


class Exports:
    """How many files are being made now."""

    def __init__(self, most: int = AT_ONCE) -> None:
        self._room = threading.BoundedSemaphore(most)

    def answer(self, sheet: Sheet, form: Format, name: str, as_of: AsOf) -> StreamingResponse:
        """The file as a download; 503 while too many are being made. Reads the first piece before it
        answers."""
        if not self._room.acquire(blocking=False):
            raise HTTPException(503, "Too many files are being written; ask again in some seconds.")
        pieces = self._made(sheet, form)
        try:
            first = next(pieces)
        except BaseException:
            pieces.close()
            raise
        headers = {
            "Content-Disposition": f'attachment; filename="{name}.{form}"',
            "Vary": "Accept",
        }
        media = MEDIA_TYPES[form] + ("; charset=utf-8; header=present" if form is Format.CSV else "")
        return StreamingResponse(_after(first, pieces), media_type=media, headers=headers | sighted(as_of))

    def _made(self, sheet: Sheet, form: Format) -> Generator[bytes, None, None]:
        try:
            yield from written(sheet, form)
        finally:
            self._room.release()


def _after(first: bytes, pieces: Generator[bytes, None, None]) -> Iterator[bytes]:
    yield first
    yield from pieces


def wanted_format(request: Request, asked: str | None) -> Format | None:
    """What to answer with, None for JSON: as the parameter says, else as `Accept` prefers."""
    if asked is not None:
        return None if asked == "json" else Format(asked)
    forms = {media: form for form, media in MEDIA_TYPES.items()}
    best: tuple[float, Format | None] = (0.0, None)
    for each in request.headers.get("accept", "").split(","):
        media, _, parameters = each.strip().partition(";")
        weight = _weight(parameters)
        if weight > best[0] and (media in forms or media in (JSON, "application/*", "*/*")):
            best = weight, forms.get(media)
    return best[1]


def _weight(parameters: str) -> float:
    """The `q` of one entry of `Accept` (RFC 9110 12.4.2); what cannot be read is nothing."""
    for each in parameters.split(";"):
        name, _, value = each.strip().partition("=")
        if name == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def observations_of(
    reader: Reader, series: Sequence[Series], since: int, until: int, about: dict[str, str]
) -> Sheet:
    """The rows of these datastreams, all measured or all derived, by datastream and time."""
    return Sheet(OBSERVATIONS, _told(reader, series, since, until), about)


def _told(
    reader: Reader, series: Sequence[Series], since: int, until: int
) -> Iterator[list[tuple[Any, ...]]]:
    for group in groups(series, until - since):
        with reader.snapshot() as connection:
            keys = [each.key for each in group]
            numbers = observation_store.numbers_of(connection, reader.nature, keys)
        by_number = {numbers[each.key]: each for each in group if each.key in numbers}
        for rows in _runs(reader, by_number, since, until):
            yield [_row(by_number[row.datastream], row) for row in rows]


def _runs(reader: Reader, by_number: dict[int, Series], since: int, until: int) -> Iterator[list[Row]]:
    """Run after run, each after the row that was last."""
    derived = any(each.derived for each in by_number.values())
    last: Row | None = None
    while True:
        with reader.snapshot() as connection:
            rows = observation_store.run(connection, list(by_number), derived, since, until, last)
        if rows:
            yield rows
            last = rows[-1]
        if len(rows) < RUN:
            return


def groups(series: Sequence[Series], span: int) -> Iterator[list[Series]]:
    """Datastreams that have about a run together within a span (microseconds); at least one each."""
    group: list[Series] = []
    rows = 0.0
    for each in series:
        rows += span / MICROS_PER_SECOND / each.datastream.cadence
        if group and rows > RUN:
            yield group
            group, rows = [], span / MICROS_PER_SECOND / each.datastream.cadence
        group.append(each)
    if group:
        yield group


def _row(series: Series, row: Row) -> tuple[Any, ...]:
    visible = series.derived is None or shown(series.station, series.derived)
    return (
        series.key,
        series.station.id,
        series.datastream.property,
        series.datastream.unit,
        series.station.nature.value,
        row.time,
        row.value if visible else None,
        row.quality,
    )
