"""The texts of a CAP message: headline, description and area in Vietnamese and English. Pure.

Promises that the two languages never read alike, that a headline has fewer than 140 characters and is not the
description, and that nothing in it looks like markup, whatever stations and people are called.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from alerts.headline import (
    ISSUED_IN_ERROR,
    Words,
    headline,
    local_time,
    number,
    unseen_headline,
)
from alerts.model import Approval, Event, EventKind
from ingest.catalog import Station
from ingest.config_model import Text

MOST = 139  # characters of a headline: receivers cut longer ones
# What XML cannot hold, and marks that turn a line around.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]")
_MARKUP = str.maketrans({"<": "‹", ">": "›"})
_ENTITY = re.compile(r"&(?=#?\w+;)")

NOT_REAL = {
    "Exercise": (
        "Đây là DIỄN TẬP, không phải tình huống thật.",
        "This is an EXERCISE; nothing of it is real.",
    ),
    "Test": ("Đây là THỬ NGHIỆM, xin bỏ qua.", "This is a TEST; please disregard it."),
}
AUTOMATIC: Words = (
    "Số liệu đo tự động, có thể được hiệu chỉnh.",
    "Measured automatically; figures may be corrected.",
)
UNVERIFIED: Words = ("Số đo chưa được kiểm chứng.", "The readings are not verified yet.")
UNSEEN: Words = (
    "Không nhận được số đo mới. Cảnh báo vẫn còn hiệu lực cho đến khi có số đo trở lại.",
    "No new readings arrive. The warning stands until there are readings again.",
)
FORETOLD: Words = (
    "Đây là ngoại suy tự động, không phải bản tin dự báo.",
    "This is automatic extrapolation and no bulletin.",
)
CANCELLED: Words = (
    "Các bản tin trước của cảnh báo này đã phát nhầm và không còn giá trị.",
    "The earlier messages of this warning were issued in error and are void.",
)
WITHDRAWN: Words = (
    "Cảnh báo kết thúc vì quy tắc cảnh báo đã thay đổi, không phải vì đã an toàn.",
    "The warning ends since its rule has changed, not because it is safe.",
)
ENDED: Words = ("Cảnh báo kết thúc.", "The warning ends.")


def clean(text: str) -> str:
    """A text in one line without anything that XML cannot hold or that reads as markup."""
    plain = _ENTITY.sub("+", _NOT_XML.sub("", text).translate(_MARKUP))
    return " ".join(plain.split())


def line_of(event: Event, station: Station, *, unseen: bool) -> Text:
    """The event in one line, without the names and words of people."""
    if unseen:
        return _clean(unseen_headline(event, station))
    if event.kind is EventKind.CANCELLED and event.by:
        event = replace(event, by="", comment="", reason=ISSUED_IN_ERROR)
    return _clean(headline(event, station))


def short(line: str) -> str:
    """A line cut to a headline: at its last commas first, at a character only where it has none left."""
    while len(line) > MOST and ", " in line:
        line = line.rpartition(", ")[0]
    return line if len(line) <= MOST else f"{line[: MOST - 1]}…"


def description(event: Event, station: Station, line: Text, *, unseen: bool, correction: Text | None) -> Text:
    """What is known, in whole sentences; begins with the whole line of the headline."""
    said: list[Words] = [(f"{line.vi}.", f"{line.en}.")]
    if correction is not None:
        said.append((f"{correction.vi}.", f"{correction.en}."))
    if event.level > 0:
        said += [_level(event), *([UNSEEN] if unseen else []), *([] if event.verified else [UNVERIFIED])]
    else:
        said.append(_end(event, station))
    if event.rule_kind == "time_to_level":
        said.append(FORETOLD)
    said += [AUTOMATIC, *([NOT_REAL[event.nature]] if event.nature in NOT_REAL else [])]
    return Text(vi=" ".join(vi for vi, _ in said), en=" ".join(en for _, en in said))


def area_of(station: Station, radius_km: float) -> Text:
    """What the message is about, as people would say it."""
    river, ward = station.river, station.ward
    vi = ", ".join([station.name.vi, *([river.vi] if river else []), *([ward.vi] if ward else [])])
    en = ", ".join([station.name.en, *([river.en] if river else []), *([ward.en] if ward else [])])
    if station.area and station.area.polygon:
        return _clean(Text(vi=f"Khu vực {vi}", en=f"Area of {en}"))
    around = number(radius_km, 0 if radius_km.is_integer() else 1)
    return _clean(Text(vi=f"Quanh trạm {vi}, {around[0]} km", en=f"Within {around[1]} km of {en}"))


def instruction(approval: Approval) -> Text:
    """The approved text. One that was written in Vietnamese alone says so in English."""
    vi, en = clean(approval.vi), clean(approval.en)
    return Text(vi=vi, en=en if en not in ("", vi) else f"In Vietnamese: {vi}")


def expiry(expires: int) -> Words:
    """How long it holds."""
    at = local_time(expires)
    return (
        f"Có hiệu lực đến {at}; nếu cảnh báo còn kéo dài, bản tin mới sẽ thay thế trước giờ đó.",
        f"In force until {at}; while the warning lasts, a new message replaces it before then.",
    )


def _level(event: Event) -> Words:
    if event.threshold is None or event.rule_kind == "time_to_level":
        return f"Mức cảnh báo: {event.level_name}.", f"Warning level: {event.level_name}."
    needed = (digits for digits in (0, 1) if round(event.threshold, digits) == round(event.threshold, 2))
    vi, en = number(event.threshold, 2 if event.unit == "m" else next(needed, 2))  # levels are said in cm
    unit = "" if event.unit == "1" else f" {event.unit}"
    return (
        f"Mức cảnh báo: {event.level_name} ({vi}{unit}).",
        f"Warning level: {event.level_name} ({en}{unit}).",
    )


def _end(event: Event, station: Station) -> Words:
    if event.kind is EventKind.CANCELLED:
        return CANCELLED if event.by else WITHDRAWN
    name = event.target.rpartition("/")[2]
    levels = next((each.levels for each in station.datastreams if each.name == name), ())
    lowest = next((level.name for level in levels if level.value == event.threshold), None)
    if lowest is None or event.rule_kind != "threshold" or event.direction != "above":
        return ENDED
    return f"Mực nước đã ở dưới {lowest}. {ENDED[0]}", f"The water is below {lowest} again. {ENDED[1]}"


def _clean(text: Text) -> Text:
    return Text(vi=clean(text.vi), en=clean(text.en))
