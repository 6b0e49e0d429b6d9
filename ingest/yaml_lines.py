"""YAML that remembers its lines, and the problems that are reported by them.

Promises plain data (dict, list, str, int, float, bool, None) and, for every path in it, the line it stands
on, so that whatever is wrong with a configuration is said with file, line and remedy, and all of it at once.
Does not know any configuration's content. Called by the catalogue, the settings and the rules.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml import MappingNode, MarkedYAMLError, Node, ScalarNode, SequenceNode, YAMLError

KeyPath = tuple[str | int, ...]
ModelType = TypeVar("ModelType", bound=BaseModel)

MAX_DEPTH = 40  # deeper than any configuration, and it stops an anchor that contains itself
INT_TAG, FLOAT_TAG, BOOL_TAG, NULL_TAG = (
    f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null")
)
# YAML 1.2.2, 10.3.2 (core schema), in the order of trying: of 1.1's surprises neither `no` as false nor
# 19:00 as a number, nor dates. First characters first, since the reader looks them up.
CORE_SCHEMA = (
    (BOOL_TAG, r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (INT_TAG, r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (FLOAT_TAG, r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    (FLOAT_TAG, r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    (NULL_TAG, r"null|Null|NULL|~|", ["n", "N", "~", ""]),
)
BASES = {"0o": 8, "0x": 16}
# libyaml's parser reads the 10,000 stations of the benchmark in a tenth of a Python parser's time.
_Parser: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Reader(_Parser):  # type: ignore[misc, valid-type]
    """Nodes of YAML 1.2 with their lines."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


for _tag, _pattern, _first in CORE_SCHEMA:
    _Reader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})$"), list(_first))


class Severity(StrEnum):
    """An error refuses the configuration; a warning is printed and lived with."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration: where it stands, what it is, what to do."""

    file: str
    line: int | None
    message: str
    remedy: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        warning = "warning: " if self.severity is Severity.WARNING else ""
        return f"{where}: {warning}{self.message} Remedy: {self.remedy}"


class ConfigError(Exception):
    """A configuration that cannot be used, with every problem found in it. Fatal: stop and say why."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a YAML file: a key path under which lines are known."""

    file: str
    lines: Mapping[KeyPath, int]
    path: KeyPath = ()

    def at(self, *steps: str | int) -> Place:
        """The place further down; a step that is not in the file keeps its parent's line."""
        return Place(self.file, self.lines, self.path + steps)

    @property
    def line(self) -> int:
        """The line (from 1) of the nearest step that is in the file."""
        for end in range(len(self.path), 0, -1):
            if self.path[:end] in self.lines:
                return self.lines[self.path[:end]]
        return self.lines.get((), 1)

    def problem(self, message: str, remedy: str, severity: Severity = Severity.ERROR) -> Problem:
        """A problem at this place."""
        return Problem(self.file, self.line, message, remedy, severity)


T = TypeVar("T")
Located = tuple[T, Place]  # something read from a file, and where


def read_yaml(text: str, file: str) -> tuple[Any, Place]:
    """The data of one YAML 1.2 document and its root place; `ConfigError` when it is not readable YAML."""
    try:
        root = _Reader(text).get_single_node()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise _unreadable(file, line, error.problem or error.context or "not YAML") from None
    except YAMLError as error:  # a byte that YAML does not allow: it carries no line
        raise _unreadable(file, None, " ".join(str(error).split())) from None
    lines: dict[KeyPath, int] = {}
    data = None if root is None else _Builder(file, lines).build(root, ())
    return data, Place(file, lines)


def _unreadable(file: str, line: int | None, reason: str) -> ConfigError:
    return ConfigError(
        [Problem(file, line, f"This is not readable YAML: {reason}.", "Correct the line's syntax.")]
    )


class _Builder:
    """Turns YAML nodes into plain data and writes down the line of every key and item."""

    def __init__(self, file: str, lines: dict[KeyPath, int]) -> None:
        self.file = file
        self.lines = lines

    def build(self, node: Node, path: KeyPath) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if len(path) > MAX_DEPTH:
            raise self._refuse(node, "It nests too deeply.", "Remove the anchor that contains itself.")
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node) if isinstance(node, ScalarNode) else None

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise self._refuse(key_node, "A key must be a word.", "Write `name: value`.")
            key = str(key_node.value)
            if key in result:
                raise self._refuse(key_node, f"`{key}` is written twice.", "Remove one of the two.")
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            result[key] = self.build(value_node, (*path, key))
        return result

    def _scalar(self, node: ScalarNode) -> Any:
        try:
            if node.tag == INT_TAG:
                return int(node.value, BASES.get(node.value[:2], 10))
            if node.tag == FLOAT_TAG:
                return float(node.value.replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            raise self._refuse(node, f"`{node.value}` is not a number.", "Write a number.") from None
        if node.tag == BOOL_TAG:
            return node.value.lower() == "true"
        return None if node.tag == NULL_TAG else str(node.value)

    def _refuse(self, node: Node, message: str, remedy: str) -> ConfigError:
        return ConfigError([Problem(self.file, node.start_mark.line + 1, message, remedy)])


def yaml_files(folder: Path | Traversable) -> list[tuple[str, str]]:
    """Every `*.yaml` of a folder as (display name, text), sorted by name; `ConfigError` when unreadable."""
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        remedy = "Name a folder of UTF-8 YAML files; `huewatch config init DIR` makes one."
        message = f"Cannot be read: {error.strerror or error}."
        raise ConfigError([Problem(display_name(folder), None, message, remedy)]) from None
    for entry in entries:
        if entry.name.endswith(".yml"):
            message = "Only files that end in .yaml are read."
            raise ConfigError([Problem(display_name(entry), None, message, "Rename it.")])
    return [(display_name(e), yaml_text(e)) for e in entries if e.name.endswith(".yaml")]


def yaml_text(file: Path | Traversable) -> str:
    """The text of one file; `ConfigError` when it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        message, remedy = f"Cannot be read: {error.strerror or error}.", "Name a readable YAML file."
    except UnicodeDecodeError as error:
        message, remedy = f"Is not UTF-8 at byte {error.start}.", "Save it as UTF-8."
    raise ConfigError([Problem(display_name(file), None, message, remedy)])


def display_name(entry: Path | Traversable) -> str:
    """A path as a person would type it: relative to the working directory when it lies below it."""
    name = str(entry)
    relative = os.path.relpath(name)
    return name if relative.startswith("..") else relative


def parse_model(model: type[ModelType], data: Any, place: Place, problems: list[Problem]) -> ModelType | None:
    """`data` as a strict `model`; None, and a problem for each fault, when it does not fit."""
    try:
        return model.model_validate_json(json.dumps(data))  # JSON mode: strict, but lists may be tuples
    except ValidationError as error:
        known = field_names(model)
        problems.extend(_explain(fault, place, known) for fault in error.errors(include_url=False))
        return None


def _explain(fault: Any, place: Place, known: Sequence[str]) -> Problem:
    path: KeyPath = fault["loc"]
    name = path[-1] if path else "this"
    where = place.at(*path)
    if fault["type"] == "missing":
        return where.problem(f"`{name}` is missing.", f"Add `{name}:`.")
    if fault["type"] == "extra_forbidden":
        return where.problem(f"`{name}` is not known here.", nearest(str(name), known) or "Remove it.")
    message = str(fault["msg"]).removeprefix("Value error, ")
    return where.problem(
        f"`{name}`: {message}.", "Correct the value; config/README.md lists what is allowed."
    )


def nearest(name: str, known: Iterable[str]) -> str | None:
    """ "Write `x` instead." for the known name that looks most like `name`, or None."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"Write `{close[0]}` instead." if close else None


def field_names(model: type[BaseModel]) -> list[str]:
    """Every field name of a model and of the models inside it."""
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return sorted({name for part in parts for name in part.get("properties", {})})
