"""`receivers.yaml`: who is told of what, in which order they are called, and who is on call.

The models are the file's shape. Called by the feed, by `huewatch check` and by `huewatch receivers`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from alerts.model import Severity
from alerts.receivers import ReceiverSettings
from ingest.config_model import Duration, Identifier, Model

EVERYBODY = "*"


class Escalation(Model):
    """What happens when nobody acknowledges: after each `after` the next of `steps`, then everybody.

    Each step names receivers.
    """

    after: Duration = 300.0
    severity: Severity = Severity.SEVERE  # and what is worse
    steps: tuple[tuple[Identifier, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverBook:
    """All receivers. `on_call`: the one that hears of faults of our own; None: nobody."""

    receivers: tuple[ReceiverSettings, ...] = ()
    escalation: Escalation = field(default_factory=Escalation)
    on_call: str | None = None
