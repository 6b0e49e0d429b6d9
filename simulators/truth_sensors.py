"""What a just observer would expect to be told of sensors that do not see: under water, or stuck. Pure.

From the scenario's faults alone. Of a sensor without such a fault nothing of the kind may be told. Called by
`truth`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ingest.clock import to_micros
from simulators.expected import WIDE_TOLERANCE, Expected, What, place
from simulators.faults import Track
from simulators.plan import Plan
from simulators.scenario import MINUTE

WATCHED = ("river", "street")  # kinds of stations whose level is watched for standing still


def expectations(plan: Plan, track: Track) -> Iterator[Expected]:
    """One telling for each stay under water that is long enough to be sure, and for each long standstill."""
    before, after = WIDE_TOLERANCE
    for begins, ends in track.submerged:
        sure = ends - begins >= after
        latest = ends + after
        yield _expected(
            track, What.SUBMERGED, begins, begins - before, begins + after if sure else latest, sure
        )
    for fault in plan.scenario.faults.stuck:
        if fault.datastream != track.key or track.station.kind not in WATCHED:
            continue
        begins, ends = to_micros(fault.begins), to_micros(fault.ends)
        at = begins + plan.scenario.limits.stuck_minutes * MINUTE
        if at <= ends:
            yield _expected(track, What.STUCK, at, at - before, min(at + after, ends), at + after <= ends)


def _expected(track: Track, what: What, at: int, earliest: int, latest: int, required: bool) -> Expected:
    return Expected(track.key, place(track), what, 0, "", at, earliest, latest, required, once=False)
