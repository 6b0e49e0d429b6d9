"""A CAP 1.2 message of an event, of its alert's story and of what is still in force of it. Pure.

Promises:

- One message for one event, never edited. The first of an alert is an `Alert`, each later one an `Update`,
  and a `Cancel` only where people say that it was issued in error. `references` are all earlier messages of
  the alert that have not expired, as they were written. Where nothing is in force any more a message is an
  `Alert` again. Then there is none of an end, since nobody waits for it, and none of an event from so long
  ago that its message would have expired by now: if its alert still stands, a renewal says how.
- `sent` and `expires` are whole seconds of UTC+7; `sent` is never before that of a message of the same alert.
  `expires` is `sent` and twice the time after which the rule says an alert again.
- Evacuate, Shelter and AllClear stand only in what a named person has approved, and as long as that holds:
  to the alert's end, and AllClear only until a higher level. So does the approved text, as `instruction`.
- What has not been approved and tells people to act (a proposal of the settings) is Restricted. Once anything
  of an alert was Public, what follows is Public too, lest its readers wait for an end that they never see.

What the caller must see to: it gives all unexpired messages of the alert, and the clock. Called by the
receiver of kind `cap`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from alerts.cap import words
from alerts.cap.approval import Approved, standing_approval
from alerts.cap.hazard import Assessment, Hazard, Response, assess, hazard_of
from alerts.handling import Story, of_people
from alerts.headline import LOCAL, Words
from alerts.model import Event, EventKind, Severity
from ingest.catalog import Station
from ingest.clock import to_datetime, to_micros
from ingest.config_model import Text

LIFETIMES = 2  # of the time between two notices: one may be lost on its way
RENEW_AFTER = 0.75  # of its lifetime: a quarter is left for an outage of ours
LANGUAGES = ("vi-VN", "en-US")
RESTRICTION: Words = (
    "Chưa được duyệt để công bố; chỉ dành cho cơ quan có thẩm quyền.",
    "Not approved for the public; for the agencies in charge only.",
)
# The kinds of events that say something to who is warned; what else people do with an alert is the house's.
TELLS = frozenset(
    {
        EventKind.RAISED,
        EventKind.ESCALATED,
        EventKind.LOWERED,
        EventKind.CLEARED,
        EventKind.CANCELLED,
        EventKind.REMINDED,
        EventKind.REVISED,
        EventKind.APPROVED,
    }
)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues, and what the settings say; `renew`: microseconds, where a rule has no `remind`."""

    sender: str
    sender_name: Text
    web: str
    contact: str
    geocode: str
    radius_km: float
    renew: int
    public: bool = False
    proposals: Mapping[Severity, Text] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Issued:
    """An earlier message as the store has it: its triplet as written, times in microseconds.

    `final`: it has ended or cancelled its alert. `public`: its scope.
    """

    number: int
    alert_id: str
    triplet: str
    sent: int
    expires: int
    public: bool
    final: bool

    @property
    def renew_at(self) -> int:
        """When the next one must go out, if the alert is still open and nothing was told of it."""
        return self.sent + round(RENEW_AFTER * (self.expires - self.sent))


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a message is to tell.

    `event`: the told event, or one made for a renewal. `story`: how its alert stands after it. `unseen`: no
    new readings are known. `taken`: when the database took a told event, microseconds.
    """

    event: Event
    seq: int
    story: Story
    approved: Approved | None = None
    unseen: bool = False
    taken: int | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """One language's block."""

    language: str
    event: str
    headline: str
    description: str
    instruction: str
    sender_name: str
    area: str


@dataclass(frozen=True, slots=True)
class Message:
    """All of a message; texts by language, the rest once; times in microseconds, at whole seconds.

    `final`: it ends or cancels its alert.
    """

    number: int
    identifier: str
    sender: str
    sent: int
    status: str
    kind: str
    scope: str
    restriction: str
    references: tuple[str, ...]
    incident: str
    hazard: Hazard
    assessment: Assessment
    expires: int
    infos: tuple[Info, Info]
    web: str
    contact: str
    parameters: tuple[tuple[str, str], ...]
    polygon: tuple[tuple[float, float], ...]
    circle: tuple[float, float, float] | None
    geocodes: tuple[tuple[str, str], ...]
    final: bool

    @property
    def triplet(self) -> str:
        """How later messages refer to it."""
        return f"{self.sender},{self.identifier},{stamp(self.sent)}"

    @property
    def issued(self) -> Issued:
        """What the messages after it must know of it."""
        public = self.scope == "Public"
        return Issued(self.number, self.incident, self.triplet, self.sent, self.expires, public, self.final)


def compose(
    occasion: Occasion,
    station: Station | None,
    issuer: Issuer,
    earlier: Sequence[Issued],
    number: int,
    now: int,
) -> Message | None:
    """The message, None where there is nothing to say to who is warned.

    `earlier`: the messages of the alert, expired ones among them or not. `number`: its place among all
    messages; `now`: microseconds.
    """
    told = told_state(occasion)
    hazard = hazard_of(occasion.story.event, station)
    if told is None or hazard is None or station is None:
        return None
    sent = max([_second(now), *(one.sent for one in earlier)])
    in_force = [one for one in earlier if one.expires > sent]
    approval = standing_approval(occasion.approved, told)
    lifetime = LIFETIMES * (told.remind or issuer.renew)
    if not in_force and _is_past(occasion, told, approval, sent, lifetime):
        return None
    public = approval is not None or issuer.public or any(one.public for one in in_force)
    assessed = _responses(assess(told, hazard), approval)
    expires = _second(sent + lifetime)
    identifier = identify(sent, number, occasion.event.event_id)
    area = station.area
    polygon = area.polygon if area else ()
    location = station.location
    return Message(
        number=number,
        identifier=identifier,
        sender=issuer.sender,
        sent=sent,
        status=told.nature,
        kind=_kind(told, in_force),
        scope="Public" if public else "Restricted",
        restriction="" if public else " ".join(RESTRICTION),
        references=tuple(one.triplet for one in in_force),
        incident=told.alert_id,
        hazard=hazard,
        assessment=assessed,
        expires=expires,
        infos=_infos(occasion, told, station, issuer, hazard, approval, expires, public=public),
        web=issuer.web,
        contact=issuer.contact,
        parameters=tuple(_parameters(occasion, told)),
        polygon=polygon,
        circle=None if polygon else (location.lat, location.lon, issuer.radius_km),
        geocodes=tuple((issuer.geocode, code) for code in (area.communes if area else ())),
        final=told.level == 0,
    )


def told_state(occasion: Occasion) -> Event | None:
    """The event whose state a message tells: of people's words and of corrections it is the alert's own
    newest one. None for what is not for who is warned."""
    event = occasion.event
    if event.kind not in TELLS:
        return None
    if event.kind is EventKind.REVISED or (of_people(event) and event.kind is not EventKind.CANCELLED):
        return occasion.story.event
    return event


def _is_past(occasion: Occasion, told: Event, approval: Event | None, sent: int, lifetime: int) -> bool:
    """Whether nobody waits for it: an end, or what would have expired before it could be sent."""
    if told.level == 0:
        return approval is None
    return occasion.taken is not None and occasion.taken + lifetime <= sent


def identify(sent: int, number: int, event_id: str) -> str:
    """Unique, and in order also within a second: local time, the number among all messages, the event."""
    local = to_datetime(sent).astimezone(LOCAL)
    return f"{local:%Y%m%dT%H%M%S}.{number:06d}.{event_id[:8]}"


def stamp(micros: int) -> str:
    """A time as CAP wants it: whole seconds, with the offset of who sends."""
    return to_datetime(micros).astimezone(LOCAL).replace(microsecond=0).isoformat(timespec="seconds")


def _second(micros: int) -> int:
    """Down to the whole second."""
    moment = to_datetime(micros)
    return to_micros(moment - timedelta(microseconds=moment.microsecond))


def _kind(told: Event, in_force: Sequence[Issued]) -> str:
    if not in_force:
        return "Alert"
    in_error = told.kind is EventKind.CANCELLED and of_people(told)
    return "Cancel" if in_error else "Update"


def _responses(assessed: Assessment, approval: Event | None) -> Assessment:
    """With the approved responses in place of the table's, as far as CAP knows them."""
    if approval is None or approval.approval is None:
        return assessed
    known = {each.value for each in Response}
    named = tuple(Response(each) for each in approval.approval.response if each in known)
    return replace(assessed, response=named or assessed.response)


def _infos(
    occasion: Occasion,
    told: Event,
    station: Station,
    issuer: Issuer,
    hazard: Hazard,
    approval: Event | None,
    expires: int,
    *,
    public: bool,
) -> tuple[Info, Info]:
    unseen = occasion.unseen and told.level > 0
    line = words.line_of(told, station, unseen=unseen)
    revised = occasion.event if occasion.event.kind is EventKind.REVISED else None
    correction = words.line_of(revised, station, unseen=False) if revised else None
    described = words.description(told, station, line, unseen=unseen, correction=correction)
    area = words.area_of(station, issuer.radius_km)
    instruction = _instruction(told, issuer, approval, public=public)
    until = words.expiry(expires) if told.level > 0 else ("", "")

    def info(language: str, side: str, until: str) -> Info:
        return Info(
            language=language,
            event=getattr(hazard.name, side),
            headline=words.short(getattr(line, side)),
            description=f"{getattr(described, side)} {until}".strip(),
            instruction=words.clean(getattr(instruction, side)) if instruction else "",
            sender_name=words.clean(getattr(issuer.sender_name, side)),
            area=getattr(area, side),
        )

    vi, en = LANGUAGES
    return info(vi, "vi", until[0]), info(en, "en", until[1])


def _instruction(told: Event, issuer: Issuer, approval: Event | None, *, public: bool) -> Text | None:
    """What people are told to do: the approved text, or to agencies alone what the settings propose."""
    if approval is not None and approval.approval is not None:
        return words.instruction(approval.approval)
    return None if public or told.level == 0 else issuer.proposals.get(told.severity)


def _parameters(occasion: Occasion, told: Event) -> list[tuple[str, str]]:
    """Figures for machines, with a point: of what is not known there is none."""
    margin = None if told.value is None or told.threshold is None else round(told.value - told.threshold, 4)
    observed_at = None if told.observed_at is None else stamp(told.observed_at)
    found: list[tuple[str, str | float | None]] = [
        ("value", told.value),
        ("unit", told.unit),
        ("threshold", told.threshold),
        ("level", told.level_name),
        ("margin", margin),
        ("observed", told.observed),
        ("observed_at", observed_at),
        ("trend_per_hour", told.rate_per_hour),
        ("verified", "true" if told.verified else "false"),
        ("sight", "lost" if occasion.unseen else "current"),
        ("station", told.station),
        ("rule", told.rule),
        ("event_id", occasion.event.event_id),
        ("seq", str(occasion.seq)),
    ]
    return [(name, words.clean(_written(value))) for name, value in found if value not in (None, "")]


def _written(value: str | float | None) -> str:
    return value if isinstance(value, str) else f"{value or 0.0:.10g}"
