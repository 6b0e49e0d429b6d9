"""What a tick says of gateways with very many sensors."""

from __future__ import annotations

from alerts.ticks import MOST_NAMED
from ingest.catalog import Catalogue
from tests.property.engine_world import GATEWAYS, MINUTE, START, Player, Row, Tick, city, rules

SENSORS = 500


def test_a_gateway_with_hundreds_of_sensors_names_some_and_counts_the_rest() -> None:
    first = city().stations[0]
    stations = tuple(first.model_copy(update={"id": f"S{n}"}) for n in range(SENSORS))
    player = Player(rules(catalogue=Catalogue(stations=(*stations, *city().stations), routes=())))
    player.play([Row(10 * (n + 1), START, 0.3, 1, START) for n in range(SENSORS)])
    player.play([Tick(START + 31 * MINUTE, START)])
    (event,) = player.store.events
    assert event.target == f"@gateway/{GATEWAYS[0]}"
    assert len(event.reason.split(", ")) == MOST_NAMED + 1
    assert event.reason.endswith(f"+{SENSORS + GATEWAYS.count(GATEWAYS[0]) - MOST_NAMED}")
