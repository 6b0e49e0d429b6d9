"""What the catalogue says of a derived datastream. Used by the catalogue; `ingest.derive` computes them."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_validator

from ingest.config_model import Duration, Identifier, Model, shared
from ingest.derive import kinds
from ingest.derive.kind import DeriveSettings

if TYPE_CHECKING:
    Derive = DeriveSettings
else:
    Derive = Annotated[reduce(or_, (kind.settings for kind in kinds().values())), Field(discriminator="kind")]


class DerivedDatastream(Model):
    """One property of a station that is computed from its measured datastreams."""

    name: Identifier  # unique within its station, measured ones included; the key is "<station>/<name>"
    property: Identifier
    unit: str
    cadence: Duration  # how often results come: of windows, the cadence of their input
    derive: Derive

    @field_validator("derive")
    @classmethod
    def _share(cls, value: Any) -> Any:
        return shared(value)
