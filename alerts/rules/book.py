"""The rule book: every `*.yaml` of a folder, read against a catalogue and worked out for each target.

Promises rules that can work, or `ConfigError` with file, line and remedy for each that cannot. Reads files
and nothing else. Called by `huewatch check`, by the service at its start and by `huewatch rule test`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec

from alerts.rules import KINDS
from alerts.rules.kind import Kind, Plan, RuleSettings, Select, Target
from alerts.rules.lint import check_plans, check_references, check_select
from alerts.rules.standing import escalations, reminders
from ingest.catalog import Catalogue
from ingest.yaml_lines import (
    ConfigError,
    Place,
    Problem,
    Severity,
    nearest,
    parse_model,
    read_yaml,
    yaml_files,
)

RESERVED = "huewatch-self"  # the rule under which Huewatch alerts about itself
VERSION_LENGTH = 12  # hex digits of the hash: 48 bits for a handful of versions


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule and what it comes to for each target that it selects; `versions` go with `plans`."""

    kind: Kind
    settings: RuleSettings
    plans: tuple[tuple[Target, Plan], ...]
    versions: tuple[str, ...]
    place: Place

    @property
    def id(self) -> str:
        return self.settings.id

    def numbered(self, numbers: Mapping[str, int]) -> Rule:
        """The rule with the database's number of each datastream; `KeyError` for one that has none."""
        plans = tuple((replace(target, number=numbers[target.key]), plan) for target, plan in self.plans)
        return replace(self, plans=plans)


def load_rules(folder: Path | Traversable, catalogue: Catalogue) -> tuple[Rule, ...]:
    """The rules of a folder in file order; `ConfigError` with every problem when one of them is an error."""
    rules, problems = read_rules(folder, catalogue)
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise ConfigError(problems)
    return rules


def read_rules(folder: Path | Traversable, catalogue: Catalogue) -> tuple[tuple[Rule, ...], list[Problem]]:
    """What can be read of a folder's rules, and every problem found, warnings included."""
    try:
        files = yaml_files(folder)
    except ConfigError as error:
        return (), list(error.problems)
    rules: list[Rule] = []
    problems: list[Problem] = []
    for name, text in files:
        found, faults = parse_rules(text, name, catalogue)
        rules += found
        problems += faults
    problems += _check_ids(rules)
    for rule in rules:
        problems += check_references(rule.kind, rule.plans, rule.place)
    return tuple(rules), problems


def parse_rules(text: str, name: str, catalogue: Catalogue) -> tuple[list[Rule], list[Problem]]:
    """The rules of one YAML text, and its problems."""
    problems: list[Problem] = []
    try:
        data, root = read_yaml(text, name)
    except ConfigError as error:
        return [], list(error.problems)
    rules = [
        rule
        for entry, place in _entries(data, root, problems)
        if (rule := _rule(entry, place, catalogue, problems)) is not None
    ]
    return rules, problems


def _entries(data: Any, root: Place, problems: list[Problem]) -> Iterator[tuple[Any, Place]]:
    if data is None:
        return
    entries = data.get("rules") if isinstance(data, dict) and set(data) == {"rules"} else None
    if not isinstance(entries, list):
        problems.append(
            root.problem("This is not a list of rules.", "Begin the file with `rules:` and a list.")
        )
        return
    for index, entry in enumerate(entries):
        yield entry, root.at("rules", index)


def _rule(entry: Any, place: Place, catalogue: Catalogue, problems: list[Problem]) -> Rule | None:
    word = entry.get("kind") if isinstance(entry, dict) else None
    kind = KINDS.get(word) if isinstance(word, str) else None
    if kind is None:
        remedy = nearest(str(word), KINDS) or f"Write one of {', '.join(KINDS)}."
        problems.append(place.at("kind").problem(f"There is no rule kind {word!r}.", remedy))
        return None
    settings = parse_model(kind.settings, entry, place, problems)
    if settings is None:
        return None
    problems += check_select(settings.select, catalogue, place.at("select"))
    try:
        plans = tuple(_plans(kind, settings, catalogue))
    except ValueError as error:
        problems.append(place.problem(f"{error}.", "Correct the rule, or select other stations."))
        return None
    problems += check_plans(settings, plans, place)
    problems += kind.lint(settings, plans, place)
    versions = tuple(rule_version(settings, target, plan) for target, plan in plans)
    return Rule(kind, settings, plans, versions, place)


def _plans(kind: Kind, settings: RuleSettings, catalogue: Catalogue) -> Iterator[tuple[Target, Plan]]:
    derived = {key for key, _, _ in catalogue.derived()}
    for key, station, datastream in catalogue.watched():
        target = Target(key, station, datastream, derived=key in derived)
        if not selects(settings.select, target):
            continue
        try:
            plan = kind.plan(settings, target)
        except ValueError as error:
            raise ValueError(f"{error} ({key})") from None
        if plan is not None:
            yield target, _standing(settings, plan)


def _standing(settings: RuleSettings, plan: Plan) -> Plan:
    """The plan with what the rule says of alerts that stand."""
    remind, escalate = reminders(settings.remind, plan.bands), escalations(settings.escalate, plan.bands)
    return replace(plan, remind=remind, escalate=escalate)


def selects(select: Select, target: Target) -> bool:
    """Whether a rule looks at a target."""
    prop = target.datastream.property
    return (
        (select.property == prop or (select.property is None and not target.derived))
        and prop not in (select.other_than or ())
        and (select.kind is None or select.kind == target.station.kind)
        and (select.stations is None or target.station.id in select.stations)
    )


def rule_version(settings: RuleSettings, target: Target, plan: Plan) -> str:
    """A short hash of all that decides this target's alerts: settings, and the plan with its levels.

    Words for people and the choice of stations stay out: they change no decision about the target.
    """
    content = msgspec.json.encode((settings.deciding(), target.key, plan.deciding()), order="sorted")
    return hashlib.sha256(content).hexdigest()[:VERSION_LENGTH]


def _check_ids(rules: Sequence[Rule]) -> Iterator[Problem]:
    seen: dict[str, Rule] = {}
    for rule in rules:
        if rule.id == RESERVED:
            message = f"{RESERVED!r} is the name of alerts about Huewatch itself."
            yield rule.place.at("id").problem(message, "Give the rule another id.")
        first = seen.setdefault(rule.id, rule)
        if first is not rule:
            yield rule.place.at("id").problem(
                f"The rule {rule.id!r} is also in {first.place.file}:{first.place.at('id').line}.",
                "Give one of the two another id.",
            )


def rules_schema() -> dict[str, Any]:
    """The JSON Schema of a rule file, as committed in config/rules.schema.json."""
    definitions: dict[str, Any] = {}
    choices = []
    for name, kind in KINDS.items():
        schema = kind.settings.model_json_schema(ref_template=f"#/$defs/{name}/$defs/{{model}}")
        definitions[name] = schema
        choices.append({"$ref": f"#/$defs/{name}"})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Huewatch rules",
        "type": "object",
        "properties": {"rules": {"type": "array", "items": {"oneOf": choices}}},
        "required": ["rules"],
        "additionalProperties": False,
        "$defs": definitions,
    }
