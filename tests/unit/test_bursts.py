"""Held-back uplinks are recognised by coming all at once, and an ordinary one is never taken for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ingest.bursts import Bursts
from ingest.model import ObservationBatch, TimeSource
from tests.support.store import says

SECOND = 1_000_000
START = 1_761_469_200_000_000


def rows(*seconds: float, datastream: int = 1, source: TimeSource = TimeSource.SERVER) -> ObservationBatch:
    batch = says(*((datastream, START + int(second * SECOND), 1.0) for second in seconds)).observations
    return replace(batch, time_source=np.full(len(seconds), source, np.int8))


def play(bursts: Bursts, *batches: ObservationBatch) -> tuple[list[int], set[int]]:
    """Seconds that were of a burst when they came, and those that turned out to be only later."""
    at_once: list[int] = []
    later: set[int] = set()
    for batch in batches:
        found = bursts.find(batch)
        at_once += ((batch.time[found.rows] - START) // SECOND).tolist()
        later |= set(((found.time - START) // SECOND).tolist())
        bursts.adopt(found)
    return at_once, later - set(at_once)


def cuts(seconds: Sequence[float]) -> list[list[ObservationBatch]]:
    return [
        [rows(*seconds)],
        [rows(second) for second in seconds],
        [rows(*seconds[:2]), rows(*seconds[2:])],
    ]


def test_burst_is_the_same_however_batches_are_cut() -> None:
    for batches in cuts((0, 600, 602, 604, 606, 1_200)):
        assert play(Bursts({1: 600.0}), *batches) == ([604, 606], {600, 602})


def test_two_uplinks_close_together_are_an_alarm_not_a_burst() -> None:
    for batches in cuts((0, 600, 605, 1_200, 1_203, 1_800)):
        assert play(Bursts({1: 600.0}), *batches) == ([], set())


def test_ordinary_rhythm_is_no_burst_also_where_it_is_quick() -> None:
    assert play(Bursts({1: 20.0}), rows(0, 20, 40, 60, 80)) == ([], set())
    assert play(Bursts({1: 600.0}), rows(0, 40, 80, 120)) == ([], set())


def test_times_of_devices_and_gateways_are_believed() -> None:
    for source in (TimeSource.DEVICE, TimeSource.GATEWAY, TimeSource.ARRIVAL):
        assert play(Bursts({1: 600.0}), rows(0, 1, 2, 3, source=source)) == ([], set())


def test_datastreams_do_not_see_each_other() -> None:
    mixed = ObservationBatch.joined([rows(0, 600), rows(601, 602, datastream=2), rows(603)])
    assert play(Bursts({1: 600.0, 2: 600.0}), mixed) == ([], set())


def test_burst_goes_on_after_a_restart() -> None:
    first = Bursts({1: 600.0})
    stored = rows(600, 602)
    play(first, stored)
    again = Bursts({1: 600.0})
    again.recall(stored)
    assert play(first, rows(604)) == play(again, rows(604)) == ([604], {600, 602})


def test_late_row_neither_is_nor_breaks_a_burst_of_its_own() -> None:
    assert play(Bursts({1: 600.0}), rows(600, 602, 0, 604)) == ([], set())
