"""CAP 1.2 as XML: our messages written in the order of the schema, anybody's read without following anything.

Promises UTF-8 with a declaration, and that reading neither expands entities nor fetches anything; a document
type is refused. Pure.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from lxml import etree

from alerts.cap.message import Info, Message, stamp

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
EVENT_CODE = "huewatch:hazard"  # valueName of `eventCode`
MEDIA_TYPE = "application/cap+xml"
MOST_BYTES = 1_000_000  # of a message that we read; ours have 5 to 20 kB

Element: TypeAlias = etree._Element


class NotCap(ValueError):
    """It is no CAP 1.2 message at all; the text says why."""


def build(message: Message) -> Element:
    """The `<alert>` of a message, unsigned."""
    alert = etree.Element(_tag("alert"), nsmap={None: NAMESPACE})
    _add(alert, "identifier", message.identifier)
    _add(alert, "sender", message.sender)
    _add(alert, "sent", stamp(message.sent))
    _add(alert, "status", message.status)
    _add(alert, "msgType", message.kind)
    _add(alert, "scope", message.scope)
    _add(alert, "restriction", message.restriction)
    _add(alert, "references", " ".join(message.references))
    _add(alert, "incidents", message.incident)
    for info in message.infos:
        _info(alert, message, info)
    return alert


def _info(alert: Element, message: Message, said: Info) -> None:
    info, assessed = etree.SubElement(alert, _tag("info")), message.assessment
    _add(info, "language", said.language)
    for category in message.hazard.categories:
        _add(info, "category", category.value)
    _add(info, "event", said.event)
    for response in assessed.response:
        _add(info, "responseType", response.value)
    _add(info, "urgency", assessed.urgency.value)
    _add(info, "severity", assessed.severity.value)
    _add(info, "certainty", assessed.certainty.value)
    _pair(info, "eventCode", EVENT_CODE, message.hazard.code)
    _add(info, "effective", stamp(message.sent))
    _add(info, "expires", stamp(message.expires))
    _add(info, "senderName", said.sender_name)
    _add(info, "headline", said.headline)
    _add(info, "description", said.description)
    _add(info, "instruction", said.instruction)
    _add(info, "web", message.web)
    _add(info, "contact", message.contact)
    for name, value in message.parameters:
        _pair(info, "parameter", name, value)
    _area(info, message, said)


def _area(info: Element, message: Message, said: Info) -> None:
    area = etree.SubElement(info, _tag("area"))
    _add(area, "areaDesc", said.area)
    _add(area, "polygon", " ".join(f"{lat:.6g},{lon:.7g}" for lat, lon in message.polygon))
    if message.circle is not None:
        lat, lon, radius = message.circle
        _add(area, "circle", f"{lat:.6g},{lon:.7g} {radius:g}")
    for name, code in message.geocodes:
        _pair(area, "geocode", name, code)


def written(alert: Element) -> bytes:
    """The bytes of a message; of a signed one nothing may be changed any more."""
    found: bytes = etree.tostring(alert, xml_declaration=True, encoding="UTF-8")
    return found


def laid_out(alert: Element) -> Element:
    """With line breaks, for people; before it is signed, since these are signed too."""
    etree.indent(alert)
    return alert


def read(data: bytes) -> Element:
    """The `<alert>` of these bytes, or `NotCap`."""
    if len(data) > MOST_BYTES:
        raise NotCap(f"a message has at most {MOST_BYTES} bytes")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        alert: Element = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise NotCap(f"it is no XML: {error}") from None
    if alert.getroottree().docinfo.doctype:
        raise NotCap("it has a document type, which a message does not need")
    if alert.tag != _tag("alert"):
        raise NotCap(f"it begins with {alert.tag}, not with alert of {NAMESPACE}")
    return alert


def text(parent: Element, name: str) -> str:
    """The text of a child, "" where there is none."""
    return (parent.findtext(_tag(name)) or "").strip()


def texts(parent: Element, name: str) -> list[str]:
    """The text of each child of that name."""
    return [(child.text or "").strip() for child in parent.iterfind(_tag(name))]


def children(parent: Element, name: str) -> list[Element]:
    """The children of that name."""
    return list(parent.iterfind(_tag(name)))


def pairs(parent: Element, name: str) -> list[tuple[str, str]]:
    """`valueName` and `value` of each child of that name."""
    return [(text(child, "valueName"), text(child, "value")) for child in children(parent, name)]


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _add(parent: Element, name: str, value: str) -> None:
    """An element with a text, and none without."""
    if value:
        etree.SubElement(parent, _tag(name)).text = value


def _pair(parent: Element, name: str, value_name: str, value: str) -> None:
    pair = etree.SubElement(parent, _tag(name))
    _add(pair, "valueName", value_name)
    _add(pair, "value", value)
