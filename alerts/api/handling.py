"""`/api/v1/alerts/{id}/...`: what people do with an alert, and `/api/v1/audit`: who did what.

The acts are `alerts.handling`'s; each answers the alert as it stands afterwards. `seen` is the version that
the page showed: when others have acted since, nothing is done and the answer (409) has their events.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from alerts import audit_store, handling_store, wire
from alerts.access import Principal, Scope
from alerts.api import v1
from alerts.api.guard import needs
from alerts.api.hub import Hub
from alerts.api.problems import documented
from alerts.api.reader import Connection
from alerts.api.writing import UNREADABLE, KeyHeader, Refusal, Write
from alerts.audit_store import Entry
from alerts.handling import LONGEST_COMMENT, LONGEST_NAME, Action, Refused, Until
from alerts.handling_store import NoSuchAlert, Outdated
from alerts.model import EventKind
from ingest.clock import system_clock
from ingest.config_model import Duration, Model

ROWS = 500

ANSWERS = UNREADABLE | documented(
    {
        404: "No alert has this id",
        409: "Others have acted since you looked; `since` has their events",
        422: "It is not as documented, or makes no sense as the alert stands; `detail` says why",
    }
)

router = APIRouter(prefix="/api/v1", responses=ANSWERS)

AlertId = Annotated[UUID, Path()]
Comment = Annotated[str, Field("", max_length=LONGEST_COMMENT)]
Who = Annotated[Principal, Depends(needs(Scope.ACKNOWLEDGE))]


def _with_its_unit(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("a duration is text with its unit, such as 30min or 2h")
    return value


class Act(Model):
    """What every act may say: the version of the alert that its author saw."""

    seen: int | None = Field(None, ge=0, le=2**31 - 1)


class Acknowledge(Act):
    until: Annotated[Until, Field(strict=False)] = Until.WORSE
    comment: Comment


class Assign(Act):
    to: str = Field(max_length=LONGEST_NAME)
    comment: Comment


class Note(Act):
    text: str = Field(max_length=LONGEST_COMMENT)


class Shelve(Act):
    for_: Annotated[Duration, BeforeValidator(_with_its_unit)] = Field(alias="for")
    comment: Comment


class Cancel(Act):
    comment: str = Field(max_length=LONGEST_COMMENT)


@router.post("/alerts/{alert_id}/acknowledge")
def acknowledge(
    request: Request, alert_id: AlertId, who: Who, said: Acknowledge, key: KeyHeader = None
) -> Response:
    """Somebody deals with it: it is not reminded of, until it gets worse or, if so said, until its end."""
    action = Action(EventKind.ACKNOWLEDGED, who.name, said.comment, until=said.until)
    return _act(request, alert_id, who, action, said, key)


@router.post("/alerts/{alert_id}/assign")
def assign(request: Request, alert_id: AlertId, who: Who, said: Assign, key: KeyHeader = None) -> Response:
    """Give it to somebody."""
    action = Action(EventKind.ASSIGNED, who.name, said.comment, said.to)
    return _act(request, alert_id, who, action, said, key)


@router.post("/alerts/{alert_id}/comment")
def comment(request: Request, alert_id: AlertId, who: Who, said: Note, key: KeyHeader = None) -> Response:
    """Note something, also after its end."""
    action = Action(EventKind.COMMENTED, who.name, said.text)
    return _act(request, alert_id, who, action, said, key)


@router.post("/alerts/{alert_id}/shelve")
def shelve(request: Request, alert_id: AlertId, who: Who, said: Shelve, key: KeyHeader = None) -> Response:
    """Keep it quiet for a time, 2 h at most; a higher level speaks, and so does the end of that time."""
    action = Action(EventKind.SHELVED, who.name, said.comment, shelve_s=said.for_)
    return _act(request, alert_id, who, action, said, key)


@router.post("/alerts/{alert_id}/unshelve")
def unshelve(request: Request, alert_id: AlertId, who: Who, said: Act, key: KeyHeader = None) -> Response:
    """End a shelving before its time."""
    action = Action(EventKind.UNSHELVED, who.name)
    return _act(request, alert_id, who, action, said, key)


@router.post("/alerts/{alert_id}/cancel")
def cancel(request: Request, alert_id: AlertId, who: Who, said: Cancel, key: KeyHeader = None) -> Response:
    """Say that it was issued in error. It is hidden until its condition reaches a higher level."""
    action = Action(EventKind.CANCELLED, who.name, said.comment)
    return _act(request, alert_id, who, action, said, key)


@router.get("/audit", dependencies=[Depends(needs(Scope.ADMINISTER))])
def audit(
    request: Request,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="older than this row")] = None,
    after: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="the last row you have")] = None,
    limit: Annotated[int, Query(ge=1, le=ROWS)] = 100,
) -> Response:
    """Every write, the refused ones too: the newest first, or with `after` what came since, in order."""
    hub = _hub(request)
    with hub.reader.snapshot() as connection:
        if after is None:
            found = audit_store.newest(connection, limit, before)
        else:
            found = audit_store.after(connection, after, limit)
    body = {"as_of": wire.as_of_json(hub.as_of), "audit": [_entry_json(each) for each in found]}
    return Response(wire.encode(body), media_type="application/json")


def _hub(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


def _act(
    request: Request, alert_id: UUID, who: Principal, action: Action, said: Act, key: str | None
) -> Response:
    hub = _hub(request)
    write = Write(request, who, action.name, str(alert_id), said, key)
    write.carry_out(lambda connection: act(connection, str(alert_id), action, said.seen, hub))
    return v1.alert(hub.reader, alert_id)


def act(connection: Connection, alert_id: str, action: Action, seen: int | None, hub: Hub) -> None:
    """Carry out an action on an alert. Raises `Refusal`."""
    try:
        handling_store.act(connection, alert_id, action, system_clock().now(), seen)
    except NoSuchAlert:
        raise Refusal(404, "No alert has this id.") from None
    except Refused as error:
        raise Refusal(422, f"Not done: {error}.") from None
    except Outdated as error:
        since = [wire.event_json(each, hub.reader.catalogue) for each in error.since]
        raise Refusal(409, f"Not done: {error}.", {"version": error.version, "since": since}) from None


def _entry_json(entry: Entry) -> wire.Json:
    deed = entry.deed
    return {
        "id": entry.id,
        "at": wire.stamp(entry.at),
        "who": deed.who,
        "origin": deed.origin.value,
        "peer": deed.peer,
        "what": deed.what,
        "target": deed.target,
        "outcome": entry.outcome.value,
        "detail": deed.detail,
    }
