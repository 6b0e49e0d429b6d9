"""`receivers.yaml`: who is told of what, in which order they are called, and who is on call.

The models are the file's shape. `read_book` promises a book that can work, or problems with file, line and
remedy; without a file the book has the centre's MQTT receiver alone. Reads files and nothing else: no name is
resolved and nobody is spoken to. Called by the feed, by `huewatch check` and by `huewatch receivers`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from alerts.model import Severity
from alerts.receivers import ReceiverSettings
from alerts.receivers.lint import check_book, check_receiver
from alerts.receivers.mqtt import MqttSettings
from alerts.receivers.registry import WORDS
from alerts.receivers.wants import EVERYBODY as EVERYBODY
from alerts.receivers.wants import Wishes, area_of
from alerts.rules.book import read_rules
from ingest.catalog import Catalogue
from ingest.config_model import Duration, Identifier, Model
from ingest.model import Nature
from ingest.yaml_lines import (
    ConfigError,
    Located,
    Place,
    Problem,
    display_name,
    nearest,
    parse_model,
    read_yaml,
    yaml_text,
)
from ingest.yaml_lines import Severity as Weight

FILE = "receivers.yaml"
OFF = "off"
CLOCK = r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$"
SECRETS = ("secret", "old_secret", "password", "token")  # what somebody might write in place of a file
VERSION_LENGTH = 12  # hex digits, as of the configuration's version


class Escalation(Model):
    """What happens when nobody acknowledges: after each `after` the next of `steps`, then everybody.

    Each step names receivers.
    """

    after: Duration = 300.0
    severity: Severity = Severity.SEVERE  # and what is worse
    steps: tuple[tuple[Identifier, ...], ...] = ()


class BookFile(Model):
    """All of the file but its receivers, each of which its own kind reads."""

    receivers: tuple[dict[str, Any], ...] = ()
    escalation: Escalation = Escalation()
    on_call: Identifier | None = None
    daily_test: Annotated[str, Field(pattern=f"{CLOCK}|^{OFF}$")] = "08:00"  # UTC+7


@dataclass(frozen=True, slots=True)
class ReceiverBook:
    """All receivers. `on_call`: the one that hears of faults of our own; None: nobody but who hears all.

    `daily_test`: minutes of the local day at which every receiver is proven; None: never.
    """

    receivers: tuple[ReceiverSettings, ...] = ()
    escalation: Escalation = field(default_factory=Escalation)
    on_call: str | None = None
    daily_test: int | None = None

    @property
    def version(self) -> str:
        """A short hash of all that it says."""
        parts = [each.model_dump_json() for each in self.receivers]
        said = "\n".join([*parts, self.escalation.model_dump_json(), f"{self.on_call} {self.daily_test}"])
        return hashlib.sha256(said.encode()).hexdigest()[:VERSION_LENGTH]

    def wishes(self, receiver: ReceiverSettings, catalogue: Catalogue) -> Wishes:
        """What one of its receivers wants; whoever is on call hears of our own faults whatever it wants."""
        wants = receiver.wants.of(catalogue)
        on_call = receiver.name == self.on_call
        return Wishes(
            receiver.name,
            receiver.natures,
            lambda event: (on_call and event.rule_kind == "self") or wants(event),
            receiver.digest_s,
            area_of(catalogue),
        )


def default_book(nature: Nature) -> ReceiverBook:
    """Who is told where no file says it: the centre, over the service's own broker."""
    return ReceiverBook((MqttSettings(name="mqtt", natures=frozenset({nature})),))


def load_book(folder: Path | Traversable, nature: Nature, catalogue: Catalogue) -> ReceiverBook:
    """The book of a folder; `ConfigError` with every problem when one of them is an error."""
    book, problems = read_book(folder, nature, catalogue)
    if any(problem.severity is Weight.ERROR for problem in problems):
        raise ConfigError(problems)
    return book


def read_book(
    folder: Path | Traversable, nature: Nature, catalogue: Catalogue, rules: Collection[str] | None = None
) -> tuple[ReceiverBook, list[Problem]]:
    """What can be read of a folder's file, and every problem found. `nature`: what the database is for.

    `rules`: the ids of the rules; None: they are read where a filter names some.
    """
    file = folder / FILE
    if not file.is_file():
        return default_book(nature), []
    try:
        data, root = read_yaml(yaml_text(file), display_name(file))
    except ConfigError as error:
        return default_book(nature), list(error.problems)
    problems: list[Problem] = []
    whole = parse_model(BookFile, {} if data is None else data, root, problems)
    if whole is None:
        return default_book(nature), problems
    located = [one for one in _receivers(whole, root, problems) if one is not None]
    named = any(each.wants.rules for each, _ in located)
    if named and rules is None:
        rules = {rule.id for rule in read_rules(folder / "rules", catalogue)[0]}
    for receiver, place in located:
        problems += check_receiver(receiver, catalogue, rules or (), place)
    problems += check_book(located, whole.escalation.steps, whole.on_call, root)
    receivers = tuple(_taking(receiver, nature) for receiver, _ in located)
    return ReceiverBook(receivers, whole.escalation, whole.on_call, minutes(whole.daily_test)), problems


def minutes(clock: str) -> int | None:
    """ "08:00" as minutes of the day; None for "off"."""
    return None if clock == OFF else int(clock[:2]) * 60 + int(clock[3:])


def _receivers(
    whole: BookFile, root: Place, problems: list[Problem]
) -> Iterator[Located[ReceiverSettings] | None]:
    for index, entry in enumerate(whole.receivers):
        place = root.at("receivers", index)
        word = entry.get("kind")
        settings = WORDS.get(word) if isinstance(word, str) else None
        if settings is None:
            remedy = nearest(str(word), WORDS) or f"Write one of {', '.join(WORDS)}."
            problems.append(place.at("kind").problem(f"There is no receiver kind {word!r}.", remedy))
            continue
        secrets = [key for key in SECRETS if key in entry]
        for key in secrets:
            message = f"`{key}`: no secret stands in this file."
            problems.append(place.at(key).problem(message, f"Write it into a file, and `{key}_file: PATH`."))
        plain = {key: value for key, value in entry.items() if key not in secrets}
        receiver = parse_model(settings, plain, place, problems)
        yield None if receiver is None else (receiver, place)


def _taking(receiver: ReceiverSettings, nature: Nature) -> ReceiverSettings:
    """With the natures of the database, where the receiver is the service's own and none are written."""
    if receiver.ours and "natures" not in receiver.model_fields_set:
        return receiver.model_copy(update={"natures": frozenset({nature})})
    return receiver


def receivers_schema() -> dict[str, Any]:
    """The JSON Schema of the file, as committed in config/receivers.schema.json."""
    definitions: dict[str, Any] = {}
    for word, settings in WORDS.items():
        definitions[word] = settings.model_json_schema(ref_template=f"#/$defs/{word}/$defs/{{model}}")
        definitions[word]["required"] = sorted({"kind", *definitions[word]["required"]})
    schema = BookFile.model_json_schema()
    schema["properties"]["receivers"]["items"] = {"oneOf": [{"$ref": f"#/$defs/{word}"} for word in WORDS]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Huewatch receivers",
        "$defs": {**schema.get("$defs", {}), **definitions},
    }
