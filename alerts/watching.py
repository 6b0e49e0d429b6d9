"""Whether somebody watches while something is open. Pure.

Nobody does when no console has reported for `grace_s`, or when for `idle_s` something has been open and
nobody has touched one. Time in which we could not have heard of anybody (a start, a database that was away)
counts for neither. Called by `alerts.watch_store`; times are microseconds of the database's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ingest.clock import MICROS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Watch:
    """After how many seconds nobody is there; `config/README.md` has them as settings."""

    grace_s: float = 120.0  # two reports of a console
    idle_s: float = 1_800.0


class Unwatched(StrEnum):
    """Why the alert about ourselves is raised; the headline has words for each."""

    NO_CONSOLE = "no console is open"
    NOBODY_ACTIVE = "nobody is active"


class Watched(StrEnum):
    """Why it ends."""

    ACTIVE = "somebody is active"
    NOTHING_OPEN = "nothing is open any more"


@dataclass(frozen=True, slots=True)
class Seen:
    """When any console last reported, and when somebody last touched one; None: not within a day."""

    connected: int | None
    active: int | None
    now: int


def unwatched(seen: Seen, open_since: int | None, hearing_since: int, watch: Watch) -> Unwatched | None:
    """Why somebody must be called, if so. `open_since`: of what is open the oldest; None: nothing is."""
    if open_since is None:
        return None
    if seen.now - max(seen.connected or 0, hearing_since) > watch.grace_s * MICROS_PER_SECOND:
        return Unwatched.NO_CONSOLE
    touched = max(seen.active or 0, hearing_since, open_since)
    return Unwatched.NOBODY_ACTIVE if seen.now - touched > watch.idle_s * MICROS_PER_SECOND else None


def watched(seen: Seen, open_since: int | None, raised_at: int) -> Watched | None:
    """Why the alert that was raised then is over, if so: a console that is open is nobody yet."""
    if seen.active is not None and seen.active >= raised_at:
        return Watched.ACTIVE
    return Watched.NOTHING_OPEN if open_since is None else None
