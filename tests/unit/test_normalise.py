"""What the normaliser makes of messages that are in order, and of those that are only partly so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pytest

from ingest.catalog import Catalogue
from ingest.codecs import Address, Codec, Decoded, codecs
from ingest.model import (
    Fate,
    Intake,
    Nature,
    Quality,
    RawMessage,
    Reading,
    RejectReason,
    Remembered,
    Request,
    TimeSource,
)
from ingest.normalise import OWN, UNKNOWN_GATEWAY, Limits, Normaliser, is_marker, tick_of
from tests.cases.poison import APPLICATION, CATALOGUE, DEV_EUI, IDS, NOW, TOPIC, UPLINK_TOPIC

SECOND = 1_000_000
LEVEL, RAIN, DEPTH = IDS["RIVER/level"], IDS["RIVER/rain"], IDS["STREET/depth"]


def message(
    payload: object, topic: str = TOPIC, *, retain: bool = False, received_at: int = NOW
) -> RawMessage:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return RawMessage(topic, body, 1, retain, False, received_at, 1, 1)


def uplink(distance: object, profile: str = "EM500-UDL") -> RawMessage:
    info = {"devEui": DEV_EUI, "deviceProfileName": profile}
    return message(
        {"deviceInfo": info, "time": "2025-10-27T13:00:00+00:00", "object": {"distance": distance}},
        UPLINK_TOPIC,
    )


def intake(*messages: RawMessage, now: int = NOW, catalogue: Catalogue = CATALOGUE) -> Intake:
    return Normaliser(catalogue, IDS, Nature.ACTUAL).intake(messages, now)


def reasons(result: Intake) -> Sequence[RejectReason]:
    return [reject.reason for reject in result.rejects]


def test_reading_becomes_a_row_with_the_datastreams_number_and_the_payloads_time() -> None:
    result = intake(message({"channel": "level", "value": 1.23, "time": "2025-10-27T19:59:58+07:00"}))
    rows = result.observations
    assert rows.datastream.tolist() == [LEVEL]
    assert rows.time.tolist() == [NOW - 2 * SECOND]
    assert rows.value.tolist() == [1.23]
    assert rows.quality.tolist() == [Quality.PASS]
    assert rows.received_at.tolist() == [NOW]
    assert rows.timeless.tolist() == [False]


def test_columns_have_the_types_that_the_store_copies() -> None:
    rows = intake(message({"channel": "level", "value": 1})).observations
    assert {field.name: getattr(rows, field.name).dtype for field in fields(rows)} == {
        "datastream": np.int32,
        "time": np.int64,
        "value": np.float64,
        "quality": np.int8,
        "received_at": np.int64,
        "message": np.int32,
        "timeless": np.bool_,
        "time_source": np.int8,
        "tests": np.int64,
    }


def test_reading_without_a_time_takes_the_time_of_its_own_arrival() -> None:
    early = message({"channel": "level", "value": 1.0}, received_at=NOW - 7 * SECOND)
    rows = intake(early, message({"channel": "level", "value": 2.0})).observations
    assert rows.time.tolist() == rows.received_at.tolist() == [NOW - 7 * SECOND, NOW]
    assert rows.timeless.tolist() == [True, True]


def test_rows_keep_the_order_of_arrival_and_name_their_message() -> None:
    batch = {"readings": [{"channel": "rain", "value": 3.0}, {"channel": "level", "value": 2.0}]}
    result = intake(message({"channel": "level", "value": 1.0}), message(batch), uplink(3000))
    assert result.observations.datastream.tolist() == [LEVEL, RAIN, LEVEL, DEPTH]
    assert result.observations.value.tolist() == [1.0, 3.0, 2.0, 2.0]
    assert result.observations.message.tolist() == [0, 1, 1, 2]


def test_message_with_one_bad_reading_keeps_the_good_ones() -> None:
    batch = {"readings": [{"channel": "level", "value": "--"}, {"channel": "rain", "value": 3.0}]}
    result = intake(message(batch))
    assert result.fate.tolist() == [Fate.READABLE]
    assert result.observations.datastream.tolist() == [RAIN]
    assert [(reject.reason, reject.reading) for reject in result.rejects] == [(RejectReason.SENTINEL, True)]
    assert (result.rejects[0].codec, result.rejects[0].codec_version) == ("huewatch-json", 1)


def test_auxiliary_channel_that_nobody_wants_is_left_out_without_a_word() -> None:
    batch = {"readings": [{"channel": "battery", "value": 3.6}, {"channel": "level", "value": 1.0}]}
    result = intake(message(batch))
    assert result.observations.datastream.tolist() == [LEVEL]
    assert not result.rejects


def test_message_of_unwanted_auxiliary_channels_alone_is_empty() -> None:
    result = intake(message({"channel": "battery", "value": 3.6}))
    assert result.fate.tolist() == [Fate.EMPTY]
    assert not result.rejects


def test_join_is_empty_and_belongs_to_its_gateway() -> None:
    result = intake(message(b"anything", UPLINK_TOPIC.replace("/up", "/join")))
    assert result.fate.tolist() == [Fate.EMPTY]
    assert result.gateway_names[result.gateway[0]] == APPLICATION


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [(1.23, "m", 1.23), (123, "cm", 1.23), (1208, "mm", 1.208), (10, "ft", 3.048), (1, "in", 0.0254)],
)
def test_value_is_converted_to_the_datastreams_unit(value: float, unit: str, expected: float) -> None:
    rows = intake(message({"channel": "level", "value": value, "unit": unit})).observations
    assert rows.value.tolist() == [expected]


def test_unit_that_is_not_given_is_the_sources_and_otherwise_the_datastreams() -> None:
    rows = intake(uplink(1208, "other profile"), message({"channel": "level", "value": 1.5})).observations
    assert rows.value.tolist() == [3.792, 1.5]


@pytest.mark.parametrize(
    ("distance", "level", "quality"),
    [
        (3000, 2.0, Quality.NOT_EVALUATED),
        (501, 4.499, Quality.NOT_EVALUATED),
        (500, 4.5, Quality.SUSPECT),
        (30, 4.5, Quality.SUSPECT),
        (0, 4.5, Quality.SUSPECT),
        (9999, -4.999, Quality.NOT_EVALUATED),
        (10000, -5.0, Quality.FAIL),
        (65535, -60.535, Quality.FAIL),
        (-1, 4.5, Quality.FAIL),
    ],
)
def test_distance_becomes_a_level_that_never_falls_when_the_sensor_goes_under(
    distance: float, level: float, quality: Quality
) -> None:
    rows = intake(uplink(distance)).observations
    assert rows.value.tolist() == [level]
    assert rows.quality.tolist() == [quality]


def test_level_reaches_a_threshold_that_binary_fractions_would_miss() -> None:
    street = CATALOGUE.station("STREET")
    assert 4.6 - 1.1 < 3.5
    ranging = street.datastreams[0].ranging
    assert ranging is not None
    stream = street.datastreams[0].model_copy(
        update={"ranging": ranging.model_copy(update={"zero_elevation": 4.6})}
    )
    station = street.model_copy(update={"datastreams": (stream,)})
    catalogue = CATALOGUE.model_copy(update={"stations": (CATALOGUE.station("RIVER"), station)})
    assert intake(uplink(1100), catalogue=catalogue).observations.value.tolist() == [3.5]


@pytest.mark.parametrize(
    ("value", "quality"),
    [(-1.6, 4), (-1.5, 3), (-0.8, 1), (6.2, 1), (6.21, 3), (9.0, 3), (9.01, 4)],
)
def test_gross_range_flags_but_keeps_the_value(value: float, quality: int) -> None:
    rows = intake(message({"channel": "level", "value": value})).observations
    assert rows.value.tolist() == [value]
    assert rows.quality.tolist() == [quality]


def test_series_without_a_range_is_not_evaluated() -> None:
    rows = intake(message({"channel": "rain", "value": 0.2})).observations
    assert rows.quality.tolist() == [Quality.NOT_EVALUATED]


@pytest.mark.parametrize(
    ("ahead", "reason"),
    [
        (300, None),
        (301, RejectReason.TIME_IN_FUTURE),
        (-45 * 86_400, None),
        (-45 * 86_400 - 1, RejectReason.TIME_TOO_OLD),
    ],
)
def test_time_window_includes_its_ends(ahead: int, reason: RejectReason | None) -> None:
    time = np.datetime64(NOW // SECOND + ahead, "s").astype(str) + "Z"
    result = intake(message({"channel": "level", "value": 1.0, "time": str(time)}))
    assert reasons(result) == ([] if reason is None else [reason])


def test_future_is_judged_by_the_arrival_and_not_by_a_later_now() -> None:
    reading = {"channel": "level", "value": 1.0, "time": "2025-10-27T13:10:00Z"}
    assert reasons(intake(message(reading), now=NOW + 3_600 * SECOND)) == [RejectReason.TIME_IN_FUTURE]


def test_limits_are_configuration() -> None:
    normaliser = Normaliser(CATALOGUE, IDS, Nature.ACTUAL, Limits(max_skew=0, max_age=SECOND, max_payload=10))
    assert reasons(normaliser.intake([message({"channel": "level", "value": 1})], NOW)) == [
        RejectReason.TOO_LARGE
    ]


def test_retained_reading_with_a_time_of_its_own_is_kept() -> None:
    payload = {"channel": "level", "value": 1.0, "time": "2025-10-27T13:00:00Z"}
    assert len(intake(message(payload, retain=True)).observations) == 1


def test_gateways_are_named_from_the_catalogue_and_strangers_share_one_name() -> None:
    stranger = message(b"", "hue/v1/evil/radar-9/readings")
    unrouted = message(b"", "tele/x/SENSOR")
    result = intake(
        message({"channel": "level", "value": 1}), stranger, unrouted, message(b"", "huewatch/marker/a")
    )
    names = [result.gateway_names[number] for number in result.gateway]
    assert names == ["gw-1", UNKNOWN_GATEWAY, UNKNOWN_GATEWAY, OWN]


def test_gateway_of_a_topic_is_named_as_in_an_intake() -> None:
    normaliser = Normaliser(CATALOGUE, IDS, Nature.ACTUAL)
    topics = [TOPIC, "hue/v1/evil/radar-9/readings", "huewatch/tick"]
    assert [normaliser.gateway_of(topic) for topic in topics] == ["gw-1", UNKNOWN_GATEWAY, OWN]


def test_marker_and_tick_are_empty_and_can_be_found() -> None:
    marker, tick = message(b"", "huewatch/marker/ingest-1"), message(b'{"now":123}', "huewatch/tick")
    result = intake(marker, tick)
    assert result.fate.tolist() == [Fate.EMPTY, Fate.EMPTY]
    assert (is_marker(marker.topic), is_marker(tick.topic), is_marker(TOPIC)) == (True, False, False)
    assert (tick_of(tick), tick_of(marker), tick_of(message(b"{}", "huewatch/tick"))) == (123, None, None)


def test_station_of_another_nature_is_refused_and_needs_no_number() -> None:
    river = CATALOGUE.station("RIVER").model_copy(update={"nature": Nature.TEST})
    catalogue = CATALOGUE.model_copy(update={"stations": (river, CATALOGUE.station("STREET"))})
    result = Normaliser(catalogue, {"STREET/depth": DEPTH}, Nature.ACTUAL).intake(
        [message({"channel": "level", "value": 1.0}), uplink(3000)], NOW
    )
    assert reasons(result) == [RejectReason.NATURE_MISMATCH]
    assert result.observations.datastream.tolist() == [DEPTH]


def test_declared_nature_that_agrees_is_accepted() -> None:
    assert not intake(message({"channel": "level", "value": 1.0, "status": "Actual"})).rejects


def test_no_messages_make_an_empty_intake() -> None:
    result = intake()
    assert len(result.observations) == len(result.fate) == len(result.gateway) == 0


def test_datastream_without_a_number_stops_the_start() -> None:
    with pytest.raises(ValueError, match="RIVER/rain has no number"):
        Normaliser(CATALOGUE, {"RIVER/level": 1}, Nature.ACTUAL)


def test_unknown_codec_stops_the_start() -> None:
    route = CATALOGUE.routes[0].model_copy(update={"codec": "sparkplug"})
    with pytest.raises(ValueError, match=r"codec 'sparkplug' is not one of .*huewatch-json"):
        Normaliser(CATALOGUE.model_copy(update={"routes": (route,)}), IDS, Nature.ACTUAL)


def _with_codec(monkeypatch: pytest.MonkeyPatch, decoded: Decoded | Exception) -> Intake:
    """What the normaliser makes of a codec that misbehaves."""

    def decode(address: Address, payload: bytes) -> Decoded:
        if isinstance(decoded, Exception):
            raise decoded
        return decoded

    codec = replace(codecs()["huewatch-json"], decode=decode)
    assert isinstance(codec, Codec)
    monkeypatch.setattr("ingest.routing.codecs", lambda: {**codecs(), "huewatch-json": codec})
    return intake(message(b""), uplink(3000))


def test_fault_of_a_codec_costs_its_message_only(monkeypatch: pytest.MonkeyPatch) -> None:
    result = _with_codec(monkeypatch, KeyError("x"))
    assert reasons(result) == [RejectReason.UNDECODABLE]
    assert "KeyError" in result.rejects[0].detail
    assert len(result.observations) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_value_that_is_not_finite_is_never_a_row(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = [Reading("radar-1", "level", value), Reading("radar-1", "rain", 1.0)]
    result = _with_codec(monkeypatch, Decoded(readings))
    assert reasons(result) == [RejectReason.NOT_A_NUMBER]
    assert result.observations.datastream.tolist() == [RAIN, DEPTH]


def test_rejects_keep_the_order_of_messages_also_when_a_conversion_overflows() -> None:
    overflow = message({"channel": "rain", "value": 1e308, "unit": "m"})
    result = intake(overflow, message(b"{}"), overflow)
    assert [reject.message for reject in result.rejects] == [0, 1, 2]


def test_reading_for_a_device_that_is_not_the_topics_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    result = _with_codec(monkeypatch, Decoded([Reading("radar-2", "level", 1.0)]))
    assert reasons(result) == [RejectReason.IDENTITY_MISMATCH]


def test_time_too_large_for_a_column_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = [
        Reading("radar-1", "level", 1.0, None, 10**30),
        Reading("radar-1", "level", 1.0, None, -(10**30)),
    ]
    result = _with_codec(monkeypatch, Decoded(readings))
    assert reasons(result) == [RejectReason.TIME_IN_FUTURE, RejectReason.TIME_TOO_OLD]


def test_reading_says_whose_clock_its_time_is_from(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = [
        Reading("radar-1", "level", 1.0, None, NOW, TimeSource.SERVER),
        Reading("radar-1", "rain", 1.0),
    ]
    rows = _with_codec(monkeypatch, Decoded(readings)).observations
    assert rows.time_source.tolist()[:2] == [TimeSource.SERVER, TimeSource.ARRIVAL]


def test_reading_of_some_time_before_its_message_is_that_much_older(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = [Reading("radar-1", "level", 1.0, age=300 * SECOND), Reading("radar-1", "rain", 1.0)]
    rows = _with_codec(monkeypatch, Decoded(readings)).observations
    assert rows.time.tolist()[:2] == [NOW - 300 * SECOND, NOW]
    assert rows.timeless.tolist()[:2] == [True, True]


@pytest.mark.parametrize(
    ("age", "reason"), [(2**28, RejectReason.TIME_TOO_OLD), (-(2**28), RejectReason.TIME_IN_FUTURE)]
)
def test_age_of_years_is_not_believed(
    age: int, reason: RejectReason, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = _with_codec(monkeypatch, Decoded([Reading("radar-1", "level", 1.0, age=age * SECOND)]))
    assert reasons(result) == [reason]


def test_what_the_device_says_of_its_value_is_its_least_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = [
        Reading("radar-1", "level", 1.0, quality=Quality.FAIL),
        Reading("radar-1", "rain", 1.0, quality=Quality.SUSPECT),
    ]
    rows = _with_codec(monkeypatch, Decoded(readings)).observations
    assert rows.quality.tolist()[:2] == [Quality.FAIL, Quality.SUSPECT]


def test_what_a_codec_asks_to_remember_is_there_for_the_next_message_of_that_gateway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[dict[str, bytes]] = []
    answers = iter(
        [
            Decoded((), remember={"birth": b"1", "node": b"2"}),
            Decoded((), remember={"birth": b""}, requests=[Request("cmd", b"again")]),
            Decoded(()),
        ]
    )

    def decode(address: Address, _payload: bytes) -> Decoded:
        seen.append(dict(address.memory))
        return next(answers)

    codec = Codec("huewatch-json", 1, decode, frozenset(), "")
    monkeypatch.setattr("ingest.routing.codecs", lambda: {**codecs(), codec.name: codec})
    normaliser = Normaliser(CATALOGUE, IDS, Nature.ACTUAL)
    result = normaliser.intake([message(b"")] * 3, NOW)
    assert seen == [{}, {"birth": b"1", "node": b"2"}, {"node": b"2"}]
    assert [(one.codec, one.gateway, one.key, one.value) for one in result.remembered] == [
        ("huewatch-json", "gw-1", "birth", b"1"),
        ("huewatch-json", "gw-1", "node", b"2"),
        ("huewatch-json", "gw-1", "birth", b""),
    ]
    assert [request.topic for request in result.requests] == ["cmd"]
    again = Normaliser(CATALOGUE, IDS, Nature.ACTUAL)
    again.recall([Remembered("huewatch-json", "gw-1", "birth", b"1")])
    answers = iter([Decoded(())])
    again.intake([message(b"")], NOW)
    assert seen[-1] == {"birth": b"1"}


def test_channel_that_the_route_ignores_may_go_unlisted() -> None:
    route = CATALOGUE.routes[0].model_copy(update={"ignore": ("diag*",)})
    catalogue = CATALOGUE.model_copy(update={"routes": (route, *CATALOGUE.routes[1:])})
    assert route.codec == "huewatch-json"
    for channel, expected in {"diag_1": [], "extra": [RejectReason.UNKNOWN_CHANNEL]}.items():
        assert reasons(intake(message({"channel": channel, "value": 1}), catalogue=catalogue)) == expected
