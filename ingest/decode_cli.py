"""The command `decode`: what a captured message would become, and why.

`ingest.explain` works it out; here is what reads files and flags and prints for people. No database and no
broker are asked, nothing is stored. Mounted by `ingest.cli`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape

from ingest.catalog import load_catalogue
from ingest.cli_support import config_folder, printable, problems_reported, settings_of
from ingest.clock import MICROS_PER_SECOND, system_clock, to_datetime
from ingest.codecs import Undecodable
from ingest.codecs.base import parse_time
from ingest.explain import Explanation, Outcome, Why, explain
from ingest.model import Nature, RawMessage, RejectReason
from ingest.normalise import Limits
from ingest.settings import Settings
from ingest.yaml_lines import ConfigError, Problem

REMEDIES: Final[Mapping[RejectReason, str]] = MappingProxyType(
    {
        RejectReason.NO_ROUTE: "add a route for the topic, or correct the gateway's topic",
        RejectReason.UNDECODABLE: "compare the payload with what the codec reads, and the route's settings",
        RejectReason.NEEDS_BIRTH: "give the birth that came before by --before; in service it is asked for",
        RejectReason.IDENTITY_MISMATCH: "correct the gateway or the catalogue's source; the topic decides",
        RejectReason.TOO_LARGE: "let the gateway send fewer readings at a time",
        RejectReason.UNKNOWN_DEVICE: "add the station to the catalogue: huewatch station new",
        RejectReason.UNKNOWN_CHANNEL: "add a datastream for the channel, or name it in the route's `ignore`",
        RejectReason.NOT_INSTALLED: "correct `valid_from` of the sensor's installation",
        RejectReason.UNKNOWN_UNIT: "correct the unit, or spell it out under `units` in the route's settings",
        RejectReason.NOT_A_NUMBER: "correct the gateway or the route; add a word for no value to `sentinels`",
        RejectReason.SENTINEL: "none here: the device says that it has no value; look at the sensor",
        RejectReason.TIME_TOO_OLD: "look at the gateway's clock; for an old capture give --received-at",
        RejectReason.TIME_IN_FUTURE: "look at the gateway's clock, and the route's `zone`; or --received-at",
        RejectReason.CLOCK_RESET: "set the device's clock, or declare its fault in the source's `clock`",
        RejectReason.CLOCK_ZONE: "correct the zone at the device or in the route; or declare it in `clock`",
        RejectReason.RETAINED_WITHOUT_TIME: "do not publish readings retained",
        RejectReason.NATURE_MISMATCH: "correct the message's status, the station's nature, or --nature",
        RejectReason.STORAGE_ERROR: "report it: this is a fault of ours",
    }
)
ELSEWHERE: Final = "see Reject reasons in config/README.md"


def decode(
    context: typer.Context,
    topic: Annotated[str, typer.Option(help="The topic that the message came on.")],
    file: Annotated[str | None, typer.Option(help="File with the payload's bytes; - reads stdin.")] = None,
    hexadecimal: Annotated[
        str | None, typer.Option("--hex", help="The payload in hexadecimal instead of a file.")
    ] = None,
    received_at: Annotated[
        str | None, typer.Option(help="When it came, RFC 3339 with offset; by default now.")
    ] = None,
    retained: Annotated[bool, typer.Option("--retained", help="It came as a retained message.")] = False,
    before: Annotated[
        list[str] | None, typer.Option(help="TOPIC=FILE: a message that came before, such as a birth.")
    ] = None,
) -> None:
    """Print what a captured message would become and why; 0 when something would be stored, else 1.

    Needs neither database nor broker, and stores nothing.

    Example: huewatch --config my-city decode --topic iot/gw-1/st-7/up --file message.json
    """
    with problems_reported():
        settings = settings_of(context)
        arrival = _arrival(received_at)
        message = _message(topic, _payload(file, hexadecimal), arrival, retained)
        earlier = [_earlier(text, arrival) for text in before or ()]
        catalogue = load_catalogue(config_folder(settings) / "catalog", settings.nature)
        nature = settings.nature or Nature.ACTUAL
        explanation = explain(catalogue, nature, message, earlier, _limits(settings))
    show(explanation, message, Console(highlight=False))
    if not explanation.stored:
        raise typer.Exit(1)


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_age=int(settings.max_age_days * 86_400 * MICROS_PER_SECOND),
        max_skew=int(settings.max_skew * MICROS_PER_SECOND),
    )


def _message(topic: str, payload: bytes, received_at: int, retained: bool) -> RawMessage:
    return RawMessage(topic, payload, 1, retained, False, received_at, 0, 0)


def _earlier(text: str, arrival: int) -> RawMessage:
    topic, sign, file = text.partition("=")
    if not sign:
        raise _misused("--before", f"{text!r} is not TOPIC=FILE", "Write --before topic/of/it=birth.bin.")
    return _message(topic, _payload(file, None), arrival, False)


def _payload(file: str | None, hexadecimal: str | None) -> bytes:
    if (file is None) == (hexadecimal is None):
        raise _misused("--file", "The payload is wanted once", "Give either --file or --hex.")
    if hexadecimal is not None:
        try:
            return bytes.fromhex(hexadecimal)
        except ValueError:
            remedy = "Write two digits a byte, such as 0175640382 1E00."
            raise _misused("--hex", f"{hexadecimal!r} is not hexadecimal", remedy) from None
    if file == "-":
        return typer.get_binary_stream("stdin").read()
    try:
        return Path(file or "").read_bytes()
    except OSError as error:
        remedy = "Name a file with the payload's bytes, or - for stdin."
        raise _misused("--file", f"{file} cannot be read: {error.strerror}", remedy) from None


def _arrival(text: str | None) -> int:
    if text is None:
        return system_clock().now()
    try:
        return parse_time(text)
    except Undecodable:
        remedy = "Write it with its offset, such as 2025-10-27T20:00:00+07:00."
        raise _misused("--received-at", f"{text!r} is not a time", remedy) from None


def _misused(option: str, message: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(option, None, f"{message}.", remedy)])


def show(explanation: Explanation, message: RawMessage, console: Console) -> None:
    """Print an explanation for people; whatever a gateway wrote is made safe to print."""
    for name, text in _heading(explanation, message):
        console.print(f"{name:<10} {printable(text)}", soft_wrap=True)
    if explanation.outcomes:
        console.print("", *_table(explanation.outcomes), "", sep="\n", soft_wrap=True)
    for name, (reason, detail) in _refusals(explanation):
        console.print(f"{printable(name)}: {reason.value}: {printable(detail)}", soft_wrap=True)
        console.print(f"  Remedy: {REMEDIES.get(reason, ELSEWHERE)}.", soft_wrap=True)
    console.print(_summary(explanation), soft_wrap=True)


def _heading(explanation: Explanation, message: RawMessage) -> Iterable[tuple[str, str]]:
    yield "Topic", message.topic
    if explanation.route is not None:
        yield "Route", f"{explanation.route}, codec {explanation.codec} {explanation.version}"
        yield "Identity", f"gateway {explanation.gateway}, device {explanation.device}"
    yield "Arrived", f"{_moment(message.received_at)} UTC, {len(message.payload)} bytes"
    if explanation.remembered:
        yield "Remembers", ", ".join(explanation.remembered)
    if explanation.requests:
        yield "Asks", ", ".join(explanation.requests)


def _table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A line a reading under a heading, never cut: a key that ends in an ellipsis helps nobody."""
    heading = ("channel", "says", "becomes", "time (UTC)", "clock", "verdict")
    lines = [heading, *map(_cells, outcomes)]
    widths = [max(cell_len(line[column]) for line in lines) for column in range(len(heading))]
    for line in lines:
        padded = (set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True))
        yield escape("  ".join(padded).rstrip())


def _cells(outcome: Outcome) -> tuple[str, ...]:
    said, row = outcome.reading, outcome.stored
    value = f"{said.value:.12g}" if isinstance(said.value, float) else repr(said.value)
    says = value if said.unit is None else f"{value} {said.unit}"
    if row is None:
        verdict = "nobody lists it" if outcome.why is None else outcome.why[0].value
        return visible(said.channel), visible(says), "", "", "", verdict
    becomes = f"{row.datastream} {row.value:.12g} {row.unit}"
    clock, verdict = row.time_source.name.lower(), row.quality.name.lower()
    return visible(said.channel), visible(says), becomes, _moment(row.time), clock, verdict


def _refusals(explanation: Explanation) -> Iterable[tuple[str, Why]]:
    if explanation.why is not None:
        yield "Message", explanation.why
    for outcome in explanation.outcomes:
        if outcome.why is not None:
            yield outcome.reading.channel, outcome.why


def _summary(explanation: Explanation) -> str:
    if explanation.why is not None:
        return "Nothing would be stored: the whole message goes to quarantine."
    if explanation.empty is not None:
        return f"Nothing would be stored: {printable(explanation.empty)} is known to carry no reading."
    count = len(explanation.outcomes)
    refused = sum(outcome.why is not None for outcome in explanation.outcomes)
    return f"{explanation.stored} of {count} readings would be stored, {refused} quarantined."


def visible(text: str) -> str:
    """Foreign text in which no control or direction sign can act; its markup is not escaped yet."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _moment(micros: int) -> str:
    """A time for people, to the millisecond; one outside the calendar as it is."""
    try:
        return f"{to_datetime(micros):%Y-%m-%d %H:%M:%S.%f}"[:-3]
    except OverflowError:
        return f"{micros} us"
