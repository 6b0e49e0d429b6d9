"""The normaliser loses nothing, stores nothing impossible, and does not care how messages are grouped."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import fields

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.model import Fate, Intake, Nature, ObservationBatch, RawMessage
from ingest.normalise import Limits, Normaliser
from ingest.quality import GrossRanges, gross_range
from ingest.series import water_level
from tests.cases.poison import CATALOGUE, GOOD, IDS, NOW, POISON, TOPIC, UPLINK_TOPIC

LIMITS = Limits()
DAY = 86_400_000_000

VALUES = (
    st.floats() | st.sampled_from([9999.9999, "--", "NaN", None, True, 10**400, "1208 mm"]) | st.integers()
)
TIMES = st.integers(NOW - 50 * DAY, NOW + DAY).map(lambda micros: f"{np.datetime64(micros, 'us')}Z")
READING = st.fixed_dictionaries(
    {"channel": st.sampled_from(["level", "rain", "battery", "Level"]), "value": VALUES},
    optional={"unit": st.sampled_from(["m", "mm", "ft", "degC", "?"]), "time": TIMES},
)
BATCH = st.fixed_dictionaries({"readings": st.lists(READING, max_size=4)}, optional={"time": TIMES})
OBJECTS = st.dictionaries(st.sampled_from(["distance", "battery", "history"]), VALUES, max_size=3)
UPLINK = st.fixed_dictionaries(
    {
        "deviceInfo": st.just({"devEui": "0101010101010101", "deviceProfileName": "EM500-UDL"}),
        "object": OBJECTS,
        "time": TIMES,
    }
)
TOPICS = st.sampled_from(
    [
        TOPIC,
        TOPIC,
        UPLINK_TOPIC,
        UPLINK_TOPIC.replace("/up", "/join"),
        "hue/v1/gw-1/radar-9/readings",
        "x",
        "huewatch/tick",
    ]
)


def message(topic: str, payload: object, retain: bool, arrived_before: int) -> RawMessage:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return RawMessage(topic, body, 1, retain, False, NOW - arrived_before, 1, 1)


AGES = st.integers(0, DAY)
MESSAGES = st.one_of(
    st.builds(message, TOPICS, st.binary(max_size=30), st.booleans(), AGES),
    st.builds(message, st.just(TOPIC), READING | BATCH, st.booleans(), AGES),
    st.builds(message, st.just(UPLINK_TOPIC), UPLINK, st.booleans(), AGES),
    st.sampled_from([poison.message() for poison in POISON if len(poison.payload) < 1_000]),
    st.just(GOOD),
)


def normalise(messages: list[RawMessage]) -> Intake:
    return Normaliser(CATALOGUE, IDS, Nature.ACTUAL, LIMITS).intake(messages, NOW)


@settings(max_examples=100)
@given(st.lists(MESSAGES, max_size=12))
def test_every_message_has_one_fate_that_agrees_with_its_rows_and_rejects(messages: list[RawMessage]) -> None:
    intake = normalise(messages)
    assert len(intake.fate) == len(intake.gateway) == len(messages)
    rows = Counter(intake.observations.message.tolist())
    refused = Counter(reject.message for reject in intake.rejects if reject.reading)
    whole = Counter(reject.message for reject in intake.rejects if not reject.reading)
    for number, fate in enumerate(intake.fate.tolist()):
        readings = rows[number] + refused[number]
        assert (whole[number], readings > 0) == {
            Fate.READABLE: (0, True),
            Fate.EMPTY: (0, False),
            Fate.UNREADABLE: (1, False),
        }[Fate(fate)]
        assert 0 <= intake.gateway[number] < len(intake.gateway_names)


@settings(max_examples=100)
@given(st.lists(MESSAGES, max_size=12))
def test_no_row_can_be_refused_by_the_database(messages: list[RawMessage]) -> None:
    rows = normalise(messages).observations
    received = np.array([message.received_at for message in messages], np.int64)[rows.message]
    assert np.isfinite(rows.value).all()
    assert set(rows.datastream.tolist()) <= set(IDS.values())
    assert set(rows.quality.tolist()) <= {1, 2, 3, 4}
    assert (rows.received_at == received).all()
    assert (rows.time[rows.timeless] == received[rows.timeless]).all()
    assert (rows.time[~rows.timeless] >= NOW - LIMITS.max_age).all()
    assert (rows.time <= received + LIMITS.max_skew).all()
    assert (np.diff(rows.message) >= 0).all()


@settings(max_examples=100)
@given(st.lists(MESSAGES, max_size=10), st.data())
def test_groups_may_be_split_anywhere(messages: list[RawMessage], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(messages)))
    whole, first, second = normalise(messages), normalise(messages[:cut]), normalise(messages[cut:])
    assert whole.fate.tolist() == first.fate.tolist() + second.fate.tolist()
    assert whole.gateway.tolist() == first.gateway.tolist() + second.gateway.tolist()
    assert [(r.reason, r.detail) for r in whole.rejects] == [
        (r.reason, r.detail) for part in (first, second) for r in part.rejects
    ]
    for field in fields(ObservationBatch):
        parts = [getattr(part.observations, field.name) for part in (first, second)]
        if field.name == "message":
            parts[1] = parts[1] + cut
        assert getattr(whole.observations, field.name).tolist() == np.concatenate(parts).tolist()


SERIES = [stream for _, _, stream in CATALOGUE.datastreams()]


@given(st.lists(st.tuples(st.integers(0, len(SERIES) - 1), st.floats(-20, 20)), max_size=20))
def test_gross_range_equals_a_slow_loop(rows: list[tuple[int, float]]) -> None:
    def slow(series: int, value: float) -> int:
        limits = SERIES[series].gross_range
        if limits is None:
            return 2
        if not limits.fail[0] <= value <= limits.fail[1]:
            return 4
        assert limits.suspect is not None
        return 1 if limits.suspect[0] <= value <= limits.suspect[1] else 3

    ranges = GrossRanges.of([stream.gross_range for stream in SERIES])
    numbers = np.array([series for series, _ in rows], np.intp)
    values = np.array([value for _, value in rows], np.float64)
    assert gross_range(values, numbers, ranges).tolist() == [slow(*row) for row in rows]


@given(distance=st.floats(0, 10), nearer=st.floats(0, 10))
def test_level_never_falls_while_the_water_comes_nearer(distance: float, nearer: float) -> None:
    far, near = max(distance, nearer), min(distance, nearer)
    zero, blanking, reach = np.full(2, 5.0), np.full(2, 0.5), np.full(2, 10.0)
    level, _ = water_level(np.array([far, near]), zero, blanking, reach)
    assert level[1] >= level[0]
    assert level[1] <= 4.5
