"""What people and work on sensors make of a station's state: never normal while nobody watches."""

from dataclasses import replace

import msgspec
import pytest

from alerts.handling import Cancelled, Handling, Story
from alerts.model import NumberedEvent
from alerts.sight import AsOf, Sight, look, not_monitored
from alerts.station_view import Standing, station_json
from ingest.catalog import Station
from ingest.store.maintenance import Window
from ingest.store.read import Observed
from tests.support.feed import KIMLONG, MINUTE, NOW, catalogue, happening, river

LEVEL, SECOND = f"{KIMLONG}/water_level", f"{KIMLONG}/water_level_2"
AS_OF = AsOf(Sight.CURRENT, NOW, 1.0, NOW, NOW, "", None, ())
CANCELLED = Handling(1, cancelled=Cancelled("An", NOW, 1, "a boat"))


def window(*keys: str) -> Window:
    return Window(7, KIMLONG, keys, "An", "cleaning", NOW - MINUTE, NOW + MINUTE, None, False)


def station(sensors: int = 1) -> Station:
    """Kim Long with one or two sensors in the water; its zero counts, so that it can be normal."""
    found = river(KIMLONG, "Kim Long", "Hương", ())
    (stream,) = found.datastreams
    streams = (stream, stream.model_copy(update={"name": "water_level_2"}))[:sensors]
    return found.model_copy(update={"datastreams": streams})


def story(handling: Handling | None = None, **changes: object) -> Story:
    event = msgspec.structs.replace(happening(1), **changes)
    return Story(NumberedEvent(1, NOW, event), handling or Handling())


def state(standing: Standing, sensors: int = 1, as_of: AsOf = AS_OF) -> str:
    rows = {key: [Observed(NOW, 0.5, 1, NOW)] for key in (LEVEL, SECOND)}
    return str(station_json(station(sensors), rows, {}, standing, as_of)["state"])


@pytest.mark.parametrize(
    ("stories", "windows", "sensors", "found"),
    [
        ([], [], 1, "normal"),
        ([], [window(LEVEL)], 1, "not_monitored"),
        ([], [window(LEVEL)], 2, "normal"),  # another sensor watches
        ([], [window(LEVEL, SECOND)], 2, "not_monitored"),
        ([], [window(LEVEL), window(SECOND)], 2, "not_monitored"),
        ([], [window("HUE-WL-PHUOC/water_level")], 1, "normal"),
        ([story()], [], 1, "alert"),
        ([story()], [window(LEVEL)], 1, "not_monitored"),  # its sensor says nothing of the water now
        ([story(target=f"{KIMLONG}/rain_1h")], [window(LEVEL)], 1, "alert"),
        ([story(CANCELLED)], [], 1, "unknown"),
        ([story(CANCELLED), story(target=SECOND)], [], 1, "alert"),
        ([story(shadow=True)], [], 1, "normal"),
    ],
)
def test_the_state_of_a_station(
    stories: list[Story], windows: list[Window], sensors: int, found: str
) -> None:
    assert state(Standing.of(stories, windows), sensors) == found


def test_what_is_not_known_goes_before_what_is_not_monitored() -> None:
    blind = replace(AS_OF, state=Sight.UNKNOWN)
    assert state(Standing.of([], [window(LEVEL)]), as_of=blind) == "unknown"


def test_a_station_says_who_works_on_what_until_when() -> None:
    found = station_json(station(2), {}, {}, Standing.of([], [window(LEVEL)]), AS_OF)
    assert found["not_monitored"] == []
    assert found["maintenance"] == [
        {
            "id": 7,
            "datastreams": [LEVEL],
            "owner": "An",
            "reason": "cleaning",
            "begins": "2025-10-26T23:59:00.000Z",
            "ends": "2025-10-27T00:01:00.000Z",
        }
    ]


def test_the_feeds_sight_names_the_stations_that_nobody_watches() -> None:
    assert not_monitored(station(2), [LEVEL]) == []
    assert not_monitored(station(2), [LEVEL, SECOND]) == ["water_level"]
    assert look([], {}, catalogue(), [LEVEL]).stations_not_monitored == ()  # nothing may be claimed at all
