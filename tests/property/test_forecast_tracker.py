"""Forecasts and scores follow from the rows in their order: neither batches nor restarts change any."""

from __future__ import annotations

import random

import numpy as np
import pytest

from alerts.forecast import model
from alerts.forecast.gates import TIDAL
from alerts.forecast.lattice import HOUR, SPAN, STEP, lattice_of
from alerts.forecast.outlook import INPUTS, Withheld
from alerts.forecast.priors import PRIORS
from alerts.forecast.records import Made
from alerts.forecast.tracker import Gauge, Tracker
from ingest.catalog import Ranging
from ingest.installation import Installation
from ingest.model import ObservationBatch, Quality
from tests.support.floods import MINUTE, START, flood
from tests.support.gauges import batch_of, city, cut, gauge, made_of, play, scored_of, stream

SEEDS = range(5)


def kept(rows: ObservationBatch) -> ObservationBatch:
    """What the store would give a tracker that starts behind these rows (see `store.last_day`)."""
    usable = np.isin(rows.quality, INPUTS)
    heard = usable | (rows.quality == Quality.SUSPECT)
    newest: dict[tuple[int, int, bool], int] = {}
    for place in np.flatnonzero(heard).tolist():
        key = (int(rows.datastream[place]), int(rows.time[place]) // STEP, bool(usable[place]))
        if key not in newest or rows.time[place] > rows.time[newest[key]]:
            newest[key] = place
    last = {
        number: int(rows.time[usable & (rows.datastream == number)].max(initial=0))
        for number in np.unique(rows.datastream).tolist()
    }
    places = [place for (number, *_), place in newest.items() if rows.time[place] >= last[number] - SPAN]
    order = np.array(sorted(places, key=lambda place: (rows.datastream[place], rows.time[place])), np.int64)
    return rows.take(order)


def restarted(rows: ObservationBatch, made: list[Made]) -> Tracker:
    tracker = Tracker(city())
    tracker.load(kept(rows), made)
    return tracker


@pytest.mark.parametrize("seed", SEEDS)
def test_batches_change_nothing(seed: int) -> None:
    rows = stream(seed)
    whole, single = Tracker(city()), Tracker(city())
    together = play(whole, [rows])
    alone = play(single, cut(rows, random.Random(seed), 7))
    assert made_of(together) == made_of(alone)
    assert scored_of(together) == scored_of(alone)
    made = made_of(alone)
    withheld = {reason: sum(one.withheld is reason for one in made) for reason in (None, *Withheld)}
    print(f"seed {seed}: {len(rows)} rows, {len(scored_of(alone))} scores, {withheld}")


def test_every_case_was_met() -> None:
    made = [one for seed in SEEDS for one in made_of(play(Tracker(city()), [stream(seed)]))]
    scored = [one for seed in SEEDS for one in scored_of(play(Tracker(city()), [stream(seed)]))]
    reasons = {one.withheld for one in made}
    assert {None, Withheld.GAP, Withheld.STALE, Withheld.SUSPECT} <= reasons
    assert {one.covered for one in scored} == {True, False, None}
    assert max(np.bincount([one.datastream for one in made])) > 200


@pytest.mark.parametrize("seed", SEEDS)
def test_a_restart_changes_nothing(seed: int) -> None:
    dice = random.Random(seed)
    batches = cut(stream(seed), dice, 9)
    expected = play(Tracker(city()), batches)
    tracker, found, restarts = Tracker(city()), [], 0
    for place, batch in enumerate(batches):
        if dice.random() < 0.1:
            restarts += 1
            tracker = restarted(ObservationBatch.joined(batches[:place]), made_of(found))
        found += play(tracker, [batch])
    print(f"seed {seed}: {restarts} restarts")
    assert made_of(found) == made_of(expected)
    assert scored_of(found) == scored_of(expected)


def test_evaluating_changes_nothing() -> None:
    batches = cut(stream(1), random.Random(1), 9)
    tracker, found = Tracker(city()), []
    for batch in batches:
        tracker.evaluate(batch)
        found += play(tracker, [batch])
    assert made_of(found) == made_of(play(Tracker(city()), batches))


def test_a_forecast_is_that_of_all_rows_until_then() -> None:
    time, value = flood(7, days=2.5)
    rows = batch_of([(10, int(at), float(level), 1, int(at)) for at, level in zip(time, value, strict=True)])
    made = [one for one in made_of(play(Tracker([gauge(10)]), [rows])) if one.withheld is None]
    assert len(made) > 50
    for one in made[::7]:
        seen = (time <= one.origin) & (time >= one.origin - SPAN)
        plain = model.forecast(lattice_of(time[None], value[None], seen[None]), PRIORS)
        np.testing.assert_allclose(one.expected, plain.expected[0], atol=1e-4)


def test_a_score_is_the_truth_that_came() -> None:
    time, value = flood(7, days=2.5)
    rows = batch_of([(10, int(at), float(level), 1, int(at)) for at, level in zip(time, value, strict=True)])
    scored = scored_of(play(Tracker([gauge(10)]), [rows]))
    assert len(scored) > 200
    for one in scored:
        assert one.truth == pytest.approx(float(np.interp(one.due.time, time, value)))
        assert one.error == pytest.approx(one.due.expected - one.truth)
        assert one.covered == (one.due.low <= one.truth <= one.due.high)


def test_still_water_is_not_forecast() -> None:
    rows = [(10, START + step * 10 * MINUTE, 1.0 + 0.003 * (step % 2), 1, START) for step in range(300)]
    assert made_of(play(Tracker([gauge(10)]), [batch_of(rows)])) == []


def test_at_most_one_forecast_in_ten_minutes() -> None:
    rows = [
        (10, START + minute * MINUTE, 1.0 + 0.002 * minute, 1, START + minute * MINUTE)
        for minute in range(300)
    ]
    made = made_of(play(Tracker([gauge(10, 1.0)]), [batch_of(rows)]))
    slots = [one.origin // STEP for one in made]
    assert len(slots) == len(set(slots)) > 20


def test_a_tidal_gauge_is_forecast_only_where_no_tide_can_be_at_work() -> None:
    """A tide of 0.30 m, the smallest of the sea itself; then a flood that goes on for hours."""
    tidal = gauge(10, tags=(TIDAL,))
    hours = np.arange(0, 48, 1 / 6)
    tide = 1 + 0.15 * np.sin(2 * np.pi * hours / 12.4)
    rise = tide + np.where(hours > 36, (hours - 36) * 0.15, 0)
    rows = [
        (10, START + round(hour * 60) * MINUTE, float(level), 1, START + round(hour * 60) * MINUTE)
        for hour, level in zip(hours, rise, strict=True)
    ]
    made = made_of(play(Tracker([tidal]), [batch_of(rows)]))
    before = [one for one in made if one.origin < START + 36 * 60 * MINUTE]
    assert sum(one.withheld is Withheld.TIDE for one in before) > 50
    free = [one for one in before if one.withheld is None]
    assert len(free) < 0.5 * len(before)  # the tide itself goes one way for six hours
    assert all(one.withheld is None for one in made if one.origin > START + 40 * 60 * MINUTE)


def test_a_new_sensor_begins_anew() -> None:
    """The step between two sensors is no rise: within the hour after it there is no forecast."""
    time, value = flood(7, days=2.5)
    changed = int(time[250])
    old = gauge(10)
    installations = (
        Installation(zero_elevation=8.0, datum="x", surveyed=True, by="test"),
        Installation(valid_from=changed, zero_elevation=7.0, datum="x", surveyed=True, by="test"),
    )
    ranging = Ranging(zero_elevation=8.0, blanking=0.0, max_range=20.0)
    renewed = old.datastream.model_copy(update={"ranging": ranging, "installations": installations})
    stepped = np.where(time < changed, value - 1.0, value)
    rows = [(10, int(at), float(level), 1, int(at)) for at, level in zip(time, stepped, strict=True)]
    made = made_of(play(Tracker([Gauge(10, old.station, renewed)]), [batch_of(rows)]))
    after = [one for one in made if changed <= one.origin < changed + HOUR]
    assert len(after) >= 5
    assert {one.withheld for one in after} == {Withheld.GAP}
    later = [one for one in made if one.withheld is None and one.origin > changed + HOUR]
    assert all(min(one.low) > 0.2 for one in later[:20])


def test_a_sensor_at_the_end_of_its_sight_is_not_extrapolated() -> None:
    old = gauge(10)
    ranging = Ranging(zero_elevation=3.0, blanking=1.0, max_range=20.0)  # it sees up to 2.0 m
    seeing = old.datastream.model_copy(update={"ranging": ranging})
    rows = [
        (
            10,
            START + 10 * step * MINUTE,
            min(2.0, 0.5 + 0.05 * step),
            1 if step < 30 else 3,
            START + 10 * step * MINUTE,
        )
        for step in range(36)
    ]
    made = made_of(play(Tracker([Gauge(10, old.station, seeing)]), [batch_of(rows)]))
    assert made[0].withheld is None
    assert {one.withheld for one in made if one.level >= 2.0} == {Withheld.SATURATED}
