"""The feed's document: complete, in its own words, and a page that needs nothing from elsewhere."""

import re
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from alerts.api.documents import OPEN, operations
from alerts.api.reference import page
from tests.support.contract import faults, made

OPERATIONS = list(operations(made()))
NAMES = [f"{method} {path}" for path, method, _ in OPERATIONS]
FAULTS = {401, 403, 503}


def test_it_is_openapi_3_1_and_each_operation_has_a_name_of_its_own() -> None:
    assert made()["openapi"].startswith("3.1")
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=NAMES)
def test_each_operation_teaches_and_tells_every_error(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    assert operation["tags"]
    assert operation["description"].strip()
    told = set(operation["responses"])
    if path not in OPEN:
        assert told >= {str(status) for status in FAULTS}
    assert ("404" in told) >= ("{" in path)
    assert ("422" in told) >= bool(operation.get("parameters"))
    for status, answer in operation["responses"].items():
        if status[0] in "45" and path not in OPEN:
            assert list(answer["content"]) == ["application/problem+json"]
        for body in answer.get("content", {}).values():
            assert "schema" in body


@pytest.mark.parametrize("name", sorted(made()["components"]["schemas"]))
def test_each_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(made()["components"]["schemas"][name])


def test_the_frameworks_own_errors_are_not_told_since_nobody_gets_them() -> None:
    assert "HTTPValidationError" not in str(made())


class Elements(HTMLParser):
    """Tags with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


def test_the_page_needs_no_script_no_inline_style_and_nothing_from_elsewhere() -> None:
    reader = Elements()
    reader.feed(page(made()))
    tags = {tag for tag, _ in reader.found}
    assert not tags & {"script", "style", "img", "iframe", "object", "form"}
    for _, attributes in reader.found:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        for name in ("href", "src"):
            assert re.match(r"^(#|/)[^/]", attributes.get(name) or "#x")


def test_every_link_within_the_page_leads_somewhere() -> None:
    reader = Elements()
    reader.feed(page(made()))
    ids = {attributes["id"] for _, attributes in reader.found if "id" in attributes}
    links = {attributes["href"] for _, attributes in reader.found if "href" in attributes}
    assert {link[1:] for link in links if link and link.startswith("#")} <= ids
    for _, _, operation in OPERATIONS:
        assert operation["operationId"] in ids


def test_what_somebody_wrote_into_the_document_is_text_on_the_page() -> None:
    planted = "<script>alert(1)</script>"
    document = {
        "info": {"description": planted},
        "paths": {
            f"/x{planted}": {
                "get": {
                    "operationId": f'"{planted}',
                    "tags": [planted],
                    "description": planted,
                    "parameters": [{"name": planted, "in": "query", "schema": {"enum": [planted]}}],
                    "responses": {"200": {"description": planted, "content": {planted: {}}}},
                }
            }
        },
        "components": {"schemas": {planted: {"description": planted, "properties": {planted: {}}}}},
    }
    text = page(document)
    assert planted not in text
    assert "&lt;script&gt;" in text


def answer(path: str, status: int, body: object, media: str = "application/json") -> httpx.Response:
    headers = {"content-type": media, "huewatch-as-of": "state=current"}
    return httpx.Response(
        status, json=body, headers=headers, request=httpx.Request("GET", f"http://feed{path}")
    )


AS_OF = {
    "state": "current",
    "time": None,
    "age_s": None,
    "now": None,
    "sighted_since": None,
    "reason": "",
    "backlog_s": None,
    "stations_unknown": [],
    "stations_not_monitored": [],
}
STATUS = {"as_of": AS_OF, "nature": "Exercise", "head": 1}


@pytest.mark.parametrize(
    ("status", "body", "media", "fault"),
    [
        (200, STATUS, "application/json", ""),
        (200, STATUS | {"extra": 1}, "application/json", "extra"),
        (200, {"as_of": AS_OF, "head": 1}, "application/json", "nature"),
        (200, STATUS | {"head": "1"}, "application/json", "head"),
        (200, STATUS | {"as_of": AS_OF | {"time": "2025-10-27T07:00:00+07:00"}}, "application/json", "time"),
        (418, STATUS, "application/json", "not documented"),
        (200, STATUS, "text/html", "not documented"),
    ],
)
def test_an_answer_that_the_document_does_not_tell_is_found(
    status: int, body: object, media: str, fault: str
) -> None:
    found = faults(answer("/api/v1/status", status, body, media))
    assert (fault in str(found)) if fault else not found
