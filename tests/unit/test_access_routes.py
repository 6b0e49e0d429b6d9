"""Every route of the feed asks who it is, but for a short list that is written here."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, cast

import httpx
import pytest
from fastapi import Depends, routing

from alerts.access import Policy, Principal, Public, Scope
from alerts.api import documents as openapi
from alerts.api.app import create_app
from alerts.api.door import Door
from alerts.api.guard import needs
from alerts.api.hub import Hub
from alerts.api.reader import Reader
from alerts.api.writer import Writer
from ingest.clock import system_clock
from ingest.embedded_server import free_port
from tests.support.feed import NATURE, catalogue

# Health says nothing about the city, the console's files are the same everywhere, and the session's POST is
# where a token is shown.
OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/console/{name}"),
    ("HEAD", "/console/{name}"),
    ("POST", "/api/v1/session"),
}


def feed(policy: Policy | None = None) -> Any:
    """The application over a database that never answers: nobody gets as far as asking it."""
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    reader, writer = Reader(url, catalogue(), NATURE), Writer(url)
    clock = system_clock()
    return create_app(Hub(reader, clock), Door(reader, writer, clock, policy or Policy()), writer)


def routes() -> Iterator[tuple[str, str]]:
    """(method, path) of everything that is served."""
    flat = getattr(routing, "iter_route_contexts", lambda found: found)
    for route in flat(feed().routes):
        for method in sorted(cast("set[str]", route.methods)):
            yield method, cast(str, route.path)


WALKED = sorted(routes())
GUARDED = [each for each in WALKED if each not in OPEN]


def test_every_kind_of_route_was_walked() -> None:
    assert set(WALKED) >= OPEN
    assert ("GET", "/api/v1/openapi.json") in WALKED
    assert ("GET", "/api/v1/events/stream") in WALKED
    assert ("POST", "/api/v1/alerts/{alert_id}/acknowledge") in WALKED


async def ask(method: str, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """One request to a feed of its own, with a body where one is wanted."""
    transport = httpx.ASGITransport(feed(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://feed") as client:
        body = {"json": {}} if method == "POST" else {}
        return await client.request(method, re.sub(r"\{.*?\}", "x", path), headers=headers, **body)


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_a_route_answers_nobody_without_a_token(method: str, path: str) -> None:
    answer = await ask(method, path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {"type", "title", "status", "detail", "instance", "as_of"}


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_a_route_answers_nobody_while_the_database_is_away(method: str, path: str) -> None:
    token = f"hw_{'0' * 12}_{'0' * 64}"
    assert (await ask(method, path, {"Authorization": f"Bearer {token}"})).status_code == 503


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer x"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic aHc6aHc="},
        {"Authorization": f"Bearer hws_{'0' * 12}_{'0' * 64}"},
        {"Authorization": f"hw_{'0' * 12}_{'0' * 64}"},
        {"Cookie": "huewatch=hw_0"},
        {"Cookie": f"huewatch=hw_{'0' * 12}_{'0' * 64}"},
        {"Cookie": f"__Host-huewatch=hws_{'0' * 12}_{'0' * 64}"},  # over http
    ],
)
async def test_nothing_of_another_shape_gets_in(headers: dict[str, str]) -> None:
    own = {"Sec-Fetch-Site": "same-origin"}
    for method, path in (("GET", "/api/v1/stations"), ("POST", "/api/v1/alerts/x/comment")):
        assert (await ask(method, path, own | headers)).status_code == 401


@pytest.mark.parametrize(
    ("public", "statuses"),
    [
        (frozenset(), {"cap": 401, "open_data": 401, "guarded": 401}),
        (frozenset({Public.CAP}), {"cap": 200, "open_data": 401, "guarded": 401}),
        (frozenset(Public), {"cap": 200, "open_data": 200, "guarded": 401}),
    ],
)
async def test_the_setting_opens_what_it_names_to_anybody_and_nothing_else(
    public: frozenset[Public], statuses: dict[str, int]
) -> None:
    app = feed(Policy(public=public))
    for path, name in (("cap", "cap"), ("open_data", "open_data"), ("guarded", None)):

        def answer(who: Annotated[Principal, Depends(needs(Scope.READ, public=name))]) -> str:
            return who.name

        app.get(f"/{path}")(answer)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://feed") as client:
        assert {path: (await client.get(f"/{path}")).status_code for path in statuses} == statuses


# What somebody who may only read says of nobody but himself.
OF_ONE_S_OWN = ("/api/v1/session", "/api/v1/presence")


def test_what_may_be_public_is_one_of_a_short_list() -> None:
    with pytest.raises(ValueError, match="everything"):
        needs(Scope.READ, public="everything")


def test_the_openapi_document_says_which_scope_each_operation_needs() -> None:
    document = openapi.document(feed())
    assert set(document["components"]["securitySchemes"]) == {"token", "session"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if (method.upper(), path) in OPEN:
                assert "security" not in operation
                continue
            (token,), (session,) = (list(each.values()) for each in operation["security"])
            assert token == session
            assert token in (["read"], ["acknowledge"], ["administer"])
            assert (token == ["read"]) == ((method == "get" and "audit" not in path) or path in OF_ONE_S_OWN)
            assert {"401", "403", "429", "503"} <= set(operation["responses"])
