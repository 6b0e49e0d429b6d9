"""What quality settings must hold to make sense: tests that a real flood passes, and that fit into memory.

`quality_problems` looks at one datastream, `neighbour_problems` at it among all. Each yields (path below the
datastream, message, remedy). Pure; called by the catalogue's lint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ingest.quality.limits import MOST_ROWS, gap_of, rows_for
from ingest.quality_settings import AttenuatedSignal, FlatLine, RateOfChange, Spike
from ingest.units import UnknownUnit, conversion

if TYPE_CHECKING:  # the catalogue calls its lint
    from ingest.catalog import Datastream

# Metres per hour that rivers of Huế are known to have risen by (24-25 cm/h on 29-10-2025); a rate that calls
# this suspicious hides the flood that the gauge is there for.
KNOWN_RISE = 0.25
LEVEL = "water_level"
LEAST_LINE = 3  # cadences; a line of fewer readings is chance

Finding = tuple[tuple[str | int, ...], str, str]


def quality_problems(stream: Datastream) -> Iterator[Finding]:
    """What is wrong with the tests of one datastream."""
    tests = stream.quality
    yield from _gap(stream)
    yield from _climatology(stream)
    if tests.spike:
        yield from _order("spike", tests.spike)
        yield from _spike(stream, tests.spike)
    if tests.rate_of_change:
        yield from _order("rate_of_change", tests.rate_of_change)
        yield from _rate(stream, tests.rate_of_change)
    if tests.flat_line:
        yield from _order("flat_line", tests.flat_line)
        yield from _flat_line(stream, tests.flat_line)
    if tests.attenuated_signal:
        yield from _attenuated(stream, tests.attenuated_signal)
    if rows_for(stream) > MOST_ROWS:
        message = f"Its tests look back on {rows_for(stream):,} readings; {MOST_ROWS} are remembered."
        yield ("quality",), message, "Shorten the longest window, or test a slower datastream."


def neighbour_problems(stream: Datastream, key: str, known: Mapping[str, Datastream]) -> Iterator[Finding]:
    """What is wrong with the neighbour that a datastream names; `known` has every datastream by its key."""
    neighbour = stream.quality.neighbour
    if neighbour is None:
        return
    path = ("quality", "neighbour", "of")
    if neighbour.of == key:
        yield path, "A datastream is no neighbour of itself.", "Name another gauge."
    elif neighbour.of not in known:
        yield path, f"There is no datastream {neighbour.of}.", "Write <station id>/<datastream name>."
    elif neighbour.difference is not None and known[neighbour.of].unit != stream.unit:
        unit = known[neighbour.of].unit
        yield path, f"{neighbour.of} is in {unit}, not in {stream.unit}.", "Compare trends, not values."
    if neighbour.within < stream.cadence:
        message = "It would seldom have a reading to be compared with: `within` is shorter than the cadence."
        yield ("quality", "neighbour", "within"), message, "Allow at least one cadence."


def _order(name: str, test: Spike | RateOfChange | FlatLine) -> Iterator[Finding]:
    if test.fail is not None and test.fail <= test.suspect:
        message = f"`fail` ({test.fail:g}) does not lie above `suspect` ({test.suspect:g})."
        yield (
            ("quality", name, "fail"),
            message,
            "Let a reading be suspect before it fails, or leave out `fail`.",
        )


def _gap(stream: Datastream) -> Iterator[Finding]:
    gap = gap_of(stream.quality)
    if gap and not 1 < gap.late < gap.missing:
        message = (
            f"A reading on time is late, or a late one missing ({gap.late:g}, {gap.missing:g} cadences)."
        )
        yield ("quality", "gap"), message, "Write 1 < late < missing."


def _climatology(stream: Datastream) -> Iterator[Finding]:
    seasons = stream.quality.climatology
    for index, season in enumerate(seasons):
        low, high = season.suspect
        if low >= high:
            path = ("quality", "climatology", index, "suspect")
            yield path, "The span is inverted or empty.", "Write [lowest, highest]."
    for month, count in sorted(Counter(month for season in seasons for month in season.months).items()):
        if count > 1:
            yield ("quality", "climatology"), f"Month {month} is written twice.", "Give each month one span."
    whole_year = len({month for season in seasons for month in season.months}) == 12
    for name, value in _landmarks(stream):
        if whole_year and not any(season.suspect[0] <= value <= season.suspect[1] for season in seasons):
            message = f"{name} ({value:g} {stream.unit}) is suspicious in every month."
            yield ("quality", "climatology"), message, "Let the flood season's span reach above it."


def _landmarks(stream: Datastream) -> Iterator[tuple[str, float]]:
    """The values that are known to be real: the levels and the record."""
    yield from ((level.name, level.value) for level in stream.levels)
    if stream.record is not None:
        yield "The record", stream.record


def _spike(stream: Datastream, spike: Spike) -> Iterator[Finding]:
    resolution = stream.quality.resolution
    if resolution is not None and spike.suspect < resolution:
        message = f"One step of the sensor ({resolution:g} {stream.unit}) would be a spike."
        yield ("quality", "spike", "suspect"), message, "Let `suspect` lie well above the resolution."


def _rate(stream: Datastream, rate: RateOfChange) -> Iterator[Finding]:
    path = ("quality", "rate_of_change", "suspect")
    resolution = stream.quality.resolution
    per_reading = rate.suspect * stream.cadence / 3_600
    if resolution is not None and per_reading < resolution:
        message = f"One step of the sensor ({resolution:g} {stream.unit}) between two readings is too fast."
        yield path, message, f"Allow at least {resolution * 3_600 / stream.cadence:g} {stream.unit}/h."
    known = _known_rise(stream)
    if known is not None and rate.suspect <= known:
        message = f"A real flood has risen by {known:g} {stream.unit}/h."
        yield path, message, "Let `suspect` lie far above it: a real flood must not read as a fault."


def _known_rise(stream: Datastream) -> float | None:
    if stream.property != LEVEL:
        return None
    try:
        way = conversion("m", stream.unit)
    except UnknownUnit:  # told of at the unit itself
        return None
    return KNOWN_RISE * way.numerator / way.denominator


def _flat_line(stream: Datastream, flat: FlatLine) -> Iterator[Finding]:
    if flat.suspect < LEAST_LINE * stream.cadence:
        message = "Readings stand still for so short a time by chance."
        remedy = f"Let `suspect` be at least {LEAST_LINE} cadences, {LEAST_LINE * stream.cadence / 60:g}min."
        yield ("quality", "flat_line", "suspect"), message, remedy
    resolution = stream.quality.resolution
    if resolution is not None and 0 < flat.tolerance < resolution:
        message = f"The tolerance is finer than the sensor, which steps by {resolution:g} {stream.unit}."
        yield ("quality", "flat_line", "tolerance"), message, "Leave it out: it is at least the resolution."
    for name, value in _landmarks(stream):
        if flat.above is not None and flat.above > value:
            message = f"At {name} ({value:g} {stream.unit}) a stuck sensor would not be noticed."
            yield ("quality", "flat_line", "above"), message, "Let it lie below the first level."
            return


def _attenuated(stream: Datastream, quiet: AttenuatedSignal) -> Iterator[Finding]:
    if quiet.window < LEAST_LINE * stream.cadence:
        message = "The window holds fewer than three readings."
        yield ("quality", "attenuated_signal", "window"), message, "Take a tide's 12.4 h, or a day."
    resolution = stream.quality.resolution
    if resolution is not None and quiet.min_range is not None and quiet.min_range <= resolution:
        message = f"Only exact repeats would be called attenuated (a step is {resolution:g} {stream.unit})."
        yield (
            ("quality", "attenuated_signal", "min_range"),
            message,
            "Ask for more than one step, or use flat_line.",
        )
