"""From messages to observations: decode, identify, convert, judge times, flag.

`Normaliser.intake` gives each message exactly one fate and each reading exactly one end: a row, a reject,
or silence for an auxiliary channel that the catalogue does not list. It promises that no row can be refused
by the database (finite values, times within the window, known ids) and that no message, however hostile,
makes it raise or grow. It keeps nothing between calls but a bounded memory of topics, reads no clock and
does no I/O. Duplicates and order in time are the store's business. Called by the pipeline.

Rejects, message by message: `no_route`, `unknown_device`, `identity_mismatch`, `too_large`, `undecodable`,
`nature_mismatch`. Reading by reading: `unknown_channel`, `nature_mismatch`, `sentinel`, `not_a_number`,
`unknown_unit`, `time_too_old`, `time_in_future`, `clock_reset`, `clock_zone`, `not_installed`,
`retained_without_time`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ingest.catalog import Catalogue
from ingest.clock import MICROS_PER_SECOND
from ingest.codecs import Decoded, NoReadings, Undecodable
from ingest.codecs.base import quoted
from ingest.device_clock import REASONS, Fault, Policies, Times, explain, judge
from ingest.model import (
    Fate,
    Intake,
    Nature,
    ObservationBatch,
    RawMessage,
    Reading,
    Reject,
    RejectReason,
    Remembered,
    Request,
    TimeSource,
)
from ingest.quality import worst
from ingest.routing import OWN, REPLAY_NUMBER, UNKNOWN_GATEWAY, Router, Way
from ingest.series import Channel, SeriesTable
from ingest.topics import is_marker, tick_of

__all__ = ["OWN", "UNKNOWN_GATEWAY", "Limits", "Normaliser", "is_marker", "tick_of"]

_TIMELESS = -(2**63)  # stands for the time of arrival until the columns are made
_BEYOND_COLUMNS = 2**63
_UNLISTED = Channel(-1, Nature.ACTUAL, {}, frozenset())  # a channel that the catalogue does not have

_MOST_KEYS = 200  # remembered of one gateway by one codec: more than the devices of any edge node
_MOST_REMEMBERED = 256 * 1024  # bytes of one of them: as long as a message may be

_MINUTE = 60 * MICROS_PER_SECOND
_DAY = 24 * 60 * _MINUTE


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reading's time and a message's size may be; times in microseconds, size in bytes.

    45 days: a gateway's store-and-forward after a long outage, well within retention. 5 minutes: a clock
    without NTP for some weeks. 256 KiB: a full message of 1,000 readings, several times a broker's limit.
    """

    max_age: int = 45 * _DAY
    max_skew: int = 5 * _MINUTE
    max_payload: int = 256 * 1024


@dataclass(slots=True)
class _Rows:
    """The columns of an intake as they grow, one entry per reading kept, and its rejects."""

    channel: list[int] = field(default_factory=list)
    unit: list[int] = field(default_factory=list)
    value: list[float | str] = field(default_factory=list)
    time: list[int] = field(default_factory=list)  # or `_TIMELESS`
    age: list[int] = field(default_factory=list)  # of what has no time: how long before its arrival
    quality: list[int] = field(default_factory=list)
    time_source: list[int] = field(default_factory=list)
    message: list[int] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    remembered: list[Remembered] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def append(self, channel: Channel, reading: Reading, number: int) -> None:
        """One reading that has no fault, of the message of that number."""
        self.channel.append(channel.number)
        self.unit.append(channel.units[reading.unit])
        self.value.append(reading.value)
        self.time.append(_TIMELESS if reading.time is None else reading.time)
        self.age.append(reading.age)
        self.quality.append(reading.quality)
        self.time_source.append(TimeSource.ARRIVAL if reading.time is None else reading.time_source)
        self.message.append(number)


class Normaliser:
    """The rules of one catalogue, ready to be applied to messages.

    `ids` maps datastream keys to the numbers that the database gave them; a datastream of this `nature`
    without one, an unknown codec and an unknown unit raise `ValueError`.
    """

    def __init__(
        self, catalogue: Catalogue, ids: Mapping[str, int], nature: Nature, limits: Limits | None = None
    ) -> None:
        self._nature = nature
        self._limits = limits or Limits()
        streams = list(catalogue.datastreams())
        self._table = SeriesTable([(stream, at.nature) for _, at, stream in streams])
        self._clocks = Policies.of([source.clock for source in self._table.sources])
        self._ids = np.array([_id(ids, key, at.nature is nature) for key, at, _ in streams], np.int32)
        self._router = Router(catalogue, self._table.channels)

    @property
    def topics_remembered(self) -> int:
        """How many topics are resolved and kept; bounded, whatever topics come."""
        return self._router.topics_remembered

    def gateway_of(self, topic: str) -> str:
        """The catalogue's gateway that a topic names, or the one name of all that it does not know."""
        return self._router.gateway_names[self._router.way(topic).gateway]

    def intake(self, messages: Sequence[RawMessage], now: int) -> Intake:
        """Decode and normalise messages in their order; `now` (microseconds) is what old is measured from."""
        rows = _Rows()
        ways = [self._router.way(message.topic) for message in messages]
        fates = [
            self._read(number, message, way, rows)
            for number, (message, way) in enumerate(zip(messages, ways, strict=True))
        ]
        observations = self._observations(messages, ways, rows, now - self._limits.max_age)
        gateways = np.array(
            [
                REPLAY_NUMBER if message.quarantined else way.gateway
                for message, way in zip(messages, ways, strict=True)
            ],
            np.int32,
        )
        return Intake(
            messages,
            observations,
            rows.rejects,
            gateways,
            self._router.gateway_names,
            np.array(fates, np.int8),
            rows.remembered,
            rows.requests,
        )

    def recall(self, remembered: Iterable[Remembered]) -> None:
        """Take what the database kept for the codecs, at the start."""
        for one in remembered:
            self._router.memory(one.codec, one.gateway)[one.key] = one.value

    def _read(self, number: int, message: RawMessage, way: Way, rows: _Rows) -> Fate:
        """Append one message's rows and rejects."""
        try:
            decoded = self._decode(message, way)
        except NoReadings:
            return Fate.EMPTY
        except Undecodable as error:
            rows.rejects.append(_reject(number, way, error.reason, error.detail, reading=False))
            self._remember(message, way, error, rows)
            return Fate.UNREADABLE
        self._remember(message, way, decoded, rows)
        fate = Fate.EMPTY  # and so it stays when only auxiliary channels came that nobody wants
        for reading in decoded.readings:
            channel = way.channels.get(reading.channel, _UNLISTED)
            if channel is _UNLISTED and way.unlisted(reading.channel):
                continue
            fate = Fate.READABLE
            fault = self._fault(channel, reading, message, way)
            if fault is None:
                rows.append(channel, reading, number)
            else:
                rows.rejects.append(_reject(number, way, *fault, reading=True))
        return fate

    def _remember(self, message: RawMessage, way: Way, said: Decoded | Undecodable, rows: _Rows) -> None:
        """Keep what the codec asks for, within bounds that no gateway of the catalogue needs.

        A message that is read again from quarantine tells nothing of the gateway's present.
        """
        if message.quarantined:
            return
        for key, value in said.remember.items():
            if not value:
                way.memory.pop(key, None)
            elif len(value) > _MOST_REMEMBERED or (key not in way.memory and len(way.memory) >= _MOST_KEYS):
                continue
            else:
                way.memory[key] = value
            rows.remembered.append(Remembered(way.codec.name, way.address.gateway, key, value))
        rows.requests += said.requests

    def _decode(self, message: RawMessage, way: Way) -> Decoded:
        if way.refusal is not None:
            raise Undecodable(*way.refusal)
        if len(message.payload) > self._limits.max_payload:
            raise Undecodable(RejectReason.TOO_LARGE, f"{len(message.payload)} bytes")
        try:
            decoded = way.decode(way.address, message.payload)
        except (Undecodable, NoReadings):
            raise
        except Exception as error:  # a codec's own fault must cost one message, never the service
            detail = f"fault in codec {way.codec.name}: {type(error).__name__}"
            raise Undecodable(RejectReason.UNDECODABLE, detail) from error
        if decoded.nature is not None and decoded.nature != self._nature:
            detail = f"status {quoted(decoded.nature)} where {self._nature} is expected"
            raise Undecodable(RejectReason.NATURE_MISMATCH, detail)
        return decoded

    def _fault(
        self, channel: Channel, reading: Reading, message: RawMessage, way: Way
    ) -> tuple[RejectReason, str] | None:
        """Why a reading cannot be kept, None when only its time and range are left to be judged."""
        if channel is _UNLISTED:
            return RejectReason.UNKNOWN_CHANNEL, f"channel {quoted(reading.channel)}"
        if reading.device != way.address.device:
            return RejectReason.IDENTITY_MISMATCH, f"device {quoted(reading.device)} is not the topic's"
        if channel.nature is not self._nature:
            return RejectReason.NATURE_MISMATCH, f"the station's nature is {channel.nature}"
        if reading.value in channel.sentinels:
            return RejectReason.SENTINEL, f"{quoted(reading.channel)} says {quoted(str(reading.value))}"
        if isinstance(reading.value, str):
            return RejectReason.NOT_A_NUMBER, f"{quoted(reading.channel)} says {quoted(reading.value)}"
        if reading.unit not in channel.units:
            return RejectReason.UNKNOWN_UNIT, f"{quoted(reading.channel)} in {quoted(str(reading.unit))}"
        if reading.time is None:
            return (RejectReason.RETAINED_WITHOUT_TIME, "of unknown age") if message.retain else None
        if reading.time >= _BEYOND_COLUMNS:
            return RejectReason.TIME_IN_FUTURE, "beyond any calendar"
        return (RejectReason.TIME_TOO_OLD, "before any calendar") if reading.time <= _TIMELESS else None

    def _observations(
        self, messages: Sequence[RawMessage], ways: Sequence[Way], rows: _Rows, oldest: int
    ) -> ObservationBatch:
        """The rows as columns; those whose time or value cannot be believed become rejects."""
        if not rows.channel:
            return ObservationBatch.empty()
        channel = np.array(rows.channel, np.intp)
        message = np.array(rows.message, np.int32)
        received_at = np.array([message.received_at for message in messages], np.int64)[message]
        times = self._times(channel, received_at, rows, oldest)
        unit, raw = np.array(rows.unit, np.intp), np.array(rows.value, np.float64)
        evaluated = self._table.evaluate(channel, unit, raw, times.time)
        quality = worst(worst(evaluated.quality, np.array(rows.quality, np.int8)), times.quality)
        batch = ObservationBatch(
            self._ids[evaluated.series],
            times.time,
            evaluated.value,
            quality,
            received_at,
            message,
            times.timeless,
            times.source,
            np.zeros(len(channel), np.int64),
        )
        believed = evaluated.installed & np.isfinite(evaluated.value) & (times.fault == Fault.NONE)
        if believed.all():
            return batch
        for row in np.flatnonzero(~believed).tolist():
            number, fault = int(message[row]), Fault(int(times.fault[row]))
            why = RejectReason.NOT_A_NUMBER, "not a finite number"
            if fault is not Fault.NONE:
                detail = explain(fault, int(times.time[row]), int(received_at[row]), oldest)
                why = REASONS[fault], detail
            elif not evaluated.installed[row]:
                why = RejectReason.NOT_INSTALLED, "this sensor stood nowhere at that time"
            rows.rejects.append(_reject(number, ways[number], *why, reading=True))
        rows.rejects.sort(key=lambda reject: reject.message)
        return batch.take(believed)

    def _times(
        self, channel: NDArray[np.intp], received_at: NDArray[np.int64], rows: _Rows, oldest: int
    ) -> Times:
        """The rows' times as they are believed, arrivals in the place of those that have none."""
        told = np.array(rows.time, np.int64)
        timeless = told == _TIMELESS
        time = np.where(timeless, received_at - np.array(rows.age, np.int64), told)
        source = np.array(rows.time_source, np.int8)
        skew = self._limits.max_skew
        return judge(time, source, timeless, received_at, channel, self._clocks, oldest, skew)


def _reject(number: int, way: Way, reason: RejectReason, detail: str, *, reading: bool) -> Reject:
    return Reject(number, reason, detail, way.codec.name, way.codec.version, reading)


def _id(ids: Mapping[str, int], key: str, needed: bool) -> int:
    """The number of a datastream; one of another nature has none in this database and is never stored."""
    if key not in ids and needed:
        raise ValueError(f"datastream {key} has no number in the database: run `huewatch migrate`")
    return ids.get(key, 0)
