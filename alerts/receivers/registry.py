"""Which code serves which kind of receiver. A new kind is a new file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alerts.receivers import Receiver, ReceiverSettings
from alerts.receivers.email import EmailReceiver, EmailSettings
from alerts.receivers.mqtt import MqttReceiver, MqttSettings
from alerts.receivers.webhook import WebhookReceiver, WebhookSettings
from ingest.catalog import Catalogue
from ingest.mqtt import BrokerSettings

Build = Callable[[Any, BrokerSettings | None, Catalogue], Receiver]

KINDS: Mapping[type[ReceiverSettings], Build] = {
    MqttSettings: MqttReceiver,
    WebhookSettings: WebhookReceiver,
    EmailSettings: EmailReceiver,
}
WORDS: Mapping[str, type[ReceiverSettings]] = {
    settings.model_fields["kind"].default: settings for settings in KINDS
}


def build(settings: ReceiverSettings, broker: BrokerSettings | None, catalogue: Catalogue) -> Receiver:
    """The receiver that these settings describe."""
    return KINDS[type(settings)](settings, broker, catalogue)
