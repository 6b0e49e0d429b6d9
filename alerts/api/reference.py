"""`/api/v1/openapi.json`, `docs` and `asyncapi.yaml`: what the feed answers, for programs and for people.

The page is plain HTML, written here from the document: it needs no script and nothing from elsewhere, and so
keeps the strict content policy. Called by the HTTP application.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html import escape
from importlib.resources import files as resources

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from alerts import wire
from alerts.access import Scope
from alerts.api import answers
from alerts.api.documents import TAGS, Json, document, operations
from alerts.api.guard import needs

TITLE = "Huewatch: the feed"
YAML = "application/yaml"
STYLE, ICON = "/console/reference.css", "/console/icon.svg"

ASYNCAPI = (resources("alerts.api") / "asyncapi.yaml").read_bytes()

router = APIRouter(tags=["events"], dependencies=[Depends(needs(Scope.READ))])


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> Response:
    """The OpenAPI 3.1 document."""
    return _file(request, wire.encode(document(request.app)), answers.JSON)


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> Response:
    """The same document as a page to read."""
    return _file(request, page(document(request.app)).encode(), "text/html; charset=utf-8")


@router.get(
    "/asyncapi.yaml",
    operation_id="describeTopics",
    response_class=Response,
    responses={200: {"description": "The document.", "content": {YAML: {"schema": {"type": "object"}}}}},
)
async def asyncapi() -> Response:
    """The MQTT topics, of gateways and of alerts, as an AsyncAPI 3 document."""
    return Response(ASYNCAPI, media_type=YAML)


def _file(request: Request, body: bytes, media_type: str) -> Response:
    tag = answers.weak_tag(body)
    if answers.matches(request, tag):
        return Response(status_code=304, headers=answers.tagged(tag))
    return Response(body, headers=answers.tagged(tag), media_type=media_type)


def page(made: Json) -> str:
    """The document as HTML; every text in it is escaped."""
    return "".join(_page(made))


def _page(made: Json) -> Iterator[str]:
    yield (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(TITLE)}</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="{ICON}">'
        f'<link rel="stylesheet" href="{STYLE}"></head>'
        f"<body><h1>{escape(TITLE)}</h1>{_prose(made['info']['description'])}"
        '<p>The same for programs: <a href="/api/v1/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>'
        "<nav><ul>"
    )
    groups = _groups(made)
    for name, listed in groups.items():
        yield f"<li>{escape(name)}<ul>"
        for path, method, operation in listed:
            link = f'<a href="#{_anchor(operation, path, method)}">{method.upper()} {escape(path)}</a>'
            yield f"<li>{link}</li>"
        yield "</ul></li>"
    yield "</ul></nav>"
    said = dict(TAGS)
    for name, listed in groups.items():
        yield f"<h2>{escape(name)}</h2>{_prose(said.get(name, ''))}"
        for path, method, operation in listed:
            yield from _operation(path, method, operation)
    yield "<h2>What answers are made of</h2>"
    for name, schema in sorted(made["components"]["schemas"].items()):
        yield from _schema(name, schema)
    yield "</body></html>"


def _groups(made: Json) -> dict[str, list[tuple[str, str, Json]]]:
    """Operations by their first tag, in the order of `TAGS`, others after them."""
    found: dict[str, list[tuple[str, str, Json]]] = {name: [] for name, _ in TAGS}
    for path, method, operation in operations(made):
        tag = (operation.get("tags") or ["more"])[0]
        found.setdefault(tag, []).append((path, method, operation))
    return {name: listed for name, listed in found.items() if listed}


def _anchor(operation: Json, path: str, method: str) -> str:
    return escape(operation.get("operationId") or f"{method}-{path}", quote=True)


def _operation(path: str, method: str, operation: Json) -> Iterator[str]:
    yield f'<section id="{_anchor(operation, path, method)}"><h3>{method.upper()} {escape(path)}</h3>'
    yield _prose(operation.get("description", ""))
    if parameters := operation.get("parameters"):
        yield "<table><thead><tr><th>parameter</th><th>in</th><th>type</th><th></th></tr></thead><tbody>"
        for each in parameters:
            yield (
                f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(each['in'])}</td>"
                f"<td>{_type(each.get('schema', {}))}</td><td>{escape(each.get('description', ''))}</td></tr>"
            )
        yield "</tbody></table>"
    for media, body in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body, <code>{escape(media)}</code>: {_type(body.get('schema', {}))}</p>"
    yield "<table><thead><tr><th>status</th><th>answer</th><th></th></tr></thead><tbody>"
    for status, answer in sorted(operation["responses"].items()):
        bodies = [
            f"<code>{escape(media)}</code> {_type(body.get('schema', {}))}"
            for media, body in answer.get("content", {}).items()
        ]
        yield (
            f"<tr><td>{escape(str(status))}</td><td>{'<br>'.join(bodies)}</td>"
            f"<td>{escape(answer.get('description', ''))}</td></tr>"
        )
    yield "</tbody></table></section>"


def _schema(name: str, schema: Json) -> Iterator[str]:
    yield f'<section id="schema-{escape(name, quote=True)}"><h3>{escape(name)}</h3>'
    yield _prose(schema.get("description", ""))
    if "enum" in schema:
        yield f"<p>{_type(schema)}</p>"
    if fields := schema.get("properties"):
        yield "<table><thead><tr><th>field</th><th>type</th><th></th></tr></thead><tbody>"
        for field, inner in fields.items():
            said = escape(inner.get("description", ""))
            yield f"<tr><td><code>{escape(field)}</code></td><td>{_type(inner)}</td><td>{said}</td></tr>"
        yield "</tbody></table>"
    yield "</section>"


def _type(schema: Json) -> str:
    """A schema in a few words, as HTML; a named one leads to its section."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2], quote=True)
        return f'<a href="#schema-{name}">{name}</a>'
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(_type(each) for each in schema[several])
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " ".join(f"<code>{escape(str(each))}</code>" for each in values)
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return _plain(schema)


def _plain(schema: Json) -> str:
    words = [str(schema.get("format") or schema.get("type") or "anything")]
    bounds = (("minimum", "from"), ("maximum", "to"), ("maxLength", "at most characters:"))
    words += [f"{word} {schema[name]}" for name, word in bounds if name in schema]
    if "default" in schema and schema["default"] not in (None, []):
        words.append(f"(by default {schema['default']})")
    return escape(" ".join(words))


@cache
def _prose(text: str) -> str:
    """Paragraphs of a docstring; what stands between backticks is code."""
    paragraphs = []
    for part in text.strip().split("\n\n"):
        pieces = escape(" ".join(part.split())).split("`")
        told = [f"<code>{piece}</code>" if place % 2 else piece for place, piece in enumerate(pieces)]
        paragraphs.append(f"<p>{''.join(told)}</p>")
    return "".join(paragraphs) if text.strip() else ""
