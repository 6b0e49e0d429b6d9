"""What is kept back does not depend on how many events a worker takes at a time: the past read from the
database is the past that a plan folds."""

import random
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest

from alerts import delivery_store
from alerts.delivery_plan import Waiting, plan, through
from alerts.handling import Action, Refused, Until, said
from alerts.handling_store import act, append, story_of, turn
from alerts.model import Event, EventKind, Severity
from alerts.receivers.wants import Wants, Wishes, area_of
from alerts.store import events_since
from alerts.suppression import Limits
from ingest.store import maintenance
from tests.support.databases import Database
from tests.support.feed import (
    KIMLONG,
    MINUTE,
    NATURE,
    NOW,
    PHUOC,
    Connection,
    catalogue,
    happening,
    prepare,
    tell,
)

K = EventKind
LIMITS = Limits(flap_openings=2, flap_window_s=600.0, storm_first=2)
STATIONS = [KIMLONG, PHUOC, "HUE-1", "HUE-2", "HUE-3"]


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, catalogue()) as connection:
        yield connection


class Life:
    """Alerts that rise, fall, end and come again at some stations, and people who act on them."""

    def __init__(self, connection: Connection, rng: random.Random) -> None:
        self._connection, self._rng = connection, rng
        self._levels: dict[tuple[str, str], int] = {}
        self._alerts: dict[tuple[str, str], str] = {}
        self._number = 0

    def event(self, kind: EventKind, pair: tuple[str, str], level: int) -> Event:
        self._number += 1
        if kind is K.RAISED:
            self._alerts[pair] = f"{pair} {self._number}"
        station, rule = pair
        time = NOW + self._number * MINUTE // 2
        event = happening(
            self._number,
            alert=self._alerts[pair],
            kind=kind,
            level=level,
            time=time,
            station=station,
            rule=rule,
            late_s=self._rng.choice([0.0, 0.0, 0.0, 3600.0]),
        )
        return msgspec.structs.replace(
            event, detected_at=time, event_time=time - (event.detected_at - time), rule_kind=rule
        )

    def step(self) -> None:
        rng = self._rng
        pair = rng.choice(STATIONS), rng.choice(["threshold", "rate"])
        level = self._levels.get(pair, 0)
        if level and rng.random() < 0.35:
            self.people(pair)
            return
        to = rng.choice([1, 1, 2, 3]) if not level else rng.choice([0, 0, 1, 2, 3])
        kind = (
            K.RAISED
            if not level
            else K.CLEARED
            if not to
            else K.ESCALATED
            if to > level
            else K.LOWERED
            if to < level
            else K.REMINDED
        )
        tell(self._connection, self.event(kind, pair, to or level))
        self._levels[pair] = to

    def people(self, pair: tuple[str, str]) -> None:
        alert_id = happening(0, alert=self._alerts[pair]).alert_id
        kind = self._rng.choice([K.ACKNOWLEDGED, K.SHELVED, K.CANCELLED, K.COMMENTED, K.UNANSWERED])
        if kind is K.UNANSWERED:
            self.pass_on(alert_id)
            return
        until = self._rng.choice(list(Until))
        try:
            act(self._connection, alert_id, Action(kind, "An", "why", until=until, shelve_s=600.0), NOW)
        except Refused:
            assert story_of(self._connection, alert_id) is not None

    def pass_on(self, alert_id: str) -> None:
        """Nobody has acknowledged it: it goes to somebody, or to all."""
        story = story_of(self._connection, alert_id)
        assert story is not None
        to = self._rng.choice([("all", "few"), ("*",), ("another",)])
        self._number += 1
        identity = happening(self._number).event_id  # a step of the ladder has its own
        event = msgspec.structs.replace(said(story, K.UNANSWERED, NOW), event_id=identity, told_to=to)
        with turn(self._connection) as cursor:
            append(cursor, story, event)


def deliver(connection: Connection, wishes: Wishes, sizes: Iterator[int]) -> None:
    """Settle every event, as a worker does that takes so many steps at a time."""
    receiver = wishes.name
    while True:
        cursor = delivery_store.claim(connection, receiver, "test")
        assert cursor is not None
        pending = events_since(connection, cursor, 1_000)
        if not pending:
            return
        since = Waiting({each.seq: 0.0 for each in pending}, {each.event.alert_id: 0.0 for each in pending})
        alerts = list({each.event.alert_id for each in pending})
        found = plan(
            pending,
            since,
            60.0,
            draining=False,
            told=delivery_store.told(connection, receiver, alerts),
            wishes=wishes,
            past=delivery_store.past(connection, wishes, cursor, pending, LIMITS),
            limits=LIMITS,
        )
        steps = found.steps[: through(found.steps, next(sizes))]
        assert delivery_store.record(connection, receiver, "test", steps)


def wishing(name: str, run: int = 0) -> Wishes:
    """Everything; or what is more severe, or of one station, with reminders together."""
    wants, digest_s = [
        (Wants(), None),
        (Wants(severity=Severity.MODERATE), 1800.0),
        (Wants(stations=(KIMLONG,)), 1800.0),
        (Wants(unanswered_only=True), None),
        (Wants(kinds=(K.RAISED, K.REMINDED)), 3600.0),
        (Wants(), 1800.0),
    ][run]
    return Wishes(name, {NATURE.value}, wants.of(catalogue()), digest_s, area_of(catalogue()))


def became(connection: Connection, receiver: str) -> list[tuple[int, str, str | None, str | None]]:
    return connection.execute(
        "SELECT seq, outcome, cause, reference FROM delivery_outcome WHERE receiver = %s ORDER BY seq",
        (receiver,),
    ).fetchall()


@pytest.mark.parametrize("run", range(6))
def test_the_same_is_kept_back_however_many_events_are_taken_at_a_time(
    table: Connection, rng: random.Random, run: int
) -> None:
    life = Life(table, rng)
    for place in range(120):
        if place == 60:
            keys = [f"{KIMLONG}/water_level"]
            window = maintenance.start(table, KIMLONG, keys, "An", "cleaning", 3600.0)
        if place == 80:
            maintenance.end(table, window.id, "An")
        life.step()
    deliver(table, wishing("all", run), iter(lambda: 1_000, None))
    deliver(table, wishing("few", run), iter(lambda: rng.randint(1, 4), None))
    everything = became(table, "all")
    assert became(table, "few") == everything
    causes = Counter(cause or outcome for _, outcome, cause, _ in everything)
    print(f"run {run}: {dict(causes)}")
    assert causes["delivered"] > 0
    if run == 3:  # of little there is little to keep back
        return
    assert causes["maintenance"] + causes["flapping"] + causes["spoken_for"] > 0
