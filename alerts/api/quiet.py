"""`/api/v1/maintenance` and `/api/v1/silences`: what keeps alerts quiet, until when, and who answers for it.

Promises: a window or a silence has a name, a reason and an end, as by command; its owner is the principal.
Whoever handles alerts may work on sensors and end what is quiet; to hear nothing of what nobody works on is
the administrator's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from starlette.responses import Response

from alerts import silence_store, wire
from alerts.access import Principal, Scope
from alerts.api.guard import needs
from alerts.api.handling import ANSWERS
from alerts.api.hub import Hub
from alerts.api.reader import Connection
from alerts.api.writing import KeyHeader, Refusal, Write
from alerts.covering import covered
from alerts.handling import LONGEST_COMMENT, Refused, worded
from alerts.handover import silence_json, window_json
from alerts.model import Severity
from alerts.silence_store import Matcher
from ingest.config_model import Duration, Identifier, Model
from ingest.store import maintenance
from ingest.yaml_lines import ConfigError

LARGEST = 2**63 - 1
_TOLD_OF = "SELECT 1 FROM alert_event WHERE rule = %s LIMIT 1"

router = APIRouter(prefix="/api/v1", responses=ANSWERS)

Acts = Annotated[Principal, Depends(needs(Scope.ACKNOWLEDGE))]
Administers = Annotated[Principal, Depends(needs(Scope.ADMINISTER))]
Number = Annotated[int, Path(ge=1, le=LARGEST)]
Reason = Annotated[str, Field(min_length=1, max_length=LONGEST_COMMENT)]


class Work(Model):
    """Who works on which sensors: a station, or one of its measured datastreams as STATION/NAME."""

    subject: str = Field(max_length=130)
    reason: Reason
    for_: Duration = Field(alias="for")


class Quiet(Model):
    """What is not to be told; at least one of the first three."""

    rule: Identifier | None = None
    station: Identifier | None = None
    severity: Annotated[Severity | None, Field(strict=False, description="at most so severe")] = None
    reason: Reason
    for_: Duration = Field(alias="for")


class End(Model):
    """Nothing is to be said."""


def _hub(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


HubOf = Annotated[Hub, Depends(_hub)]


@router.get("/maintenance", dependencies=[Depends(needs(Scope.READ))])
def windows(hub: HubOf) -> Response:
    """The windows that last."""
    with hub.reader.snapshot() as connection:
        found = maintenance.standing(connection)
    return _answer(hub, {"maintenance": [window_json(each) for each in found]})


@router.post("/maintenance")
def start_work(request: Request, who: Acts, said: Work, hub: HubOf, key: KeyHeader = None) -> Response:
    """Work on sensors begins, for 8 h at most: what they measure is flagged, and nothing is told of them."""

    def start(connection: Connection) -> None:
        try:
            keys = covered(hub.reader.catalogue, said.subject)
            reason = worded(said.reason)
            maintenance.start(connection, said.subject, keys, who.name, reason, said.for_)
        except ConfigError as error:
            raise Refusal(422, error.problems[0].message) from None
        except (Refused, ValueError) as error:
            raise Refusal(422, f"Not done: {error}.") from None

    Write(request, who, "maintenance.start", said.subject, said, key).carry_out(start)
    return windows(hub)


@router.post("/maintenance/{number}/end")
def end_work(
    request: Request, number: Number, who: Acts, said: End, hub: HubOf, key: KeyHeader = None
) -> Response:
    """Work is done: what stands at its sensors is told within a few seconds."""
    write = Write(request, who, "maintenance.end", str(number), said, key)
    write.carry_out(_ending(lambda connection: maintenance.end(connection, number, who.name)))
    return windows(hub)


@router.get("/silences", dependencies=[Depends(needs(Scope.READ))])
def silences(hub: HubOf) -> Response:
    """The silences that last."""
    with hub.reader.snapshot() as connection:
        found = silence_store.standing(connection)
    return _answer(hub, {"silences": [silence_json(each) for each in found]})


@router.post("/silences")
def start_silence(
    request: Request, who: Administers, said: Quiet, hub: HubOf, key: KeyHeader = None
) -> Response:
    """Tell nobody of the alerts that match, for 8 h at most; of Severe ones only with rule and station."""

    def start(connection: Connection) -> None:
        _must_match_something(connection, said, hub)
        matcher = Matcher(said.rule, said.station, said.severity)
        try:
            silence_store.start(connection, matcher, who.name, worded(said.reason), said.for_)
        except (Refused, ValueError) as error:
            raise Refusal(422, f"Not done: {error}.") from None

    target = " ".join(filter(None, (said.rule, said.station, said.severity)))
    Write(request, who, "silence.start", target, said, key).carry_out(start)
    return silences(hub)


@router.post("/silences/{number}/end")
def end_silence(
    request: Request, number: Number, who: Acts, said: End, hub: HubOf, key: KeyHeader = None
) -> Response:
    """End a silence before its time."""
    write = Write(request, who, "silence.end", str(number), said, key)
    write.carry_out(_ending(lambda connection: silence_store.end(connection, number, who.name)))
    return silences(hub)


def _must_match_something(connection: Connection, said: Quiet, hub: Hub) -> None:
    """A silence that matches nothing would promise a quiet that does not come."""
    stations = {station.id for station in hub.reader.catalogue.stations}
    if said.station is not None and said.station not in stations:
        raise Refusal(422, f"There is no station {said.station!r}.")
    if said.rule is not None and connection.execute(_TOLD_OF, (said.rule,)).fetchone() is None:
        raise Refusal(422, f"No alert of a rule {said.rule!r} has ever been told.")


def _ending(end: Callable[[Connection], object | None]) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        if end(connection) is None:
            raise Refusal(404, "None of this number lasts.")

    return work


def _answer(hub: Hub, data: wire.Json) -> Response:
    body = {"as_of": wire.as_of_json(hub.as_of)} | data
    return Response(wire.encode(body), media_type="application/json")
