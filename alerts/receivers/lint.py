"""What makes a book of receivers impossible: said with file, line and remedy.

Looks at files that settings name, never at a network: whether a name leads to a private address is seen when
something is sent; of an address that is written out it is said here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from alerts.receivers import ReceiverSettings
from alerts.receivers.address import refusal
from alerts.receivers.cap import CapSettings
from alerts.receivers.webhook import WebhookSettings, read_secret
from ingest.catalog import Catalogue
from ingest.yaml_lines import Located, Place, Problem, nearest

FILES = ("secret_file", "old_secret_file", "password_file", "ca_file", "key_file", "certificate_file")
MOST_NAMED = 5  # names of the catalogue that a remedy lists


def check_receiver(
    receiver: ReceiverSettings, catalogue: Catalogue, rules: Collection[str], place: Place
) -> Iterator[Problem]:
    """What one receiver asks for that there is not, and files and addresses that it cannot use."""
    yield from _check_wants(receiver, catalogue, rules, place.at("wants"))
    if isinstance(receiver, WebhookSettings):
        yield from _check_address(receiver, place.at("url"))
    for name in FILES:
        file = getattr(receiver, name, None)
        if file is not None:
            yield from _check_file(file, name, place.at(name))


def check_book(
    located: Sequence[Located[ReceiverSettings]],
    steps: Sequence[Sequence[str]],
    on_call: str | None,
    root: Place,
) -> Iterator[Problem]:
    """Names that two receivers have, and names that none has."""
    seen: dict[str, Place] = {}
    for receiver, place in located:
        first = seen.setdefault(receiver.name, place)
        if first is not place:
            message = f"The receiver {receiver.name!r} is also in line {first.at('name').line}."
            yield place.at("name").problem(message, "Give one of the two another name.")
    for _, place in [each for each in located if isinstance(each[0], CapSettings)][1:]:
        remedy = "Leave out one of the two."
        yield place.at("kind").problem("CAP messages have one order and one issuer.", remedy)
    for number, step in enumerate(steps):
        for index, name in enumerate(step):
            yield from _must_be_receiver(name, list(seen), root.at("escalation", "steps", number, index))
    if on_call is not None:
        yield from _must_be_receiver(on_call, list(seen), root.at("on_call"))


def _must_be_receiver(name: str, known: Sequence[str], place: Place) -> Iterator[Problem]:
    if name not in known:
        remedy = nearest(name, known) or f"Write one of {', '.join(known) or 'the receivers above'}."
        yield place.problem(f"There is no receiver {name!r}.", remedy)


def _check_wants(
    receiver: ReceiverSettings, catalogue: Catalogue, rules: Collection[str], place: Place
) -> Iterator[Problem]:
    wants, stations = receiver.wants, catalogue.stations
    rivers = [name for one in stations if one.river for name in (one.river.vi, one.river.en)]
    wards = [name for one in stations if one.ward for name in (one.ward.vi, one.ward.en)]
    for what, key, names, known in (
        ("station", "stations", wants.stations, [one.id for one in stations]),
        ("river", "rivers", wants.rivers, rivers),
        ("ward", "wards", wants.wards, wards),
        ("tag", "tags", wants.tags, [tag for one in stations for tag in one.tags]),
        ("rule", "rules", wants.rules, sorted(rules)),
    ):
        for index, name in enumerate(names or ()):
            if name not in known:
                some = ", ".join(dict.fromkeys(list(known)[:MOST_NAMED])) or "none yet"
                remedy = nearest(name, known) or f"Write a {what} that there is, such as {some}."
                yield place.at(key, index).problem(f"There is no {what} {name!r}.", remedy)
    others = wants.model_dump(exclude={"unanswered_only"}, exclude_none=True)
    if wants.unanswered_only and others:
        yield place.at("unanswered_only").problem(
            f"Beside `unanswered_only` {', '.join(others)} chooses nothing.", "Leave one of them."
        )


def _check_address(receiver: WebhookSettings, place: Place) -> Iterator[Problem]:
    host = urlsplit(receiver.url).hostname or ""
    if host == "localhost":
        host = "127.0.0.1"
    try:
        ip_address(host)
    except ValueError:
        return
    reason = refusal(host, allow_private=receiver.allow_private)
    if reason is not None:
        private = reason == "a private address"
        remedy = "Add `allow_private: true` if it is your own." if private else "Write a public name."
        yield place.problem(f"{host} is {reason}.", remedy)
    elif refusal(host, allow_private=False) is None and receiver.insecure:
        yield place.problem(f"{host} is public, and http is not secret there.", "Write https.")


def _check_file(file: Path, name: str, place: Place) -> Iterator[Problem]:
    try:
        if name.endswith("secret_file"):
            read_secret(file)
        else:
            file.read_bytes()
    except OSError as error:
        yield place.problem(f"{file} cannot be read: {error.strerror or error}.", "Name a readable file.")
    except ValueError as error:
        remedy = "Make one: echo whsec_$(openssl rand -base64 32) > FILE"
        yield place.problem(f"{error}.", remedy)
