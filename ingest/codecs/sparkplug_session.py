"""What is remembered of a Sparkplug edge node between messages: its session, and the births of its devices.

Two kinds of entries in the codec's memory, per group since an edge node's name is unique within one only:
`node/<group>` (one `Session`), and `birth/<group>` and `birth/<group>/<device>` (one `Birth` each). Aliases
live as long as the session that gave them: after an NDEATH, or an NBIRTH of another session, they may mean
something else, so births are forgotten and data waits in quarantine for new ones.

A birth holds from a moment on (`since`). A message that was sent earlier, one redelivered or replayed from
quarantine, is not read by it, unless it was such a message that made us ask for the birth. A birth that says
the same as the last one holds from as early on.

Pure. Called by `ingest.codecs.sparkplug_b`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TypeVar

import msgspec

from ingest.codecs.base import Memory
from ingest.codecs.sparkplug_payload import Metric, Payload, describe, unreadable

ASK_EVERY = 32  # messages between two requests for a birth that does not come
_SEQUENCE = 256
_BIRTHS_PARSED = 256  # of devices that report now and then; one is at most as long as a message

T = TypeVar("T")


class Session(msgspec.Struct, frozen=True, array_like=True):
    """An edge node as heard of so far.

    `bd_seq` pairs its birth with its death; `seq` and `at` (milliseconds) are of its newest message. `born`:
    between NBIRTH and NDEATH. `owed`: a birth is needed and has not come; it is asked for again when `pause`
    messages have passed. `waiting`: when the first message was sent that waits for it.
    """

    bd_seq: int | None = None
    seq: int | None = None
    at: int = 0
    born: bool = False
    owed: bool = False
    pause: int = 0
    waiting: int | None = None

    def birth(self, payload: Payload, bd_seq: int | None) -> Session:
        """After an NBIRTH."""
        waiting = self.waiting if self.owed else None
        at = payload.timestamp or 0
        return Session(bd_seq, payload.seq or 0, at, born=True, pause=self._next_pause(), waiting=waiting)

    def death(self) -> Session:
        """After the NDEATH of this session."""
        return Session(self.bd_seq)

    def heard(self, payload: Payload) -> Session:
        """After any other message; one that repeats an earlier one changes nothing but the pause."""
        session = msgspec.structs.replace(self, pause=self._next_pause(), owed=self.owed or not self.born)
        if payload.seq is None or self._repeats(payload):
            return session
        gap = self.seq is not None and payload.seq != (self.seq + 1) % _SEQUENCE
        at = self.at if payload.timestamp is None else payload.timestamp
        return msgspec.structs.replace(session, seq=payload.seq, at=at, owed=session.owed or gap)

    def needs_birth(self, payload: Payload) -> Session:
        """When the message cannot be read without one."""
        waiting = payload.timestamp if self.waiting is None else self.waiting
        return msgspec.structs.replace(self, owed=True, waiting=waiting)

    def asks(self) -> bool:
        """Whether it is time to ask for the birth that is owed."""
        return self.owed and self.pause == 0

    def asked(self) -> Session:
        return msgspec.structs.replace(self, pause=ASK_EVERY)

    def _next_pause(self) -> int:
        return max(0, self.pause - 1)

    def _repeats(self, payload: Payload) -> bool:
        """A redelivery: the number that we have, or another than the next from no later than the newest."""
        if payload.seq == self.seq:
            return True
        following = self.seq is not None and payload.seq == (self.seq + 1) % _SEQUENCE
        return not following and payload.timestamp is not None and payload.timestamp <= self.at


class Definition(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a birth says of a metric."""

    name: str
    alias: int | None
    datatype: int
    unit: str | None


class Birth(msgspec.Struct, frozen=True, array_like=True):
    """The definitions of a device or of the edge node itself, and since when (milliseconds) they hold."""

    since: int
    definitions: list[Definition]

    @classmethod
    def of(cls, payload: Payload, before: Birth | None, waiting: int | None) -> Birth:
        """The birth of this message; `before`: the last one of this session."""
        definitions = [Definition(m.name, m.alias, m.datatype, m.unit) for m in payload.metrics]
        since = payload.timestamp or 0
        if waiting is not None:
            since = min(since, waiting)
        if before is not None and before.definitions == definitions:
            since = min(since, before.since)
        return cls(since, definitions)


class Known(msgspec.Struct, frozen=True):
    """A birth made ready for looking up."""

    since: int
    by_name: Mapping[str, Definition]
    by_alias: Mapping[int, Definition]

    def definition(self, metric: Metric) -> Definition | None:
        """What is known of the metric, None when it is neither by its name nor its alias."""
        if metric.name:
            return self.by_name.get(metric.name)
        return None if metric.alias is None else self.by_alias.get(metric.alias)

    def explains(self, payload: Payload) -> bool:
        """Whether the birth held when the message was sent."""
        return payload.timestamp is None or payload.timestamp >= self.since


UNBORN = Known(0, {}, {})


def session_key(group: str) -> str:
    return f"node/{group}"


def birth_key(group: str, device: str | None) -> str:
    return f"birth/{group}" if device is None else f"birth/{group}/{device}"


def births_of(memory: Memory, group: str) -> Iterable[str]:
    """The keys of every birth of the edge node in this group."""
    own = birth_key(group, None)
    return [key for key in memory if key == own or key.startswith(f"{own}/")]


def session_in(memory: Memory, group: str) -> Session:
    return _decoded(memory.get(session_key(group)), Session) or Session()


def birth_in(memory: Memory, key: str) -> Birth | None:
    return _decoded(memory.get(key), Birth)


def known_in(memory: Memory, key: str) -> Known:
    raw = memory.get(key)
    return UNBORN if raw is None else _known(raw)


def check(definitions: Iterable[Definition]) -> None:
    """Refuse a birth whose aliases do not tell its metrics apart."""
    names: dict[int, str] = {}
    for definition in definitions:
        if not definition.name:
            raise unreadable(f"a birth with {describe('', definition.alias)} for a name")
        alias = definition.alias
        if alias is not None and names.setdefault(alias, definition.name) != definition.name:
            raise unreadable(f"a birth with alias {alias} for two metrics")


@lru_cache(_BIRTHS_PARSED)
def _known(raw: bytes) -> Known:
    birth = _decoded(raw, Birth)
    if birth is None:
        return UNBORN
    by_alias = {found.alias: found for found in birth.definitions if found.alias is not None}
    return Known(birth.since, {found.name: found for found in birth.definitions}, by_alias)


def _decoded(raw: bytes | None, kind: type[T]) -> T | None:
    """What was remembered; None also where a later version of this codec wrote it in another form."""
    try:
        return None if raw is None else msgspec.msgpack.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
