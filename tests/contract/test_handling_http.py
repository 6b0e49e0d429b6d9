"""People's acts over HTTP: done once, in their name, refused with a reason, and all of it on the account."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from alerts import audit_store
from alerts.access import Scope
from alerts.api.security import LONGEST_BODY
from alerts.api.serve import Feed, running_feed
from alerts.model import EventKind
from ingest.store import connect
from tests.support import access
from tests.support.databases import Database
from tests.support.feed import NATURE, Connection, catalogue, commit, happening, prepare, tell

CITY = catalogue()
RAISED = happening(1, level=2)
ALERT = f"/api/v1/alerts/{RAISED.alert_id}"


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, CITY) as connection:
        commit(connection)
        tell(connection, RAISED)
        yield connection


@pytest.fixture
async def feed(plain_database: Database, table: Connection) -> AsyncIterator[Feed]:
    async with running_feed(plain_database.url, None, CITY, NATURE) as found:
        yield found


def somebody(feed: Feed, url: str, name: str) -> httpx.AsyncClient:
    headers = access.headers(url, Scope.ACKNOWLEDGE, name=name)
    return httpx.AsyncClient(base_url=feed.url, timeout=20.0, headers=headers)


@pytest.fixture
async def an(feed: Feed, plain_database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with somebody(feed, plain_database.url, "An") as found:
        yield found


@pytest.fixture
async def binh(feed: Feed, plain_database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with somebody(feed, plain_database.url, "Bình") as found:
        yield found


def told(connection: Connection) -> int:
    """How many events there are."""
    row = connection.execute("SELECT count(*) FROM alert_event").fetchone()
    assert row is not None
    return int(row[0])


def account(connection: Connection) -> list[tuple[str, str, str]]:
    """Who did what, and whether it was done, in order."""
    return [
        (each.deed.who, each.deed.what, each.outcome.value) for each in audit_store.after(connection, 0, 100)
    ]


async def test_an_alerts_whole_life_over_http(
    an: httpx.AsyncClient, binh: httpx.AsyncClient, table: Connection
) -> None:
    acts: list[tuple[httpx.AsyncClient, str, dict[str, Any]]] = [
        (an, "acknowledge", {"until": "resolved", "comment": "on my way"}),
        (an, "assign", {"to": "Bình"}),
        (binh, "comment", {"text": "two pumps are running"}),
        (binh, "shelve", {"for": "30min", "comment": "known"}),
        (binh, "unshelve", {}),
        (an, "cancel", {"comment": "a boat on the sensor"}),
    ]
    for seen, (who, what, said) in enumerate(acts):
        done = await who.post(f"{ALERT}/{what}", json={**said, "seen": seen})
        assert done.status_code == 200, done.text
        assert done.json()["handling"]["version"] == seen + 1
        assert done.json()["as_of"]["state"] == "current"
        now = (await who.get(ALERT)).json()
        assert {**done.json(), "as_of": None} == {**now, "as_of": None}
    events = (await an.get(ALERT)).json()["events"]
    assert [(each["kind"], each["by"]) for each in events[1:]] == [
        ("acknowledged", "An"),
        ("assigned", "An"),
        ("commented", "Bình"),
        ("shelved", "Bình"),
        ("unshelved", "Bình"),
        ("cancelled", "An"),
    ]
    assert account(table) == [
        ("An" if who is an else "Bình", f"alert.{what}", "done") for who, what, _ in acts
    ]


@pytest.mark.parametrize(
    ("what", "said", "status", "says"),
    [
        ("unshelve", {}, 422, "not shelved"),
        ("shelve", {"for": "3h"}, 422, "2 h at most"),
        ("cancel", {"comment": " "}, 422, "say why"),
        ("assign", {"to": " "}, 422, "to whom"),
        ("acknowledge", {"seen": 3}, 409, "version 0"),
        ("comment", {"text": ""}, 422, "the comment is empty"),
        ("comment", {"text": "a\0b"}, 422, "control characters"),
        ("acknowledge", {"comment": "a\x1b[2Jb"}, 422, "control characters"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_reason_and_on_the_account(
    an: httpx.AsyncClient, table: Connection, what: str, said: dict[str, Any], status: int, says: str
) -> None:
    refused = await an.post(f"{ALERT}/{what}", json=said)
    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
    assert says in refused.json()["detail"]
    assert told(table) == 1
    (row,) = audit_store.newest(table, 10)
    assert (row.deed.who, row.deed.what, row.outcome) == ("An", f"alert.{what}", "refused")
    assert says in row.deed.detail


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("acknowledge", {"until": "tomorrow"}),
        ("acknowledge", {"by": "Chi"}),
        ("shelve", {"for": 30}),
        ("shelve", {"for": "soon"}),
        ("shelve", {}),
        ("assign", {"to": "x" * 81}),
        ("comment", {"text": "x" * 1_001}),
        ("comment", {"text": 5}),
        ("comment", {"text": "\ud800"}),
        ("comment", {"text": "x", "seen": -1}),
        ("comment", {"text": "x", "seen": True}),
        ("comment", {"text": "x", "seen": "0"}),
    ],
)
async def test_what_is_not_as_documented_is_refused_before_anything(
    an: httpx.AsyncClient, table: Connection, what: str, said: dict[str, Any]
) -> None:
    json_type = {"Content-Type": "application/json"}
    refused = await an.post(f"{ALERT}/{what}", content=json.dumps(said), headers=json_type)
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert (told(table), account(table)) == (1, [])


async def test_an_alert_that_is_not_there_is_404_and_on_the_account(
    an: httpx.AsyncClient, table: Connection
) -> None:
    nothing = uuid.UUID(int=0)
    refused = await an.post(f"/api/v1/alerts/{nothing}/comment", json={"text": "x"})
    assert refused.status_code == 404
    assert account(table) == [("An", "alert.comment", "refused")]
    assert (await an.post("/api/v1/alerts/x/comment", json={"text": "x"})).status_code == 422


async def test_who_has_not_seen_what_others_did_is_told_what_it_was(
    an: httpx.AsyncClient, binh: httpx.AsyncClient, table: Connection
) -> None:
    await an.post(f"{ALERT}/acknowledge", json={"seen": 0})
    await an.post(f"{ALERT}/comment", json={"text": "going there", "seen": 1})
    refused = await binh.post(f"{ALERT}/cancel", json={"comment": "a boat", "seen": 0})
    problem = refused.json()
    assert (refused.status_code, problem["version"]) == (409, 2)
    assert [(each["kind"], each["by"], each["comment"]) for each in problem["since"]] == [
        ("acknowledged", "An", ""),
        ("commented", "An", "going there"),
    ]
    assert problem["since"][0]["headline"]["vi"]
    again = await binh.post(f"{ALERT}/cancel", json={"comment": "a boat", "seen": problem["version"]})
    assert again.status_code == 200


async def test_of_two_who_saw_the_same_one_acts_and_the_other_is_told(
    an: httpx.AsyncClient, binh: httpx.AsyncClient, table: Connection
) -> None:
    for version in range(6):
        answers = await asyncio.gather(
            *(each.post(f"{ALERT}/comment", json={"text": "mine", "seen": version}) for each in (an, binh))
        )
        assert sorted(each.status_code for each in answers) == [200, 409]
    assert told(table) == 7


# -- once


async def test_a_repeated_request_is_done_once_and_answered_as_the_first_was(
    an: httpx.AsyncClient, binh: httpx.AsyncClient, table: Connection
) -> None:
    key = {"Idempotency-Key": "an-1"}
    said = {"text": "two pumps are running", "seen": 0}
    first = await an.post(f"{ALERT}/comment", json=said, headers=key)
    again = await an.post(f"{ALERT}/comment", json=said, headers=key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert {**first.json(), "as_of": None} == {**again.json(), "as_of": None}
    assert (told(table), len(account(table))) == (2, 1)
    other = await binh.post(f"{ALERT}/comment", json={**said, "seen": 1}, headers=key)
    assert (other.status_code, told(table)) == (200, 3)  # another's key


async def test_a_refusal_is_repeated_too_whatever_has_become_possible_since(
    an: httpx.AsyncClient, binh: httpx.AsyncClient, table: Connection
) -> None:
    key = {"Idempotency-Key": "an-2"}
    await binh.post(f"{ALERT}/comment", json={"text": "first"})
    first = await an.post(f"{ALERT}/acknowledge", json={"seen": 0}, headers=key)
    assert first.status_code == 409
    again = await an.post(f"{ALERT}/acknowledge", json={"seen": 0}, headers=key)
    assert {**again.json(), "as_of": None} == {**first.json(), "as_of": None}
    refused = await an.post(f"{ALERT}/unshelve", json={}, headers={"Idempotency-Key": "an-3"})
    await an.post(f"{ALERT}/shelve", json={"for": "30min"})
    repeated = await an.post(f"{ALERT}/unshelve", json={}, headers={"Idempotency-Key": "an-3"})
    assert (refused.status_code, repeated.status_code) == (422, 422)
    assert refused.json()["detail"] == repeated.json()["detail"]


async def test_a_key_that_was_given_to_another_request_is_refused(
    an: httpx.AsyncClient, table: Connection
) -> None:
    key = {"Idempotency-Key": "an-4"}
    await an.post(f"{ALERT}/comment", json={"text": "one"}, headers=key)
    for path, said in (("comment", {"text": "other"}), ("cancel", {"comment": "one"})):
        refused = await an.post(f"{ALERT}/{path}", json=said, headers=key)
        assert (refused.status_code, told(table)) == (422, 2)
        assert "another request" in refused.json()["detail"]
    assert [outcome for _, _, outcome in account(table)] == ["done", "refused", "refused"]


async def test_requests_under_one_key_that_come_together_are_one(
    an: httpx.AsyncClient, table: Connection
) -> None:
    said = {"text": "sent three times"}
    for number in range(5):
        key = {"Idempotency-Key": f"together-{number}"}
        answers = await asyncio.gather(
            *(an.post(f"{ALERT}/comment", json=said, headers=key) for _ in range(3))
        )
        assert [each.status_code for each in answers] == [200, 200, 200]
        assert told(table) == 2 + number


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "né"])
async def test_a_key_is_printable_and_not_endless(an: httpx.AsyncClient, table: Connection, key: str) -> None:
    headers = {"Idempotency-Key": key.encode()}
    refused = await an.post(f"{ALERT}/comment", json={"text": "x"}, headers=headers)
    assert (refused.status_code, told(table)) == (422, 1)


# -- together


async def test_what_is_done_and_its_row_are_one_transaction(
    an: httpx.AsyncClient, table: Connection, plain_database: Database
) -> None:
    table.execute("ALTER TABLE audit ADD CONSTRAINT broken CHECK (who <> 'An')")
    failed = await an.post(f"{ALERT}/comment", json={"text": "x"}, headers={"Idempotency-Key": "k"})
    assert (failed.status_code, told(table)) == (500, 1)
    table.execute("ALTER TABLE audit DROP CONSTRAINT broken")
    done = await an.post(f"{ALERT}/comment", json={"text": "x"}, headers={"Idempotency-Key": "k"})
    assert (done.status_code, told(table)) == (200, 2)


async def test_a_write_waits_briefly_for_the_sequence_and_then_says_so(
    an: httpx.AsyncClient, table: Connection, plain_database: Database
) -> None:
    with connect(plain_database.url, application_name="test") as holder, holder.transaction():
        holder.execute("SELECT seq FROM event_head FOR UPDATE")
        waited = await an.post(f"{ALERT}/comment", json={"text": "x"})
    assert (waited.status_code, told(table)) == (503, 1)
    assert (await an.post(f"{ALERT}/comment", json={"text": "x"})).status_code == 200


async def test_a_request_that_would_fill_our_memory_is_cut_off(
    an: httpx.AsyncClient, table: Connection
) -> None:
    answer = await an.post(f"{ALERT}/comment", content=b"[" + b" " * LONGEST_BODY + b"]")
    assert (answer.status_code, told(table)) == (413, 1)


# -- the account


async def test_the_account_is_read_in_both_directions_without_a_hole(
    an: httpx.AsyncClient, feed: Feed, table: Connection, plain_database: Database
) -> None:
    for number in range(7):
        await an.post(f"{ALERT}/comment", json={"text": str(number)})
    headers = access.headers(plain_database.url, Scope.ADMINISTER, name="chief")
    async with httpx.AsyncClient(base_url=feed.url, headers=headers) as chief:
        forwards: list[int] = []
        while page := (
            await chief.get("/api/v1/audit", params={"after": forwards[-1] if forwards else 0, "limit": 3})
        ).json()["audit"]:
            forwards += [each["id"] for each in page]
        backwards: list[int] = []
        parameters: dict[str, int] = {"limit": 3}
        while page := (await chief.get("/api/v1/audit", params=parameters)).json()["audit"]:
            backwards += [each["id"] for each in page]
            parameters["before"] = backwards[-1]
    assert (len(forwards), forwards) == (7, sorted(forwards))
    assert backwards == forwards[::-1]
    row = (await an.get("/api/v1/audit")).status_code
    assert row == 403


async def test_an_ended_alert_can_still_be_commented(an: httpx.AsyncClient, table: Connection) -> None:
    tell(table, happening(2, kind=EventKind.CLEARED))
    assert (await an.post(f"{ALERT}/acknowledge", json={})).status_code == 422
    assert (await an.post(f"{ALERT}/comment", json={"text": "afterwards"})).status_code == 200
