"""What a rule says differently for some of its stations: merged over the rule, with the lines of both. Pure.

    overrides:
      - stations: [HUE-WL-KIMLONG]
        clear: { below: 0.15 m }                   all else of `clear` stays as it is
        levels: [{ name: BĐ II, value: null }]     a list of levels is merged by name; null: not here

Called by the rule book, which makes a rule of its own, with the same id, of each override.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingest.yaml_lines import KeyPath, Place, Problem, nearest

FIXED = ("id", "kind", "title", "select", "overrides")  # what a rule is, and not how it decides
STATIONS = "stations"


def overridden(entry: dict[str, Any], index: int) -> dict[str, Any]:
    """A rule's entry with one of its overrides merged over it."""
    changes = {name: value for name, value in entry["overrides"][index].items() if name != STATIONS}
    plain = {name: value for name, value in entry.items() if name != "overrides"}
    merged: dict[str, Any] = _merged(plain, changes)
    return merged


def overridden_place(entry: dict[str, Any], index: int, place: Place) -> Place:
    """The rule's place, in which whatever the override says has the override's own line."""
    own = place.at("overrides", index)
    depth = len(own.path)
    lines = dict(place.lines)
    for path, line in place.lines.items():
        if path[:depth] == own.path and len(path) > depth:
            lines[place.path + _translated(path[depth:], entry, entry["overrides"][index])] = line
    return Place(place.file, lines, place.path)


def check_override(entry: dict[str, Any], index: int, place: Place) -> Iterator[Problem]:
    """Settings that an override cannot change, and levels that its rule does not name."""
    change, own = entry["overrides"][index], place.at("overrides", index)
    for name in FIXED:
        if name in change:
            yield own.at(name).problem(f"An override cannot change `{name}`.", "Make it a rule of its own.")
    if _is_named(entry.get("levels")) and _is_named(change.get("levels")):
        names = [level["name"] for level in entry["levels"]]
        for place_of, level in enumerate(change["levels"]):
            if level["name"] not in names:
                remedy = nearest(str(level["name"]), map(str, names)) or "Name a level of the rule."
                message = f"The rule has no level {level['name']!r} to override."
                yield own.at("levels", place_of, "name").problem(message, remedy)


def _merged(base: Any, change: Any) -> Any:
    if isinstance(base, dict) and isinstance(change, dict):
        return base | {name: _merged(base.get(name), value) for name, value in change.items()}
    if not (_is_named(base) and _is_named(change)):
        return change
    merged = list(base)
    for level in change:
        at = _place_of(level, base)
        if at is not None:
            merged[at] = _merged(base[at], level)
    return merged


def _translated(path: KeyPath, base: Any, change: Any) -> KeyPath:
    """Where a path within a change stands in what it is merged into."""
    if not path:
        return ()
    step, to = path[0], path[0]
    if isinstance(step, int) and _is_named(base) and _is_named(change):
        found = _place_of(change[step], base)
        to = step if found is None else found
    return (to, *_translated(path[1:], _inside(base, to), _inside(change, step)))


def _inside(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    return value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else None


def _is_named(value: Any) -> bool:
    """Whether it is a list of levels, each with a name."""
    return isinstance(value, list) and all(isinstance(one, dict) and "name" in one for one in value)


def _place_of(level: dict[str, Any], levels: list[dict[str, Any]]) -> int | None:
    return next((place for place, one in enumerate(levels) if one["name"] == level["name"]), None)
