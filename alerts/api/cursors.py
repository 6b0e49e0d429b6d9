"""Cursors of paged answers: where the page before ended, and of which question it was a page.

Promises: opaque text of URL characters; one that was not made here, was changed, or belongs to another
question is refused with `ValueError`. It holds a position in what is stored and no number of a page, so that
rows that arrive meanwhile neither shift nor repeat what is still to come. No secret: a position is nothing to
hide. Pure; called by the routers.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Annotated, Any

import msgspec

from ingest.store.partitions import EARLIEST, LATEST

DIGEST = 9  # bytes: twelve characters
LONGEST = 400  # characters; a datastream's key has 129

Time = Annotated[int, msgspec.Meta(ge=EARLIEST, le=LATEST)]  # microseconds, as the tables can hold
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


def write(question: str, position: object) -> str:
    """The cursor of a position (numbers and texts) within the answers to a question."""
    body = msgspec.json.encode(position)
    return base64.urlsafe_b64encode(_digest(question, body) + body).decode().rstrip("=")


def read(question: str, text: str, shape: Any) -> Any:
    """The position in a cursor of this question, of that type; `ValueError` when it is none."""
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        digest, body = packed[:DIGEST], packed[DIGEST:]
        position = msgspec.json.decode(body, type=shape)
    except (ValueError, msgspec.MsgspecError):
        raise ValueError("it was not made by this feed") from None
    if digest != _digest(question, body):
        raise ValueError("it belongs to another question, or was changed")
    return position


def _digest(question: str, body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=DIGEST, key=hashlib.sha256(question.encode()).digest()).digest()
