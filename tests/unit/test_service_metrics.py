"""What the subscriber counts is exported under the names that config/README.md explains."""

from prometheus_client import generate_latest

from ingest.mqtt import Statistics
from ingest.service import show


def test_every_count_of_the_subscriber_is_exported() -> None:
    show(
        Statistics(
            received_qos0=11,
            received_qos1=12,
            received_bytes=0,
            dropped_qos0={"gw": 13},
            abandoned_qos1=14,
            connections=15,
            violations=16,
            in_flight=17,
            queued=18,
        ),
        connected=True,
    )
    lines = generate_latest().decode().splitlines()
    for line in (
        "huewatch_broker_connected 1.0",
        'huewatch_messages_received{qos="0"} 11.0',
        'huewatch_messages_received{qos="1"} 12.0',
        'huewatch_qos0_dropped{gateway="gw"} 13.0',
        "huewatch_qos1_abandoned 14.0",
        "huewatch_broker_connections 15.0",
        "huewatch_broker_violations 16.0",
        "huewatch_messages_in_flight 17.0",
        "huewatch_messages_queued 18.0",
    ):
        assert line in lines
