"""A database with something to show, and a feed over it: what the tests of the feed share."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import httpx
import psycopg

from alerts.model import Event, EventKind, Evidence, Severity
from alerts.store import append_events
from ingest.catalog import Catalogue, Datastream, Level, Location, Source, Station
from ingest.clock import to_datetime
from ingest.config_model import Text
from ingest.model import Nature
from ingest.store import connect
from ingest.store.datastreams import register
from ingest.store.migrate import INGEST, migrate

Connection = psycopg.Connection[Any]
MINUTE = 60_000_000
HOUR = 60 * MINUTE
WEEK = 7 * 24 * HOUR
NOW = 1_761_523_200_000_000  # 2025-10-27T00:00:00Z, 07:00 in Huế
NATURE = Nature.EXERCISE
KIMLONG, PHUOC = "HUE-WL-KIMLONG", "HUE-WL-PHUOC"


def river(identifier: str, name: str, waters: str, levels: Sequence[float]) -> Station:
    """A station with one water level every 5 minutes."""
    source = Source(gateway="gw", device=identifier.lower(), channel="water_level", unit="m")
    named = tuple(
        Level(name=f"BĐ {'I' * rank}", value=value, rank=rank) for rank, value in enumerate(levels, start=1)
    )
    stream = Datastream(
        name="water_level", property="water_level", unit="m", cadence=300.0, source=source, levels=named
    )
    return Station(
        id=identifier,
        name=Text(vi=name, en=name),
        kind="river",
        river=Text(vi=f"sông {waters}", en=f"{waters} River"),
        location=Location(lat=16.45, lon=107.56),
        nature=NATURE,
        datastreams=(stream,),
    )


def catalogue(*more: Station) -> Catalogue:
    """Kim Long and Phú Ốc with their real levels."""
    both = (
        river(KIMLONG, "Kim Long", "Hương", (1.0, 2.0, 3.5)),
        river(PHUOC, "Phú Ốc", "Bồ", (1.5, 3.0, 4.5)),
    )
    return Catalogue(stations=both + more, routes=())


def prepare(url: str, places: Catalogue) -> Connection:
    """Migrate, register the catalogue's datastreams and open a connection for the test."""
    connection = connect(url, application_name="test")
    migrate(connection, [INGEST, ("alerts", files("alerts") / "migrations")], NATURE)
    register(connection, [key for key, _, _ in places.datastreams()], NATURE)
    return connection


def commit(
    connection: Connection, *, ago_s: float = 0.0, now: int = NOW, sighted: bool = True, reason: str = ""
) -> None:
    """What ingest's last transaction left in the writer's row, `ago_s` real seconds ago."""
    connection.execute(
        "INSERT INTO writer (partition, epoch, batch, owner, backend_pid, committed_at, now_at,"
        " sighted_since, blind_reason)"
        " VALUES ('hue', 1, 1, 'test', 0, clock_timestamp() - %(ago)s * interval '1 second',"
        " %(now)s, %(sighted)s, %(reason)s) ON CONFLICT (partition) DO UPDATE SET batch = writer.batch + 1,"
        " committed_at = excluded.committed_at, now_at = excluded.now_at,"
        " sighted_since = excluded.sighted_since, blind_reason = excluded.blind_reason",
        {
            "ago": ago_s,
            "now": to_datetime(now),
            "sighted": to_datetime(now) if sighted else None,
            "reason": reason,
        },
    )


def observe(connection: Connection, key: str, time: int, value: float, quality: int = 1) -> None:
    """Store one observation as ingest would."""
    moment = to_datetime(time)
    connection.execute("SELECT ensure_observation_partition(%s)", (to_datetime(time // WEEK * WEEK),))
    connection.execute(
        "INSERT INTO observation (time, received_at, value, datastream, quality)"
        " SELECT %s, %s, %s, id, %s FROM datastream WHERE key = %s AND nature = %s",
        (moment, moment, value, quality, key, NATURE),
    )


def happening(
    number: int,
    *,
    alert: int | str = 1,
    kind: EventKind = EventKind.RAISED,
    level: int = 1,
    time: int = NOW,
    late_s: float = 0.0,
    station: str = KIMLONG,
    rule: str = "river-level",
) -> Event:
    """An event that differs from others by its number; `late_s` seconds lie between truth and decision."""
    ended = kind in (EventKind.CLEARED, EventKind.CANCELLED)
    names = ("", "BĐ I", "BĐ II", "BĐ III")
    return Event(
        event_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"event {number}")),
        alert_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"alert {alert}")),
        rule=rule,
        rule_version="1",
        rule_kind="threshold",
        target=f"{station}/water_level",
        station=station,
        kind=kind,
        level=0 if ended else level,
        level_name="" if ended else names[level],
        previous_level=level if ended else level - 1,
        severity=(Severity.MINOR, Severity.MODERATE, Severity.SEVERE)[level - 1],
        nature=NATURE.value,
        event_time=time,
        detected_at=time + round(late_s * 1_000_000),
        value=1.0 * level + 0.08,
        unit="m",
        threshold=1.0 * level,
        observed=1.0 * level + 0.08,
        observed_at=time,
        rate_per_hour=0.12,
        verified=True,
        evidence=(Evidence(time - 5 * MINUTE, 1.02, 1), Evidence(time, 1.0 * level + 0.08, 1)),
    )


def tell(connection: Connection, *events: Event, open_alert: bool = True) -> int:
    """Append events as the engine does, and keep the condition that stands behind each alert."""
    with connection.transaction(), connection.cursor() as cursor:
        for event in events if open_alert else ():
            _condition(cursor, event)
        return append_events(cursor, events)


def _condition(cursor: psycopg.Cursor[Any], event: Event) -> None:
    ended = event.level == 0
    cursor.execute(
        "INSERT INTO alert_condition (rule, target, phase, level, since, candidate_level, alert_id,"
        " opened_at, ordinal, rule_version)"
        " VALUES (%(rule)s, %(target)s, %(phase)s, %(level)s, %(at)s, 0, %(alert)s, %(opened)s, 1, '1')"
        " ON CONFLICT (rule, target) DO UPDATE SET phase = excluded.phase,"
        " level = excluded.level, since = excluded.since, alert_id = excluded.alert_id,"
        " opened_at = coalesce(alert_condition.opened_at, excluded.opened_at)",
        {
            "rule": event.rule,
            "target": event.target,
            "phase": 0 if ended else 2,
            "level": event.level,
            "at": to_datetime(event.event_time),
            "alert": None if ended else event.alert_id,
            "opened": None if ended else to_datetime(event.event_time),
        },
    )


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event as a browser would see it."""

    event: str
    seq: int | None
    data: dict[str, Any]


@asynccontextmanager
async def listening(
    url: str, *, headers: Mapping[str, str], last_event_id: str | None = None, query: str = ""
) -> AsyncIterator[AsyncIterator[Frame]]:
    """A live client of the stream with a token in its headers, and with the number it has seen last."""
    headers = {**headers} if last_event_id is None else {**headers, "Last-Event-ID": last_event_id}
    async with (
        httpx.AsyncClient(timeout=httpx.Timeout(20.0)) as client,
        client.stream("GET", f"{url}/api/v1/events/stream{query}", headers=headers) as response,
        aclosing(_frames(response)) as frames,
    ):
        yield frames


async def _frames(response: httpx.Response) -> AsyncGenerator[Frame, None]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            seq = int(fields["id"]) if "id" in fields else None
            yield Frame(fields["event"], seq, json.loads(fields["data"]))
            fields = {}
        else:
            fields = {}


async def first(frames: AsyncIterator[Frame], event: str) -> Frame:
    """The next frame of that kind; others are passed over."""
    async for frame in frames:
        if frame.event == event:
            return frame
    raise AssertionError(f"the stream ended without {event}")


async def until(check: Callable[[], Awaitable[bool]], seconds: float = 15.0) -> None:
    """Wait for something that the outside can only ask for."""
    async with asyncio.timeout(seconds):
        while not await check():  # noqa: ASYNC110 - what is waited for lies in another process
            await asyncio.sleep(0.05)
