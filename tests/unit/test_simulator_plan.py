"""The plan: what each sensor says and when it is sent, with every fault known to the truth."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files

import numpy as np
import pytest

from ingest.catalog import load_catalogue
from ingest.model import Nature
from simulators.plan import Plan, PlanError, Published, make_plan
from simulators.scenario import HOUR, MINUTE, load_scenario

SCENARIO = load_scenario()
CATALOGUE = load_catalogue(files("huewatch_config") / "catalog", Nature.EXERCISE)
MAIN = ("HUE-WL-KIMLONG/water_level", "HUE-WL-PHUOC/water_level")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(SCENARIO, CATALOGUE, SCENARIO.seed)


@pytest.fixture(scope="module")
def played(plan: Plan) -> list[tuple[int, list, Published]]:
    return list(plan.play())


def test_every_datastream_with_levels_is_simulated(plan):
    with_levels = {key for key, _, datastream in CATALOGUE.datastreams() if datastream.levels}
    assert with_levels <= {track.key for track in plan.tracks}


@pytest.mark.parametrize("key", MAIN)
def test_main_station_reports_every_5_minutes_within_5_mm_and_never_fails(plan, key):
    track = plan.track(key)
    assert np.all(np.diff(track.time) == 5 * MINUTE)
    said = np.round(track.value, 3)
    assert np.max(np.abs(said - track.true)) <= 0.005
    assert not track.lost.any()
    assert not track.invalid.any()
    assert track.outages == []


def test_steps_end_with_a_tick_at_or_after_every_reading_in_them(plan, played):
    assert [now for now, _, _ in played] == [plan.now(step) for step in range(SCENARIO.steps + 1)]
    for track in plan.tracks:
        assert np.all(track.time <= track.arrives)


def test_messages_carry_each_unlost_reading_and_the_counts_say_so(plan, played):
    sent = played[-1][2]
    listed = Counter(
        (stream.source.gateway, stream.source.device) for _, _, stream in CATALOGUE.datastreams()
    )
    told = 0
    for track in plan.tracks:  # an uplink tells all that the catalogue lists of its device
        device = track.datastream.source.gateway, track.datastream.source.device
        told += int(np.count_nonzero(~track.lost)) * (1 if track.spec.device == "json" else listed[device])
    assert sent.readings == told
    assert sent.refused == sum(int(np.count_nonzero(track.invalid & ~track.lost)) for track in plan.tracks)
    assert sent.messages == sum(len(messages) for _, messages, _ in played)
    assert 0.03 <= sent.repeated / sent.readings <= 0.15


def test_same_seed_gives_the_same_bytes_and_another_seed_others(plan, played):
    again = make_plan(SCENARIO, CATALOGUE, SCENARIO.seed)
    assert [step[1] for step in again.play()] == [step[1] for step in played]
    assert [step[1] for step in plan.play()] == [step[1] for step in played]
    other = make_plan(SCENARIO, CATALOGUE, SCENARIO.seed + 1)
    assert not np.array_equal(other.track(MAIN[0]).value, plan.track(MAIN[0]).value)


def test_leaving_a_station_out_does_not_change_the_noise_of_another(plan):
    few = make_plan(SCENARIO, CATALOGUE, SCENARIO.seed, stations=["HUE-WL-PHUOC"])
    assert [track.key for track in few.tracks] == ["HUE-WL-PHUOC/water_level"]
    assert np.array_equal(few.tracks[0].value, plan.track(MAIN[1]).value)


def test_spikes_are_single_and_far_apart(plan):
    track = plan.track("HUE-FL-BATRIEU/water_level")
    wild = np.flatnonzero(track.value - track.true > 0.2)
    assert len(wild) == track.spikes >= 10
    assert np.min(np.diff(wild)) > 3


def test_submerged_sensor_repeats_its_blanking_height_while_under_water(plan):
    track = plan.track("HUE-FL-VYDA/water_level")
    under = track.true >= 1.32
    assert under.sum() > 100
    assert np.all(track.value[under] == pytest.approx(1.32))
    assert np.all(under[track.invalid])
    assert track.invalid.any()
    assert len(track.submerged) == 2


def test_stuck_sensor_repeats_one_value_exactly(plan):
    interval = SCENARIO.faults.stuck[0]
    track = plan.track(interval.datastream)
    begins, ends = (int(moment.timestamp() * 1e6) for moment in (interval.begins, interval.ends))
    held = track.value[(track.time >= begins) & (track.time < ends)]
    assert len(held) == 36
    assert len(set(held.tolist())) == 1
    assert np.ptp(track.true[(track.time >= begins) & (track.time < ends)]) > 0.01


def test_dropout_readings_are_never_sent(plan, played):
    track = plan.track("HUE-WL-TRUOI/water_level")
    (outage,) = track.outages
    assert outage.ends - outage.begins == 3 * HOUR
    topic = f"hue/v1/{track.datastream.source.gateway}/{track.datastream.source.device}/readings"
    silent = [now for now, messages, _ in played for message in messages if message.topic == topic]
    between = [now for now in silent if outage.begins + 15 * MINUTE < now < outage.ends]
    assert between == []


def test_late_readings_arrive_together_with_their_own_times(plan, played):
    late = [(track, outage) for track in plan.tracks for outage in track.outages if outage.late]
    assert len(late) == SCENARIO.faults.late.count
    rain = [(track, outage) for track, outage in late if track.spec.device == "json"]
    assert rain, "the shipped seed holds back at least one rain gauge"
    for track, outage in rain:
        device = track.datastream.source.device
        step = (outage.ends - SCENARIO.start) // SCENARIO.step
        messages = [message for message in played[step][1] if f"/{device}/" in message.topic]
        readings = [reading for message in messages for reading in json.loads(message.payload)["readings"]]
        assert len(readings) >= (outage.ends - outage.begins) // track.cadence


def test_reservoir_sends_level_inflow_and_outflow_in_one_message(played):
    message = next(message for message in played[0][1] if "/tatrach/" in message.topic)
    assert message.readings == 3


def test_unknown_datastream_is_named(plan):
    series = (SCENARIO.series[0].model_copy(update={"datastream": "HUE-NO/thing"}),)
    with pytest.raises(PlanError, match="HUE-NO/thing"):
        make_plan(SCENARIO.model_copy(update={"series": series}), CATALOGUE, 1)
