"""`/api/v1/quality`, `gateways`, `ledger`, `gaps`: what readings are worth, and where each one went.

Promises: what is asked for is bounded by what the database can do in its time limit, or refused with the
bound; of what was quarantined reasons and counts are told, never a payload. Called by the HTTP application.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import Field
from starlette.responses import Response

from alerts import observation_store, quality_store, wire
from alerts.access import Scope
from alerts.api import answers, cursors, documents, models_data
from alerts.api.asking import (
    Asked,
    AskedPage,
    AskedPlaces,
    AskedSpan,
    HubOf,
    Moment,
    Properties,
    ReaderOf,
    position,
    question,
)
from alerts.api.city import Series
from alerts.api.guard import needs
from alerts.quality_report import Counts, Worth, worth
from alerts.quality_store import Heard, Refused
from alerts.sight import AsOf, Freshness, freshness
from ingest.clock import MICROS_PER_SECOND
from ingest.config_model import DatastreamKey
from ingest.model import ObservationBatch, Quality
from ingest.store import read

DAY = 24 * 3600 * MICROS_PER_SECOND
MINUTE = 60 * MICROS_PER_SECOND
SERIES, MOST_SERIES = 50, 200
JUDGED = 150_000  # rows behind one answer: within the statement timeout of 2 s on two busy cores
LONGEST_LEDGER = 7 * DAY  # two million rows of the ledger at 200 gateways
GAPS, MOST_GAPS = 100, 500
DIGITS = 4  # of a share

router = APIRouter(tags=["data health"], dependencies=[Depends(needs(Scope.READ))])

_WORDS = {
    Quality.PASS: "passed",
    Quality.NOT_EVALUATED: "not_evaluated",
    Quality.SUSPECT: "suspect",
    Quality.FAIL: "failed",
    Quality.MISSING: "missing",
}
_STATES = {Freshness.FRESH: "heard", Freshness.LATE: "late", Freshness.NO_DATA: "silent"}


class AskedQuality(AskedPlaces, AskedSpan, AskedPage):
    """The parameters of `quality`."""

    datastream: list[DatastreamKey] = Field(
        [], max_length=MOST_SERIES, description="keys of datastreams; may be repeated"
    )
    property: Properties = Field([])
    limit: int | None = Field(
        None, ge=1, le=MOST_SERIES, description=f"datastreams of a page, by default {SERIES} or what fits"
    )


class AskedSince(Asked):
    """From when on."""

    since: Moment | None = Field(None, description="RFC 3339 with offset; included")


class AskedGaps(AskedSince):
    """The parameters of `gaps`."""

    limit: int = Field(GAPS, ge=1, le=MOST_GAPS, description="gaps at most")


@router.get(
    "/quality",
    operation_id="listQuality",
    responses=documents.answers(models_data.QualityPage, paged=True),
)
def quality(
    request: Request, hub: HubOf, reader: ReaderOf, asked: Annotated[AskedQuality, Query()]
) -> Response:
    """What the readings of measured datastreams were worth between two times, by default the last 24 hours.

    How many have each QARTOD flag, over all and per test; the share of the expected ones that is there; the
    longest gap; the share that came late, after a newer one.
    """
    series = [
        each
        for each in sorted(reader.city.chosen(asked.places(), asked.property), key=lambda each: each.key)
        if each.measured and (not asked.datastream or each.key in asked.datastream)
    ]
    after = position(asked, tuple[str, cursors.Time, cursors.Time])
    with reader.snapshot() as connection:
        as_of = reader.as_of(connection)
        since, until = after[1:] if after else _span(asked, as_of, hub.now())
        left = [each for each in series if after is None or each.key > after[0]]
        chosen = left[: _series_at_once(left, since, until, asked.limit)]
        numbers = observation_store.numbers_of(connection, reader.nature, [each.key for each in chosen])
        rows = quality_store.rows_between(connection, list(numbers.values()), since, until)
    told = [
        quality_json(each, worth(_part(rows, numbers.get(each.key)), since, until, _cadence(each)))
        for each in chosen
    ]
    more = len(left) > len(chosen)
    cursor = cursors.write(question(asked), (chosen[-1].key, since, until)) if more else None
    body = {"since": wire.stamp(since), "until": wire.stamp(until), "quality": told}
    return answers.page(request, body, as_of, cursor)


def _cadence(series: Series) -> float:
    return series.datastream.cadence


def _span(asked: AskedSpan, as_of: AsOf, now: int) -> tuple[int, int]:
    """From when to when; nothing is expected of the future."""
    now = now if as_of.now is None else as_of.now
    until = now if asked.until is None else min(asked.until, now)
    since = until - DAY if asked.since is None else asked.since
    if since >= until:
        raise HTTPException(422, "since: it must lie before until, and before now.")
    return since, until


def _series_at_once(series: Sequence[Series], since: int, until: int, wanted: int | None) -> int:
    """How many of these fit into one answer; 422 when that is fewer than wanted, or none."""
    rows = np.array([max(1.0, (until - since) / MICROS_PER_SECOND / _cadence(each)) for each in series])
    fit = int(np.searchsorted(np.cumsum(rows[:MOST_SERIES]), JUDGED, "right"))
    least = min(wanted or 1, len(series))
    if fit < least:
        raise HTTPException(
            422,
            f"since: {fit} of these datastreams fit into one answer at this range; ask for a shorter one.",
        )
    return min(fit, SERIES) if wanted is None else wanted


def _part(rows: ObservationBatch, number: int | None) -> ObservationBatch:
    """The rows of one datastream out of many, which lie together; None is one that has never had any."""
    begin, end = (0, 0) if number is None else np.searchsorted(rows.datastream, (number, number + 1)).tolist()
    return rows.take(np.arange(begin, end))


def quality_json(series: Series, found: Worth) -> wire.Json:
    """One datastream's quality as it is told."""
    return {
        "datastream": series.key,
        "station": series.station.id,
        "property": series.datastream.property,
        "cadence_s": series.datastream.cadence,
        "readings": found.readings,
        "flags": _counts_json(found.flags),
        "tests": {test.name.lower(): _counts_json(counts) for test, counts in found.tests.items()},
        "present": None if found.present is None else round(found.present, DIGITS),
        "longest_gap_s": round(found.longest_gap / MICROS_PER_SECOND),
        "gap_since": wire.stamp(found.gap_since),
        "late": None if found.late is None else round(found.late, DIGITS),
        "newest": wire.stamp(found.newest),
    }


def _counts_json(counts: Counts) -> wire.Json:
    return {word: counts.get(flag, 0) for flag, word in _WORDS.items()}


@router.get("/gateways", operation_id="listGateways", responses=documents.answers(models_data.Gateways))
def gateways(hub: HubOf, reader: ReaderOf, asked: Annotated[AskedSince, Query()]) -> Response:
    """Every gateway: when it was last heard, what came by it since `since` (by default 24 hours ago) and what
    became of that, what was refused and why, and which stations depend on it."""
    city = reader.city
    with reader.snapshot() as connection:
        as_of = reader.as_of(connection)
        now = hub.now() if as_of.now is None else as_of.now
        since = now - DAY if asked.since is None else asked.since
        if since < now - LONGEST_LEDGER:
            raise HTTPException(422, f"since: at most {LONGEST_LEDGER // DAY} days ago.")
        heard = {each.gateway: each for each in quality_store.heard(connection, since)}
        refused = quality_store.refused(connection, since)
        alerts = quality_store.silent_gateways(connection)
    names = sorted(heard.keys() | city.gateways.keys())
    found = [
        gateway_json(
            heard.get(name, Heard(name, None, 0, 0, 0, 0, 0, 0, 0)),
            city.gateways.get(name, ()),
            refused.get(name, ()),
            alerts.get(name, ()),
            as_of,
        )
        for name in names
    ]
    return answers.answer({"since": wire.stamp(since), "gateways": found}, as_of)


def gateway_json(
    heard: Heard, behind: Sequence[Series], refused: Iterable[Refused], alerts: Sequence[str], as_of: AsOf
) -> wire.Json:
    """One gateway as it is told."""
    counts = asdict(heard)
    last = counts.pop("last")
    return counts | {
        "state": _gateway_state(last, behind, alerts, as_of),
        "last_heard": wire.stamp(last),
        "rejects": [asdict(one) | {"last_seen": wire.stamp(one.last_seen)} for one in refused],
        "alerts": list(alerts),
        "stations": sorted({each.station.id for each in behind}),
        "datastreams": len(behind),
        "known": bool(behind),
    }


def _gateway_state(last: int | None, behind: Sequence[Series], alerts: Sequence[str], as_of: AsOf) -> str:
    if as_of.now is None or not as_of.known:
        return "unknown"
    if alerts:
        return "silent"
    if last is None:
        return "never"
    cadence = min((_cadence(each) for each in behind), default=0.0)
    return _STATES[freshness(cadence, last + MINUTE, as_of.now)]  # it was heard within that minute


@router.get("/ledger", operation_id="getLedger", responses=documents.answers(models_data.Ledger))
def ledger(reader: ReaderOf, asked: Annotated[AskedSince, Query()]) -> Response:
    """The conservation sums: what became of every message and reading, per gateway."""
    with reader.snapshot() as connection:
        _, sums = read.ledger_sums(connection, asked.since)
        as_of = reader.as_of(connection)
    return answers.answer({"gateways": [asdict(row) for row in sums]}, as_of)


@router.get("/gaps", operation_id="listGaps", responses=documents.answers(models_data.Gaps))
def gaps(reader: ReaderOf, asked: Annotated[AskedGaps, Query()]) -> Response:
    """Times in which readings may have been lost, because the broker had forgotten our session."""
    with reader.snapshot() as connection:
        found = [asdict(gap) for gap in read.gaps(connection, asked.since, asked.limit)]
        as_of = reader.as_of(connection)
    for gap in found:
        gap |= {"started_at": wire.stamp(gap["started_at"]), "ended_at": wire.stamp(gap["ended_at"])}
    return answers.answer({"gaps": found}, as_of)
