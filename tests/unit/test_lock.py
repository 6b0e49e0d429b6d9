"""requirements.lock, from which images are made: true to pyproject.toml, whole, a hash for everything."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINS = re.findall(r"^(\S+)==(\S+)(?: ; (.+?))? \\$((?:\n    --hash=\S+(?: \\)?)+)", LOCK, re.MULTILINE)


def versions() -> Mapping[str, list[Version]]:
    found: dict[str, list[Version]] = defaultdict(list)
    for name, version, _, _ in PINS:
        found[canonicalize_name(name)].append(Version(version))
    return found


LOCKED = versions()


def wanted() -> list[Requirement]:
    """What the service and the embedded servers need, as pyproject.toml says it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = (*project["dependencies"], *project["optional-dependencies"]["embedded"])
    return [Requirement(one) for one in listed]


def test_every_requirement_is_locked_within_what_it_allows() -> None:
    for one in wanted():
        locked = LOCKED[canonicalize_name(one.name)]
        assert locked, f"{one.name}: run make lock"
        assert all(one.specifier.contains(version) for version in locked), f"{one.name}: run make lock"


def test_every_line_has_its_hashes() -> None:
    assert len(PINS) == len(re.findall("==", re.sub(r" ; .*", "", LOCK)))
    for name, _, _, hashes in PINS:
        assert re.findall(r"--hash=sha256:[0-9a-f]{64}", hashes), name


def test_what_the_locked_need_is_locked_too() -> None:
    """As far as it is installed here, in the versions of here."""
    missing = set()
    todo, seen = wanted(), set()
    while todo:
        one = todo.pop()
        name = canonicalize_name(one.name)
        if name not in LOCKED:
            missing.add(name)
        if (name, frozenset(one.extras)) in seen:
            continue
        seen.add((name, frozenset(one.extras)))
        todo += needs(name, one.extras)
    assert not missing, "run make lock"
    assert len(seen) > len(wanted())


def needs(name: str, extras: set[str]) -> list[Requirement]:
    try:
        listed = distribution(name).requires or []
    except PackageNotFoundError:  # for another system or another Python
        return []
    here = {key: str(value) for key, value in default_environment().items()}
    parsed = [Requirement(one) for one in listed]
    return [
        one
        for one in parsed
        if one.marker is None or any(one.marker.evaluate(here | {"extra": extra}) for extra in ("", *extras))
    ]


def test_the_image_takes_the_lock_and_nothing_else() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    installs = re.findall(r"pip install (.*)", dockerfile)
    assert all("--require-hashes" in one or "--no-index" in one for one in installs)
    assert len(installs) == 2
