"""Each complaint of a receiver, by a message that deserves it; and none of a good one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from alerts.cap import document
from alerts.cap.document import Element, children
from alerts.cap.lint import WARNINGS, Complaint, errors, lint
from tests.support.cap import Life, flood, kim_long

Break = Callable[[Element], None]


def good() -> Element:
    """An update with a polygon, as it would be read."""
    life = Life(station=kim_long(area=True))
    message = list(flood(life))[3]
    alert = document.build(message)
    for info in children(alert, "info"):
        area = children(info, "area")[0]
        circle = document.etree.Element(f"{{{document.NAMESPACE}}}circle")
        circle.text = "16.45,107.56 2"
        area.insert(2, circle)
        advice = document.etree.Element(f"{{{document.NAMESPACE}}}instruction")
        advice.text = f"Tránh xa bờ sông ({document.text(info, 'language')})."
        element(info, "description").addnext(advice)
    return document.read(document.written(alert))


def element(parent: Element, path: str) -> Element:
    for name in path.split("/"):
        parent = children(parent, name)[0]
    return parent


def put(path: str, value: str) -> Break:
    def change(alert: Element) -> None:
        element(alert, path).text = value

    return change


def leave_out(path: str) -> Break:
    def change(alert: Element) -> None:
        gone = element(alert, path)
        gone.getparent().remove(gone)

    return change


def both(path: str, value: str) -> Break:
    """The same in both languages."""

    def change(alert: Element) -> None:
        for info in children(alert, "info"):
            element(info, path).text = value

    return change


def no_info(alert: Element) -> None:
    for info in children(alert, "info"):
        alert.remove(info)


def as_in(path: str, other: str) -> Break:
    def change(alert: Element) -> None:
        element(alert, path).text = element(alert, other).text

    return change


def to_itself(alert: Element) -> None:
    names = ("sender", "identifier", "sent")
    element(alert, "references").text = ",".join(document.text(alert, name) for name in names)


def of_no_area(alert: Element) -> None:
    area = element(alert, "info/area")
    for shape in ("polygon", "circle", "geocode"):
        area.remove(children(area, shape)[0])


C = Complaint
POSTDATED = "ioc@example.vn,20991027.1,2099-10-27T07:00:00+07:00"
CROSSING = "16.44,107.54 16.47,107.58 16.44,107.58 16.47,107.54 16.44,107.54"
BROKEN: list[tuple[Complaint, Break]] = [
    (C.IDENTIFIER, put("identifier", "hue 1")),
    (C.IDENTIFIER, put("identifier", "hue,1")),
    (C.IDENTIFIER, put("identifier", "hue<1")),
    (C.IDENTIFIER, put("sender", "a&b")),
    (C.IDENTIFIER, put("sender", "")),
    (C.TIME_FORMAT, put("sent", "2025-10-27T15:00:00Z")),
    (C.TIME_FORMAT, put("sent", "2025-10-27T15:00:00.000+07:00")),
    (C.TIME_FORMAT, put("sent", "2025-13-27T15:00:00+07:00")),
    (C.TIME_FORMAT, put("info/expires", "27/10/2025 17:00")),
    (C.OFFSET, put("sent", "2025-10-27T08:00:00+00:00")),
    (C.OFFSET, put("info/expires", "2025-10-27T10:00:00-00:00")),
    (C.REFERENCE_FORMAT, put("references", "20251027T140000.000003.f01be39d")),
    (C.REFERENCE_FORMAT, put("references", "ioc@example.vn,1,2025-10-27T07:00:00Z")),
    (C.REFERENCE_FORMAT, put("references", "ioc@example.vn, 1, 2025-10-27T07:00:00+07:00")),
    (C.REFERENCE_TO_ITSELF, to_itself),
    (C.REFERENCE_POSTDATED, put("references", POSTDATED)),
    (C.REFERENCES_MISSING, leave_out("references")),
    (C.POLYGON, put("info/area/polygon", "16.44,107.54 16.44,107.58 16.44,107.54")),
    (C.POLYGON, put("info/area/polygon", "16.44,107.54 16.44,107.58 16.47,107.58 16.47,107.54")),
    (C.POLYGON, put("info/area/polygon", CROSSING)),
    (C.COORDINATES, put("info/area/polygon", "107.54,16.44 107.58,16.44 107.58,16.47 107.54,16.44")),
    (C.COORDINATES, put("info/area/polygon", "16.44 107.54 16.44 107.58")),
    (C.CIRCLE, put("info/area/circle", "16.45,107.56")),
    (C.CIRCLE, put("info/area/circle", "16.45,107.56 2 km")),
    (C.CIRCLE, put("info/area/circle", "16.45, 107.56 2")),
    (C.CIRCLE, put("info/area/circle", "107.56,16.45 2")),
    (C.ZERO_RADIUS, put("info/area/circle", "16.45,107.56 0")),
    (C.INFO_MISSING, no_info),
    (C.DESCRIPTION_MISSING, leave_out("info/description")),
    (C.WEB_MISSING, leave_out("info/web")),
    (C.EXPIRES_MISSING, leave_out("info/expires")),
    (C.AREA_MISSING, leave_out("info/area")),
    (C.AREA_MISSING, of_no_area),
    (C.SAME_TEXT, both("description", "Nước đang lên.")),
    (C.SAME_TEXT, both("event", "Flood")),
    (C.SAME_TEXT, both("headline", "DIỄN TẬP EXERCISE: 3,58 m")),
    (C.INFOS_DIFFER, put("info/category", "Geo")),
    (C.INFOS_DIFFER, put("info/severity", "Extreme")),
    (C.INFOS_DIFFER, put("info/eventCode/value", "other")),
    (C.HTML, put("info/description", "Nước <b>lên</b>")),
    (C.HTML, put("info/headline", "DIỄN TẬP: sông&nbsp;Hương")),
    (C.HTML, put("info/area/areaDesc", "<br/>")),
    (C.HEADLINE_LONG, put("info/headline", "DIỄN TẬP: " + "x" * 130)),
    (C.HEADLINE_IS_DESCRIPTION, as_in("info/description", "info/headline")),
    (C.INSTRUCTION_IS_DESCRIPTION, as_in("info/instruction", "info/description")),
    (C.UNKNOWN, both("severity", "Unknown")),
    (C.UNKNOWN, both("urgency", "Unknown")),
    (C.UNKNOWN, both("certainty", "Unknown")),
    (C.RESTRICTION, put("scope", "Public")),
    (C.RESTRICTION, leave_out("restriction")),
    (C.STATUS_TEST, put("status", "Test")),
    (C.EXPIRES_EARLY, put("info/expires", "2025-10-27T15:00:00+07:00")),
    (C.EXPIRES_EARLY, put("info/effective", "2025-10-27T17:00:01+07:00")),
    (C.EXERCISE_UNSAID, put("info/headline", "Kim Long: 3,58 m")),
]


def test_a_good_message_deserves_none() -> None:
    assert lint(good()) == []


@pytest.mark.parametrize(("complaint", "change"), BROKEN)
def test_each_fault_is_complained_of_by_its_name(complaint: Complaint, change: Break) -> None:
    alert = good()
    change(alert)
    assert {fault.complaint for fault in lint(alert)} == {complaint}


def test_every_complaint_has_a_message_that_deserves_it() -> None:
    assert {complaint for complaint, _ in BROKEN} == set(Complaint)


def test_a_warning_is_no_reason_not_to_send() -> None:
    alert = good()
    put("status", "Test")(alert)
    assert [fault.complaint for fault in lint(alert)] == [C.STATUS_TEST]
    assert errors(alert) == []
    assert set(WARNINGS) == {C.STATUS_TEST, C.ZERO_RADIUS}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no xml",
        b"<alert/>",
        b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.1"/>',
        b'<!DOCTYPE alert [<!ENTITY x "y">]><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">&x;</alert>',
        b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">' + b" " * 1_000_000 + b"</alert>",
    ],
)
def test_what_is_no_message_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(document.NotCap):
        document.read(data)


def test_an_empty_alert_is_complained_of_and_breaks_nothing() -> None:
    found = lint(document.read(b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"/>'))
    assert {C.IDENTIFIER, C.TIME_FORMAT, C.INFO_MISSING} <= {fault.complaint for fault in found}
