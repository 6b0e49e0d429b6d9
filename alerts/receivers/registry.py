"""Which code serves which kind of receiver. A new kind is a new file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from alerts.receivers import Receiver, ReceiverSettings
from alerts.receivers.mqtt import MqttReceiver, MqttSettings
from ingest.catalog import Catalogue
from ingest.mqtt import BrokerSettings

Build = Callable[[ReceiverSettings, BrokerSettings, Catalogue], Receiver]

KINDS: Mapping[type[ReceiverSettings], Build] = {MqttSettings: MqttReceiver}


def build(settings: ReceiverSettings, broker: BrokerSettings, catalogue: Catalogue) -> Receiver:
    """The receiver that these settings describe."""
    return KINDS[type(settings)](settings, broker, catalogue)
