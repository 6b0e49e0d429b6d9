"""Who gets in at a running feed over a real database, who does not, and what they are told."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from alerts import access_store, audit_store
from alerts.access import Policy, Scope
from alerts.access_store import SESSION_S
from alerts.api import door
from alerts.api.feed_settings import FeedSettings
from alerts.api.guard import COOKIE
from alerts.api.serve import Feed, running_feed
from alerts.tries import AT_ONCE
from ingest.embedded import EmbeddedPostgres
from tests.support import access
from tests.support.databases import Database
from tests.support.feed import (
    NATURE,
    Connection,
    Frame,
    catalogue,
    commit,
    first,
    happening,
    listening,
    prepare,
    tell,
    until,
)

CITY = catalogue()
STATIONS, SESSION = "/api/v1/stations", "/api/v1/session"
ALERT = f"/api/v1/alerts/{happening(1).alert_id}"


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, CITY) as connection:
        commit(connection)
        tell(connection, happening(1, level=2))
        yield connection


@pytest.fixture
async def feed(plain_database: Database, table: Connection) -> AsyncIterator[Feed]:
    async with running_feed(plain_database.url, None, CITY, NATURE) as found:
        yield found


@pytest.fixture
async def client(feed: Feed) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody yet; it keeps no cookies but those that a test gives it."""
    async with httpx.AsyncClient(base_url=feed.url, timeout=10.0) as found:
        yield found


@pytest.fixture
def url(plain_database: Database, table: Connection) -> str:
    return plain_database.url


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def number(token: str) -> str:
    """The id that a token names."""
    return token.split("_")[1]


async def status(client: httpx.AsyncClient, token: str, path: str = STATIONS) -> int:
    return (await client.get(path, headers=bearer(token))).status_code


# -- tokens


@pytest.mark.parametrize(
    ("scope", "reads", "acts", "administers"),
    [
        (Scope.READ, 200, 403, 403),
        (Scope.ACKNOWLEDGE, 200, 200, 403),
        (Scope.ADMINISTER, 200, 200, 200),
    ],
)
async def test_a_token_opens_what_its_scope_holds(
    client: httpx.AsyncClient, url: str, scope: Scope, reads: int, acts: int, administers: int
) -> None:
    headers = access.headers(url, scope)
    for path in (STATIONS, "/api/v1/openapi.json", SESSION):
        assert (await client.get(path, headers=headers)).status_code == reads
    noted = await client.post(f"{ALERT}/comment", json={"text": "seen"}, headers=headers)
    assert noted.status_code == acts
    assert (await client.get("/api/v1/audit", headers=headers)).status_code == administers


async def test_a_missing_scope_is_named_and_a_write_that_was_tried_is_on_the_account(
    client: httpx.AsyncClient, url: str, table: Connection
) -> None:
    reader = access.headers(url, Scope.READ, name="reader")
    refused = await client.post(f"{ALERT}/acknowledge", json={}, headers=reader)
    assert (refused.status_code, refused.json()["scope"]) == (403, "acknowledge")
    assert 'error="insufficient_scope", scope="acknowledge"' in refused.headers["www-authenticate"]
    (row,) = audit_store.newest(table, 10)
    assert (row.deed.who, row.outcome, row.deed.peer) == ("reader", "refused", "127.0.0.1")
    assert row.deed.target == f"POST {ALERT}/acknowledge"
    assert table.execute("SELECT count(*) FROM alert_event").fetchone() == (1,)
    await client.get("/api/v1/audit", headers=reader)
    assert len(audit_store.newest(table, 10)) == 1  # reading in vain is no write
    for _ in range(AT_ONCE + 5):
        refused = await client.post(f"{ALERT}/acknowledge", json={}, headers=reader)
    assert refused.status_code == 429
    assert len(audit_store.newest(table, 100)) == AT_ONCE  # nobody fills the account
    assert (await client.get(STATIONS, headers=reader)).status_code == 200


async def test_a_wrong_secret_an_unknown_id_and_no_token_at_all_say_the_same(
    client: httpx.AsyncClient, url: str
) -> None:
    token = access.make(url, Scope.READ)
    wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
    unknown = f"hw_{'0' * 12}_{'0' * 64}"
    assert await status(client, token) == 200
    said = []
    for each in (wrong, unknown):
        answer = await client.get(STATIONS, headers=bearer(each))
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        said.append(answer.json()["detail"])
    assert said[0] == said[1]


async def test_a_token_works_at_once_and_a_revoked_one_no_longer_after_two_seconds(
    client: httpx.AsyncClient, url: str, table: Connection
) -> None:
    token = access.make(url, Scope.READ)
    assert await status(client, token) == 200
    assert access_store.revoke(table, number(token), "a test") is not None

    async def refused() -> bool:
        return await status(client, token) == 401

    await until(refused, 3.0)


async def test_an_expired_token_opens_nothing(client: httpx.AsyncClient, url: str) -> None:
    token = access.make(url, Scope.READ, lasts_s=1.0)
    assert await status(client, token) == 200
    await asyncio.sleep(1.1)
    assert await status(client, token) == 401


async def test_use_is_noted_once_a_minute(client: httpx.AsyncClient, url: str, table: Connection) -> None:
    token = access.make(url, Scope.READ)
    await status(client, token)

    def used_at() -> int | None:
        (found,) = [each for each in access_store.tokens(table) if each.id == number(token)]
        return found.last_used_at

    async def noted() -> bool:
        return used_at() is not None

    await until(noted)
    before = used_at()
    access_store.used(table, [number(token)])
    await status(client, token)
    await asyncio.sleep(2 * door.LOOK_S)
    assert used_at() == before
    table.execute("UPDATE access_token SET last_used_at = last_used_at - interval '61 seconds'")
    access_store.used(table, [number(token)])
    assert used_at() != before


# -- failures


async def test_who_fails_too_often_is_told_to_wait_and_locks_nobody_out(
    client: httpx.AsyncClient, feed: Feed, url: str
) -> None:
    token, newer = access.make(url, Scope.READ, name="An"), access.make(url, Scope.READ, name="Bình")
    unknown = f"hw_{'0' * 12}_{'1' * 64}"
    answers = [await client.get(STATIONS, headers=bearer(unknown)) for _ in range(AT_ONCE + 5)]
    assert [each.status_code for each in answers] == [401] * AT_ONCE + [429] * 5
    assert 0 < int(answers[-1].headers["retry-after"]) <= 6
    assert await status(client, token) == 200  # the same address, a secret that is right

    async def also_one_that_was_never_shown_here() -> bool:
        return await status(client, newer) == 200

    await until(also_one_that_was_never_shown_here, 3.0)
    other = await client.get(STATIONS, headers={**bearer(unknown), "X-Forwarded-For": "192.0.2.7"})
    assert other.status_code == 401  # a proxy on this machine is believed, so this is somebody else


async def test_a_thousand_guesses_cost_the_database_a_few_looks(
    client: httpx.AsyncClient, feed: Feed, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    living = access_store.living

    def counted(connection: Any) -> Any:
        nonlocal looks
        looks += 1
        return living(connection)

    monkeypatch.setattr(access_store, "living", counted)
    began = asyncio.get_running_loop().time()

    async def guess(each: int) -> int:
        headers = {**bearer(f"hw_{each:012x}_{each:064x}"), "X-Forwarded-For": f"192.0.2.{each % 256}"}
        return (await client.get(STATIONS, headers=headers)).status_code

    for start in range(0, 1_000, 50):
        found = await asyncio.gather(*(guess(each) for each in range(start, start + 50)))
        assert set(found) == {401}
    took = asyncio.get_running_loop().time() - began
    assert looks <= took / door.BETWEEN_S + took / door.LOOK_S + 3


async def test_nothing_secret_is_in_logs_or_answers(
    client: httpx.AsyncClient, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = access.make(url, Scope.READ)
    wrong = f"hw_{number(token)}_{'5' * 64}"
    said = ""
    for sent in (token, wrong, "hw_nonsense", token.replace("hw_", "hws_")):
        for asked in (
            client.get(STATIONS, headers=bearer(sent)),
            client.post(SESSION, json={"token": sent}),
            client.get(STATIONS, headers={"Cookie": f"{COOKIE}={sent}"}),
            client.post(SESSION, json={"token": [sent]}),
        ):
            answer = await asked
            said += answer.text
    lines = [f"{record.getMessage()} {vars(record)}" for record in caplog.records if record.name != "httpx"]
    logged = "\n".join(line for line in lines if "httpcore" not in line)
    assert "access_refused" in logged
    assert number(token) in logged  # by which `token list` knows it
    for secret in (token.split("_")[2], "5" * 64, "hw_nonsense"):
        assert secret not in logged
        assert secret not in said


# -- sessions


async def logged_in(client: httpx.AsyncClient, token: str) -> httpx.Response:
    """The answer to a browser's login; its cookie is the client's from now on."""
    answer = await client.post(SESSION, json={"token": token}, headers={"Origin": str(client.base_url)})
    assert answer.status_code == 200, answer.text
    return answer


async def test_a_browser_shows_its_token_once_and_has_a_cookie_that_no_script_reads(
    client: httpx.AsyncClient, url: str, table: Connection
) -> None:
    token = access.make(url, Scope.ACKNOWLEDGE, name="An")
    answer = await logged_in(client, token)
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=strict", f"Max-Age={SESSION_S}"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert token.split("_")[2] not in cookie
    assert token.split("_")[2] not in answer.text
    who = (await client.get(SESSION)).json()
    assert (who["name"], who["scopes"]) == ("An", ["read", "acknowledge"])
    assert who["expires"] == answer.json()["expires"]
    assert who["as_of"]["state"] == "current"
    assert table.execute("SELECT count(*) FROM access_session").fetchone() == (1,)


async def test_a_session_over_https_is_for_https_alone(url: str, table: Connection) -> None:
    token = access.make(url, Scope.READ)
    for policy, headers in (
        (Policy(https=True), {}),
        (Policy(), {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}),
    ):
        async with (
            running_feed(url, None, CITY, NATURE, settings=FeedSettings(policy=policy)) as feed,
            httpx.AsyncClient(base_url=feed.url, headers=headers) as browser,
        ):
            answer = await browser.post(SESSION, json={"token": token})
            name, _, rest = answer.headers["set-cookie"].partition("=")
            assert name == f"__Host-{COOKIE}"
            assert "Secure" in rest.split("; ")
            assert ("strict-transport-security" in answer.headers) == policy.https
            value = rest.partition(";")[0]
            for cookie, expected in ((name, 200), (COOKIE, 401)):
                sent = await browser.get(STATIONS, headers={"Cookie": f"{cookie}={value}"})
                assert sent.status_code == expected


async def test_a_proxy_that_is_not_named_is_not_believed(url: str, table: Connection) -> None:
    async with (
        running_feed(
            url, None, CITY, NATURE, settings=FeedSettings(policy=Policy(proxies="192.0.2.1"))
        ) as feed,
        httpx.AsyncClient(base_url=feed.url, headers={"X-Forwarded-Proto": "https"}) as browser,
    ):
        answer = await browser.post(SESSION, json={"token": access.make(url, Scope.READ)})
        assert answer.headers["set-cookie"].startswith(f"{COOKIE}=")


async def test_a_session_ends_with_its_token_and_at_logout(
    client: httpx.AsyncClient, url: str, table: Connection
) -> None:
    token = access.make(url, Scope.READ)
    await logged_in(client, token)
    kept = client.cookies[COOKIE]
    left = await client.delete(SESSION, headers={"Sec-Fetch-Site": "same-origin"})
    assert (left.status_code, "Max-Age=0" in left.headers["set-cookie"]) == (204, True)
    client.cookies.clear()

    async def gone() -> bool:
        return (await client.get(STATIONS, headers={"Cookie": f"{COOKIE}={kept}"})).status_code == 401

    await until(gone, 3.0)
    await logged_in(client, token)
    assert (await client.get(STATIONS)).status_code == 200
    access_store.revoke(table, number(token), "a test")

    async def over() -> bool:
        return (await client.get(STATIONS)).status_code == 401

    await until(over, 3.0)
    assert [(each.deed.who, each.deed.what) for each in audit_store.after(table, 0, 10)] == [
        ("test", "session.open"),
        ("test", "session.end"),
        ("test", "session.open"),
    ]


async def test_a_session_lasts_a_shift_and_no_longer_than_its_token(
    client: httpx.AsyncClient, url: str, table: Connection
) -> None:
    long, short = access.make(url, Scope.READ), access.make(url, Scope.READ, name="guest", lasts_s=600)
    await logged_in(client, long)
    client.cookies.clear()
    await logged_in(client, short)
    lasts = table.execute(
        "SELECT extract(epoch FROM expires_at - opened_at)::float8 FROM access_session ORDER BY opened_at"
    ).fetchall()
    assert [round(each) for (each,) in lasts] == [SESSION_S, 600]


async def test_the_oldest_browser_of_a_token_gives_way(
    client: httpx.AsyncClient, url: str, table: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_store, "SESSIONS", 2)
    token = access.make(url, Scope.READ)
    for _ in range(4):
        client.cookies.clear()
        await logged_in(client, token)
    assert table.execute("SELECT count(*) FROM access_session").fetchone() == (2,)
    assert (await client.get(STATIONS)).status_code == 200


FOREIGN = [
    {},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://["},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "{own}"},
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_another_sites_request_with_our_cookie_changes_nothing(
    client: httpx.AsyncClient, url: str, table: Connection, headers: dict[str, str]
) -> None:
    await logged_in(client, access.make(url, Scope.ACKNOWLEDGE))
    sent = {name: value.format(own=client.base_url) for name, value in headers.items()}
    refused = await client.post(f"{ALERT}/comment", json={"text": "evil"}, headers=sent)
    assert refused.status_code == 403
    assert (await client.delete(SESSION, headers=sent)).status_code == 403
    assert (await client.get(STATIONS)).status_code == 200
    assert table.execute("SELECT count(*) FROM alert_event").fetchone() == (1,)


async def test_a_form_cannot_write_even_from_our_own_origin(
    client: httpx.AsyncClient, url: str, table: Connection
) -> None:
    await logged_in(client, access.make(url, Scope.ACKNOWLEDGE))
    own = {"Origin": str(client.base_url), "Content-Type": "text/plain"}
    refused = await client.post(f"{ALERT}/comment", content='{"text": "x"}', headers=own)
    assert refused.status_code in (403, 422)
    assert table.execute("SELECT count(*) FROM alert_event").fetchone() == (1,)


async def test_our_own_page_writes_with_its_cookie(
    client: httpx.AsyncClient, url: str, table: Connection
) -> None:
    await logged_in(client, access.make(url, Scope.ACKNOWLEDGE, name="An"))
    for headers in ({"Origin": str(client.base_url)}, {"Sec-Fetch-Site": "same-origin"}):
        done = await client.post(f"{ALERT}/comment", json={"text": "seen"}, headers=headers)
        assert done.status_code == 200, done.text
    assert table.execute("SELECT body->>'by' FROM alert_event WHERE seq > 1").fetchall() == [("An",)] * 2


async def test_another_site_cannot_log_our_browser_in(client: httpx.AsyncClient, url: str) -> None:
    token = access.make(url, Scope.READ)
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert (await client.post(SESSION, json={"token": token}, headers=headers)).status_code == 403
    assert (await client.post(SESSION, content=f'{{"token": "{token}"}}')).status_code in (403, 422)


async def test_no_other_origin_may_read_and_no_preflight_is_granted(
    client: httpx.AsyncClient, url: str
) -> None:
    sent = {**access.headers(url), "Origin": "https://evil.example"}
    assert not [each for each in (await client.get(STATIONS, headers=sent)).headers if "allow" in each]
    asked = {**sent, "Access-Control-Request-Method": "POST"}
    preflight = await client.options(f"{ALERT}/comment", headers=asked)
    assert preflight.status_code == 405
    assert not [each for each in preflight.headers if each.startswith("access-control")]


# -- live streams


async def last(frames: AsyncIterator[Frame]) -> Frame:
    async with asyncio.timeout(5.0):
        found = [frame async for frame in frames]
    return found[-1]


async def test_the_stream_of_a_revoked_token_ends_within_two_seconds_and_says_why(
    feed: Feed, url: str, table: Connection
) -> None:
    token, other = access.make(url, Scope.READ), access.make(url, Scope.READ, name="other")
    async with (
        listening(feed.url, headers=bearer(token)) as frames,
        listening(feed.url, headers=bearer(other)) as kept,
    ):
        await first(frames, "status")
        access_store.revoke(table, number(token), "a test")
        ended = await last(frames)
        assert (ended.event, ended.data["reason"]) == ("dropped", "access_ended")
        tell(table, happening(2, alert=2))
        assert (await first(kept, "alert")).seq == 2


async def test_the_stream_of_a_session_ends_at_logout(
    feed: Feed, client: httpx.AsyncClient, url: str
) -> None:
    await logged_in(client, access.make(url, Scope.READ))
    cookie = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
    async with listening(feed.url, headers=cookie) as frames:
        await first(frames, "status")
        await client.delete(SESSION, headers={"Sec-Fetch-Site": "same-origin"})
        assert (await last(frames)).data["reason"] == "access_ended"


# -- the database away


@pytest.fixture
def own_server(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL that the test may stop."""
    with tempfile.TemporaryDirectory(dir=server_folder, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        with EmbeddedPostgres(Path(name) / "postgres") as server:
            yield server


async def test_while_the_database_is_away_what_was_known_reads_for_a_time_and_then_nobody(
    own_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "GRACE_S", 8.0)
    with prepare(own_server.url, CITY) as connection:
        commit(connection)
        tell(connection, happening(1))
    known = access.make(own_server.url, Scope.ACKNOWLEDGE)
    never_shown = f"hw_{'a' * 12}_{'a' * 64}"
    async with (
        running_feed(own_server.url, None, CITY, NATURE) as feed,
        httpx.AsyncClient(base_url=feed.url, timeout=20.0) as client,
        listening(feed.url, headers=bearer(known)) as frames,
    ):
        assert await status(client, known, "/api/v1/status") == 200
        assert await status(client, never_shown) == 401
        await asyncio.to_thread(own_server.stop)
        stopped = asyncio.get_running_loop().time()
        assert await status(client, known, "/api/v1/status") == 200
        written = await client.post(f"{ALERT}/comment", json={"text": "x"}, headers=bearer(known))
        assert written.status_code == 503
        assert asyncio.get_running_loop().time() - stopped < door.GRACE_S + 5

        async def nobody() -> bool:
            return await status(client, known, "/api/v1/status") == 503

        await until(nobody, 20.0)
        assert await status(client, never_shown) == 503
        assert (await last(frames)).data["reason"] == "access_ended"
        assert (await client.get("/healthz")).status_code == 200
        await asyncio.to_thread(own_server.start)

        async def again() -> bool:
            return await status(client, known) == 200

        await until(again)
        assert await status(client, never_shown) == 401
