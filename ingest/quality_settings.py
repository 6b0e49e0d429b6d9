"""What the catalogue says of a datastream's quality tests (IOOS QARTOD manuals).

Every test is off where it is not configured: its flag is then NOT_EVALUATED. Values are in the datastream's
unit. Used by the catalogue; `ingest.quality` has the tests.
"""

from __future__ import annotations

from ingest.config_model import Model


class Range(Model):
    """QARTOD gross range: outside `fail` the reading is FAIL, outside `suspect` it is SUSPECT."""

    fail: tuple[float, float]
    suspect: tuple[float, float] | None = None


class QualityTests(Model):
    """The tests of one datastream beyond its gross range."""
