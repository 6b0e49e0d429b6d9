"""The AsyncAPI document: it holds together, it is served, and what is really published is what it says."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from alerts.access import Scope
from alerts.api.serve import Feed, running_feed
from alerts.handling import Action
from alerts.handling_store import act
from alerts.model import EventKind, Severity
from alerts.receivers.mqtt import EVENTS, STATE, STATUS
from ingest.catalog import load_catalogue
from ingest.embedded import EmbeddedBroker
from ingest.yaml_lines import read_yaml
from tests.support.access import headers
from tests.support.databases import Database
from tests.support.feed import (
    KIMLONG,
    NATURE,
    NOW,
    PHUOC,
    Connection,
    catalogue,
    commit,
    happening,
    prepare,
    tell,
)
from tests.support.ioc import Ioc, heard, kept, listening_ioc, ours, status

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8")
DOCUMENT: Any = read_yaml(TEXT, "docs/asyncapi.yaml")[0]
CITY = catalogue()
STREETS = [f"HUE-FL-{number}" for number in range(12)]


def validator(schema: str) -> jsonschema.Draft7Validator:
    """AsyncAPI's schema objects are a superset of JSON Schema draft 7."""
    whole = {"allOf": [{"$ref": f"#/components/schemas/{schema}"}], "components": DOCUMENT["components"]}
    jsonschema.Draft7Validator.check_schema(whole)
    return jsonschema.Draft7Validator(whole)


def faults(schema: str, data: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator(schema).iter_errors(data)]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        node = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
        assert node


def test_the_document_has_the_parts_of_version_3() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["info"].keys() >= {"title", "version"}
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert operation["channel"]["$ref"].startswith("#/channels/")
    for channel in DOCUMENT["channels"].values():
        assert set(re.findall(r"\{(\w+)\}", channel["address"])) == set(channel.get("parameters", {}))
        assert all("{" not in name for name in channel["messages"])
    for server in DOCUMENT["servers"].values():
        assert server.keys() >= {"host", "protocol"}


def test_it_speaks_of_the_topics_that_there_are() -> None:
    addresses = {name: channel["address"] for name, channel in DOCUMENT["channels"].items()}
    assert addresses["events"] == EVENTS
    assert addresses["status"] == STATUS
    assert addresses["state"].startswith(f"{STATE}/")
    filters = [route.filter for route in load_catalogue(ROOT / "config" / "catalog").routes]
    assert re.sub(r"\{\w+\}", "+", addresses["readings"]) in filters


def test_its_words_are_the_ones_of_the_code() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert set(schemas["kind"]["enum"]) == set(EventKind)
    assert set(schemas["severity"]["enum"]) == set(Severity)


def test_the_readings_of_the_page_are_what_it_says() -> None:
    page = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    section = page.split("\n### huewatch-json\n")[1].split("\n### ")[0]
    examples = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", section, re.DOTALL)]
    assert len(examples) == 2
    assert [fault for example in examples for fault in faults("readings", example)] == []
    assert faults("readings", {"chanel": "water_level", "value": 1.0}) != []


def test_the_packaged_document_is_the_one_of_the_docs() -> None:
    packaged = (ROOT / "alerts" / "api" / "asyncapi.yaml").read_text(encoding="utf-8")
    assert packaged == TEXT, "run scripts/write_schemas.py"


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, CITY) as connection:
        commit(connection)
        yield connection


@pytest.fixture
async def feed(plain_database: Database, table: Connection, broker: EmbeddedBroker) -> AsyncIterator[Feed]:
    async with running_feed(plain_database.url, ours(broker), CITY, NATURE) as found:
        yield found


@pytest.fixture
async def ioc(broker: EmbeddedBroker) -> AsyncIterator[Ioc]:
    async with listening_ioc(broker) as found:
        yield found


async def test_what_is_published_is_what_it_says(feed: Feed, ioc: Ioc, table: Connection) -> None:
    tell(table, happening(1), happening(2, alert=2, station=PHUOC, level=3))
    act(table, happening(1).alert_id, Action(EventKind.ACKNOWLEDGED, "An"), NOW)
    act(table, happening(1).alert_id, Action(EventKind.SHELVED, "An", shelve_s=600), NOW)
    act(table, happening(2, alert=2).alert_id, Action(EventKind.CANCELLED, "An", "a boat"), NOW)
    tell(table, *(happening(10 + n, alert=10 + n, station=one) for n, one in enumerate(STREETS)))
    await heard(ioc, 5 + len(STREETS))
    state = f"{STATE}/{KIMLONG}/water_level/river-level"
    await kept(ioc, state, 1)
    await status(ioc, "current")
    assert any(event["digest"] for event in ioc.events)
    assert {event["kind"] for event in ioc.events} >= {"raised", "acknowledged", "shelved", "cancelled"}
    assert ioc.kept[state]["handling"]["acknowledged"]  # type: ignore[index]
    assert [fault for event in ioc.events for fault in faults("notice", event)] == []
    assert [fault for kept_one in ioc.kept.values() if kept_one for fault in faults("state", kept_one)] == []
    assert [fault for one in ioc.statuses for fault in faults("status", one)] == []


async def test_the_will_is_what_it_says(feed: Feed, ioc: Ioc, table: Connection) -> None:
    await status(ioc, "current")
    commit(table, ago_s=61)
    newest = await status(ioc, "unknown")
    assert faults("status", newest) == []


async def test_it_is_served(feed: Feed, plain_database: Database) -> None:
    async with httpx.AsyncClient(headers=headers(plain_database.url, Scope.READ)) as client:
        answer = await client.get(f"{feed.url}/api/v1/asyncapi.yaml")
    assert answer.headers["content-type"].startswith("application/yaml")
    assert answer.text == TEXT
