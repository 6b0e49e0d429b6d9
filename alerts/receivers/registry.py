"""Which code serves which kind of receiver. A new kind is a new file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from alerts.receivers import Receiver, ReceiverSettings
from alerts.receivers.cap import CapSettings, cap_receiver
from alerts.receivers.email import EmailReceiver, EmailSettings
from alerts.receivers.mqtt import MqttReceiver, MqttSettings
from alerts.receivers.webhook import WebhookReceiver, WebhookSettings
from ingest.catalog import Catalogue
from ingest.clock import Clock
from ingest.mqtt import BrokerSettings


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the feed has for its receivers: each kind takes what it needs."""

    broker: BrokerSettings | None
    catalogue: Catalogue
    database_url: str
    clock: Clock


Build = Callable[[Any, Surroundings], Receiver]

KINDS: Mapping[type[ReceiverSettings], Build] = {
    MqttSettings: lambda settings, at: MqttReceiver(settings, at.broker, at.catalogue),
    WebhookSettings: lambda settings, at: WebhookReceiver(settings, at.catalogue, at.clock),
    EmailSettings: lambda settings, at: EmailReceiver(settings, at.catalogue, at.clock),
    CapSettings: lambda settings, at: cap_receiver(settings, at.database_url, at.catalogue, at.clock),
}
WORDS: Mapping[str, type[ReceiverSettings]] = {
    settings.model_fields["kind"].default: settings for settings in KINDS
}


def build(settings: ReceiverSettings, surroundings: Surroundings) -> Receiver:
    """The receiver that these settings describe; `ConfigError` where it cannot be as they say."""
    return KINDS[type(settings)](settings, surroundings)


def probe(settings: ReceiverSettings, surroundings: Surroundings) -> Receiver:
    """The same for one message from beside the feed, whose retained status stays as it is."""
    if isinstance(settings, MqttSettings):
        return MqttReceiver(settings, surroundings.broker, surroundings.catalogue, keeps_status=False)
    return build(settings, surroundings)
