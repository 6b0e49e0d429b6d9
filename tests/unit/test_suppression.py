"""Why a notice is kept back: each cause where it applies, and nowhere where it would hide danger."""

import random
import uuid
from dataclasses import replace

import msgspec
import pytest

from alerts.api.feed_settings import feed_settings
from alerts.delivery_plan import Past, Plan, Waiting, plan, settled, through
from alerts.handling import Action, Story, Until, decide, stories
from alerts.model import Event, EventKind, NumberedEvent, Severity
from alerts.receivers.wants import Wishes
from alerts.suppression import MAINTENANCE_ENDED, Cause, Limits, Silence, Turns, flaps, rain_hours
from ingest.settings import Settings
from ingest.store.maintenance import Window
from tests.support.feed import KIMLONG, MINUTE, NOW, PHUOC, happening

K = EventKind
SECOND = 1_000_000
WINDOW = Window(
    7, KIMLONG, (f"{KIMLONG}/water_level",), "An", "cleaning", NOW - MINUTE, NOW + MINUTE, None, False
)
EVERYTHING = Silence(5, None, None, Severity.EXTREME, "An", "test", NOW - MINUTE, NOW + MINUTE)


def numbered(*events: Event, first: int = 1) -> list[NumberedEvent]:
    return [NumberedEvent(seq, NOW, event) for seq, event in enumerate(events, start=first)]


def planned(
    *events: Event, past: Past | None = None, told: tuple[str, ...] = (), waited_s: float = 60.0
) -> Plan:
    pending = numbered(*events, first=100)
    since = Waiting({each.seq: 0.0 for each in pending}, {each.event.alert_id: 0.0 for each in pending})
    wishes = Wishes("test", {"Exercise"})
    return plan(pending, since, waited_s, draining=False, told=told, wishes=wishes, past=past)


def lots(found: Plan) -> list[str]:
    """What became of each event in a word; the cause where it was suppressed."""
    return [
        step.suppressed.cause.value
        if step.suppressed
        else ("digest" if step.notice.digest else "silent" if step.notice.silent else "told")
        if step.notice
        else "passed"
        for step in found.steps
    ]


def past_of(*events: Event, **more: object) -> Past:
    """The past of a receiver that wants everything, and has followed these events' alerts."""
    found = stories(numbered(*events))
    return Past(stories=found, followed=set(found), **more)  # type: ignore[arg-type]


def word(event: Event, action: Action) -> Event:
    """Somebody's action on an alert that stands as this event tells it."""
    return decide(Story(NumberedEvent(1, NOW, event)), action, NOW)


RAISED = happening(1, level=2)
ACK = word(RAISED, Action(K.ACKNOWLEDGED, "An"))
ACK_RESOLVED = word(RAISED, Action(K.ACKNOWLEDGED, "An", until=Until.RESOLVED))
SHELVED = word(RAISED, Action(K.SHELVED, "An", shelve_s=1800))
IN_ERROR = word(RAISED, Action(K.CANCELLED, "An", "a boat"))
WORSE = happening(2, kind=K.ESCALATED, level=3)
LOWER = happening(3, kind=K.LOWERED, level=1)
REMINDED = happening(4, kind=K.REMINDED, level=2)
CLEARED = happening(5, kind=K.CLEARED, level=2)
TOLD = (RAISED.alert_id,)


@pytest.mark.parametrize(
    ("before", "event", "lot"),
    [
        (ACK, REMINDED, "acknowledged"),
        (ACK_RESOLVED, REMINDED, "acknowledged"),
        (ACK, WORSE, "told"),
        (ACK_RESOLVED, WORSE, "told"),
        (ACK, CLEARED, "told"),
        (SHELVED, REMINDED, "shelved"),
        (SHELVED, LOWER, "shelved"),
        (SHELVED, WORSE, "told"),
        (SHELVED, CLEARED, "told"),  # an end is told to who was told of the alert
        (IN_ERROR, REMINDED, "cancelled"),
        (IN_ERROR, LOWER, "cancelled"),
        (IN_ERROR, CLEARED, "cancelled"),
        (IN_ERROR, WORSE, "told"),
    ],
)
def test_what_people_have_said_keeps_back_what_is_no_worse(before: Event, event: Event, lot: str) -> None:
    assert lots(planned(event, past=past_of(RAISED, before), told=TOLD)) == [lot]


def test_our_own_reminder_is_told_also_of_an_acknowledged_alert() -> None:
    ours = msgspec.structs.replace(REMINDED, reason=MAINTENANCE_ENDED)
    assert lots(planned(ours, past=past_of(RAISED, ACK), told=TOLD)) == ["told"]


def test_what_people_do_is_told_for_the_record_and_a_correction_aloud() -> None:
    found = planned(RAISED, ACK, IN_ERROR)
    assert lots(found) == ["told", "silent", "told"]
    assert found.steps[1].notice is not None
    assert found.steps[1].notice.story is not None
    assert found.steps[1].notice.story.handling.acknowledged is not None


def test_a_correction_of_what_nobody_was_told_is_silent() -> None:
    assert lots(planned(IN_ERROR, past=past_of(RAISED))) == ["silent"]


def test_a_backlogs_opening_is_not_superseded_by_somebodys_comment() -> None:
    old = happening(1, level=2, late_s=3600.0)
    comment = word(old, Action(K.COMMENTED, "An", "seen"))
    assert lots(planned(old, comment)) == ["told", "silent"]


def test_a_rule_on_trial_is_never_told_and_leaves_no_state() -> None:
    trial = msgspec.structs.replace(RAISED, shadow=True)
    found = planned(trial)
    assert lots(found) == ["shadow"]
    assert found.steps[0].keep is not None
    assert found.steps[0].keep.event.shadow


def test_what_is_for_the_record_is_not_told() -> None:
    assert lots(planned(happening(1, kind=K.LATE))) == ["late"]


def test_a_window_keeps_back_its_own_sensors_and_never_a_neighbours() -> None:
    neighbour = happening(2, alert=2, station=PHUOC, level=2)
    found = planned(RAISED, neighbour, past=Past(windows=[WINDOW]))
    assert lots(found) == ["maintenance", "told"]
    assert found.steps[0].suppressed is not None
    assert found.steps[0].suppressed.reference == "7"
    assert found.steps[0].keep is not None  # its state is kept all the same


def test_a_window_keeps_back_an_end_as_well_since_the_sensor_may_be_out_of_the_water() -> None:
    assert lots(planned(CLEARED, past=past_of(RAISED, windows=[WINDOW]), told=TOLD)) == ["maintenance"]


@pytest.mark.parametrize(("begins", "ends", "covers"), [(0, 1, True), (1, 2, False), (-1, 0, False)])
def test_a_window_holds_from_its_begin_to_before_its_end(begins: int, ends: int, covers: bool) -> None:
    window = replace(WINDOW, begins=NOW + begins, ends=NOW + ends)
    assert (lots(planned(RAISED, past=Past(windows=[window]))) == ["maintenance"]) is covers


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("rule", [None, "river-level", "other"])
@pytest.mark.parametrize("station", [None, KIMLONG, PHUOC])
@pytest.mark.parametrize("most", [None, Severity.MINOR, Severity.MODERATE, Severity.EXTREME])
def test_a_silence_never_hides_severe_unless_it_names_station_and_rule(
    level: int, rule: str | None, station: str | None, most: Severity | None
) -> None:
    silence = replace(EVERYTHING, rule=rule, station=station, severity=most)
    quiet = lots(planned(happening(1, level=level), past=Past(silences=[silence]))) == ["silence"]
    matches = rule in (None, "river-level") and station in (None, KIMLONG)
    within = {Severity.MINOR: 1, Severity.MODERATE: 2}.get(most or Severity.EXTREME, 3) >= level
    named = rule is not None and station is not None
    assert quiet is (matches and within and (level < 3 or named))


def test_a_silence_does_not_hide_alerts_about_ourselves() -> None:
    ours = msgspec.structs.replace(RAISED, station="", rule_kind="self", severity=Severity.UNKNOWN)
    assert lots(planned(ours, past=Past(silences=[EVERYTHING]))) == ["told"]


def rate(number: int, alert: int = 2, **more: object) -> Event:
    event = happening(number, alert=alert, rule="river-rate", level=2)
    return msgspec.structs.replace(event, rule_kind="rate", **more)


def test_a_level_speaks_for_the_rate_of_its_own_datastream() -> None:
    found = planned(RAISED, rate(2))
    assert lots(found) == ["told", "spoken_for"]
    assert found.steps[1].suppressed is not None
    assert found.steps[1].suppressed.reference == RAISED.alert_id


@pytest.mark.parametrize(
    "before",
    [
        (),
        (happening(1, level=2, station=PHUOC),),
        (RAISED, CLEARED),
        (RAISED, SHELVED),
        (RAISED, IN_ERROR),
        (msgspec.structs.replace(RAISED, shadow=True),),
    ],
)
def test_a_level_that_is_not_heard_speaks_for_nobody(before: tuple[Event, ...]) -> None:
    assert lots(planned(rate(9), past=past_of(*before))) == ["told"]


def test_an_end_is_told_only_to_who_was_told_of_the_alert() -> None:
    over = msgspec.structs.replace(rate(3), kind=K.CLEARED, level=0, previous_level=2)
    assert lots(planned(RAISED, rate(2), over)) == ["told", "spoken_for", "spoken_for"]
    assert lots(planned(over, past=past_of(RAISED, rate(2)), told=(over.alert_id,))) == ["told"]


def rain(number: int, hours: int, severity: Severity) -> Event:
    target = f"{KIMLONG}/rain_{hours}h"
    event = happening(number, alert=f"rain {hours}", rule=f"rain-{hours}h", level=1)
    return msgspec.structs.replace(event, target=target, severity=severity)


def test_a_longer_window_of_rain_speaks_for_a_shorter_one_that_is_less_severe() -> None:
    day = rain(1, 24, Severity.MODERATE)
    assert lots(planned(day, rain(2, 3, Severity.MINOR))) == ["told", "spoken_for"]
    assert lots(planned(day, rain(2, 3, Severity.MODERATE))) == ["told", "told"]
    assert lots(planned(rain(1, 3, Severity.MODERATE), rain(2, 24, Severity.MINOR))) == ["told", "told"]
    assert [rain_hours(each) for each in (day, RAISED)] == [24, None]


@pytest.mark.parametrize(
    ("minutes", "found"),
    [
        ([0, 5, 10], (False, False)),
        ([0, 5, 10, 15], (True, True)),
        ([0, 5, 10, 15, 20], (True, False)),
        ([0, 25, 50, 75], (False, False)),
        ([0, 5, 10, 15, 74], (True, False)),
        ([0, 5, 10, 15, 75], (False, False)),  # a whole window without an opening: stable
    ],
)
def test_flapping_begins_with_one_opening_too_many(minutes: list[int], found: tuple[bool, bool]) -> None:
    assert flaps([NOW + minute * MINUTE for minute in minutes], Limits()) == found


def test_what_flaps_is_told_once_and_is_then_quiet_but_for_a_higher_level() -> None:
    events = []
    for turn in range(6):
        at = NOW + turn * 5 * MINUTE
        events += [
            happening(10 * turn, alert=turn, time=at),
            happening(10 * turn + 1, alert=turn, time=at + 2 * MINUTE, kind=K.CLEARED),
        ]
    worse = happening(99, alert=6, time=NOW + 31 * MINUTE, kind=K.ESCALATED, level=2)
    found = planned(*events, happening(98, alert=6, time=NOW + 30 * MINUTE), worse)
    assert lots(found) == ["told"] * 7 + ["flapping"] * 6 + ["told"]
    assert [step.notice.flaps for step in found.steps if step.notice] == [False] * 6 + [True, False]


def opening(number: int, level: int = 1) -> Event:
    return happening(number, alert=number, station=f"HUE-{number}", level=level)


def test_of_a_storm_the_first_few_are_told_and_one_digest_of_the_rest() -> None:
    found = planned(*(opening(number) for number in range(12)))
    assert lots(found) == ["told"] * 5 + ["storm"] * 6 + ["digest"]
    assert {step.suppressed.reference for step in found.steps if step.suppressed} == {"111"}
    assert found.steps[-1].notice is not None
    assert [each.seq for each in found.steps[-1].notice.digest] == list(range(105, 112))


def test_a_storms_rest_is_collected_first() -> None:
    found = planned(*(opening(number) for number in range(12)), waited_s=0.5)
    assert lots(found) == ["told"] * 5
    assert found.wait_s == pytest.approx(1.5)


def test_nothing_severe_is_grouped_nor_waits_behind_a_digest() -> None:
    found = planned(*(opening(number) for number in range(9)), opening(9, level=3), waited_s=0.0)
    assert lots(found) == ["told"] * 5 + ["storm"] * 3 + ["digest", "told"]


def test_a_storm_goes_on_across_plans() -> None:
    crowd = {("river-level", f"HUE-{number}/water_level"): NOW for number in range(5)}
    assert lots(planned(opening(8), opening(9), past=Past(crowd=crowd))) == ["storm", "digest"]
    long_ago = dict.fromkeys(crowd, NOW - 3 * MINUTE)
    assert lots(planned(opening(8), opening(9), past=Past(crowd=long_ago))) == ["told", "told"]


def test_a_single_opening_beyond_the_first_few_is_told_as_itself() -> None:
    assert lots(planned(*(opening(number) for number in range(6)))) == ["told"] * 6


def test_no_digest_is_parted_from_what_it_tells() -> None:
    steps = planned(*(opening(number) for number in range(30))).steps
    assert through(steps, 3) == 3
    assert through(steps, 10) == 30
    assert len(settled(steps[:10])) == 5  # the digest did not go out: only what was told itself is settled
    assert len(settled(steps)) == 30


def test_a_comment_on_an_older_alert_leaves_the_state_of_the_newer_one() -> None:
    again = happening(6, alert=2)
    comment = word(CLEARED, Action(K.COMMENTED, "An", "it was a boat"))
    found = planned(comment, past=Past(stories=stories(numbered(RAISED, CLEARED, again))))
    assert found.steps[0].keep is None


def test_turns_count_an_opening_only_after_a_close() -> None:
    turns = Turns().after(1, True).after(2, True).after(3, False).after(4, True)
    assert turns == Turns((1, 4), True)


@pytest.mark.parametrize("seed", range(20))
def test_every_event_has_one_lot_and_a_suppressed_one_its_cause(seed: int) -> None:
    rng = random.Random(seed)
    events = []
    for number in range(60):
        kind = rng.choice([K.RAISED, K.ESCALATED, K.LOWERED, K.CLEARED, K.REMINDED, K.LATE])
        station = rng.choice([KIMLONG, PHUOC, *(f"HUE-{n}" for n in range(9))])
        event = happening(number, alert=f"{station} {number // 20}", kind=kind, level=rng.randint(1, 3))
        target = f"{station}/water_level"
        late = rng.choice([0, 0, 0, 3600]) * SECOND
        events.append(
            msgspec.structs.replace(
                event,
                station=station,
                target=target,
                rule_kind=rng.choice(["threshold", "rate"]),
                rule=rng.choice(["a", "b"]),
                event_time=event.event_time - late,
                event_id=str(uuid.UUID(int=number)),
            )
        )
    past = Past(windows=[WINDOW], silences=[replace(EVERYTHING, rule="a")])
    past = replace(past, followed={event.alert_id for event in events})
    found = planned(*events, past=past)
    assert [step.seq for step in found.steps] == list(range(100, 160))
    assert all(
        (step.notice is not None) + (step.superseded_by is not None) + (step.suppressed is not None) == 1
        for step in found.steps
    )
    causes = {step.suppressed.cause for step in found.steps if step.suppressed}
    print(seed, sorted(causes))
    assert {Cause.LATE} <= causes


def test_the_settings_have_the_defaults_that_are_reasoned_for() -> None:
    assert feed_settings(Settings()).limits == Limits()
