"""`/api/v1`: who watches, what one shift hands to the next, and whose name is under a text for the public.

Promises: a report is one view of the database and carries the number that its acceptance must name; whoever
acts on what he no longer knows gets 409 with what has come since. Who did it is always the principal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import Field
from starlette.responses import Response

from alerts import feed_store, handling_store, handover_store, presence_store, store, wire
from alerts.access import Principal, Scope
from alerts.api.guard import needs
from alerts.api.problems import Stated
from alerts.api.reader import Reader
from alerts.api.writer import Writer
from alerts.approval import LONGEST_TEXT, MOST_RESPONSES
from alerts.approval import Response as Known
from alerts.handling import LONGEST_COMMENT, LONGEST_NAME, Action, Refused, stories
from alerts.handling_store import NoSuchAlert
from alerts.handover import accepted_json, report
from alerts.model import Approval, EventKind, NumberedEvent
from ingest.clock import system_clock
from ingest.config_model import Model

JSON = "application/json"
LARGEST_SEQ = 2**63 - 1
SESSION_DIGITS = 16

router = APIRouter(prefix="/api/v1")

ReadsAs = Annotated[Principal, Depends(needs(Scope.READ))]
ActsAs = Annotated[Principal, Depends(needs(Scope.ACKNOWLEDGE))]
AnswersAs = Annotated[Principal, Depends(needs(Scope.ADMINISTER))]
REFUSALS: dict[int | str, dict[str, Any]] = {
    409: {"description": "Others have acted since; `since` are their events"},
    422: {"description": "What was sent makes no sense as things stand; `detail` says why"},
}


class Presence(Model):
    """What an open console says each minute."""

    active: bool = Field(description="whether somebody has touched it since it last said so")


class Taking(Model):
    """Who takes over says from whom, and which report was read."""

    leaver: str = Field(max_length=LONGEST_NAME)
    seq: int = Field(ge=0, le=LARGEST_SEQ, description="the report's `seq`")
    comment: str = Field("", max_length=LONGEST_COMMENT)


class Text(Model):
    """A text for the public. `seen`: the version of the alert that was read."""

    response: list[str] = Field(
        max_length=MOST_RESPONSES, description=f"CAP responseType: {', '.join(Known)}"
    )
    vi: str = Field(max_length=LONGEST_TEXT)
    en: str = Field(max_length=LONGEST_TEXT)
    comment: str = Field("", max_length=LONGEST_COMMENT)
    seen: int | None = Field(None, ge=0, le=LARGEST_SEQ)


def _reader(request: Request) -> Reader:
    reader: Reader = request.app.state.hub.reader
    return reader


def _writer(request: Request) -> Writer:
    writer: Writer = request.app.state.writer
    return writer


ReaderOf = Annotated[Reader, Depends(_reader)]
WriterOf = Annotated[Writer, Depends(_writer)]


@router.post("/presence")
def presence(request: Request, said: Presence, who: ReadsAs, reader: ReaderOf, writer: WriterOf) -> Response:
    """A console is open, and whether somebody has touched it. To be said each minute."""
    with writer.connection() as connection:
        presence_store.report(connection, who.name, _session(request), active=said.active)
    return _answer(reader, {"active": said.active})


@router.get("/handover")
def handover(who: ReadsAs, reader: ReaderOf) -> Response:
    """What the next shift must know: open, shelved, silent, refused, highest, foretold, unanswered."""
    catalogue = reader.catalogue  # one and the same for the whole answer, though a reload may come
    with reader.snapshot() as connection:
        newest = feed_store.newest(connection, reader.nature)
        as_of = reader.as_of(connection, {key: row.time for key, row in newest.items()})
        known = handover_store.known(connection, catalogue, reader.nature, as_of)
    return Response(wire.encode(report(known, as_of, catalogue)), media_type=JSON)


@router.post("/handover/accept", responses=REFUSALS)
def accept(said: Taking, who: ActsAs, reader: ReaderOf, writer: WriterOf) -> Response:
    """Take over from the leaver by the report that was read; his alerts become nobody's."""
    now = system_clock().now()
    try:
        with writer.connection() as connection:
            accepted = handover_store.accept(connection, who.name, said.leaver, said.seq, said.comment, now)
    except Refused as refused:
        raise HTTPException(422, _sentence(refused)) from None
    except handover_store.Outdated as outdated:
        raise _outdated(reader, outdated, outdated.since) from None
    return _answer(reader, {"handover": accepted_json(accepted)})


@router.get("/handovers")
def handovers(
    who: ReadsAs, reader: ReaderOf, limit: Annotated[int, Query(ge=1, le=handover_store.HISTORY)] = 20
) -> Response:
    """Who took over from whom, newest first."""
    with reader.snapshot() as connection:
        found = handover_store.history(connection, limit)
    return _answer(reader, {"handovers": [accepted_json(each) for each in found]})


@router.post("/alerts/{alert_id}/approve", responses=REFUSALS)
def approve(alert_id: UUID, said: Text, who: AnswersAs, reader: ReaderOf, writer: WriterOf) -> Response:
    """Answer for a text that tells people what to do. The alert as it is shown by its own address."""
    text = Approval(tuple(said.response), said.vi.strip(), said.en.strip())
    action = Action(EventKind.APPROVED, who.name, said.comment, text=text)
    try:
        with writer.connection() as connection:
            handling_store.act(connection, str(alert_id), action, system_clock().now(), said.seen)
            events = store.alert_events(connection, str(alert_id))
    except NoSuchAlert as unknown:
        raise HTTPException(404, _sentence(unknown)) from None
    except Refused as refused:
        raise HTTPException(422, _sentence(refused)) from None
    except handling_store.Outdated as outdated:
        raise _outdated(reader, outdated, outdated.since) from None
    return _answer(reader, _alert(str(alert_id), events, reader))


def _session(request: Request) -> str:
    """The same for one browser or system, and nothing that would open the door."""
    headers = request.headers
    peer = request.client.host if request.client else ""
    shown = headers.get("authorization") or headers.get("cookie") or peer
    return hashlib.sha256(shown.encode()).hexdigest()[:SESSION_DIGITS]


def _alert(alert_id: str, events: Sequence[NumberedEvent], reader: Reader) -> wire.Json:
    story = stories(events).get(alert_id)
    return {
        "alert_id": alert_id,
        "handling": wire.handling_json(story) if story else None,
        "events": [wire.event_json(each, reader.catalogue) for each in events],
    }


def _outdated(reader: Reader, error: Exception, since: Sequence[NumberedEvent]) -> Stated:
    news = [wire.event_json(each, reader.catalogue) for each in since]
    return Stated(409, _sentence(error), more={"since": news})


def _sentence(error: Exception) -> str:
    words = str(error)
    return f"{words[:1].upper()}{words[1:]}."


def _answer(reader: Reader, data: wire.Json) -> Response:
    """With how far the feed can see now."""
    as_of = wire.as_of_json(reader.glance())
    return Response(wire.encode({"as_of": as_of} | data), media_type=JSON)
