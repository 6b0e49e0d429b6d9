"""The words of a handover: complete in both languages."""

from alerts.handover_words import KINDS, SEVERITIES
from alerts.model import EventKind, Severity


def test_every_kind_of_event_and_every_severity_has_its_words() -> None:
    assert KINDS.keys() == set(EventKind)
    assert SEVERITIES.keys() == set(Severity)
