"""Rings of points: what bounds an area, and what does not."""

import random
from math import cos, sin

import pytest

from ingest.polygon import Point, crossing, ring_faults

SQUARE = [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 0.0)]


def test_a_square_and_a_triangle_bound_an_area() -> None:
    assert list(ring_faults(SQUARE)) == []
    assert list(ring_faults([SQUARE[0], SQUARE[1], SQUARE[2], SQUARE[0]])) == []


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (SQUARE[:3], "3 points"),
        (SQUARE[:4], "its last point is not its first"),
        ([(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)], "crosses itself"),
        ([(0.0, 0.0), (0.0, 2.0), (0.0, 1.0), (1.0, 1.0), (0.0, 0.0)], "crosses itself"),  # a spike
        (
            [(0.0, 0.0), (0.0, 2.0), (1.0, 2.0), (0.0, 1.0), (1.0, 0.0), (0.0, 0.0)],
            "crosses itself",
        ),  # touches
        ([(0.0, 0.0), (0.0, 0.0), (1.0, 1.0), (0.0, 0.0)], "crosses itself"),  # a line
        ([(0.0, 0.0)] * 4, "crosses itself"),  # a point
    ],
)
def test_what_bounds_no_area_says_why(points: list[Point], says: str) -> None:
    (fault,) = ring_faults(points)
    assert says in fault


def test_a_star_around_a_point_never_crosses_itself_and_two_swapped_corners_do(seed: str) -> None:
    rng = random.Random(seed)
    for _ in range(50):
        turns = sorted(rng.uniform(0, 6.28) for _ in range(rng.randint(5, 12)))
        if max(b - a for a, b in zip(turns, [*turns[1:], turns[0] + 6.2831853], strict=True)) > 3.0:
            continue  # the centre would lie outside
        corners = [_polar(turn, rng.uniform(0.5, 1.0)) for turn in turns]
        assert crossing([*corners, corners[0]]) is None
        even = [_polar(turn, 1.0) for turn in turns]
        even[1], even[2] = even[2], even[1]
        assert crossing([*even, even[0]]) is not None


def _polar(turn: float, radius: float) -> Point:
    return radius * cos(turn), radius * sin(turn)
