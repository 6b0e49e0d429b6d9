"""What the load generator publishes, and the ledger of what became of it. No I/O but the ledger's file.

Every reading can be told from every other: by its time, or, without one, by its value within its series.
Called by `load`; tests read the ledger and compare it with the tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.clock import Clock, to_datetime
from simulators.gateways import STATUS

SERIES_PER_GATEWAY = 100
CHANNEL = "water_level"
CODES = 10_000  # readings of one series that their last four decimals tell apart

Signal = Callable[[int, int], float]


def calm(_series: int, _number: int) -> float:
    """Water at 0.3 m: below every level of the load's catalogue, and below where rates are judged."""
    return 0.3


@dataclass(slots=True)
class LoadLedger:
    """Every publish as columns of one length, in order of sending.

    `series` int32, `number` int64 within its series, `time` int64 microseconds (0: the payload had none),
    `value` float64, `sent_at` int64 microseconds of the first attempt, `acked` bool, `attempts` int16.
    `seconds` is from the first send to the last confirmation.
    """

    series: NDArray[np.int32]
    number: NDArray[np.int64]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    sent_at: NDArray[np.int64]
    acked: NDArray[np.bool_]
    attempts: NDArray[np.int16]
    seconds: float

    def __len__(self) -> int:
        return len(self.series)

    @property
    def rate(self) -> float:
        """Confirmed messages per second."""
        return float(np.count_nonzero(self.acked)) / self.seconds if self.seconds else math.nan

    def key(self, row: int) -> str:
        """The datastream key that the row's reading belongs to."""
        return datastream_key(int(self.series[row]))

    def save(self, path: Path) -> None:
        """Keep it as a compressed numpy archive."""
        columns = {name: getattr(self, name) for name in self.__slots__ if name != "seconds"}
        np.savez_compressed(path, seconds=np.array(self.seconds), **columns)

    @classmethod
    def load(cls, path: Path) -> LoadLedger:
        """Read back what `save` wrote."""
        with np.load(path) as kept:
            columns = {name: kept[name] for name in cls.__slots__ if name != "seconds"}
            return cls(**columns, seconds=float(kept["seconds"]))


def gateway_of(series: int) -> str:
    """The gateway through which a series speaks."""
    return f"load-{series // SERIES_PER_GATEWAY:03d}"


def topic_of(series: int) -> str:
    """Huewatch JSON's topic of a series."""
    return f"hue/v1/{gateway_of(series)}/dev-{series:05d}/readings"


def datastream_key(series: int) -> str:
    """The catalogue's key of a series."""
    return f"LOAD-{series:05d}/water_level"


def load_catalogue_yaml(numbers: Iterable[int]) -> str:
    """A catalogue file with one station for each series number; routes come from the city's own."""
    stations = [
        f"""\
  - id: LOAD-{series:05d}
    name: {{ vi: Tải {series}, en: Load {series} }}
    kind: river
    location: {{ lat: 16.46, lon: 107.58 }}
    datastreams:
      - name: water_level
        property: water_level
        unit: m
        cadence: 1min
        source: {{ gateway: {gateway_of(series)}, device: dev-{series:05d}, channel: {CHANNEL}, unit: m }}
        gross_range: {{ fail: [-1.5, 9.0], suspect: [-0.8, 6.2] }}
        levels:
          - {{ name: BĐ I, value: 1.00 }}
          - {{ name: BĐ II, value: 2.00 }}
          - {{ name: BĐ III, value: 3.50 }}
"""
        for series in numbers
    ]
    return "stations:\n" + "".join(stations)


class Sheet:
    """The readings to be published, each made when first asked for, and what became of it."""

    def __init__(
        self,
        series: int,
        messages: int,
        clock: Clock,
        signal: Signal,
        timeless_share: float,
        rng: np.random.Generator,
    ) -> None:
        self._series_count, self._clock, self._signal = series, clock, signal
        self._timeless = (rng.random(messages) < timeless_share).tolist()
        self._topics = [topic_of(each).encode() for each in range(series)]
        self._halves: list[tuple[bytes, bytes]] = []
        self._time: list[int] = []
        self._value: list[float] = []
        self._last_time = 0
        self._sent_at = [0] * messages
        self._acked = bytearray(messages)
        self._attempts = [0] * messages

    def __len__(self) -> int:
        return len(self._timeless)

    def prepare(self) -> None:
        """Make every reading now, as if it were taken now."""
        while len(self._halves) < len(self):
            self._make(len(self._halves))

    def send(self, row: int, packet_id: int) -> bytes:
        """The PUBLISH of a row; the first asking fixes its time and value. Rows begin in order."""
        if row == len(self._halves):
            self._make(row)
        if not self._attempts[row]:
            self._sent_at[row] = self._clock.now()
        self._attempts[row] += 1
        head, tail = self._halves[row]
        return head + packet_id.to_bytes(2, "big") + tail

    def confirm(self, row: int) -> None:
        """The broker has taken this row."""
        self._acked[row] = 1

    def _make(self, row: int) -> None:
        number, series = divmod(row, self._series_count)
        value = round(round(self._signal(series, number), 2) + number % CODES * 1e-6, 6)
        time = 0
        if not self._timeless[row]:
            self._last_time = time = max(self._last_time + 1, self._clock.now())
        stamp = f'"time":"{to_datetime(time).isoformat()}",' if time else ""
        reading = f'{{"channel":"{CHANNEL}","value":{value},"unit":"m"}}'
        payload = f'{{"status":"{STATUS}",{stamp}"readings":[{reading}]}}'
        self._time.append(time)
        self._value.append(value)
        self._halves.append(_halves(self._topics[series], payload.encode()))

    def ledger(self, seconds: float) -> LoadLedger:
        """What was sent at least once."""
        attempts = np.array(self._attempts, dtype=np.int16)
        rows = np.flatnonzero(attempts)
        return LoadLedger(
            series=(rows % self._series_count).astype(np.int32),
            number=(rows // self._series_count).astype(np.int64),
            time=np.array(self._time, dtype=np.int64)[rows],
            value=np.array(self._value, dtype=np.float64)[rows],
            sent_at=np.array(self._sent_at, dtype=np.int64)[rows],
            acked=np.frombuffer(self._acked, dtype=np.uint8)[rows].astype(np.bool_),
            attempts=attempts[rows],
            seconds=seconds,
        )


def _halves(topic: bytes, payload: bytes) -> tuple[bytes, bytes]:
    """A QoS 1 PUBLISH (MQTT 5, no properties) before and after its packet id: sending it is a copy."""
    remaining = 2 + len(topic) + 2 + 1 + len(payload)
    length = bytearray()
    while remaining > 127:
        length.append(remaining % 128 + 128)
        remaining //= 128
    length.append(remaining)
    return b"\x32" + length + len(topic).to_bytes(2, "big") + topic, b"\x00" + payload
