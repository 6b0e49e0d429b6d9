"""Conditional requests (RFC 9110, 13): what the client has is still right, and nothing need be made anew.

Promises that no change is ever missed: `If-None-Match` goes before dates; and a date is only given out once
it lies so far back that nothing of the same second can still come. All times are of one clock. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import format_datetime, parsedate_to_datetime

from ingest.clock import MICROS_PER_SECOND, to_datetime

SETTLED = 2 * MICROS_PER_SECOND  # dates have whole seconds: within one, two changes look alike


def validators(etag: str, changed: int | None = None, now: int = 0) -> dict[str, str]:
    """The headers by which a client may ask again; `changed` and `now` in microseconds."""
    headers = {"ETag": etag}
    if changed is not None and now - changed >= SETTLED:
        headers["Last-Modified"] = format_datetime(to_datetime(changed).astimezone(UTC), usegmt=True)
    return headers


def unchanged(request: Mapping[str, str], etag: str, changed: int | None = None) -> bool:
    """Whether the client, by its request's headers, has what it would be given."""
    named = request.get("if-none-match")
    if named is not None:
        wanted = etag.removeprefix("W/")
        return any(one.strip().removeprefix("W/") in ("*", wanted) for one in named.split(","))
    since = request.get("if-modified-since")
    if since is None or changed is None:
        return False
    try:
        known = parsedate_to_datetime(since)
    except ValueError:
        return False
    aware = known if known.tzinfo else known.replace(tzinfo=UTC)
    return to_datetime(changed).replace(microsecond=0) <= aware
