"""The OpenAPI 3.1 document: what each endpoint answers, and the errors that every endpoint may answer.

Answers are written by msgspec from plain dictionaries; the models of `alerts.api.models*` say how they look,
no field more and none less. A test holds every answer of the contract tests against this document, so that
the two stay in step. Called by the routers and the application factory.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from alerts.api.models import ProblemDocument
from alerts.api.problems import MEDIA_TYPE

Json = dict[str, Any]
REFERENCE = "#/components/schemas/{model}"
OPEN = ("/healthz", "/readyz")  # nothing else answers somebody without a token
FRAMEWORKS_OWN = ("HTTPValidationError", "ValidationError")
WAIT = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
WRITES = {"post", "put", "patch", "delete"}

TAGS = (
    ("status", "How far the feed can see. Read it before anything else: old data say nothing of now."),
    ("stations", "What stands where, what it measures, and how it stands now."),
    ("observations", "What was measured: raw, rolled up, as JSON, CSV or Parquet."),
    ("alerts", "What is alerted, what was, and what people have done."),
    ("cap", "The alerts of hazards as CAP 1.2 messages, with an Atom feed, and as features for maps."),
    ("events", "One sequence of told events without holes: page through it, or follow it live."),
    ("forecasts", "Levels in the next hours, extrapolated; each with its interval, its age and its record."),
    ("data health", "What readings are worth and where they went: quality, gateways, the account, gaps."),
    ("cap", "Warnings as CAP 1.2 messages, as an Atom feed of them and as GeoJSON."),
    ("open data", "Whole days as files, with publisher and licence."),
    (
        "shifts",
        "Who is there, what the next shift must know, and under which text for the public a name stands.",
    ),
    ("quiet", "What keeps alerts quiet: work on sensors, and somebody's wish to hear nothing of some."),
    ("access", "Who asks, by a token or a browser's session."),
)

AS_OF: Json = {
    "description": 'How far the feed can see, of this answer: `state=current, time="...", age=1.2`.'
    " `state` is `current`, `blind` or `unknown`.",
    "schema": {"type": "string"},
}
LINK: Json = {"description": 'The next page: `<...>; rel="next"` (RFC 8288).', "schema": {"type": "string"}}
ETAG: Json = {"description": "Send it back as `If-None-Match`.", "schema": {"type": "string"}}
RETRY: Json = {"description": "Seconds to wait.", "schema": {"type": "string"}}

BINARY: Json = {"type": "string", "format": "binary"}

UNCHANGED: Json = {
    "description": "What you hold under this `ETag` still holds; `Huewatch-As-Of` says since when.",
    "headers": {"Huewatch-As-Of": AS_OF, "ETag": ETAG},
}

PROBLEM = {"$ref": REFERENCE.format(model=ProblemDocument.__name__)}
SAID = {
    401: "Nobody is known by this token, or there is none.",
    403: "The token does not allow this.",
    404: "There is no such thing.",
    409: "Others have acted since; `detail` says who did what.",
    422: "A parameter is not known, cannot be read or lies outside its bounds; `detail` names it.",
    429: "Too many failures from your address.",
    503: "The database does not answer, or not in time: every state is unknown until it does.",
}


def answers(
    model: Any,
    *,
    paged: bool = False,
    tagged: bool = False,
    files: tuple[str, ...] = (),
    said: str = "As asked.",
    example: Json | None = None,
) -> dict[int | str, Json]:
    """The `responses` of an endpoint that answers a model as JSON, and whole `files` of these media types."""
    headers = (
        {"Huewatch-As-Of": AS_OF} | ({"Link": LINK} if paged else {}) | ({"ETag": ETAG} if tagged else {})
    )
    good: Json = {"model": model, "description": said, "headers": headers}
    content: Json = {each: {"schema": BINARY} for each in files}
    if example is not None:
        content["application/json"] = {"example": example}
    found: dict[int | str, Json] = {200: good | ({"content": content} if content else {})}
    if tagged:
        found[304] = UNCHANGED
    return found


def files(media: tuple[str, ...], *, tagged: bool = False) -> dict[int | str, Json]:
    """The `responses` of an endpoint that answers with a file."""
    content = {each: {"schema": {"type": "object"} if each.endswith("json") else BINARY} for each in media}
    found: dict[int | str, Json] = {
        200: {"description": "The file.", "content": content, "headers": {"Huewatch-As-Of": AS_OF}}
    }
    return found | ({304: UNCHANGED} if tagged else {})


def document(app: FastAPI) -> Json:
    """The document of everything that the application has now; made once and kept."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=[{"name": name, "description": said} for name, said in TAGS],
        )
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        for path, method, operation in operations(made):
            _without_null(operation)
            _add_errors(path, method, operation)
        schemas.update(_problem_schemas())
        for name in FRAMEWORKS_OWN:
            schemas.pop(name, None)
        app.openapi_schema = made
    return app.openapi_schema


def operations(made: Json) -> Iterator[tuple[str, str, Json]]:
    """(path, method, operation) of a document."""
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _without_null(operation: Json) -> None:
    """A parameter that need not be there is left out, and never sent as null."""
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        if {"type": "null"} in schema.get("anyOf", ()):
            (kept,) = [each for each in schema.pop("anyOf") if each != {"type": "null"}]
            parameter["schema"] = schema | kept


def _add_errors(path: str, method: str, operation: Json) -> None:
    found = operation["responses"]
    if "HTTPValidationError" in str(found.get("422")):
        del found["422"]
    for error in _errors_of(path, method, operation):
        found.setdefault(str(error), _error(error))
    for status, answer in found.items():
        if int(status) >= HTTPStatus.BAD_REQUEST and path not in OPEN:
            answer["content"] = {MEDIA_TYPE: {"schema": PROBLEM}}
        for body in answer.get("content", {}).values():
            body.setdefault("schema", {})  # of a media type that JSON Schema says nothing about


def _errors_of(path: str, method: str, operation: Json) -> Iterator[int]:
    if path in OPEN:
        return
    yield from (401, 403, 429, 503)
    if "{" in path:
        yield 404
    if operation.get("parameters") or "requestBody" in operation:
        yield 422
    if method in WRITES:
        yield 409


def _error(status: int) -> Json:
    headers = {"Retry-After": RETRY} if status in WAIT else {}
    return {"description": SAID[status], "headers": headers, "content": {MEDIA_TYPE: {"schema": PROBLEM}}}


def _problem_schemas() -> Json:
    _, made = models_json_schema([(ProblemDocument, "serialization")], ref_template=REFERENCE)
    found: Json = made["$defs"]
    return found
