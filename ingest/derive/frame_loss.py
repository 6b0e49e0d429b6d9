"""`frame_loss`: the share of a device's LoRaWAN frames that never came, from its frame counter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ingest.config_model import Duration, Identifier
from ingest.derive.checks import check_input, check_rhythm, check_unit, check_window, find, source
from ingest.derive.intervals import Intervals, Windows
from ingest.derive.kind import (
    DAY,
    GOOD,
    Accept,
    Computed,
    DeriveSettings,
    Fault,
    Floats,
    Kind,
    Series,
    Times,
    micros,
    rows_for,
)
from ingest.derive.outputs import AtReadings

if TYPE_CHECKING:
    from ingest.catalog import Station
    from ingest.derive.settings import DerivedDatastream

# Two counts tell of all time between them, however few frames came through; a device that was away for longer
# than a day was moved, repaired or exchanged.
REACH = DAY
# A device in alarm sends up to ten times as often as its cadence says, and answers to the network server come
# on top. A count that outruns it began anew.
MOST_TIMES = 10
MOST_EXTRA = 10


class FrameLossSettings(DeriveSettings):
    """`of`: the frame counter, as the network server tells it; `bits`: where the counter rolls over."""

    kind: Literal["frame_loss"]
    of: Identifier
    window: Duration = 6 * 3_600.0
    bits: Literal[16, 32] = 32
    accept: Accept = GOOD


@dataclass(frozen=True, slots=True)
class FrameLoss(AtReadings):
    """Lost frames in (at - window, at] in per cent of those sent."""

    inputs: tuple[str, ...] = field(compare=False)
    window: int
    cadence: int
    modulus: float
    accept: Accept
    rows: int

    @property
    def lookback(self) -> int:
        return self.window + REACH

    def compute(self, at: Times, inputs: Sequence[Series]) -> Computed:
        series = inputs[0].between(int(at[0]) - self.lookback, int(at[-1]))
        intervals, sent = self._sent(series)
        windows = Windows.of(intervals, at - self.window, at)
        total, lost = windows.total(sent), windows.total(np.maximum(sent - 1.0, 0.0))
        share = np.divide(100.0 * lost, total, out=np.full(len(at), np.nan), where=total > 0)
        return Computed.of(at, share, windows.rank(), windows.covered(), at)

    def since(self, at: Times) -> Times:
        return at - self.window

    def _sent(self, series: Series) -> tuple[Intervals, Floats]:
        """How many frames were sent from one that came to the next, that one included.

        A counter that began anew has lost nothing that anybody could know of: one frame, and no coverage.
        """
        ranks = series.ranks(self.accept)
        counting = ranks > 0
        time, count = series.time[counting], series.value[counting]
        sent = np.diff(count)
        sent[sent < 0] += self.modulus
        restarted = (sent > MOST_TIMES * np.diff(time) / self.cadence + MOST_EXTRA) | (sent < 0)
        sent[restarted] = 1.0
        return Intervals.between(time, ranks[counting], ~restarted, REACH), sent


def _build(settings: FrameLossSettings, station: Station) -> FrameLoss:
    cadence, window = source(settings.of, station).cadence, micros(settings.window)
    rows = rows_for(window + REACH, cadence)
    return FrameLoss((settings.of,), window, micros(cadence), 2.0**settings.bits, settings.accept, rows)


def _problems(derived: DerivedDatastream, settings: Any, station: Station) -> Iterator[Fault]:
    yield from check_unit(derived, "%")
    yield from check_input(settings.of, station, "derive", "of")
    stream = find(settings.of, station)
    if stream is None:
        return
    if stream.unit != "1":
        message = f"{stream.name} is in {stream.unit}; a count of frames has no unit."
        yield ("derive", "of"), message, 'Name a datastream with `unit: "1"`.'
    yield from check_rhythm(derived, stream.cadence)
    yield from check_window(settings.window, stream, "derive", "window")


KIND = Kind(
    name="frame_loss",
    settings=FrameLossSettings,
    build=_build,
    problems=_problems,
    documentation="""\
Frames of a LoRaWAN device that were lost in the `window` (6 h) that ends at each frame of `of`, in % of those
sent.

`of` is the frame counter. A drop is a rollover at 2^`bits` (32; 16 for a network server that tells only the
lower half) where the device can have sent so many frames since, else a restart: a device that joins again
loses nothing. A jump that the device cannot have sent is a restart as well.

Coverage: the share of the window between two counts; the time before a restart is not covered. With nothing
but the first frame the share is unknown.
""",
)
