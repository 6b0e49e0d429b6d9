"""What a `threshold` rule may say: its levels, its direction, what confirms and what ends them. Pure models.

`alerts.rules.threshold` says what they mean.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from alerts.model import Severity
from alerts.rules.confirm import Confirm
from alerts.rules.kind import Accept, ExplicitLevel, RuleSettings
from alerts.rules.quantity import Quantity, QuantityField
from ingest.config_model import Duration, Model


class ClearBelow(Model):
    below: QuantityField
    hold: Duration


class ClearAbove(Model):
    above: QuantityField
    hold: Duration


class ClearInside(Model):
    inside: QuantityField
    hold: Duration


CLEARS: dict[str, tuple[str, type[Model]]] = {
    "above": ("below", ClearBelow),
    "below": ("above", ClearAbove),
    "outside": ("inside", ClearInside),
}


def _which_clear(clear: Any) -> str:
    for word, model in CLEARS.values():
        if word in clear if isinstance(clear, dict) else isinstance(clear, model):
            return f"ends_{word}"
    return "ends_below"


Clear = Annotated[
    Annotated[ClearBelow, Tag("ends_below")]
    | Annotated[ClearAbove, Tag("ends_above")]
    | Annotated[ClearInside, Tag("ends_inside")],
    Discriminator(_which_clear),
]


class BandLevel(Model):
    """A level that is reached outside a band; its rank is its place in the list. null: no limit on that
    side."""

    name: Annotated[str, Field(min_length=1)]
    low: QuantityField | None = None
    high: QuantityField | None = None
    severity: Severity


def _which_levels(levels: Any) -> str:
    if not isinstance(levels, list | tuple):
        return "word"
    bands = any(
        isinstance(one, BandLevel) or (isinstance(one, dict) and not one.keys().isdisjoint(("low", "high")))
        for one in levels
    )
    return "bands" if bands else "list"


Levels = Annotated[
    Annotated[Literal["catalogue"], Tag("word")]
    | Annotated[tuple[ExplicitLevel, ...], Tag("list")]
    | Annotated[tuple[BandLevel, ...], Tag("bands")],
    Discriminator(_which_levels),
]


class Steps(Model):
    """Levels above the level `above`, one `every` so much, up to the highest value that can be measured."""

    above: Annotated[str, Field(min_length=1)]
    every: QuantityField
    severity: Severity


class Settings(RuleSettings):
    kind: Literal["threshold"]
    direction: Literal["above", "below", "outside"] = "above"
    levels: Levels
    severities: dict[str, Severity] = Field(default_factory=dict)
    steps: Steps | None = None
    confirm: Confirm = Confirm()
    clear: Clear
    accept: Accept = ("pass", "suspect", "not_evaluated")

    @model_validator(mode="after")
    def _together(self) -> Settings:
        word, model = CLEARS[self.direction]
        if not isinstance(self.clear, model):
            raise ValueError(f"where `direction` is {self.direction}, `clear` has `{word}`")
        if self.outside is not (_which_levels(self.levels) == "bands"):
            raise ValueError("`direction: outside` and levels with `low` and `high` belong together")
        if self.outside and self.confirm.at_once_beyond is not None:
            raise ValueError("`at_once_beyond` needs `direction: above` or `below`")
        if self.steps is not None and self.direction != "above":
            raise ValueError("`steps` needs `direction: above`")
        return self

    @property
    def outside(self) -> bool:
        return self.direction == "outside"

    @property
    def bands(self) -> list[tuple[int, BandLevel]]:
        """The bands that have an edge, with their ranks."""
        ranked = enumerate(self.levels if self.outside else (), start=1)
        return [
            (rank, level)
            for rank, level in ranked
            if isinstance(level, BandLevel) and not (level.low is None and level.high is None)
        ]

    @property
    def named(self) -> Literal["catalogue"] | list[ExplicitLevel]:
        """The levels that are not bands: the rule's own, or the catalogue's."""
        if self.levels == "catalogue":
            return "catalogue"
        return [one for one in self.levels if isinstance(one, ExplicitLevel)]

    @property
    def sign(self) -> int:
        return -1 if self.direction == "below" else 1

    @property
    def hysteresis(self) -> Quantity:
        """How far back over its level a value must go."""
        back: Quantity = getattr(self.clear, CLEARS[self.direction][0])
        return back

    def deciding(self) -> dict[str, Any]:
        """Without what says nothing new: rules that are older than `direction` keep their version."""
        found = super().deciding()
        if self.direction == "above":
            del found["direction"]
        return found
