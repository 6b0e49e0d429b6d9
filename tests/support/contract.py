"""Holds answers of the feed against its own OpenAPI document: nothing undocumented, nothing misdescribed."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import httpx
from fastapi import FastAPI
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from alerts.api.app import create_app
from alerts.api.documents import document, operations
from alerts.api.hub import Hub
from alerts.api.reader import Reader
from alerts.wire import parse_stamp
from ingest.clock import system_clock
from tests.support.feed import NATURE, catalogue

API = "urn:openapi"
FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", ValueError)
def _is_a_time(value: object) -> bool:
    """RFC 3339 in UTC, as the feed promises."""
    return not isinstance(value, str) or (value.endswith("Z") and parse_stamp(value) is not None)


@cache
def application() -> FastAPI:
    """The application without a database: enough for its document."""
    return create_app(Hub(Reader("postgresql://nowhere/nothing", catalogue(), NATURE), system_clock()))


@cache
def made() -> dict[str, Any]:
    return document(application())


@cache
def _registry() -> Registry:
    resource = Resource(contents=made(), specification=DRAFT202012)
    return Registry().with_resource(API, resource)


@cache
def _routes() -> list[tuple[re.Pattern[str], str, str]]:
    """(pattern of the path, path, method); the most literal first, since `{key}` may hold a slash."""
    found = []
    for path, method, _ in operations(made()):
        pattern = re.sub(r"\\{key\\}", ".+", re.escape(path))
        found.append((re.compile(re.sub(r"\\{\w+\\}", "[^/]+", pattern)), path, method))
    return sorted(found, key=lambda each: each[1].count("{"))


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """The operation that a request is for, None for what the document does not speak of."""
    for pattern, template, known in _routes():
        if known == method.lower() and pattern.fullmatch(path):
            found: dict[str, Any] = made()["paths"][template][known]
            return found
    return None


def faults(response: httpx.Response) -> list[str]:
    """What the document does not say of this answer, or says otherwise."""
    operation = operation_of(response.request.method, response.request.url.path)
    if operation is None:
        return []
    where = f"{response.request.method} {response.request.url} {response.status_code}"
    told = operation["responses"].get(str(response.status_code))
    if told is None:
        return [f"{where}: the status is not documented"]
    missing = [name for name in told.get("headers", {}) if name not in response.headers]
    found = [f"{where}: no {name}" for name in missing if name == "Huewatch-As-Of"]
    content = told.get("content", {})
    media = response.headers.get("content-type", "").partition(";")[0]
    if not content and not response.content:
        return found
    if media not in content:
        return [*found, f"{where}: {media} is not documented"]
    if not media.endswith("json"):
        return found
    pointer = _pointer(operation, response, media)
    validator = Draft202012Validator({"$ref": pointer}, registry=_registry(), format_checker=FORMATS)
    return found + [
        f"{where}: {error.json_path}: {error.message[:300]}" for error in _leaves(validator, response)
    ]


def _pointer(operation: dict[str, Any], response: httpx.Response, media: str) -> str:
    for path, methods in made()["paths"].items():
        for method, each in methods.items():
            if each is operation:
                parts = (path, method, "responses", str(response.status_code), "content", media, "schema")
                escaped = [part.replace("~", "~0").replace("/", "~1") for part in ("paths", *parts)]
                return f"{API}#/" + "/".join(escaped).replace("{", "%7B").replace("}", "%7D")
    raise AssertionError("the operation is not of this document")


def _leaves(validator: Draft202012Validator, response: httpx.Response) -> list[Any]:
    """The errors themselves: below an `anyOf` those of the alternative that comes nearest."""
    found = list(validator.iter_errors(response.json()))
    while any(error.context for error in found):
        found = [leaf for error in found for leaf in _nearest(error)]
    return found


def _nearest(error: Any) -> list[Any]:
    if not error.context:
        return [error]
    by_alternative: dict[Any, list[Any]] = {}
    for each in error.context:
        by_alternative.setdefault(each.schema_path[0], []).append(each)
    return min(by_alternative.values(), key=len)


async def _check(response: httpx.Response) -> None:
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        return
    await response.aread()
    assert faults(response) == []


def checked(url: str, **options: Any) -> httpx.AsyncClient:
    """A client of the feed whose every answer is held against the document."""
    hooks = {"response": [_check]}
    return httpx.AsyncClient(base_url=url, timeout=20.0, event_hooks=hooks, **options)
