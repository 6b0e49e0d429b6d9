"""One line for people from one told event, in Vietnamese and English. Pure; called by the feed.

Local time is UTC+7 (Việt Nam has no daylight saving time). The station gives its name, its river and the
names of its levels; the event says everything else. What was seen long before it was decided says so, and
whatever is not real begins with "DIỄN TẬP" or "THỬ NGHIỆM". Margins are computed, never copied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta, timezone

from msgspec.structs import replace

from alerts.forecast.model import MODEL, NOTICE, VERSION
from alerts.model import NEVER_HEARD, RECEIVER, SIGHT, WATCH, Event, EventKind
from alerts.rules.silence import GATEWAY
from ingest.catalog import Datastream, Station, is_height
from ingest.clock import to_datetime
from ingest.config_model import Text

LOCAL = timezone(timedelta(hours=7))
OLD = 10 * 60 * 1_000_000  # microseconds from event to decision; beyond it the line says when it was received
MOST_NAMED = 20  # of a digest in a line that is read aloud in a minute
ISSUED_IN_ERROR = "issued in error"  # why people cancelled, where their names and words are not told
STEADY = 0.005  # a slope below this (per hour, in the series' unit) is neither rising nor falling

Words = tuple[str, str]  # Vietnamese, English
NOTHING: Words = ("", "")
HELD: Words = ("còn giữ", "still held at")  # before a level whose limit the value has left, by hysteresis

PREFIX = {
    "Actual": NOTHING,
    "Exercise": ("DIỄN TẬP: ", "EXERCISE: "),
    "Test": ("THỬ NGHIỆM: ", "TEST: "),
}
RISES = (EventKind.RAISED, EventKind.ESCALATED)

# Units that are not said as they are written.
UNIT_WORDS: dict[str, Words] = {"1": NOTHING, "d": ("ngày", "days"), "m3/s": ("m³/s", "m³/s")}
# What is said before a value of a device's health. Its limits are told as numbers, not by their names.
HEALTH: dict[str, Words] = {
    "battery": ("pin", "battery"),
    "battery_voltage": ("pin", "battery"),
    "battery_days_left": ("pin còn khoảng", "battery lasts about"),
    "frame_loss": ("mất gói tin", "frames lost"),
    "rssi": ("RSSI", "RSSI"),
    "snr": ("SNR", "SNR"),
}
# What is said before values that are no height of water; their limits too are told as numbers.
MEASURES: dict[str, Words] = {
    "outflow_step": ("xả thêm trong 1 giờ", "outflow up within 1 h by"),
    "turbidity": ("độ đục", "turbidity"),
    "ph": ("pH", "pH"),
    "dissolved_oxygen": ("oxy hòa tan", "dissolved oxygen"),
    "conductivity": ("độ dẫn điện", "conductivity"),
    "free_chlorine": ("clo dư", "free chlorine"),
}
NAMED = HEALTH | MEASURES
RAIN: dict[str, Words] = {
    "rain_1h": ("mưa 1 giờ", "rain in 1 h"),
    "rain_3h": ("mưa 3 giờ", "rain in 3 h"),
    "rain_6h": ("mưa 6 giờ", "rain in 6 h"),
    "rain_24h": ("mưa 24 giờ", "rain in 24 h"),
}
# Properties that are so or not so: what is said while an alert stands, and at its end.
STATES: dict[str, tuple[Words, Words]] = {
    "tilt": (
        ("CẢM BIẾN BỊ NGHIÊNG, đừng tin số đo", "SENSOR TILTED, do not trust its values"),
        ("cảm biến đã ngay lại", "sensor upright again"),
    ),
    "gateways_6h": (
        ("CHỈ CÒN MỘT trạm thu LoRaWAN nghe được, trong 6 giờ", "ONLY ONE LoRaWAN gateway hears it, for 6 h"),
        ("lại có nhiều trạm thu LoRaWAN nghe được", "heard by several LoRaWAN gateways again"),
    ),
}

# Whether somebody is at a console, by the reason of the alert about it.
WATCHING: dict[str, Words] = {
    "no console is open": (
        "KHÔNG AI TRỰC: không có màn hình nào mở, trong khi có cảnh báo",
        "NOBODY WATCHES: no console is open while there are alerts",
    ),
    "nobody is active": (
        "KHÔNG AI TRỰC: màn hình mở nhưng đã lâu không ai thao tác, trong khi có cảnh báo",
        "NOBODY WATCHES: a console is open, untouched for long, while there are alerts",
    ),
    "somebody is active": ("đã có người trực", "somebody watches again"),
    "nothing is open any more": ("không còn cảnh báo nào để trực", "there is nothing to watch any more"),
}


def headline(event: Event, station: Station | None = None) -> Text:
    """The event in one line; without a station (an alert about ourselves, one left behind) by its target."""
    place = _Place(event, station)
    parts = [*_SAY_OF_KIND.get(event.kind, _condition)(event, place), _received(event), _doubt(event)]
    said = [part for part in parts if part != NOTHING]
    prefix = PREFIX[event.nature]
    vi, en = (
        f"{prefix[side]}{place.words[side]}: {', '.join(part[side] for part in said)}" for side in (0, 1)
    )
    return Text(vi=vi, en=en)


def unseen_headline(event: Event, station: Station | None = None) -> Text:
    """An open alert of which nothing new is known: what was seen last, and that it stands."""
    place, last = _Place(event, station), NOTHING
    if event.observed is not None:
        what = ("mực nước cuối", "last level") if place.is_level else ("số liệu cuối", "last value")
        last = _after(what, _observed(event, place))
    stands = f"chưa hết {event.level_name}", f"{event.level_name} not ended"
    said = [part for part in (("MẤT TÍN HIỆU", "NO DATA"), last, stands) if part != NOTHING]
    prefix = PREFIX[event.nature]
    vi, en = (f"{prefix[at]}{place.words[at]}: {', '.join(part[at] for part in said)}" for at in (0, 1))
    return Text(vi=vi, en=en)


def digest_headline(openings: Sequence[tuple[Event, Station | None]]) -> Text:
    """Many openings, or what many reminders tell of, in one line: how many, and some of them by name."""
    named = [_named_opening(event, station) for event, station in openings[:MOST_NAMED]]
    prefix = PREFIX[openings[0][0].nature]
    count, more = len(openings), len(openings) - len(named)
    rest = (f" và {more} cảnh báo khác", f" and {more} more") if more else NOTHING
    again = openings[0][0].kind is EventKind.REMINDED
    said = (
        (f"NHẮC LẠI {count} cảnh báo", f"{count} alerts STILL")
        if again
        else (f"{count} cảnh báo cùng lúc", f"{count} alerts at once")
    )
    return Text(
        vi=f"{prefix[0]}{said[0]}: {', '.join(vi for vi, _ in named)}{rest[0]}",
        en=f"{prefix[1]}{said[1]}: {', '.join(en for _, en in named)}{rest[1]}",
    )


def number(value: float, digits: int) -> Words:
    """A number with a decimal comma in Vietnamese and a point in English; never "-0"."""
    text = f"{round(value, digits) + 0.0:.{digits}f}"
    return text.replace(".", ","), text


def local_time(micros: int, beside: int | None = None) -> str:
    """Local time as "07:00 27/10", or "07:00" where it is on the same local day as `beside`."""
    local = to_datetime(micros).astimezone(LOCAL)
    same_day = beside is not None and to_datetime(beside).astimezone(LOCAL).date() == local.date()
    return f"{local:%H:%M}" if same_day else f"{local:%H:%M %d/%m}"


def span(seconds: float) -> Words:
    """A duration in hours and minutes."""
    hours, minutes = divmod(round(seconds / 60), 60)
    vi = (f"{hours} giờ" if hours else "", f"{minutes} phút" if minutes or not hours else "")
    en = (f"{hours} h" if hours else "", f"{minutes} min" if minutes or not hours else "")
    return " ".join(filter(None, vi)), " ".join(filter(None, en))


class _Place:
    """What the catalogue knows of an event's target."""

    def __init__(self, event: Event, station: Station | None) -> None:
        datastreams = station.datastreams if station else ()
        name = event.target.rpartition("/")[2]
        self.datastream: Datastream | None = next((d for d in datastreams if d.name == name), None)
        measured = {each.name: each.property for each in datastreams}
        derived = {each.name: each.property for each in station.derived} if station else {}
        self.property = (measured | derived).get(name, "")
        self.unit = self.datastream.unit if self.datastream else event.unit.removesuffix("/h")
        self.words: Words = (event.target, event.target)
        if event.target.startswith(GATEWAY):
            gateway = event.target.removeprefix(GATEWAY)
            self.words = f"Trạm thu {gateway}", f"Gateway {gateway}"
        elif event.target.startswith("@"):
            self.words = "Huewatch", "Huewatch"
        elif station is not None:
            river = station.river or Text(vi="", en="")
            self.words = _named(station.name.vi, river.vi), _named(station.name.en, river.en)

    @property
    def is_level(self) -> bool:
        """Whether it is a height of water."""
        return self.datastream is not None and is_height(self.datastream)

    def level(self, rank: int) -> Words:
        """The name of a level of the catalogue, or its rank in words."""
        levels = self.datastream.levels if self.datastream else ()
        name = next((level.name for level in levels if level.rank == rank), None)
        return (name, name) if name else (f"cấp {rank}", f"level {rank}")

    def knows(self, rank: int) -> bool:
        """Whether the catalogue has a level of that rank."""
        return any(level.rank == rank for level in (self.datastream.levels if self.datastream else ()))

    def lowest(self, threshold: float | None) -> Words:
        """The name of the level at a threshold."""
        levels = self.datastream.levels if self.datastream else ()
        name = next((level.name for level in levels if level.value == threshold), None)
        return (name, name) if name else ("mức cảnh báo", "the alert level")


def _named(name: str, river: str) -> str:
    return f"{name} ({river})" if river else name


def _threshold(event: Event, place: _Place) -> list[Words]:
    if place.property in STATES:
        return [STATES[place.property][event.level == 0]]
    if place.property in NAMED:
        return _number(event, place)
    if event.kind in RISES:
        return [_observed(event, place), _beyond(event), _trend(event, place)]
    if event.kind is EventKind.LOWERED and not place.knows(event.previous_level):
        return [_observed(event, place), ("ĐANG XUỐNG", "GOING DOWN"), _beyond(event), _trend(event, place)]
    left = (
        place.level(event.previous_level)
        if event.kind is EventKind.LOWERED
        else place.lowest(event.threshold)
    )
    down = f"XUỐNG DƯỚI {left[0]}", f"DOWN BELOW {left[1]}"
    back = f"LÊN LẠI TRÊN {left[0]}", f"BACK ABOVE {left[1]}"
    still = _beyond(event) if event.kind is EventKind.LOWERED else NOTHING
    gone = down if event.direction == "above" else back
    return [_observed(event, place), gone, still, _trend(event, place)]


def _number(event: Event, place: _Place) -> list[Words]:
    """ "pin 18 % lúc 07:00 27/10, DƯỚI 20 %"; an end says only the value."""
    said, limit = _observed(event, place), _quantity(event.threshold, place.unit)
    said = said if said == NOTHING else _after(NAMED[place.property], said)
    if event.level == 0:
        return [("bình thường trở lại", "back to normal"), said]
    if event.observed is not None and event.observed == event.threshold:
        return [said, (f"Ở MỨC {limit[0]}", f"AT {limit[1]}")]
    side = ("TRÊN", "ABOVE") if event.direction == "above" else ("DƯỚI", "BELOW")
    return [said, _after(HELD if _falls_short(event, event.observed) else side, limit)]


def _falls_short(event: Event, value: float | None) -> bool:
    """Whether a value has left the limit on whose other side its alert stands."""
    if value is None or event.threshold is None:
        return False
    return value < event.threshold if event.direction == "above" else value > event.threshold


def _after(first: Words, second: Words) -> Words:
    return f"{first[0]} {second[0]}", f"{first[1]} {second[1]}"


def _quantity(value: float | None, unit: str) -> Words:
    """A number of health with its unit, to a tenth where that says anything."""
    if value is None:
        return NOTHING
    digits = next((few for few in (0, 1) if round(value, few) == round(value, 2)), 2)
    vi, en = number(value, digits if unit == "V" else min(digits, 1))
    word = UNIT_WORDS.get(unit, (unit, unit))
    return f"{vi} {word[0]}".strip(), f"{en} {word[1]}".strip()


def _rate(event: Event, place: _Place) -> list[Words]:
    if event.kind is EventKind.CLEARED or event.value is None:
        return [("không còn lên nhanh", "no longer rising fast"), _observed(event, place)]
    speed = _per_hour(event.value, place.unit)
    slower = event.kind is EventKind.LOWERED
    vi, en = ("lên chậm lại, còn", "rising more slowly,") if slower else ("ĐANG LÊN", "RISING")
    name = event.level_name
    return [(f"{vi} {speed[0]} ({name})", f"{en} {speed[1]} ({name})"), _observed(event, place)]


def _accumulation(event: Event, place: _Place) -> list[Words]:
    """ "mưa 3 giờ 112 mm lúc 07:00 27/10, TRÊN 100 mm (Mưa rất to)", or "ít nhất": not all is known."""
    window = RAIN.get(place.property) or _rain_day(event)
    least = NOTHING if event.verified else ("ít nhất", "at least")
    amount, limit = (_quantity(value, place.unit) for value in (event.value, event.threshold))
    at = local_time(event.event_time)
    vi, en = (" ".join(part for part in (window[side], least[side], amount[side]) if part) for side in (0, 1))
    fell = f"{vi} lúc {at}", f"{en} at {at}"
    if event.level == 0:
        return [("mưa đã ngớt", "the rain has eased"), fell]
    side = HELD if _falls_short(event, event.value) else ("TRÊN", "ABOVE")
    return [fell, _after(side, (f"{limit[0]} ({event.level_name})", f"{limit[1]} ({event.level_name})"))]


def _rain_day(event: Event) -> Words:
    """Both ends of the rain day that an event belongs to: 19:00 to 19:00 of the next day."""
    end = to_datetime(event.event_time).astimezone(LOCAL)
    end = end.replace(hour=19, minute=0, second=0, microsecond=0) + timedelta(days=end.hour >= 19)
    begin = end - timedelta(days=1)
    days = f"19:00 {begin:%d/%m} - 19:00 {end:%d/%m}"
    return f"mưa ngày {days}", f"rain of the day {days}"


def _index(event: Event, place: _Place) -> list[Words]:
    value, limit = (_quantity(one, "1") for one in (event.value, event.threshold))
    said = _after(("VN_AQI", "VN_AQI"), value)
    at = local_time(event.event_time)
    now = f"{said[0]} lúc {at}", f"{said[1]} at {at}"
    if event.level == 0:
        return [("không khí đã tốt hơn", "the air is better again"), now]
    name = event.level_name.upper()
    band = f"mức {name} (từ {limit[0]})", f"band {name} (from {limit[1]})"
    return [now, _after(HELD, band) if _falls_short(event, event.value) else band]


def _saturation(event: Event, place: _Place) -> list[Words]:
    if event.level == 0:
        return [("cảm biến hết ngập", "sensor out of the water"), _observed(event, place)]
    least = _after(("mực nước ÍT NHẤT", "level AT LEAST"), _observed(event, place))
    return [("CẢM BIẾN NGẬP NƯỚC", "SENSOR UNDER WATER"), least, ("có thể cao hơn", "it may be higher")]


def _flat_line(event: Event, place: _Place) -> list[Words]:
    if event.level == 0:
        return [("số đo đã thay đổi trở lại", "its values move again"), _observed(event, place)]
    long = span((event.value or 0.0) * 3_600)
    still = f"SỐ ĐO ĐỨNG YÊN đã {long[0]}", f"VALUE UNCHANGED for {long[1]}"
    return [still, _observed(event, place), ("cần kiểm tra cảm biến", "check the sensor")]


def _time_to_level(event: Event, place: _Place) -> list[Words]:
    """ "CÓ THỂ VƯỢT BĐ III ≤ 3 h (p ≥ 80 %), 3,12 m lúc 07:00 27/10, ...", and what it is."""
    notice = f"{NOTICE[0]} ({MODEL} {VERSION})", f"{NOTICE[1]} ({MODEL} {VERSION})"
    seen = [_observed(event, place), _trend(event, place), notice]
    name = event.level_name
    if event.kind in RISES:
        return [(f"CÓ THỂ VƯỢT {name}", f"MAY PASS {name}"), *seen]
    vi, en = place.level(event.previous_level)
    return [(f"không còn dự kiến vượt {vi}", f"no longer foretold to pass {en}"), *seen]


def _silence(event: Event, place: _Place) -> list[Words]:
    long = span(event.value or 0.0)
    if event.kind is EventKind.CLEARED:
        back = local_time(event.event_time)
        return [(f"có tín hiệu lại lúc {back} sau {long[0]}", f"heard again at {back} after {long[1]}")]
    if event.reason == NEVER_HEARD:
        due = local_time(event.event_time)
        return [(f"CHƯA TỪNG CÓ TÍN HIỆU, phải có từ {due}", f"NEVER HEARD OF, due since {due}")]
    last = _observed(event, place)
    if event.target.startswith(GATEWAY):
        last = NOTHING
    silent = f"MẤT TÍN HIỆU đã {long[0]}", f"NO DATA for {long[1]}"
    behind = (f"gồm {event.reason}", f"with {event.reason}") if event.target.startswith(GATEWAY) else NOTHING
    newest = (f"số liệu cuối {last[0]}", f"last value {last[1]}") if last != NOTHING else NOTHING
    return [silent, behind, newest]


def _compound(event: Event, place: _Place) -> list[Words]:
    name = event.level_name or "hết", event.level_name or "over"
    return [(f"{name[0]} ({event.reason})", f"{name[1]} ({event.reason})")]


def _ourselves(event: Event, place: _Place) -> list[Words]:
    if event.target == SIGHT:
        if event.level == 0:
            return [("ĐÃ NHÌN THẤY LẠI", "SEES AGAIN")]
        return [("KHÔNG NHÌN THẤY: không số đo nào tới được", "BLIND: no reading can reach us")]
    if event.target.startswith(RECEIVER):
        return _receiver(event)
    if event.target == WATCH:
        return [WATCHING.get(event.reason, ("KHÔNG AI TRỰC", "NOBODY WATCHES"))]
    return [("QUY TẮC BỊ LỖI, không dựa vào quy tắc này", "THE RULE FAILS, do not rely on it")]


def _receiver(event: Event) -> list[Words]:
    name = event.target.removeprefix(RECEIVER)
    if event.level == 0:
        return [(f"lại gửi được tới nơi nhận {name}", f"the receiver {name} is reached again")]
    said = f"NƠI NHẬN {name} KHÔNG CHẮC NHẬN ĐƯỢC TIN", f"THE RECEIVER {name} MAY NOT BE REACHED"
    why = _one_line(event.reason)
    return [said, (why, why)]


def _tested(event: Event, place: _Place) -> list[Words]:
    return [("tin thử hằng ngày, không có gì xảy ra", "daily test message, nothing has happened")]


def _condition(event: Event, place: _Place) -> list[Words]:
    return _SAY.get(event.rule_kind, _threshold)(event, place)


def _named_opening(event: Event, station: Station | None) -> Words:
    """ "Kim Long BĐ I"."""
    name = (station.name.vi, station.name.en) if station else (event.target, event.target)
    return f"{name[0]} {event.level_name}".strip(), f"{name[1]} {event.level_name}".strip()


def _still(event: Event, place: _Place) -> list[Words]:
    """A reminder tells the state as an opening does; one of an alert that is over says that it is."""
    reasons = {
        "maintenance ended": ("bảo trì xong", "maintenance ended"),
        "stable again": ("hết dao động", "stable again"),
        "silence ended": ("hết giờ tắt báo", "silence ended"),
    }
    why = reasons.get(event.reason, ("NHẮC LẠI", "STILL"))
    if event.level == 0:
        return [why, ("không còn cảnh báo", "no alert any more"), _observed(event, place)]
    return [why, *_condition(replace(event, kind=EventKind.RAISED), place)]


def _late(event: Event, place: _Place) -> list[Words]:
    over = "SỐ LIỆU ĐẾN MUỘN, đã qua rồi", "LEARNT LATE, over already"
    return [over, *_condition(replace(event, kind=EventKind.RAISED), place)]


def _revised(event: Event, place: _Place) -> list[Words]:
    return [(f"ĐÍNH CHÍNH: {event.reason}", f"REVISED: {event.reason}"), _observed(event, place)]


def _acknowledged(event: Event, place: _Place) -> list[Words]:
    name = event.level_name
    said = f"{event.by} đã tiếp nhận {name}".rstrip(), f"{name} acknowledged by {event.by}".lstrip()
    return [said, _own_words(event)]


def _assigned(event: Event, place: _Place) -> list[Words]:
    who, to = event.by, event.assigned_to
    if not to:
        return [(f"{who} nhận bàn giao ca, chưa ai phụ trách", f"handed over to {who}, nobody's now")]
    return [(f"{who} giao cho {to}", f"assigned to {to} by {who}"), _own_words(event)]


def _commented(event: Event, place: _Place) -> list[Words]:
    return [(f"{event.by} ghi chú", f"{event.by} notes"), _own_words(event)]


def _shelved(event: Event, place: _Place) -> list[Words]:
    until = local_time(event.until or event.event_time, event.event_time)
    said = f"{event.by} tạm ẩn đến {until}", f"shelved by {event.by} until {until}"
    return [said, _own_words(event)]


def _unshelved(event: Event, place: _Place) -> list[Words]:
    by = (f" ({event.by})",) * 2 if event.by else NOTHING
    said = f"hết tạm ẩn{by[0]}", f"no longer shelved{by[1]}"
    return [said, *(_condition(replace(event, kind=EventKind.RAISED), place) if event.level else ())]


def _approved(event: Event, place: _Place) -> list[Words]:
    text = event.approval
    if text is None:
        return [(f"{event.by} đã duyệt", f"approved by {event.by}")]
    response = "/".join(text.response)
    said = f"{event.by} đã duyệt nội dung {response}", f"text {response} approved by {event.by}"
    return [said, (" ".join(text.vi.split()), " ".join(text.en.split()))]


def _unanswered(event: Event, place: _Place) -> list[Words]:
    to = ", ".join(event.told_to)
    on = ("chuyển đến tất cả", "goes to everybody") if to == "*" else (f"chuyển đến {to}", f"goes to {to}")
    condition = _condition(replace(event, kind=EventKind.RAISED), place)
    return [("CHƯA AI TIẾP NHẬN", "NOBODY HAS ACKNOWLEDGED"), on, *condition]


def _own_words(event: Event) -> Words:
    """A comment on one line."""
    words = _one_line(event.comment)
    return words, words


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cancelled(event: Event, place: _Place) -> list[Words]:
    if event.by:
        said = f"HỦY cảnh báo vì phát nhầm ({event.by})", f"alert CANCELLED as issued in error by {event.by}"
        return [said, _own_words(event)]
    why = {
        "rule changed": "quy tắc đã thay đổi",
        "rule removed": "quy tắc đã bỏ",
        ISSUED_IN_ERROR: "phát nhầm",
    }
    return [(f"HỦY cảnh báo: {why.get(event.reason, event.reason)}", f"alert CANCELLED: {event.reason}")]


_SAY_OF_KIND: dict[EventKind, Callable[[Event, _Place], list[Words]]] = {
    EventKind.CANCELLED: _cancelled,
    EventKind.REMINDED: _still,
    EventKind.LATE: _late,
    EventKind.REVISED: _revised,
    EventKind.ACKNOWLEDGED: _acknowledged,
    EventKind.ASSIGNED: _assigned,
    EventKind.COMMENTED: _commented,
    EventKind.SHELVED: _shelved,
    EventKind.UNSHELVED: _unshelved,
    EventKind.APPROVED: _approved,
    EventKind.UNANSWERED: _unanswered,
    EventKind.TESTED: _tested,
}
_SAY: dict[str, Callable[[Event, _Place], list[Words]]] = {
    "threshold": _threshold,
    "rate": _rate,
    "accumulation": _accumulation,
    "index": _index,
    "saturation": _saturation,
    "flat_line": _flat_line,
    "silence": _silence,
    "compound": _compound,
    "time_to_level": _time_to_level,
    "self": _ourselves,
}


def _observed(event: Event, place: _Place) -> Words:
    """ "3,58 m lúc 07:00 27/10"."""
    if event.observed is None or event.observed_at is None:
        return NOTHING
    at = local_time(event.observed_at)
    if place.property in NAMED:
        value = _quantity(event.observed, place.unit)
    else:
        vi, en = number(event.observed, 2)
        value = f"{vi} {place.unit}", f"{en} {place.unit}"
    return f"{value[0]} lúc {at}", f"{value[1]} at {at}"


def _beyond(event: Event) -> Words:
    """ "TRÊN BĐ III 0,08 m", or since when where it is old news; "DƯỚI" where low values raise."""
    above = event.direction == "above"
    (vi, en), name = ("TRÊN", "ABOVE") if above else ("DƯỚI", "BELOW"), event.level_name
    if _is_old(event):
        since = local_time(event.event_time, event.observed_at)
        return f"{vi} {name} từ {since}", f"{en} {name} since {since}"
    if event.threshold is None or event.observed is None:
        return f"{vi} {name}", f"{en} {name}"
    margin = (round(event.observed, 2) - event.threshold) * (1 if above else -1)
    if margin < 0:  # held by hysteresis
        return _after(HELD, (name, name))
    by = number(margin, 2)
    return f"{vi} {name} {by[0]} {event.unit}", f"{en} {name} by {by[1]} {event.unit}"


def _trend(event: Event, place: _Place) -> Words:
    rate = event.rate_per_hour
    if rate is None or abs(rate) < STEADY:
        return NOTHING
    speed = _per_hour(abs(rate), place.unit)
    return (
        (f"đang lên {speed[0]}", f"rising {speed[1]}")
        if rate > 0
        else (
            f"đang xuống {speed[0]}",
            f"falling {speed[1]}",
        )
    )


def _per_hour(rate: float, unit: str) -> Words:
    """A rate as people say it: levels in cm an hour, all else in its own unit."""
    value = number(rate * 100, 0) if unit == "m" else number(rate, 2)
    said = "cm" if unit == "m" else unit
    return f"{value[0]} {said}/giờ", f"{value[1]} {said}/h"


def _is_old(event: Event) -> bool:
    return event.detected_at - event.event_time > OLD


def _received(event: Event) -> Words:
    if event.rule_kind in ("silence", "self") or not _is_old(event):
        return NOTHING
    at = local_time(event.detected_at, event.event_time)
    return f"nhận lúc {at}", f"received at {at}"


def _doubt(event: Event) -> Words:
    return NOTHING if event.verified else ("chưa kiểm chứng", "not verified")
