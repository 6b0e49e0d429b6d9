"""Cursors: what comes back is what was given out, and nothing else."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.api import cursors

QUESTIONS = st.text(max_size=20)
PLACES = st.tuples(st.text(max_size=130), st.integers(0, 2**63 - 1))
REFUSED = r"not made by this feed|another question"
SHAPE = tuple[str, cursors.Number]


@given(QUESTIONS, PLACES)
def test_a_cursor_leads_back_to_its_place_and_fits_into_a_url(question: str, place: tuple[str, int]) -> None:
    text = cursors.write(question, place)
    assert cursors.read(question, text, SHAPE) == place
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)


@given(QUESTIONS, QUESTIONS, PLACES)
def test_a_cursor_is_good_for_its_own_question_alone(one: str, other: str, place: tuple[str, int]) -> None:
    if one != other:
        with pytest.raises(ValueError, match="another question"):
            cursors.read(other, cursors.write(one, place), SHAPE)


@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_whatever_else_comes_is_refused_as_a_value(text: str) -> None:
    with pytest.raises(ValueError, match=REFUSED):
        cursors.read("question", text, SHAPE)


@given(PLACES, st.integers(0, 200), st.integers(1, 255))
def test_a_changed_cursor_is_refused(place: tuple[str, int], at: int, by: int) -> None:
    packed = bytearray(base64.urlsafe_b64decode(cursors.write("q", place) + "=="))
    packed[at % len(packed)] ^= by
    with pytest.raises(ValueError, match=REFUSED):
        cursors.read("q", base64.urlsafe_b64encode(packed).decode().rstrip("="), SHAPE)


@pytest.mark.parametrize("place", [("x", -1), ("x", 2**63), ("x",), ("x", 1.5), (1, 1), {"a": 1}])
def test_a_place_of_another_shape_is_refused(place: object) -> None:
    with pytest.raises(ValueError, match="not made by this feed"):
        cursors.read("q", cursors.write("q", place), SHAPE)


def test_a_time_beyond_what_tables_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="not made by this feed"):
        cursors.read("q", cursors.write("q", 10**18), cursors.Time)
    assert cursors.read("q", cursors.write("q", 10**15), cursors.Time) == 10**15
