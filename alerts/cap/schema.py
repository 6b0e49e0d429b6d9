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


def shape_faults(alert: etree._Element) -> list[str]:
    """Each fault with its line; empty for a valid message."""
    schema = _schema()
    if schema.validate(alert):
        return []
    found = (f"line {error.line}: {error.message}" for error in schema.error_log)
    return list(dict.fromkeys(found)) or ["it has not the shape of CAP 1.2"]
