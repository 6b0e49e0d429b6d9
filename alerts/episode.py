"""The words of the judged record: entries chained by their hashes, and where the record of a target stands.

An *entry* says what event time has made final of one (rule, target). Its hash is over its own fields and the
hash of the entry before, so that none can be changed, left out, moved or put in without being found. Where a
record must end is held beside it (`alerts.account.JudgedCondition`), so that cutting off its end is found,
too. Who can write both tables can still write another history: keep the newest hashes elsewhere as well.
Pure; written by `alerts.judging`, kept by `alerts.episode_store`, checked by `huewatch alerts verify`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from enum import StrEnum

import msgspec
from msgspec.structs import asdict, replace

FIRST = ""  # the previous hash of a chain's first entry


class EntryKind(StrEnum):
    RAISED = "raised"
    ESCALATED = "escalated"
    LOWERED = "lowered"
    CLEARED = "cleared"
    RULE_CHANGED = "rule_changed"  # what was held was held under another version: it begins again
    RULE_REMOVED = "rule_removed"  # the rule, or its target, is gone


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry. Times in microseconds UTC; `value` and `threshold` as in `alerts.model.Event`, None where
    no row decided. `previous` and `hash`: SHA-256 in hexadecimal digits."""

    rule: str
    target: str
    ordinal: int  # 1, 2, 3, ... within (rule, target)
    kind: EntryKind
    level: int
    event_time: int
    value: float | None
    threshold: float | None
    rule_version: str
    previous: str
    hash: str = ""


class End(msgspec.Struct, frozen=True, gc=False):
    """The newest entry of a chain: its ordinal and hash; 0 and `FIRST` before there is any."""

    ordinal: int = 0
    hash: str = FIRST


class Fault(msgspec.Struct, frozen=True):
    """The first broken link of a chain: at which ordinal, and what differs."""

    ordinal: int
    differs: str


def sealed(entry: Entry) -> Entry:
    """The entry with its hash: SHA-256 over JSON (UTF-8, sorted keys, no spaces) of all its other fields."""
    fields = asdict(entry)
    del fields["hash"]
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return replace(entry, hash=hashlib.sha256(text.encode()).hexdigest())


def first_fault(entries: Iterable[Entry], end: End | None) -> Fault | None:
    """The first broken link of one chain (entries by ordinal) that must end with `end`, or None."""
    last = End()
    for entry in entries:
        if entry.ordinal != last.ordinal + 1:
            return Fault(last.ordinal + 1, f"the entry is missing; the next there is has {entry.ordinal}")
        if entry.previous != last.hash:
            return Fault(entry.ordinal, "its previous hash is not the hash of the entry before")
        if sealed(entry).hash != entry.hash:
            return Fault(entry.ordinal, "its fields are not those that its hash was made of")
        last = End(entry.ordinal, entry.hash)
    if end is None:
        return Fault(last.ordinal, "nothing says where the record must end")
    if last.ordinal < end.ordinal:
        return Fault(last.ordinal + 1, f"the entry is missing; the record must end at {end.ordinal}")
    if last.ordinal > end.ordinal:
        return Fault(end.ordinal + 1, f"the entry was put in; the record must end at {end.ordinal}")
    if last.hash != end.hash:
        return Fault(end.ordinal, "its hash is not the one that the record must end with")
    return None
