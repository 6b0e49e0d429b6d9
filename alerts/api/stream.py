"""`/api/v1/events/stream`: told events as server-sent events, resumed by `Last-Event-ID` without a gap.

Promises: a client that returns with a number it was given gets every event after it, once and in order; one
whose number means nothing here is told `reset` with the number to go on from. A client that does not read is
dropped. `status` comes each 5 s, so silence of the stream itself shows. Called by the HTTP application only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from pydantic import Field
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from alerts.access import Scope
from alerts.api.asking import AskedTold, HubOf
from alerts.api.guard import REFUSALS, admitted_of, needs
from alerts.api.hub import PAGE, Hub, Wants, event_frame, everything, frame, passed_frame, reset_frame
from alerts.api.reader import Unavailable
from alerts.feed_metrics import SSE_DROPPED
from alerts.model import Event

STREAMS = 400  # a city's consoles and services several times over; more is a reconnect storm or an attack
RETRY_MS = 2_000  # what browsers wait before they reconnect
SEND_TIMEOUT_S = 10.0
DATABASE_RETRY_S = 1.0
CATCH_UP_S = 0.02  # between two looks while the hub and the replay find each other
KEEP_ALIVE, KEEP_ALIVE_S = b": still here\n\n", 10.0  # two statuses missed: the hub hangs, the line does not
LONGEST_ID = 19  # digits of the largest number that there can be

ENDED = frame("dropped", {"reason": "access_ended", "remedy": "log in again, or use another token"})

router = APIRouter(tags=["events"], dependencies=[Depends(needs(Scope.READ))], responses=REFUSALS)


class EventStream(Response):
    """A response that sends frames until they end or the client goes, with a time limit on each send.

    When `ended` is set the client has no access any more: it is told so, and that is the end.
    """

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes, None], ended: asyncio.Event) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._frames = frames
        self._ended = ended

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send(send), name="sse send")
        leaving = asyncio.create_task(_left(receive), name="sse leave")
        ending = asyncio.create_task(self._ended.wait(), name="sse end of access")
        tasks = (sending, leaving, ending)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._ended.is_set() and sending.cancelled():
            await _in_time(send({"type": "http.response.body", "body": ENDED, "more_body": False}))

    async def _send(self, send: Send) -> None:
        async with aclosing(self._frames) as frames:
            async for data in frames:
                await _in_time(send({"type": "http.response.body", "body": data, "more_body": True}))
        await _in_time(send({"type": "http.response.body", "body": b"", "more_body": False}))


async def _in_time(sending: Awaitable[None]) -> None:
    """The server holds a send back while the peer does not read; one that stopped is let go."""
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await sending
    except TimeoutError:
        SSE_DROPPED.inc()
        raise


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class AskedStream(AskedTold):
    """The parameters of the stream."""

    after: str | None = Field(None, description="start after this number; Last-Event-ID goes before")


SAID = """Frames, each ended by an empty line. `status` comes every 5 s and at every change of sight:

    event: status
    data: {"as_of": {"state": "current", ...}, "nature": "Actual", "head": 1042}

    id: 1043
    event: alert
    data: {"seq": 1043, "kind": "raised", ...}
"""


@router.get(
    "/events/stream",
    operation_id="followEvents",
    status_code=200,
    response_class=EventStream,
    responses={
        200: {
            "description": SAID,
            "content": {EventStream.media_type: {"schema": {"type": "string"}}},
        }
    },
)
async def stream(
    request: Request,
    hub: HubOf,
    asked: Annotated[AskedStream, Query()],
    last_event_id: Annotated[str | None, Header()] = None,
) -> EventStream:
    """Told events as they come, as server-sent events (`text/event-stream`), resumed without a gap.

    `alert`: one event, as in `events`, with its number as `id`. `status`: how far the feed can see, every 5
    s. `reset`: the number that you gave means nothing here; read the present state and go on from `head`.
    `dropped`: you read too slowly, the feed stops, or your token has ended; come back with `Last-Event-ID`.
    Who takes nothing at all for 10 s is cut off in the middle.

    With filters an event that is passed over comes as its `id` alone, which a browser tells nobody of but
    returns with: so a stream that was cut goes on without a gap, and without reading again what was passed
    over. Lines that begin with a colon only keep the line open. Nothing for 10 s is a line that has broken.
    """
    if hub.streams >= STREAMS:
        raise HTTPException(503, "Too many live clients; poll /api/v1/events instead.")
    told = frames(hub, last_event_id or asked.after, partial(_wanted, hub, asked))
    return EventStream(told, admitted_of(request).ended)


def _wanted(hub: Hub, asked: AskedTold, event: Event) -> bool:
    return asked.wants(event, hub.reader.city)


async def frames(hub: Hub, given: str | None, wants: Wants = everything) -> AsyncGenerator[bytes, None]:
    """All that one client is sent; `given` is the number it has seen, as it wrote it."""
    with hub.streaming():
        yield f"retry: {RETRY_MS}\n\n".encode()
        yield hub.status_frame()
        position = None
        while position is None:
            try:
                position, reset = await _start(hub, given)
            except Unavailable:
                await asyncio.sleep(DATABASE_RETRY_S)
                yield hub.status_frame()
        if reset:
            yield reset
        async with aclosing(_replay(hub, position, wants)) as replayed:
            async for number, data in replayed:
                position = number
                yield data
        # The replay ended at the hub's own position, and nothing is awaited until the client has joined.
        async with aclosing(_live(hub, position, wants)) as told:
            async for data in told:
                yield data


async def _start(hub: Hub, given: str | None) -> tuple[int, bytes]:
    """The number to go on from, and the frame that says so when it is not the client's own."""
    head = await asyncio.to_thread(hub.reader.head)
    if given is None:
        return head, b""
    if not (given.isascii() and given.isdigit()):
        return head, reset_frame("not_a_number", head)
    if len(given) > LONGEST_ID or int(given) > head:
        return head, reset_frame("ahead_of_sequence", head)
    return int(given), b""


async def _replay(hub: Hub, position: int, wants: Wants) -> AsyncGenerator[tuple[int, bytes], None]:
    """Events from the database until the hub's own position is reached, each with the number reached.

    An empty page is no end: the hub may have told of an event while the page was on its way, and before its
    first look at the database it could pass over one that comes now.
    """
    while hub.head is None or position < hub.head:
        try:
            page = await asyncio.to_thread(hub.reader.events_since, position, PAGE)
        except Unavailable:
            await asyncio.sleep(DATABASE_RETRY_S)
            yield position, hub.status_frame()
            continue
        told = position
        for numbered in page:
            position = numbered.seq
            if wants(numbered.event):
                told = position
                yield position, event_frame(numbered, hub.reader.catalogue)
        if told < position:
            yield position, passed_frame(position)
        if not page:
            await asyncio.sleep(CATCH_UP_S)


async def _live(hub: Hub, position: int, wants: Wants) -> AsyncGenerator[bytes, None]:
    """Events after `position` as the hub tells them."""
    client = hub.join(wants)
    try:
        while True:
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):
                    item = await client.frames.get()
            except TimeoutError:
                yield KEEP_ALIVE
                continue
            if item is None:
                return
            seq, data = item
            if seq is None or seq > position:
                yield data
    finally:
        hub.leave(client)
