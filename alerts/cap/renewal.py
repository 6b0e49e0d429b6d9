"""What keeps a message of a standing alert in force: an event of its state with what is newest known. Pure.

It is no told event: nothing has changed, and nobody is notified by any other receiver.
"""

from __future__ import annotations

import uuid

from msgspec.structs import replace

from alerts.events import NAMESPACE
from alerts.handling import Story
from alerts.model import Event, EventKind
from alerts.sight import Freshness, Sight, freshness
from alerts.wire import Json, parse_stamp
from ingest.catalog import Station

RENEWED = "renewed"
LOST = (Freshness.NO_DATA, Freshness.NEVER)

Reading = tuple[int, float]  # time, microseconds, and value


def renewal(story: Story, station: Station, reading: Reading | None, number: int) -> Event:
    """How the alert stands now. `number`: that of its newest message, 0 for none; the same renewal has the
    same id, however often it is tried. `reading`: the newest of its target, taken where it was measured."""
    told, name = story.event, story.event.target.rpartition("/")[2]
    event = replace(
        told,
        event_id=str(uuid.uuid5(NAMESPACE, f"cap|{told.alert_id}|{number}")),
        kind=EventKind.REMINDED,
        previous_level=told.level,
        event_time=told.detected_at,
        rate_per_hour=None,  # it was that of another hour
        reason=RENEWED,
    )
    if reading is None or all(each.name != name for each in station.datastreams):
        return event
    itself = told.rule_kind == "threshold" and told.value == told.observed
    time, value = reading
    return replace(event, observed_at=time, observed=value, value=value if itself else told.value)


def is_seen(event: Event, station: Station, reading: Reading | None, as_of: Json) -> bool:
    """Whether readings of its target still arrive, by the clock that the data live by."""
    if as_of["state"] != Sight.CURRENT or as_of["now"] is None or reading is None:
        return False
    cadences = {each.name: each.cadence for each in station.datastreams}
    cadences |= {each.name: each.cadence for each in station.derived}
    cadence = cadences.get(event.target.rpartition("/")[2], 0.0)
    return freshness(cadence, reading[0], parse_stamp(as_of["now"])) not in LOST
