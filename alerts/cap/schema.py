"""Whether a document has the shape of CAP 1.2: elements, their number and order, types and words of each.

By our own RELAX NG, `cap12.rng`, written from the standard's element tables. Called before a message is
stored, and by `huewatch cap validate`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from lxml import etree


@cache
def _schema() -> etree.RelaxNG:
    source = (files("alerts.cap") / "cap12.rng").read_bytes()
    return etree.RelaxNG(etree.fromstring(source))


# What libxml2 says of a fault itself; beside it stands what it tried, and what follows from the fault.
_TELLING = ("RELAXNG_ERR_CONTENTVALID", "RELAXNG_ERR_EXTRACONTENT", "RELAXNG_ERR_EXTRADATA")


def shape_faults(alert: etree._Element) -> list[str]:
    """The first fault with its line, behind which others may hide; empty for a valid message."""
    schema = _schema()
    if schema.validate(alert):
        return []
    entries = list(schema.error_log)
    found = next((one for one in entries if one.type_name in _TELLING), entries[0] if entries else None)
    return [f"line {found.line}: {found.message}" if found else "it has not the shape of CAP 1.2"]
