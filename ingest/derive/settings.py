"""What the catalogue says of a derived datastream. Used by the catalogue; `ingest.derive` computes them."""

from __future__ import annotations

from ingest.config_model import Duration, Identifier, Model


class DerivedDatastream(Model):
    """One property of a station that is computed from its measured datastreams."""

    name: Identifier  # unique within its station, measured ones included; the key is "<station>/<name>"
    property: Identifier
    unit: str
    cadence: Duration
