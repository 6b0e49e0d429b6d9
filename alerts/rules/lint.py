"""What makes any rule impossible, whatever its kind: said with file, line and remedy. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import pairwise

from alerts.rules.compound import MemberSettings
from alerts.rules.compound import Settings as CompoundSettings
from alerts.rules.kind import (
    MEMORY_BOUND,
    MICROS,
    ROWS_BOUND,
    Kind,
    Plan,
    Plans,
    RuleSettings,
    Select,
    Target,
    needs_zero,
)
from alerts.rules.standing import SEVERITIES
from ingest.catalog import Catalogue
from ingest.derive.margin import MarginSettings
from ingest.installation import Reference
from ingest.model import Nature
from ingest.yaml_lines import Place, Problem, Severity, nearest

MOST_NAMED = 5  # of the datastreams that one problem is about
ROUNDING = 1e-9  # levels closer than this are the same number written twice


def check_select(select: Select, catalogue: Catalogue, place: Place) -> Iterator[Problem]:
    """Names that the catalogue does not know."""
    stations = catalogue.stations
    yield from _unknown("station", select.stations, [one.id for one in stations], place.at("stations"))
    rivers = [name for one in stations if one.river for name in (one.river.vi, one.river.en)]
    wards = [name for one in stations if one.ward for name in (one.ward.vi, one.ward.en)]
    if not select.if_any:
        yield from _unknown("river", select.rivers, rivers, place.at("rivers"))
        yield from _unknown("ward", select.wards, wards, place.at("wards"))
        tags = [tag for one in stations for tag in one.tags]
        yield from _unknown("tag", select.tags, tags, place.at("tags"))
    if select.property is None or select.if_any:
        return
    properties = sorted({datastream.property for _, _, datastream in catalogue.watched()})
    if select.property not in properties:
        remedy = nearest(select.property, properties) or f"Write one of {', '.join(properties)}."
        yield place.at("property").problem(f"No datastream measures {select.property!r}.", remedy)


def _unknown(what: str, names: Sequence[str] | None, known: Sequence[str], place: Place) -> Iterator[Problem]:
    for index, name in enumerate(names or ()):
        if name not in known:
            some = ", ".join(dict.fromkeys(known[:MOST_NAMED]))
            remedy = nearest(name, known) or f"Write a {what} of the catalogue, such as {some or 'none yet'}."
            yield place.at(index).problem(f"There is no {what} {name!r}.", remedy)


def check_overrides(
    settings: RuleSettings, catalogue: Catalogue, watched: Container[str], place: Place
) -> Iterator[Problem]:
    """Stations of overrides that nobody knows, that the rule does not select, or that two of them name."""
    known = [station.id for station in catalogue.stations]
    seen: set[str] = set()
    for number, override in enumerate(settings.overrides or ()):
        at = place.at("overrides", number, "stations")
        yield from _unknown("station", override.stations, known, at)
        for index, station in enumerate(override.stations):
            if station in known and station not in watched:
                message = f"The rule does not select {station}, so that nothing is overridden there."
                yield at.at(index).problem(message, "Select it, or leave it out here.")
            if station in seen:
                yield at.at(index).problem(f"{station} is overridden twice.", "Name it in one override.")
            seen.add(station)


def check_watched(
    settings: RuleSettings, plans: Sequence[tuple[Target, Plan]], place: Place
) -> Iterator[Problem]:
    """A rule that watches nothing, and levels that it names and none of its targets has."""
    if not plans and not settings.select.if_any:
        yield place.at("select").problem(
            "This rule watches nothing: it selects no datastream that has a level.",
            "Correct `select`, or remove the rule.",
            Severity.WARNING,
        )
    names = list(dict.fromkeys(band.name for _, plan in plans for band in plan.bands))
    if plans:
        reminded = settings.remind.levels if settings.remind else {}
        for name in reminded:
            if name not in names:
                yield _no_level(name, names, place.at("remind", "levels", name))
        for index, one in enumerate(settings.escalate or ()):
            if one.level not in names:
                yield _no_level(one.level, names, place.at("escalate", index, "level"))


def _no_level(name: str, names: Sequence[str], place: Place) -> Problem:
    remedy = nearest(name, names) or f"Write one of {', '.join(names)}."
    return place.problem(f"The rule has no level {name!r}.", remedy)


def check_references(kind: Kind, plans: Sequence[tuple[Target, Plan]], place: Place) -> Iterator[Problem]:
    """Levels on gauges whose zero nobody surveyed in the station's datum: they would mean nothing.

    Refused for real stations; of an exercise or a test it is a warning.
    """
    if not needs_zero(kind):
        return
    for real in (True, False):
        keys = [
            target.key
            for target, plan in plans
            if plan.bands
            and (target.station.nature is Nature.ACTUAL) is real
            and _reference(target) is Reference.UNREFERENCED
        ]
        if keys:
            more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
            yield place.at("select").problem(
                "This rule compares levels with gauges that are not referenced (chưa quy chiếu): "
                f"{', '.join(keys[:MOST_NAMED])}{more}.",
                "Survey each zero and say so in the catalogue (`datum` of the station and of its "
                "installation, `surveyed: true`, `by`), or take its levels away: it then tells depth only.",
                Severity.ERROR if real else Severity.WARNING,
            )


def _reference(target: Target) -> Reference:
    """What a target's levels are measured from; a margin is as good as the height that it is a margin of."""
    station, datastream = target.station, target.datastream
    if target.derived:
        settings = next(one.derive for one in station.derived if one.name == datastream.name)
        if not isinstance(settings, MarginSettings):
            return Reference.NOT_A_LEVEL
        datastream = next(one for one in station.datastreams if one.name == settings.of)
    return station.reference(datastream)


def check_plans(
    settings: RuleSettings, plans: Sequence[tuple[Target, Plan]], place: Place
) -> Iterator[Problem]:
    """Levels, times and memory that cannot work, for each target."""
    yield from _check_escalations(settings, plans, place)
    for target, plan in plans:
        yield from _check_bands(settings.sign, target, plan, place)
        yield from _check_times(target, plan, place)


def _check_escalations(
    settings: RuleSettings, plans: Sequence[tuple[Target, Plan]], place: Place
) -> Iterator[Problem]:
    """A level that escalates twice, or to what it is already."""
    seen: set[str] = set()
    for index, one in enumerate(settings.escalate or ()):
        at = place.at("escalate", index)
        if one.level in seen:
            yield at.at("level").problem(f"{one.level} escalates twice.", "Leave one of the two.")
        seen.add(one.level)
        own = {band.severity for _, plan in plans for band in plan.bands if band.name == one.level}
        if any(SEVERITIES.index(one.severity) <= SEVERITIES.index(severity) for severity in own):
            message = f"{one.level} is {' or '.join(sorted(own))} by itself: {one.severity} is no escalation."
            yield at.at("severity").problem(message, "Write a higher severity.")


def _check_bands(sign: int, target: Target, plan: Plan, place: Place) -> Iterator[Problem]:
    """`sign` turns bands back into values: in those of a rule for low values, below is above."""
    below, above = ("below", "above")[::sign]
    first, last = ("low", "high")[::sign]
    down = "down" if sign > 0 else "up"
    for band in plan.bands:
        if band.clear_at > band.raise_at + ROUNDING:
            yield place.at("clear").problem(
                f"{band.name} of {target.key} would be cleared at {sign * band.clear_at:g} {plan.unit}, "
                f"{above} the {sign * band.raise_at:g} {plan.unit} that raise it.",
                f"Clear {below} the level: the alert would flap.",
            )
    for lower, upper in pairwise(plan.bands):
        if upper.raise_at <= lower.raise_at + ROUNDING:
            yield place.at("levels").problem(
                f"{upper.name} ({sign * upper.raise_at:g}) is not {above} {lower.name} "
                f"({sign * lower.raise_at:g} {plan.unit}) at {target.key}.",
                f"List the levels from {first} to {last}.",
            )
        elif upper.clear_at < lower.raise_at - ROUNDING:
            yield place.at("clear").problem(
                f"The bands of {lower.name} and {upper.name} overlap at {target.key}: {upper.name} is held "
                f"{down} to {sign * upper.clear_at:g}, {below} the {sign * lower.raise_at:g} {plan.unit} of "
                f"{lower.name}.",
                "Clear nearer to the level, or move the levels apart.",
            )


def _check_times(target: Target, plan: Plan, place: Place) -> Iterator[Problem]:
    cadence = target.datastream.cadence
    if 0 < plan.hold < cadence * MICROS:
        yield place.at("clear", "hold").problem(
            f"A hold of {plan.hold / MICROS:g} s is shorter than the {cadence:g} s between readings of "
            f"{target.key}: one reading would end an alert.",
            "Hold for at least two readings.",
        )
    if 0 < plan.sustain < 2 * cadence * MICROS:
        yield place.at("confirm", "for").problem(
            f"At {target.key} {plan.sustain / MICROS:g} s are less than two cadences of {cadence:g} s: two "
            "readings are all that lies in that time.",
            "Confirm for at least two cadences, or by `samples`.",
            Severity.WARNING if plan.sustain >= cadence * MICROS else Severity.ERROR,
        )
    if plan.memory > MEMORY_BOUND or plan.rows > ROWS_BOUND:
        yield place.problem(
            f"At {target.key} this rule looks back {plan.memory / MICROS / 3_600:g} h or {plan.rows} rows; "
            f"{MEMORY_BOUND / MICROS / 3_600:g} h and {ROWS_BOUND} rows are kept.",
            "Shorten the window or the hold, or leave the station out.",
        )


def check_members(rules: Sequence[tuple[RuleSettings, Plans, Place]]) -> Iterator[Problem]:
    """Members of compounds that nobody judges: of a rule, a target or a level that there is not."""
    levels = {
        (settings.id, target.key): [band.name for band in plan.bands]
        for settings, plans, _ in rules
        for target, plan in plans
    }
    compounds = {settings.id for settings, _, _ in rules if isinstance(settings, CompoundSettings)}
    known = sorted({settings.id for settings, _, _ in rules} - compounds)
    for settings, plans, place in rules:
        if not isinstance(settings, CompoundSettings):
            continue
        for index, member in enumerate(settings.of):
            own = place.at("of", index)
            if member.rule not in known:
                remedy = nearest(member.rule, known) or f"Write one of {', '.join(known)}."
                yield own.at("rule").problem(f"There is no rule {member.rule!r} to look at.", remedy)
                continue
            for target, _ in plans:
                yield from _check_member(member, member.target or target.key, levels, own)


def _check_member(
    member: MemberSettings, key: str, levels: Mapping[tuple[str, str], list[str]], place: Place
) -> Iterator[Problem]:
    names = levels.get((member.rule, key))
    if names is None:
        watched = [target for rule, target in levels if rule == member.rule]
        remedy = nearest(key, watched) or f"Name a `target` that {member.rule} watches."
        yield place.problem(f"The rule {member.rule!r} does not watch {key}.", remedy)
    elif member.level is not None and member.level not in names:
        remedy = nearest(member.level, names) or f"Write one of {', '.join(names)}."
        yield place.at("level").problem(f"{member.rule} has no level {member.level!r} at {key}.", remedy)
