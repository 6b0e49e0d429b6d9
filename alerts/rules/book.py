"""The rule book: every `*.yaml` of a folder, read against a catalogue and worked out for each target.

Promises rules that can work, or `ConfigError` with file, line and remedy for each that cannot. Reads files
and nothing else. Called by `huewatch check`, by the service at its start and by `huewatch rule test`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec

from alerts.rules import KINDS
from alerts.rules.kind import Kind, Plan, Plans, RuleSettings, Select, Target
from alerts.rules.lint import (
    check_members,
    check_overrides,
    check_plans,
    check_references,
    check_select,
    check_watched,
)
from alerts.rules.overrides import check_override, overridden, overridden_place
from alerts.rules.standing import escalations, reminders
from ingest.catalog import Catalogue
from ingest.config_model import Text
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
    """A rule and what it comes to for each target that it selects; `versions` go with `plans`.

    A rule with overrides is several of these with one id, each with its own settings; no target is in two.
    """

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
    problems += check_members([(rule.settings, rule.plans, rule.place) for rule in rules])
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
    rules: list[Rule] = []
    for entry, place in _entries(data, root, problems):
        rules += _rules(entry, place, catalogue, problems)
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


def _rules(entry: Any, place: Place, catalogue: Catalogue, problems: list[Problem]) -> list[Rule]:
    """The rule of one entry: one `Rule` for the targets without an override, and one for each override."""
    word = entry.get("kind") if isinstance(entry, dict) else None
    kind = KINDS.get(word) if isinstance(word, str) else None
    if kind is None:
        remedy = nearest(str(word), KINDS) or f"Write one of {', '.join(KINDS)}."
        problems.append(place.at("kind").problem(f"There is no rule kind {word!r}.", remedy))
        return []
    settings = parse_model(kind.settings, entry, place, problems)
    if settings is None:
        return []
    reading = _Reading(kind, settings, catalogue, problems)
    problems += check_select(settings.select, catalogue, place.at("select"))
    problems += check_overrides(settings, catalogue, reading.stations, place)
    return reading.rules(entry, place)


class _Reading:
    """One entry of a rule file while it is read; problems are noted in the list given."""

    def __init__(
        self, kind: Kind, settings: RuleSettings, catalogue: Catalogue, problems: list[Problem]
    ) -> None:
        self._kind, self._settings, self._problems = kind, settings, problems
        self._targets = [target for target in _targets(catalogue) if selects(settings.select, target)]
        self.stations = {target.station.id for target in self._targets}

    def rules(self, entry: dict[str, Any], place: Place) -> list[Rule]:
        overrides = self._settings.overrides or ()
        elsewhere = {station for override in overrides for station in override.stations}
        found = [self._rule(self._settings, self.stations - elsewhere, place)]
        for index, override in enumerate(overrides):
            self._problems += check_override(entry, index, place)
            merged, own = overridden(entry, index), overridden_place(entry, index, place)
            settings = parse_model(self._kind.settings, merged, own, self._problems)
            if settings is not None:
                found.append(self._rule(settings, set(override.stations), own))
        rules = [rule for rule in found if rule is not None]
        if len(rules) == len(found):
            self._problems += check_watched(
                rules[0].settings, [plan for one in rules for plan in one.plans], place
            )
        return rules

    def _rule(self, settings: RuleSettings, stations: Container[str], place: Place) -> Rule | None:
        targets = [target for target in self._targets if target.station.id in stations]
        try:
            plans = tuple(_plans(self._kind, settings, targets))
        except ValueError as error:
            remedy = "Correct the rule, or select other stations."
            self._problems.append(place.problem(f"{error}.", remedy))
            return None
        self._problems += check_plans(settings, plans, place)
        self._problems += self._kind.lint(settings, plans, place)
        versions = rule_versions(settings, plans)
        return Rule(self._kind, settings, plans, versions, place)


def _targets(catalogue: Catalogue) -> Iterator[Target]:
    derived = {key for key, _, _ in catalogue.derived()}
    for key, station, datastream in catalogue.watched():
        yield Target(key, station, datastream, derived=key in derived)


def selects(select: Select, target: Target) -> bool:
    """Whether a rule looks at a target."""
    prop, station = target.datastream.property, target.station
    return (
        (select.property == prop or (select.property is None and not target.derived))
        and prop not in (select.other_than or ())
        and (select.kind is None or select.kind == station.kind)
        and (select.stations is None or station.id in select.stations)
        and (select.rivers is None or is_called(station.river, select.rivers))
        and (select.wards is None or is_called(station.ward, select.wards))
        and (select.tags is None or not set(station.tags).isdisjoint(select.tags))
    )


def is_called(name: Text | None, words: Container[str]) -> bool:
    """Whether a name in either language is among the words."""
    return name is not None and (name.vi in words or name.en in words)


def _plans(kind: Kind, settings: RuleSettings, targets: Sequence[Target]) -> Iterator[tuple[Target, Plan]]:
    for target in targets:
        try:
            plan = kind.plan(settings, target)
        except ValueError as error:
            raise ValueError(f"{error} ({target.key})") from None
        if plan is not None:
            yield target, _standing(settings, plan)


def _standing(settings: RuleSettings, plan: Plan) -> Plan:
    """The plan with what the rule says of alerts that stand."""
    remind, escalate = reminders(settings.remind, plan.bands), escalations(settings.escalate, plan.bands)
    return replace(plan, remind=remind, escalate=escalate)


def rule_versions(settings: RuleSettings, plans: Plans) -> tuple[str, ...]:
    """For each target a short hash of all that decides its alerts: settings, and the plan with its levels.

    Words for people and the choice of stations stay out: they change no decision about the target.
    """
    decided, texts = settings.deciding(), {plan: plan.deciding() for plan in {plan for _, plan in plans}}
    contents = (
        msgspec.json.encode((decided, target.key, texts[plan]), order="sorted") for target, plan in plans
    )
    return tuple(hashlib.sha256(content).hexdigest()[:VERSION_LENGTH] for content in contents)


def _check_ids(rules: Sequence[Rule]) -> Iterator[Problem]:
    seen: dict[str, Rule] = {}
    for rule in rules:
        if rule.id == RESERVED:
            message = f"{RESERVED!r} is the name of alerts about Huewatch itself."
            yield rule.place.at("id").problem(message, "Give the rule another id.")
        first = seen.setdefault(rule.id, rule)
        if (first.place.file, first.place.path) != (rule.place.file, rule.place.path):
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
