"""Rings of points on the map: whether one bounds an area. Pure.

Points are (latitude, longitude) in degrees, taken as a plane: what is judged is a ward, not a continent. Used
by the catalogue's lint and by the lint of CAP messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

Point = tuple[float, float]
Segment = tuple[Point, Point]
LEAST_POINTS = 4  # a triangle whose first point is written again at its end


def ring_faults(points: Sequence[Point]) -> Iterator[str]:
    """What keeps these points from bounding an area, in words."""
    if len(points) < LEAST_POINTS:
        yield f"it has {len(points)} points, and a closed ring has at least {LEAST_POINTS}"
    elif points[0] != points[-1]:
        yield "its last point is not its first"
    elif (where := crossing(points)) is not None:
        yield f"it crosses itself near {where[0]:g}, {where[1]:g}"


def crossing(points: Sequence[Point]) -> Point | None:
    """Where a closed ring touches itself, if it does: the begin of a side that meets another one."""
    corners = [point for point, following in pairwise(points) if point != following]
    if len(corners) < LEAST_POINTS - 1:
        return corners[0] if corners else points[0]
    sides = list(zip(corners, [*corners[1:], corners[0]], strict=True))
    for (at, one), (beside, other) in combinations(enumerate(sides), 2):
        if beside == at + 1 or (at == 0 and beside == len(sides) - 1):
            if _folds_back(one, other):
                return one[0]
        elif _meet(one, other):
            return one[0]
    return None


def _folds_back(one: Segment, other: Segment) -> bool:
    """Whether two sides with a common corner lie upon each other."""
    corner = one[1] if one[1] == other[0] else one[0]
    (first,) = (point for point in one if point != corner)
    (second,) = (point for point in other if point != corner)
    ahead = (first[0] - corner[0]) * (second[0] - corner[0]) + (first[1] - corner[1]) * (
        second[1] - corner[1]
    )
    return _side(first, corner, second) == 0 and ahead > 0


def _meet(one: Segment, other: Segment) -> bool:
    a, b = (_side(*one, point) for point in other)
    c, d = (_side(*other, point) for point in one)
    if a * b < 0 and c * d < 0:
        return True
    touching = [(a, one, other[0]), (b, one, other[1]), (c, other, one[0]), (d, other, one[1])]
    return any(side == 0 and _within(segment, point) for side, segment, point in touching)


def _side(begin: Point, end: Point, point: Point) -> float:
    """On which side of a line a point lies; 0 on it."""
    return (end[0] - begin[0]) * (point[1] - begin[1]) - (end[1] - begin[1]) * (point[0] - begin[0])


def _within(segment: Segment, point: Point) -> bool:
    (a, b), (c, d) = segment
    return min(a, c) <= point[0] <= max(a, c) and min(b, d) <= point[1] <= max(b, d)
