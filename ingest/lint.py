"""What a catalogue must hold to make sense, beyond the shape of each entry.

Promises every problem found, each at its file and line with a remedy, errors and warnings. Does not read
files (`ingest.catalog` does) and does not know rules (`alerts` checks its own). Called by the catalogue's
loader and by `huewatch check`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from ingest.codecs import codecs
from ingest.derive import problems as derived_problems
from ingest.installation import BEGINNING, Identity, Installed, Reference, history
from ingest.model import Nature
from ingest.polygon import ring_faults
from ingest.quality.lint import neighbour_problems, quality_problems
from ingest.units import UNITS, UnknownUnit, conversion
from ingest.yaml_lines import Located, Place, Problem, Severity, nearest

if TYPE_CHECKING:  # the catalogue's loader calls this module
    from ingest.catalog import Datastream, Route, Station
    from ingest.installation import Installation, Ranging

# Huế and its river basins (domain figures: QARTOD location test), degrees
SOUTH, NORTH, WEST, EAST = 15.9, 16.9, 107.0, 108.3
# Topics on which Huewatch talks to itself and to the IOC; a route must not read them back as sensors.
OWN_TOPICS = ("huewatch/#", "ioc/alerts/#")
MAX_TOPIC_BYTES = 65_535  # MQTT 5, 1.5.4: a UTF-8 string's length is two bytes


def check_stations(stations: Sequence[Located[Station]]) -> list[Problem]:
    """Problems of stations and their datastreams, alone and against each other."""
    problems = list(_duplicate_stations(stations))
    problems += _shared_sources(stations)
    problems += _exercise_zeros(stations)
    known = {f"{each.id}/{stream.name}": stream for each, _ in stations for stream in each.datastreams}
    for station, place in stations:
        problems += _check_location(station, place)
        problems += _check_area(station, place.at("area"))
        problems += _duplicate_datastreams(station, place)
        for index, datastream in enumerate(station.datastreams):
            where = place.at("datastreams", index)
            problems += check_datastream(datastream, where)
            neighbours = neighbour_problems(datastream, f"{station.id}/{datastream.name}", known)
            problems += [where.at(*path).problem(message, remedy) for path, message, remedy in neighbours]
            problems += _check_neighbours(datastream, f"{station.id}/{datastream.name}", known, where)
        for index, derived in enumerate(station.derived):
            where = place.at("derived", index)
            found = derived_problems(derived, station)
            problems += [where.at(*path).problem(message, remedy) for path, message, remedy in found]
    return problems


def _check_neighbours(
    datastream: Datastream, key: str, known: Mapping[str, Datastream], place: Place
) -> Iterator[Problem]:
    """Neighbours that cannot confirm a level: the datastream itself, nobody, or another property."""
    for index, name in enumerate(datastream.neighbours):
        own = place.at("neighbours", index)
        if name == key:
            yield own.problem("A datastream is no neighbour of itself.", "Name another gauge.")
        elif name not in known:
            remedy = nearest(name, known) or "Write <station id>/<datastream name>."
            yield own.problem(f"There is no datastream {name}.", remedy)
        elif known[name].property != datastream.property:
            message = f"{name} measures {known[name].property}, not {datastream.property}."
            yield own.problem(message, "Name a gauge of the same property.")


def _duplicate_stations(stations: Sequence[Located[Station]]) -> Iterator[Problem]:
    first: dict[str, Place] = {}
    for station, place in stations:
        seen = first.setdefault(station.id, place)
        if seen is not place:
            message = f"Station {station.id} exists already at {seen.file}:{seen.line}."
            yield place.at("id").problem(message, "Give it another id, or remove one of the two.")


def _duplicate_datastreams(station: Station, place: Place) -> Iterator[Problem]:
    seen: Counter[str] = Counter()
    for index, datastream in enumerate(station.datastreams):
        seen[datastream.name] += 1
        if seen[datastream.name] > 1:
            message = f"Station {station.id} has two datastreams named {datastream.name}."
            yield place.at("datastreams", index, "name").problem(message, "Give each its own name.")


def _shared_sources(stations: Sequence[Located[Station]]) -> Iterator[Problem]:
    """A channel may feed one datastream at a time, and always a quantity of one kind."""
    first: dict[Identity, list[tuple[Installed, str, str]]] = {}
    for station, place in stations:
        for index, datastream in enumerate(station.datastreams):
            where, key = place.at("datastreams", index), f"{station.id}/{datastream.name}"
            kind = f"{_dimension(datastream)} of nature {station.nature.value}"
            for installed in datastream.history():
                others = first.setdefault(installed.identity, [])
                for other, owner, owners_kind in others:
                    yield from _shared(installed, key, kind, other, owner, owners_kind, where)
                others.append((installed, key, kind))


def _shared(
    installed: Installed, key: str, kind: str, other: Installed, owner: str, owners_kind: str, where: Place
) -> Iterator[Problem]:
    name = " / ".join(installed.identity)
    where = where.at("installations" if installed.since != BEGINNING else "source")
    if installed.since < other.until and other.since < installed.until and owner != key:
        remedy = "Let each channel of a device feed one datastream at a time."
        yield where.problem(f"Channel {name} feeds {owner} already.", remedy)
    elif kind != owners_kind:
        message = f"Channel {name} fed {owner}, a {owners_kind}; here it would be a {kind}."
        yield where.problem(message, "Correct the device or the channel.")


def _dimension(datastream: Datastream) -> str:
    unit = UNITS.get(datastream.unit)
    dimension = unit.dimension if unit else "unknown"
    return f"{dimension} of {datastream.substance.name}" if datastream.substance else dimension


def _exercise_zeros(stations: Sequence[Located[Station]]) -> Iterator[Problem]:
    """Levels of real stations that stand on zeros which nobody surveyed: one warning for all of them."""
    found = [
        (f"{station.id}/{datastream.name}", place.at("datastreams", index, "installations"))
        for station, place in stations
        for index, datastream in enumerate(station.datastreams)
        if station.nature is Nature.ACTUAL
        and datastream.levels
        and station.reference(datastream) is Reference.EXERCISE
    ]
    if found:
        (_, place), names = found[0], ", ".join(key for key, _ in found)
        message = f"These zeros are surveyed for exercises alone, by nobody at the gauge: {names}."
        remedy = "Survey each and name the surveyor in `by`, before people rely on a báo động."
        yield place.problem(message, remedy, Severity.WARNING)


def _check_location(station: Station, place: Place) -> Iterator[Problem]:
    location = station.location
    if not (SOUTH <= location.lat <= NORTH and WEST <= location.lon <= EAST):
        message = f"{location.lat}, {location.lon} lies outside Huế ({SOUTH}-{NORTH} N, {WEST}-{EAST} E)."
        yield place.at("location").problem(message, "Check the coordinates; lat comes before lon.")


def _check_area(station: Station, place: Place) -> Iterator[Problem]:
    """A polygon that bounds no area, lies elsewhere, or is written with the longitude first."""
    if station.area is None:
        return
    polygon = station.area.polygon
    if not polygon and not station.area.communes:
        yield place.problem("The area says nothing.", "Write a `polygon`, `communes`, or remove it.")
    for fault in ring_faults(polygon) if polygon else ():
        remedy = "Write its corners in order as [lat, lon], and the first once more at the end."
        yield place.at("polygon").problem(f"The polygon bounds no area: {fault}.", remedy)
    outside = [c for c in polygon if not (SOUTH <= c[0] <= NORTH and WEST <= c[1] <= EAST)]
    if outside:
        message = f"{outside[0][0]}, {outside[0][1]} lies outside Huế ({SOUTH}-{NORTH} N, {WEST}-{EAST} E)."
        yield place.at("polygon").problem(message, "Check the corners; lat comes before lon.")


def check_datastream(datastream: Datastream, place: Place) -> Iterator[Problem]:
    """Problems of one datastream: units, levels, ranges, its sensors and what the newest of them can see."""
    if datastream.unit not in UNITS:
        remedy = nearest(datastream.unit, UNITS) or _one_of(UNITS)
        yield place.at("unit").problem(f"Unit {datastream.unit!r} is not known.", remedy)
    else:
        yield from _check_substance(datastream, place)
        yield from _check_sensors(datastream, place)
    yield from _check_levels(datastream, place.at("levels"))
    yield from _check_gross_range(datastream, place.at("gross_range"))
    yield from _check_dates(datastream, place)
    ranging = datastream.current().ranging
    if ranging is not None:
        yield from _check_sight(datastream, ranging, place)
    for path, message, remedy in quality_problems(datastream):
        yield place.at(*path).problem(message, remedy)


def _check_substance(datastream: Datastream, place: Place) -> Iterator[Problem]:
    if datastream.substance and UNITS[datastream.unit].dimension not in ("ratio", "concentration"):
        message = f"{datastream.unit} is neither a share of air nor a mass in it."
        yield place.at("substance").problem(message, "Remove the substance, or write a unit such as ug/m3.")


def _check_sensors(datastream: Datastream, place: Place) -> Iterator[Problem]:
    """Units and ranges of each installation, each at its own line."""
    written: list[tuple[tuple[Installation, ...], Place]] = [
        ((entry,), place.at("installations", i)) for i, entry in enumerate(datastream.installations)
    ]
    for entries, where in written or [((), place)]:
        (installed,) = history(datastream.source, datastream.ranging, entries)
        in_source = not entries or entries[0].unit is None
        yield from _check_unit(
            datastream, installed, place.at("source", "unit") if in_source else where.at("unit")
        )
        ranging = installed.ranging
        if ranging is not None and datastream.unit != "m":
            yield place.at("unit").problem(
                "A ranging sensor's level is in metres.",
                "Write `unit: m`; the distance may be in another unit.",
            )
        if ranging is not None and ranging.blanking >= ranging.max_range:
            message = f"Blanking {ranging.blanking:g} m reaches the maximum range {ranging.max_range:g} m."
            at = where.at("blanking") if entries else place.at("ranging")
            yield at.problem(message, "Take both from the sensor's data sheet.")


def _check_unit(datastream: Datastream, installed: Installed, place: Place) -> Iterator[Problem]:
    unit, gas = installed.source.unit, datastream.gas()
    if unit is not None and unit not in UNITS:
        yield place.problem(f"Unit {unit!r} is not known.", nearest(unit, UNITS) or _one_of(UNITS))
        return
    try:
        conversion(unit or datastream.unit, datastream.unit, gas)
    except UnknownUnit as error:
        remedy = "Give the source the unit that its readings are in."
        if "ratio" in str(error) and "concentration" in str(error):
            remedy = "Name the gas: `substance: { name: O3, temperature: 25, pressure: 1013.25 }`."
        yield place.problem(f"Its readings cannot be converted: {error}.", remedy)


def _check_dates(datastream: Datastream, place: Place) -> Iterator[Problem]:
    """Installations are written in order, each with its date, and end no later than the next begins."""
    entries = datastream.installations
    for index, entry in enumerate(entries):
        where = place.at("installations", index)
        since = BEGINNING if entry.valid_from is None else entry.valid_from
        if index and since <= (entries[index - 1].valid_from or BEGINNING):
            message = "This installation begins no later than the one above it."
            if entry.valid_from is None:
                message = "This installation has no `valid_from`; only the first may be without one."
            yield where.at("valid_from").problem(message, "Write them in order of time, each with its date.")
        if entry.valid_until is not None and entry.valid_until <= since:
            message = "This installation ends before it begins."
            yield where.at("valid_until").problem(message, "Correct one of the two times.")
    for index, (entry, following) in enumerate(pairwise(entries)):
        end, begin = entry.valid_until, following.valid_from
        if end is not None and begin is not None and end > begin:
            message = "This installation ends after the next one has begun."
            where = place.at("installations", index, "valid_until")
            yield where.problem(message, "Leave `valid_until` out: it ends when the next one begins.")


def _check_levels(datastream: Datastream, place: Place) -> Iterator[Problem]:
    for low, high in pairwise(datastream.levels):
        if high.value <= low.value or high.rank <= low.rank:
            message = f"Level {high.name} ({high.value:g}) does not lie above {low.name} ({low.value:g})."
            yield place.problem(message, "Write the levels from the lowest to the highest.")
    for name, count in Counter(level.name for level in datastream.levels).items():
        if count > 1:
            yield place.problem(f"Two levels are named {name}.", "Give each level its own name.")


def _check_gross_range(datastream: Datastream, place: Place) -> Iterator[Problem]:
    gross = datastream.gross_range
    if gross is None:
        return
    suspect = gross.suspect or gross.fail
    if not (gross.fail[0] < gross.fail[1] and suspect[0] < suspect[1]):
        yield place.problem("The gross range is inverted or empty.", "Write [lowest, highest].")
        return
    if not gross.fail[0] <= suspect[0] < suspect[1] <= gross.fail[1]:
        yield place.problem("The suspect range is wider than the fail range.", "Keep suspect within fail.")
    for name, value in _landmarks(datastream):
        if not suspect[0] <= value <= suspect[1]:
            message = f"{name} ({value:g} {datastream.unit}) lies outside the gross range."
            yield place.problem(message, "Widen the range: a real flood must not read as a fault.")


def _landmarks(datastream: Datastream) -> Iterator[tuple[str, float]]:
    """The values that are known to be real: the levels and the record."""
    yield from ((level.name, level.value) for level in datastream.levels)
    if datastream.record is not None:
        yield "The record", datastream.record


def _check_sight(datastream: Datastream, ranging: Ranging, place: Place) -> Iterator[Problem]:
    if ranging.blanking >= ranging.max_range:
        return
    for name, value in _landmarks(datastream):
        if value >= ranging.highest:
            message = f"The sensor saturates at {ranging.highest:g} m, below {name} ({value:g} m)."
            remedy = 'Mount it higher, or accept that it can only say "at least" from there on.'
            where = place.at("ranging") if datastream.ranging else place.at("installations")
            yield where.problem(message, remedy, Severity.WARNING)


def check_routes(routes: Sequence[Located[Route]]) -> list[Problem]:
    """Problems of routes: filters, codecs, identities, and two filters that can match one topic."""
    problems: list[Problem] = []
    valid: list[Located[Route]] = []
    for route, place in routes:
        fault = filter_fault(route.filter)
        if fault is None:
            valid.append((route, place))
        else:
            remedy = "Write an MQTT filter such as hue/v1/+/+/readings."
            problems.append(place.at("filter").problem(f"{route.filter!r}: {fault}.", remedy))
        problems += _check_codec(route, place)
    for route, place in valid:
        problems += _check_identity(route, place)
        problems += _check_own_topics(route, place)
    for (one, first), (other, second) in combinations(valid, 2):
        problems += _check_overlap(one, first, other, second)
    return problems


def _check_codec(route: Route, place: Place) -> Iterator[Problem]:
    names = codecs()
    if route.codec not in names:
        remedy = nearest(route.codec, names) or _one_of(names)
        yield place.at("codec").problem(f"Codec {route.codec!r} is not known.", remedy)
        return
    try:
        names[route.codec].decoder(route.settings)
    except ValueError as error:
        remedy = f"See {route.codec} in config/README.md for what its settings are."
        yield place.at("settings").problem(f"Codec {route.codec} cannot be set so: {error}.", remedy)


def _check_identity(route: Route, place: Place) -> Iterator[Problem]:
    levels = route.filter.split("/")
    count = len(levels) - 1 if levels[-1] == "#" else len(levels)  # "#" may stand for no level at all
    for name, level in (("gateway_level", route.gateway_level), ("device_level", route.device_level)):
        if level > count:
            message = f"{name} is {level}, but {route.filter} is sure to have only {count} levels."
            yield place.at(name).problem(message, f"Name a level from 1 to {count}.")


def _check_own_topics(route: Route, place: Place) -> Iterator[Problem]:
    for own in OWN_TOPICS:
        if common_topic(route.filter, own) is not None:
            message = f"{route.filter} also matches Huewatch's own topics, {own}."
            yield place.at("filter").problem(message, "Narrow the filter.")


def _check_overlap(one: Route, first: Place, other: Route, second: Place) -> Iterator[Problem]:
    topic = common_topic(one.filter, other.filter)
    if topic is not None:
        message = (
            f"{other.filter} and {one.filter} ({first.file}:{first.at('filter').line}) both match {topic}."
        )
        yield second.at("filter").problem(message, "Narrow one: each topic is read by one codec.")


def filter_fault(topic_filter: str) -> str | None:
    """What makes a topic filter invalid or unfit (MQTT 5, 4.7), or None."""
    if not topic_filter:
        return "a filter cannot be empty"
    if "\0" in topic_filter or len(topic_filter.encode()) > MAX_TOPIC_BYTES:
        return "a filter has no NUL and at most 65,535 bytes"
    if topic_filter.startswith("$share/"):
        return "a shared subscription breaks the order of each datastream"
    *before, last = topic_filter.split("/")
    if any("#" in level for level in before) or ("#" in last and last != "#"):
        return "# stands alone, as the last level"
    if any("+" in level and level != "+" for level in (*before, last)):
        return "+ stands alone in its level"
    return None


def common_topic(one: str, other: str) -> str | None:
    """A topic that two valid filters both match, or None when there is none (MQTT 5, 4.7).

    Filters that begin with a wildcard do not match topics that begin with "$".
    """
    ours, theirs = one.split("/"), other.split("/")
    if {ours[0][:1], theirs[0][:1]} in ({"$", "+"}, {"$", "#"}):
        return None
    levels = _common_levels(ours, theirs)
    return None if levels is None else "/".join(levels)


def _common_levels(ours: list[str], theirs: list[str]) -> list[str] | None:
    topic: list[str] = []
    for depth in range(max(len(ours), len(theirs))):
        left, right = ours[depth : depth + 1], theirs[depth : depth + 1]
        if left == ["#"] or right == ["#"]:  # "a/#" matches "a" itself and everything below it
            rest = theirs[depth:] if left == ["#"] else ours[depth:]
            return topic + ["x" if level == "+" else level for level in rest if level != "#"] or ["x"]
        if not left or not right or ("+" not in (left[0], right[0]) and left != right):
            return None
        level = right[0] if left[0] == "+" else left[0]
        topic.append("x" if level == "+" else level)
    return topic


def _one_of(names: Iterable[str]) -> str:
    return f"Use one of: {', '.join(sorted(names))}."


def report(problems: Sequence[Problem], console: Console | None = None) -> int:
    """Print the problems, errors last; the exit code: 1 when one is an error, else 0."""
    console = console or Console(stderr=True)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    for problem in sorted(problems, key=lambda p: (p.severity is Severity.ERROR, p.file, p.line or 0)):
        style = "red" if problem.severity is Severity.ERROR else "yellow"
        console.print(f"[{style}]{escape(str(problem))}[/{style}]", soft_wrap=True, highlight=False)
    return 1 if errors else 0
