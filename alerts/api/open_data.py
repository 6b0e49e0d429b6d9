"""`/api/v1/open-data`: whole days of everything that is measured, as files, with publisher and licence.

A day is one of Việt Nam (UTC+7). It is `partial` while it runs, `settling` while readings of it are still
taken up, `final` afterwards: then it has an `ETag`, which changes when a zero is corrected or a quarantined
message is read again, and with nothing else. Called by the HTTP application.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Annotated

import pyarrow as pa
from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from alerts import observation_store, wire
from alerts.access import Scope
from alerts.api import answers, cursors, documents, models_data
from alerts.api.asking import AskedPage, ExportsOf, HubOf, ReaderOf, position, question
from alerts.api.files import observations_of
from alerts.api.guard import needs
from alerts.api.reader import Connection, Reader
from alerts.api.sheets import MEDIA_TYPES, Format
from ingest.clock import MICROS_PER_SECOND, to_datetime, to_micros
from ingest.store.partitions import EARLIEST, LATEST

DAYS, MOST_DAYS = 31, 92  # of the index: each costs a step or two in the database
DAY = 24 * 3600 * MICROS_PER_SECOND
LOCAL = 7 * 3600 * MICROS_PER_SECOND  # UTC+7, all year
EDITION = "1"  # of the files; whoever changes their columns raises it
DOCUMENTATION = "/api/v1/docs"
FILES = "/api/v1/open-data/observations"

router = APIRouter(tags=["open data"], dependencies=[Depends(needs(Scope.READ))])


@dataclass(frozen=True, slots=True)
class Publication:
    """Who publishes, under which licence, and for how many days readings of a day are still taken up."""

    publisher: str | None = None
    licence: str | None = None
    settling_days: float = 45.0


class AskedDays(AskedPage):
    """The parameters of the index."""

    limit: int = Field(DAYS, ge=1, le=MOST_DAYS, description="days of a page")


@router.get(
    "/open-data",
    operation_id="listOpenData",
    responses=documents.answers(models_data.OpenData, paged=True),
)
def index(request: Request, hub: HubOf, reader: ReaderOf, asked: Annotated[AskedDays, Query()]) -> Response:
    """Who publishes this under which licence, and the days that there are, the newest first."""
    before = position(asked, cursors.Time)
    publication = publication_of(request)
    with reader.snapshot() as connection:
        as_of = reader.as_of(connection)
        now = hub.now() if as_of.now is None else as_of.now
        days = _days(connection, reader.nature.value, LATEST if before is None else before)
        found = list(islice(days, asked.limit + 1))
    cursor = cursors.write(question(asked), found[-2]) if len(found) > asked.limit else None
    body = {
        "publisher": publication.publisher,
        "licence": publication.licence,
        "documentation": DOCUMENTATION,
        "version": EDITION,
        "nature": reader.nature.value,
        "days": [_day_json(each, now, publication) for each in found[: asked.limit]],
    }
    return answers.page(request, body, as_of, cursor)


@router.get(
    "/open-data/observations/{day}.{form}",
    operation_id="getOpenData",
    responses=documents.files(tuple(MEDIA_TYPES.values()), tagged=True),
)
def observations(
    request: Request,
    hub: HubOf,
    reader: ReaderOf,
    exports: ExportsOf,
    day: Annotated[date, Path(description="such as 2025-10-27")],
    form: Format,
) -> Response:
    """Everything that was measured on one day of UTC+7, by datastream and time, with each reading's flag.

    Only readings with flags 1 and 2 are beyond doubt: 3 is suspect, 4 and 9 are no measurements.
    """
    begins = to_micros(datetime(day.year, day.month, day.day, tzinfo=UTC)) - LOCAL
    if not EARLIEST <= begins <= LATEST - DAY:
        raise HTTPException(404, "Nothing was measured on this day.")
    city, publication = reader.city, publication_of(request)
    with reader.snapshot() as connection:
        as_of = reader.as_of(connection)
        now = hub.now() if as_of.now is None else as_of.now
        if not observation_store.any_between(connection, reader.nature, begins, begins + DAY):
            raise HTTPException(404, "Nothing was measured on this day; /api/v1/open-data lists the others.")
        state = _state(begins, now, publication)
        tag = _tag(connection, reader, begins, form, city.version) if state == "final" else None
    if tag is not None and answers.matches(request, tag):
        return answers.unchanged(tag, as_of)
    series = [city.series[key] for key in sorted(city.measured)]
    said = {
        "publisher": publication.publisher or "",
        "licence": publication.licence or "",
        "version": EDITION,
        "nature": reader.nature.value,
        "day": day.isoformat(),
        "state": state,
    }
    sheet = observations_of(reader, series, begins, begins + DAY, said)
    name = f"huewatch-{reader.nature.value.lower()}-{day.isoformat()}"
    answer = exports.answer(sheet, form, name if state == "final" else f"{name}-{state}", as_of)
    answer.headers["Huewatch-Day"] = state
    answer.headers.update({} if tag is None else answers.tagged(tag))
    return answer


def publication_of(request: Request) -> Publication:
    publication: Publication = request.app.state.publication
    return publication


def _days(connection: Connection, nature: str, until: int) -> Iterator[int]:
    """The beginnings of the days before `until` on which anything was measured, newest first."""
    newest = observation_store.newest_before(connection, nature, until)
    while newest is not None:
        begins = _begins(newest)
        yield begins
        day_before = begins - DAY
        if observation_store.any_between(connection, nature, day_before, begins):
            newest = day_before
        else:
            newest = observation_store.newest_before(connection, nature, day_before)


def _begins(time: int) -> int:
    return (time + LOCAL) // DAY * DAY - LOCAL


def _state(begins: int, now: int, publication: Publication) -> str:
    ends = begins + DAY
    if now < ends:
        return "partial"
    return "settling" if now < ends + round(publication.settling_days * DAY) else "final"


def _tag(connection: Connection, reader: Reader, begins: int, form: Format, city: str) -> str:
    """A strong tag: of the same day, catalogue and corrections the same bytes are written."""
    corrected = observation_store.corrections(connection)
    return answers.weak_tag(begins, form, city, corrected, EDITION, pa.__version__).removeprefix("W/")


def _day_json(begins: int, now: int, publication: Publication) -> wire.Json:
    day = (to_datetime(begins) + timedelta(microseconds=LOCAL)).date().isoformat()
    return {
        "day": day,
        "begins": wire.stamp(begins),
        "ends": wire.stamp(begins + DAY),
        "state": _state(begins, now, publication),
        "csv": f"{FILES}/{day}.csv",
        "parquet": f"{FILES}/{day}.parquet",
    }
