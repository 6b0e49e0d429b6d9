"""What a message would become, and why: the normaliser's work on one message, told reading by reading.

`explain` runs the message through the real normaliser over a catalogue, as if all of its datastreams were in
a database, and says of every reading which row it would be or what refuses it. Pure: nothing is stored, no
clock is read; the time of arrival is the message's. Called by `huewatch decode`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingest.catalog import Catalogue
from ingest.codecs import Decoded, NoReadings
from ingest.model import Fate, Nature, Quality, RawMessage, Reading, RejectReason, TimeSource
from ingest.normalise import Limits, Normaliser
from ingest.routing import Way
from ingest.topics import RouteFinder

Why = tuple[RejectReason, str]


@dataclass(frozen=True, slots=True)
class Stored:
    """The row that a reading would become."""

    datastream: str
    value: float
    unit: str
    time: int  # microseconds since 1970, UTC
    time_source: TimeSource
    quality: Quality


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of one reading: a row, a reject, or nothing since nobody lists the channel or need to."""

    reading: Reading
    stored: Stored | None = None
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What becomes of a message, from its topic on.

    `why` refuses the message whole; `empty` says what it is when it is known to carry no reading.
    """

    route: str | None
    codec: str
    version: int
    gateway: str
    device: str
    why: Why | None = None
    empty: str | None = None
    outcomes: Sequence[Outcome] = ()
    remembered: Sequence[str] = ()
    requests: Sequence[str] = ()

    @property
    def stored(self) -> int:
        """How many readings would be stored."""
        return sum(outcome.stored is not None for outcome in self.outcomes)


class _Demonstrator(Normaliser):
    """The normaliser, which also tells what a message decoded to, and can be shown one reading of it."""

    decoded: Decoded | None = None
    empty: str | None = None
    shown: Decoded | None = None

    def way(self, topic: str) -> Way:
        return self._router.way(topic)

    def _decode(self, message: RawMessage, way: Way) -> Decoded:
        if self.shown is not None:
            return self.shown
        try:
            self.decoded = super()._decode(message, way)
        except NoReadings as error:
            self.empty = str(error) or "a message without readings"
            raise
        return self.decoded


def explain(
    catalogue: Catalogue,
    nature: Nature,
    message: RawMessage,
    before: Iterable[RawMessage] = (),
    limits: Limits | None = None,
) -> Explanation:
    """What `message` becomes after the messages `before`, arriving when it says; a bad catalogue raises."""
    keys = [key for key, _, _ in catalogue.datastreams()]
    ids = {key: number for number, key in enumerate(keys, start=1)}
    normaliser = _Demonstrator(catalogue, ids, nature, limits)
    for one in before:
        normaliser.intake([one], one.received_at)
    normaliser.decoded = normaliser.empty = None
    intake = normaliser.intake([message], message.received_at)
    way = normaliser.way(message.topic)
    route, gateway, device = _names(catalogue, message.topic)
    refused = next((reject for reject in intake.rejects if not reject.reading), None)
    units = {key: stream.unit for key, _, stream in catalogue.datastreams()}
    readings: Sequence[Reading] = ()
    if refused is None and normaliser.decoded is not None:
        readings = normaliser.decoded.readings
    return Explanation(
        route,
        way.codec.name,
        way.codec.version,
        gateway,
        device,
        None if refused is None else (refused.reason, refused.detail),
        normaliser.empty if intake.fate[0] == Fate.EMPTY else None,
        [_outcome(normaliser, message, reading, keys, units) for reading in readings],
        [one.key for one in intake.remembered],
        [request.topic for request in intake.requests],
    )


def _names(catalogue: Catalogue, topic: str) -> tuple[str | None, str, str]:
    """The filter of the topic's route and what it calls gateway and device, before anyone judges them."""
    levels = topic.split("/")
    route = RouteFinder(catalogue.routes).find(levels)
    if route is None or len(levels) < max(route.gateway_level, route.device_level):
        return None, "", ""
    return route.filter, levels[route.gateway_level - 1], levels[route.device_level - 1]


def _outcome(
    normaliser: _Demonstrator,
    message: RawMessage,
    reading: Reading,
    keys: Sequence[str],
    units: Mapping[str, str],
) -> Outcome:
    """What the normaliser makes of this reading, had it come alone."""
    normaliser.shown = Decoded((reading,))
    try:
        intake = normaliser.intake([message], message.received_at)
    finally:
        normaliser.shown = None
    if intake.rejects:
        return Outcome(reading, why=(intake.rejects[0].reason, intake.rejects[0].detail))
    rows = intake.observations
    if not len(rows):
        return Outcome(reading)
    key = keys[int(rows.datastream[0]) - 1]
    source, quality = TimeSource(int(rows.time_source[0])), Quality(int(rows.quality[0]))
    row = Stored(key, float(rows.value[0]), units[key], int(rows.time[0]), source, quality)
    return Outcome(reading, stored=row)
