"""Whether somebody watches: minutes before now, at a clock that the database has."""

import pytest

from alerts.headline import WATCHING
from alerts.watching import Seen, Unwatched, Watch, Watched, unwatched, watched

NOW = 1_000 * 60_000_000
LONG = 600  # minutes


def ago(minutes: float | None) -> int | None:
    return None if minutes is None else NOW - round(minutes * 60_000_000)


def seen(connected: float | None, active: float | None) -> Seen:
    return Seen(ago(connected), ago(active), NOW)


@pytest.mark.parametrize(
    ("connected", "active", "opened", "hearing", "why"),
    [
        (0.5, 1, LONG, LONG, None),
        (1.9, 29, LONG, LONG, None),
        (2.1, 2.1, LONG, LONG, Unwatched.NO_CONSOLE),
        (None, None, LONG, LONG, Unwatched.NO_CONSOLE),
        (None, None, 0, LONG, Unwatched.NO_CONSOLE),  # who could see what opens now?
        (0.5, 31, LONG, LONG, Unwatched.NOBODY_ACTIVE),
        (0.5, None, LONG, LONG, Unwatched.NOBODY_ACTIVE),
        (0.5, 31, 29, LONG, None),  # nothing was open when he was last there
        (0.5, 31, 31, LONG, Unwatched.NOBODY_ACTIVE),
        (None, None, LONG, 1.9, None),  # the feed has only just begun to hear
        (0.5, None, LONG, 29, None),
        (None, None, None, LONG, None),  # nothing is open
        (0.5, 31, None, LONG, None),
    ],
)
def test_when_nobody_watches(
    connected: float | None,
    active: float | None,
    opened: float | None,
    hearing: float,
    why: Unwatched | None,
) -> None:
    since = ago(hearing)
    assert since is not None
    assert unwatched(seen(connected, active), ago(opened), since, Watch()) is why


@pytest.mark.parametrize(
    ("active", "opened", "over"),
    [
        (4, LONG, Watched.ACTIVE),
        (5, LONG, Watched.ACTIVE),
        (6, LONG, None),  # it was raised after that
        (None, LONG, None),  # a console has connected, and nobody has touched it
        (None, None, Watched.NOTHING_OPEN),
    ],
)
def test_when_it_is_over(active: float | None, opened: float | None, over: Watched | None) -> None:
    raised = ago(5)
    assert raised is not None
    assert watched(seen(0.1, active), ago(opened), raised) is over


def test_the_headline_has_words_for_each_reason() -> None:
    assert WATCHING.keys() == {each.value for each in (*Unwatched, *Watched)}
