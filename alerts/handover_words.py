"""A handover's report in words, section by section, for a terminal or for paper. Pure.

Takes the report as `alerts.handover` makes it, so that nothing is on paper that the page does not have.
Called by the command line. Local time is UTC+7; Vietnamese numbers have a comma.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from alerts.headline import HEALTH, Words, local_time, number
from alerts.model import EventKind, Severity
from alerts.wire import Json, parse_stamp

DIGITS = 2  # of a level in metres
NONE: Words = ("không có", "none")
SEVERITIES: dict[str, Words] = {
    Severity.EXTREME: ("Cực kỳ nghiêm trọng", "Extreme"),
    Severity.SEVERE: ("Nghiêm trọng", "Severe"),
    Severity.MODERATE: ("Vừa", "Moderate"),
    Severity.MINOR: ("Nhẹ", "Minor"),
    Severity.UNKNOWN: ("Chưa rõ", "Unknown"),
}
KINDS: dict[str, Words] = {
    EventKind.RAISED: ("mở", "raised"),
    EventKind.ESCALATED: ("tăng cấp", "escalated"),
    EventKind.LOWERED: ("giảm cấp", "lowered"),
    EventKind.CLEARED: ("kết thúc", "cleared"),
    EventKind.CANCELLED: ("hủy", "cancelled"),
    EventKind.REMINDED: ("nhắc lại", "reminded"),
    EventKind.LATE: ("số liệu đến muộn", "learnt late"),
    EventKind.REVISED: ("đính chính", "revised"),
    EventKind.ACKNOWLEDGED: ("đã tiếp nhận", "acknowledged"),
    EventKind.ASSIGNED: ("đã phân công", "assigned"),
    EventKind.COMMENTED: ("ghi chú", "commented"),
    EventKind.SHELVED: ("tạm ẩn", "shelved"),
    EventKind.UNSHELVED: ("hết tạm ẩn", "no longer shelved"),
    EventKind.APPROVED: ("duyệt nội dung", "text approved"),
    EventKind.UNANSWERED: ("chưa ai tiếp nhận", "not answered in time"),
    EventKind.TESTED: ("tin thử hằng ngày", "daily test"),
}
PROPERTIES: dict[str, Words] = {
    "water_level": ("mực nước", "water level"),
    "rainfall": ("lượng mưa", "rainfall"),
    "reservoir_level": ("mực nước hồ", "reservoir level"),
    "inflow": ("lưu lượng về", "inflow"),
    "outflow": ("lưu lượng xả", "outflow"),
}
# Of a device's health a silent station says nothing more; it has a row only where nothing else is silent.
HEALTH_TOO = frozenset({*HEALTH, "gateways", "f_cnt"})


class Language(StrEnum):
    VI = "vi"
    EN = "en"

    def of(self, words: Words) -> str:
        return words[self is Language.EN]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its table; without rows there is nothing of the kind, which is said too."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Rows = Callable[[Any, "Language"], list[tuple[str, ...]]]  # of what the report has under a name


def heading(report: Json, language: Language) -> list[str]:
    """What it is, up to when, and how far could be seen."""
    made, since, seq = _at(report["made_at"]), _at(report["since"]), report["seq"]
    last, state = report["last"], report["as_of"]["state"]
    lines = [language.of((f"BÀN GIAO CA lúc {made} (UTC+7)", f"HANDOVER at {made} (UTC+7)"))]
    told = f"Từ {since}, đến sự kiện số {seq}.", f"Since {since}, up to event {seq}."
    lines.append(language.of(told))
    if last:
        by = (
            f"{last['incoming']} đã nhận ca từ {last['leaver']}",
            f"{last['incoming']} took over from {last['leaver']}",
        )
        lines.append(f"{language.of(by)}. {last['comment']}".strip())
    if state != "current":
        doubt = (
            f"HỆ THỐNG KHÔNG NHÌN THẤY ĐẦY ĐỦ ({state}): những gì dưới đây có thể thiếu.",
            f"THE FEED DOES NOT SEE EVERYTHING ({state}): what follows may be incomplete.",
        )
        lines.append(language.of(doubt))
    return lines


def sections(report: Json, language: Language) -> list[Section]:
    """All of the report, in the order in which somebody who takes over reads it."""
    return [
        Section(
            language.of(title),
            tuple(language.of(column) for column in columns),
            tuple(rows(report[name], language)),
        )
        for name, title, columns, rows in _SECTIONS
    ]


def _at(stamp: str | None) -> str:
    return "" if stamp is None else local_time(parse_stamp(stamp))


def _value(value: float, unit: str, language: Language) -> str:
    return f"{language.of(number(value, DIGITS))} {unit}"


def _place(each: Json, language: Language) -> str:
    river = each["river"]
    return f"{each['station_name'][language]}{f' ({river[language]})' if river else ''}"


def _level(level: Json | None) -> str:
    return str(level["name"]) if level else ""


def _open(found: list[Json], language: Language) -> list[tuple[str, ...]]:
    return [
        (
            each["alert_id"][:8],
            language.of(SEVERITIES[each["newest"]["severity"]]),
            each["newest"]["headline"][language],
            each["handling"]["assigned_to"] or language.of(("CHƯA AI", "NOBODY")),
            _acknowledged(each["handling"], language),
            "\n".join(f"{said['by']}: {said['comment']}" for said in each["comments"]),
        )
        for each in found
    ]


def _acknowledged(handling: Json, language: Language) -> str:
    known = handling["acknowledged"]
    if known is None:
        return language.of(("chưa tiếp nhận", "not acknowledged"))
    worse = language.of((", NẶNG HƠN", ", WORSE")) if known["worse"] else ""
    return f"{known['by']} {_at(known['at'])}{worse}"


def _shelved(found: list[Json], language: Language) -> list[tuple[str, ...]]:
    return [
        (each["alert_id"][:8], each["headline"][language], each["by"], _at(each["until"]), each["comment"])
        for each in found
    ]


def _windows(found: list[Json], language: Language) -> list[tuple[str, ...]]:
    return [(each["subject"], each["owner"], each["reason"], _at(each["ends"])) for each in found]


def _silences(found: list[Json], language: Language) -> list[tuple[str, ...]]:
    return [
        (
            " ".join(filter(None, (each["rule"], each["station"], each["severity"]))),
            each["owner"],
            each["reason"],
            _at(each["ends"]),
        )
        for each in found
    ]


def _silent(found: list[Json], language: Language) -> list[tuple[str, ...]]:
    return [
        (
            _place(station, language),
            language.of(PROPERTIES.get(each["property"], (each["property"],) * 2)),
            _at(each["since"]) or language.of(("chưa từng có", "never")),
            _value(each["newest"]["value"], each["unit"], language) if each["newest"] else "",
            _level(each["level"]),
        )
        for station in found
        for each in _worth_a_row(station["datastreams"])
    ]


def _worth_a_row(datastreams: list[Json]) -> list[Json]:
    return [each for each in datastreams if each["property"] not in HEALTH_TOO] or datastreams[:1]


def _highest(found: list[Json], language: Language) -> list[tuple[str, ...]]:
    return [
        (
            _place(each, language),
            _value(each["value"], each["unit"], language),
            _at(each["time"]),
            _level(each["level"]),
        )
        for each in found
    ]


def _forecasts(found: list[Json], language: Language) -> list[tuple[str, ...]]:
    return [
        (
            _place(each, language),
            f"{each['passes'] or ''} {_value(each['mark'], 'm', language)}".strip(),
            _at(each["at"]),
            f"{_at(each['earliest'])} - {_at(each['latest'])}",
            each["notice"][language],
        )
        for each in found
    ]


def _gaps(found: list[Json], language: Language) -> list[tuple[str, ...]]:
    return [
        (_at(each["started_at"]) or "?", _at(each["ended_at"]), ", ".join(each["topics"]), each["reason"])
        for each in found
    ]


def _refused(found: list[Json], language: Language) -> list[tuple[str, ...]]:
    return [
        (
            each["gateway"],
            str(each["refused"]),
            f"{each['peak']['refused']} ({_at(each['peak']['hour'])})",
            ", ".join(each["reasons"]),
        )
        for each in found
    ]


def _receivers(found: list[Json], language: Language) -> list[tuple[str, ...]]:
    return [(each["receiver"], str(each["attempts"]), str(each["behind"]), each["error"]) for each in found]


def _unanswered(found: list[Json], language: Language) -> list[tuple[str, ...]]:
    waits = language.of(("VẪN CHƯA", "STILL NOT"))
    over = language.of(("đã tiếp nhận hoặc đã hết", "answered or over"))
    return [
        (
            each["alert_id"][:8],
            each["headline"][language],
            "\n".join(f"{_at(step['at'])} → {', '.join(step['told_to'])}" for step in each["steps"]),
            waits if each["still"] else over,
        )
        for each in found
    ]


def _events(found: Json, language: Language) -> list[tuple[str, ...]]:
    return [(language.of(KINDS[kind]), str(count)) for kind, count in found.items()]


_ALERT = ("mã", "id"), ("cảnh báo", "alert")
_OWNED = ("ai", "owner"), ("lý do", "reason"), ("đến", "until")
_STATION = ("trạm", "station")
_OPEN_COLUMNS = (
    ("mã", "id"),
    ("mức", "severity"),
    ("cảnh báo", "alert"),
    ("phụ trách", "owner"),
    ("tiếp nhận", "acknowledged"),
    ("ghi chú trong ca", "comments of the shift"),
)
_SECTIONS: tuple[tuple[str, Words, tuple[Words, ...], Rows], ...] = (
    ("open", ("Cảnh báo đang mở", "Open alerts"), _OPEN_COLUMNS, _open),
    (
        "unanswered",
        ("Không ai tiếp nhận kịp", "Not answered in time"),
        (*_ALERT, ("đã chuyển", "went to"), ("nay", "now")),
        _unanswered,
    ),
    (
        "shelved",
        ("Đang tạm ẩn", "Shelved"),
        (*_ALERT, ("ai", "by"), ("đến", "until"), ("ghi chú", "comment")),
        _shelved,
    ),
    ("cancelled", ("Hủy vì phát nhầm", "Cancelled in error"), _OPEN_COLUMNS, _open),
    ("maintenance", ("Đang bảo trì", "Maintenance"), (("nơi", "where"), *_OWNED), _windows),
    ("silences", ("Đang tắt báo", "Silences"), (("gì", "what"), *_OWNED), _silences),
    (
        "silent",
        ("Trạm mất tín hiệu", "Silent stations"),
        (
            _STATION,
            ("đại lượng", "property"),
            ("từ", "since"),
            ("số liệu cuối", "last value"),
            ("mức", "level"),
        ),
        _silent,
    ),
    (
        "highest",
        ("Mực nước cao nhất trong ca", "Highest levels of the shift"),
        (_STATION, ("mực nước", "level"), ("lúc", "at"), ("báo động", "BĐ")),
        _highest,
    ),
    (
        "forecasts",
        ("Có thể vượt báo động", "Foretold to pass a level"),
        (
            _STATION,
            ("mức", "level"),
            ("khoảng", "about"),
            ("từ - đến", "from - to"),
            ("lưu ý", "note"),
        ),
        _forecasts,
    ),
    (
        "gaps",
        ("Khoảng trống số liệu", "Gaps"),
        (("từ", "from"), ("đến", "to"), ("chủ đề", "topics"), ("lý do", "reason")),
        _gaps,
    ),
    (
        "refused",
        ("Số liệu bị từ chối", "Refused"),
        (
            ("trạm thu", "gateway"),
            ("tổng", "total"),
            ("giờ nhiều nhất", "worst hour"),
            ("lý do", "reasons"),
        ),
        _refused,
    ),
    (
        "receivers",
        ("Nơi nhận không gửi tới được", "Receivers that fail"),
        (
            ("nơi nhận", "receiver"),
            ("lần thử", "attempts"),
            ("còn chờ", "behind"),
            ("lỗi", "error"),
        ),
        _receivers,
    ),
    (
        "events",
        ("Sự kiện trong ca", "Events of the shift"),
        (("loại", "kind"), ("số", "count")),
        _events,
    ),
)
