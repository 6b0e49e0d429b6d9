"""How answers are written: JSON with how far the feed can see, pages with their next, and what caches may do.

Promises: every answer carries `Huewatch-As-Of`, also the one that only says that nothing has changed (304),
so that nobody takes an old `as_of` for the present one; nothing may be used from a cache without asking
again. Called by the routers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from urllib.parse import urlencode

from fastapi import Request
from starlette.responses import Response

from alerts import wire
from alerts.api import conditional
from alerts.sight import AsOf

JSON = "application/json"
REVALIDATE = "private, no-cache"  # may be kept, never used without asking


def answer(data: wire.Json, as_of: AsOf, *, headers: Mapping[str, str] | None = None) -> Response:
    """One answer; `as_of` goes before everything else."""
    body = wire.encode({"as_of": wire.as_of_json(as_of)} | data)
    return Response(body, headers=sighted(as_of) | dict(headers or {}), media_type=JSON)


def page(request: Request, data: wire.Json, as_of: AsOf, cursor: str | None) -> Response:
    """One page; `cursor` is where the next one begins, None where there is none."""
    following = None if cursor is None else address(request, cursor=cursor)
    return answer(data | {"next": following}, as_of, headers=linked(following))


def address(request: Request, **changed: object) -> str:
    """The path of this request with other parameters, as it can be asked for at the same host."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changed]
    return f"{request.url.path}?{urlencode(kept + [(name, str(value)) for name, value in changed.items()])}"


def linked(following: str | None) -> dict[str, str]:
    """The `Link` header of an answer that goes on (RFC 8288)."""
    return {} if following is None else {"Link": f'<{following}>; rel="next"'}


def sighted(as_of: AsOf) -> dict[str, str]:
    """How far we can see, as a header (a dictionary of RFC 9651)."""
    parts = [f"state={as_of.state.value}"]
    if as_of.time is not None:
        parts.append(f'time="{wire.stamp(as_of.time)}"')
    if as_of.age_s is not None:
        parts.append(f"age={as_of.age_s:.1f}")
    if as_of.reason:
        parts.append(f"reason={as_of.reason}")
    return {"Huewatch-As-Of": ", ".join(parts)}


def weak_tag(*parts: object) -> str:
    """A weak entity tag: equal where nothing has changed but the age of what we see."""
    digest = hashlib.blake2b("\n".join(map(repr, parts)).encode(), digest_size=12).hexdigest()
    return f'W/"{digest}"'


def matches(request: Request, tag: str) -> bool:
    """Whether the client holds this version (RFC 9110 13.1.2, weak comparison)."""
    return conditional.unchanged(request.headers, tag)


def unchanged(tag: str, as_of: AsOf) -> Response:
    """304: what the client holds is right, and `Huewatch-As-Of` says since when it is known to be."""
    return Response(status_code=304, headers=tagged(tag) | sighted(as_of))


def tagged(tag: str) -> dict[str, str]:
    """The headers of what may be kept and must be asked for again."""
    return {"ETag": tag, "Cache-Control": REVALIDATE}
