"""`/api/v1`: who watches, what one shift hands to the next, and whose name is under a text for the public.

Promises: a report is one view of the database and carries the number that its acceptance must name; whoever
acts on what he no longer knows gets 409 with what has come since. Who did it is always the principal.
Presence is no act: it leaves no row in the audit.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from alerts import feed_store, handover_store, presence_store, wire
from alerts.access import Principal, Scope
from alerts.api import alerts_feed
from alerts.api.guard import admitted_of, needs, writer_of
from alerts.api.handling import ANSWERS, Act, AlertId, Comment, act
from alerts.api.hub import Hub
from alerts.api.reader import Connection
from alerts.api.writing import KeyHeader, Refusal, Write
from alerts.approval import LONGEST_TEXT, MOST_RESPONSES
from alerts.approval import Response as Known
from alerts.handling import LONGEST_NAME, Action, Refused
from alerts.handover import accepted_json, report
from alerts.handover_store import Outdated
from alerts.model import Approval, EventKind
from ingest.clock import system_clock
from ingest.config_model import Model

LARGEST_SEQ = 2**63 - 1

router = APIRouter(prefix="/api/v1", responses=ANSWERS)

Reads = Annotated[Principal, Depends(needs(Scope.READ))]
Acts = Annotated[Principal, Depends(needs(Scope.ACKNOWLEDGE))]
AnswersForIt = Annotated[Principal, Depends(needs(Scope.ADMINISTER))]


class Presence(Model):
    """What an open console says each minute."""

    active: bool = Field(description="whether somebody has touched it since it last said so")


class Taking(Model):
    """Who takes over says from whom, and which report was read."""

    leaver: str = Field(max_length=LONGEST_NAME)
    seq: int = Field(ge=0, le=LARGEST_SEQ, description="the report's `seq`")
    comment: Comment


class Text(Act):
    """A text for the public, in both languages."""

    response: list[str] = Field(max_length=MOST_RESPONSES, description=f"CAP 1.2: {', '.join(Known)}")
    vi: str = Field(max_length=LONGEST_TEXT)
    en: str = Field(max_length=LONGEST_TEXT)
    comment: Comment


def _hub(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


HubOf = Annotated[Hub, Depends(_hub)]


@router.post("/presence")
def presence(request: Request, who: Reads, said: Presence, hub: HubOf) -> Response:
    """A console is open, and whether somebody has touched it. To be said each minute."""
    session = admitted_of(request).living.id
    with writer_of(request).connection() as connection:
        presence_store.report(connection, who.name, session, active=said.active)
    return _answer(hub, {"active": said.active})


@router.get("/handover")
def handover(who: Reads, hub: HubOf) -> Response:
    """What the next shift must know: open, shelved, silent, refused, highest, foretold, unanswered."""
    reader, catalogue = hub.reader, hub.reader.catalogue  # one for the whole answer, though a reload may come
    with reader.snapshot() as connection:
        newest = feed_store.newest(connection, reader.nature)
        as_of = reader.as_of(connection, {key: row.time for key, row in newest.items()})
        known = handover_store.known(connection, catalogue, reader.nature, as_of, newest)
    return Response(wire.encode(report(known, as_of, catalogue)), media_type="application/json")


@router.post("/handover/accept")
def accept(request: Request, who: Acts, said: Taking, hub: HubOf, key: KeyHeader = None) -> Response:
    """Take over from the leaver by the report that was read; his alerts become nobody's."""
    write = Write(request, who, "handover.accept", said.leaver, said, key)
    write.carry_out(lambda connection: _accept(connection, who.name, said, hub))
    with hub.reader.snapshot() as connection:
        accepted = handover_store.accepted_by(connection, who.name, said.leaver, said.seq)
    return _answer(hub, {"handover": accepted and accepted_json(accepted)})


@router.get("/handovers")
def handovers(
    who: Reads, hub: HubOf, limit: Annotated[int, Query(ge=1, le=handover_store.HISTORY)] = 20
) -> Response:
    """Who took over from whom, newest first."""
    with hub.reader.snapshot() as connection:
        found = handover_store.history(connection, limit)
    return _answer(hub, {"handovers": [accepted_json(each) for each in found]})


@router.post("/alerts/{alert_id}/approve")
def approve(
    request: Request, alert_id: AlertId, who: AnswersForIt, said: Text, hub: HubOf, key: KeyHeader = None
) -> Response:
    """Answer by name for a text that tells people what to do."""
    text = Approval(tuple(said.response), said.vi.strip(), said.en.strip())
    action = Action(EventKind.APPROVED, who.name, said.comment, text=text)
    write = Write(request, who, "alert.approve", str(alert_id), said, key)
    write.carry_out(lambda connection: act(connection, write.target, action, said.seen, hub))
    return alerts_feed.alert(hub.reader, UUID(write.target))


def _accept(connection: Connection, incoming: str, said: Taking, hub: Hub) -> None:
    now = system_clock().now()
    try:
        handover_store.accept(connection, incoming, said.leaver, said.seq, said.comment, now)
    except Refused as error:
        raise Refusal(422, f"Not done: {error}.") from None
    except Outdated as error:
        since = [wire.event_json(each, hub.reader.catalogue) for each in error.since]
        raise Refusal(409, f"Not done: {error}.", {"since": since}) from None


def _answer(hub: Hub, data: wire.Json) -> Response:
    body = {"as_of": wire.as_of_json(hub.as_of)} | data
    return Response(wire.encode(body), media_type="application/json")
