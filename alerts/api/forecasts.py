"""`/api/v1/forecasts` and those of one datastream: levels in the next hours, as they were stored when made.

Promises: a forecast made from a reading that says nothing of now is `past`, and none is `current` while the
feed cannot see; every one carries the words that it is no bulletin. Called by the HTTP application.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from alerts import observation_store, wire
from alerts.access import Scope
from alerts.api import answers, cursors, documents, models_data
from alerts.api.asking import AskedPage, AskedPlaces, AskedSpan, ReaderOf, position, question
from alerts.api.city import Series
from alerts.api.guard import needs
from alerts.api.observations import series_of
from alerts.forecast import store
from alerts.forecast.gates import stale_after
from alerts.forecast.lattice import HOUR
from alerts.forecast.model import NOTICE
from alerts.forecast.records import Made
from alerts.sight import AsOf
from ingest.clock import MICROS_PER_SECOND
from ingest.store.partitions import EARLIEST, LATEST

FORECASTS, MOST_FORECASTS = 100, 500  # a flood's four days at one every ten minutes are 576
DIGITS = 4  # a tenth of a millimetre

router = APIRouter(tags=["forecasts"], dependencies=[Depends(needs(Scope.READ))])


class AskedForecasts(AskedSpan, AskedPage):
    """The parameters of a datastream's forecasts; `since` and `until` are of their origin."""

    limit: int = Field(FORECASTS, ge=1, le=MOST_FORECASTS, description="forecasts of a page")


@router.get(
    "/forecasts",
    operation_id="listNewestForecasts",
    responses=documents.answers(models_data.NewestForecasts),
)
def forecasts(reader: ReaderOf, asked: Annotated[AskedPlaces, Query()]) -> Response:
    """The newest forecast of each datastream that has one, and how its forecasts have fared so far.

    They are made while water moves, so the newest may be of last week: read `state`, not the order.
    """
    series = {each.key: each for each in reader.city.chosen(asked.places()) if each.measured}
    with reader.snapshot() as connection:
        as_of = reader.as_of(connection)
        numbers = observation_store.numbers_of(connection, reader.nature, list(series))
        made = {one.datastream: one for one in store.newest_of_each(connection, numbers.values())}
        fared = store.skills(connection, made)
    found = [
        forecast_json(series[key], made[number], as_of)
        | {"skill": [skill_json(one) for one in fared.get(number, ())]}
        for key, number in sorted(numbers.items())
        if number in made
    ]
    return answers.answer({"forecasts": found}, as_of)


@router.get(
    "/datastreams/{key:path}/forecasts",
    operation_id="listForecasts",
    responses=documents.answers(models_data.Forecasts, paged=True),
)
def forecasts_of(
    request: Request, reader: ReaderOf, key: str, asked: Annotated[AskedForecasts, Query()]
) -> Response:
    """The forecasts of one datastream as they were made, newest page first, each page oldest first."""
    series = series_of(reader, key)
    before = position(asked, cursors.Time, key)
    since = EARLIEST if asked.since is None else asked.since
    until = (LATEST if asked.until is None else asked.until) if before is None else before
    with reader.snapshot() as connection:
        as_of = reader.as_of(connection)
        number = observation_store.numbers_of(connection, reader.nature, [key]).get(key)
        rows: Sequence[Made] = ()
        if number is not None and series.measured:
            rows = store.made_between(connection, number, since, until, asked.limit + 1)
    following = cursors.write(question(asked, key), rows[1].origin) if len(rows) > asked.limit else None
    found = [forecast_json(series, one, as_of) for one in rows[-asked.limit :]]
    return answers.page(request, {"datastream": key, "forecasts": found}, as_of, following)


def forecast_json(series: Series, made: Made, as_of: AsOf) -> wire.Json:
    """One stored forecast as it is told."""
    chance: Sequence[float | None] = made.chance or (None,) * len(made.hours)
    parts = zip(made.hours, made.expected, made.low, made.high, chance, strict=True)
    age = None if as_of.now is None else max(0, as_of.now - made.origin)
    return {
        "datastream": series.key,
        "nature": series.station.nature.value,
        "unit": series.datastream.unit,
        "model": store.NAME,
        "origin": wire.stamp(made.origin),
        "made_at": wire.stamp(made.made_at),
        "age_s": None if age is None else round(age / MICROS_PER_SECOND),
        "state": _state(series, age, as_of),
        "level": made.level,
        "withheld": made.withheld,
        "horizons": [_horizon(made.origin, *part) for part in parts],
        "mark": made.mark,
        "passes_h": list(made.passes),
        "notice": {"vi": NOTICE[0], "en": NOTICE[1]},
    }


def skill_json(skill: store.Skill) -> wire.Json:
    """How the forecasts of one horizon have fared."""
    told = asdict(skill)
    told["mean_error"] = round(told.pop("error"), DIGITS)
    return told


def _state(series: Series, age: int | None, as_of: AsOf) -> str:
    if age is None or not as_of.known:
        return "unknown"
    return "current" if age <= stale_after(series.datastream.cadence) else "past"


def _horizon(
    origin: int, hours: float, expected: float, low: float, high: float, chance: float | None
) -> wire.Json:
    return {
        "hours": hours,
        "time": wire.stamp(origin + round(hours * HOUR)),
        "expected": round(expected, DIGITS),
        "low": round(low, DIGITS),
        "high": round(high, DIGITS),
        "chance": chance if chance is None else round(chance, DIGITS),
    }
