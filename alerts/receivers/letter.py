"""One notice as a plain-text message in Vietnamese and English. Pure; called by the receiver `email`.

The subject is the Vietnamese headline, which begins with DIỄN TẬP or THỬ NGHIỆM where it is not real. All
messages of one alert name the same message as their first, so that mail programs put them together. What
comes from outside, such as a station's name or a comment, stands on one line and never makes a header.
"""

from __future__ import annotations

import email.policy
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import urljoin

from alerts.handling import Story
from alerts.headline import LOCAL, Words, digest_headline, headline, local_time, number, span
from alerts.model import Event, EventKind, NumberedEvent
from alerts.receivers import Notice
from ingest.catalog import Catalogue, Station
from ingest.clock import MICROS_PER_SECOND, to_datetime
from ingest.config_model import Text

SUBJECT = 200  # characters; beyond that mail programs cut it themselves
LISTED = 50  # alerts of a digest: a screen or two
RULE = "-" * 40
FOOT: Words = (
    "Tin tự động của Huewatch, để người trực tham khảo; không phải bản tin của cơ quan khí tượng thủy văn.",
    "An automatic message of Huewatch for the operator on duty; not a bulletin of the met office.",
)


def letter(
    notice: Notice, catalogue: Catalogue, sender: str, recipients: Sequence[str], console: str | None
) -> EmailMessage:
    """The message of a notice, the same each time that it is sent."""
    event = notice.numbered.event
    domain = sender.rpartition("@")[2]
    message = EmailMessage(policy=email.policy.SMTP)
    subject = _subject(notice, catalogue)
    message["Subject"] = subject
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Date"] = format_datetime(to_datetime(notice.numbered.created_at).astimezone(LOCAL))
    message["Message-ID"] = f"<{event.event_id}@{domain}>"
    if event.kind is not EventKind.TESTED:
        message["In-Reply-To"] = message["References"] = f"<alert.{event.alert_id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice answers it
    message.set_content(_body(notice, catalogue, console), charset="utf-8", cte="base64")
    return message


def _subject(notice: Notice, catalogue: Catalogue) -> str:
    said = _headline(notice, catalogue).vi
    return said if len(said) <= SUBJECT else f"{said[: SUBJECT - 1]}…"


def _headline(notice: Notice, catalogue: Catalogue) -> Text:
    if notice.digest:
        said = digest_headline([(one.event, _station(catalogue, one.event)) for one in notice.digest])
    else:
        event = notice.numbered.event
        said = headline(event, _station(catalogue, event))
    return Text(vi=one_line(said.vi), en=one_line(said.en))


def one_line(text: str) -> str:
    """Foreign text with nothing in it that breaks a line or steers a terminal."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _body(notice: Notice, catalogue: Catalogue, console: str | None) -> str:
    event, said = notice.numbered.event, _headline(notice, catalogue)
    link = [] if console is None else [_link(event, console)]
    parts = []
    for side, line in enumerate((said.vi, said.en)):
        lines = [line, second_line(notice)[side], ""]
        if notice.digest:
            lines += [f"- {_listed(one, catalogue)[side]}" for one in notice.digest[:LISTED]]
        else:
            lines += [words[side] for words in _facts(event)]
        parts.append("\n".join([*lines, *link, "", FOOT[side]]))
    return f"\n\n{RULE}\n\n".join(parts) + "\n"


def _link(event: Event, console: str) -> str:
    page = "" if event.kind is EventKind.TESTED or event.station == "" else f"#/alert/{event.alert_id}"
    return urljoin(console, page)


def second_line(notice: Notice) -> Words:
    """Its age when it was told, its quality, and who has acknowledged it."""
    event, story = notice.numbered.event, notice.story
    said: list[Words] = [
        _age(notice.numbered),
        ("đã kiểm chứng", "verified") if event.verified else ("CHƯA KIỂM CHỨNG", "NOT VERIFIED"),
        _answered(story) if story is not None else ("", ""),
    ]
    if event.rule_kind == "self":
        said = said[:1]
    vi, en = (", ".join(words[side] for words in said if words[side]) for side in (0, 1))
    return vi, en


def _age(numbered: NumberedEvent) -> Words:
    event = numbered.event
    since = event.observed_at if event.observed_at is not None else event.event_time
    seconds = (event.detected_at - since) / MICROS_PER_SECOND
    at = local_time(event.detected_at)
    if seconds < 60:
        return f"lúc {at}", f"at {at}"
    long = span(seconds)
    return f"số liệu đã {long[0]} khi báo lúc {at}", f"data {long[1]} old when told at {at}"


def _answered(story: Story) -> Words:
    known, to = story.handling.acknowledged, one_line(story.handling.assigned_to)
    if known is None:
        who: Words = ("chưa ai tiếp nhận", "not acknowledged") if story.open else ("", "")
    else:
        name = one_line(known.by)
        who = f"{name} đã tiếp nhận", f"acknowledged by {name}"
    return (f"{who[0]}, giao cho {to}", f"{who[1]}, assigned to {to}") if to else who


def _facts(event: Event) -> list[Words]:
    """Value, level, margin and trend, one to a line; what is not known is left out."""
    facts: list[Words] = []
    if event.observed is not None and event.observed_at is not None:
        value, at = number(event.observed, 2), local_time(event.observed_at)
        unit = event.unit.removesuffix("/h")
        facts.append((f"Giá trị: {value[0]} {unit} lúc {at}", f"Value: {value[1]} {unit} at {at}"))
    if event.level_name:
        facts.append((f"Mức: {event.level_name}", f"Level: {event.level_name}"))
    if event.value is not None and event.threshold is not None:
        margin = number(event.value - event.threshold, 2)
        facts.append((f"So với ngưỡng: {margin[0]} {event.unit}", f"Margin: {margin[1]} {event.unit}"))
    if event.rate_per_hour is not None:
        in_cm = event.unit == "m"
        trend = number(event.rate_per_hour * (100 if in_cm else 1), 0 if in_cm else 2)
        unit = "cm" if in_cm else event.unit
        facts.append((f"Xu thế: {trend[0]} {unit}/giờ", f"Trend: {trend[1]} {unit}/h"))
    if event.comment:
        said = one_line(event.comment)
        facts.append((f"Ghi chú: {said}", f"Comment: {said}"))
    return facts


def _listed(numbered: NumberedEvent, catalogue: Catalogue) -> Words:
    said = headline(numbered.event, _station(catalogue, numbered.event))
    return one_line(said.vi), one_line(said.en)


def _station(catalogue: Catalogue, event: Event) -> Station | None:
    return next((station for station in catalogue.stations if station.id == event.station), None)
