"""What may be asked of the feed: the parameters of every endpoint, with their bounds and their words.

Promises: a parameter that is not known, cannot be read or lies outside its bounds is a 422 that says so; no
text that reaches the database holds anything but the characters of an identifier. Called by the routers.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, HTTPException, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from alerts import wire
from alerts.api import cursors
from alerts.api.city import Box, City, Places
from alerts.api.files import Exports
from alerts.api.hub import Hub
from alerts.api.reader import Reader
from alerts.model import Event, Severity
from ingest.config_model import Identifier
from ingest.store.partitions import EARLIEST, LATEST

MOST_NAMED = 50  # values of one filter
TEXT = 64  # characters of a river's or ward's name


def _moment(text: Any) -> Any:
    try:
        moment = wire.parse_stamp(text) if isinstance(text, str) else text
    except OverflowError:  # the last day of the calendar, west of Greenwich
        raise ValueError("there is no such time") from None
    except ValueError as error:
        raise ValueError(f"write 2025-10-27T07:00:00+07:00 or ...Z; {error}") from None
    return min(max(moment, EARLIEST), LATEST) if isinstance(moment, int) else moment


def _box(text: Any) -> Any:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except (ValueError, AttributeError):
        raise ValueError("write west,south,east,north in degrees") from None
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise ValueError("west,south,east,north must be ascending degrees of the Earth")
    return west, south, east, north


Moment = Annotated[
    int,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2025-10-27T07:00:00+07:00"]}),
]
BoxOf = Annotated[
    Box,
    BeforeValidator(_box),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^-?\d+(\.\d+)?(,-?\d+(\.\d+)?){3}$",
            "examples": ["107.2,16.0,107.9,16.8"],
        }
    ),
]
RuleName = Annotated[str, Field(pattern=r"^@?[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Name = Annotated[str, Field(min_length=1, max_length=TEXT)]
StationKind = Literal["river", "street", "rain", "reservoir", "barrage", "tide", "air", "water"]


Stations = Annotated[
    list[Identifier], Field(max_length=MOST_NAMED, description="ids of stations; may be repeated")
]
Rules = Annotated[list[RuleName], Field(max_length=MOST_NAMED, description="ids of rules; may be repeated")]
Severities = Annotated[
    list[Severity], Field(max_length=len(Severity), description="CAP 1.2 severities; may be repeated")
]
Properties = Annotated[
    list[Identifier],
    Field(max_length=MOST_NAMED, description="observed properties such as water_level; may be repeated"),
]
Kinds = Annotated[list[StationKind], Field(max_length=MOST_NAMED, description="kinds of stations")]
CursorText = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=cursors.LONGEST)]


class Asked(BaseModel):
    """The parameters of one request. Who misspells a filter is told, and does not get everything instead."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AskedPlaces(Asked):
    """Which stations."""

    station: Stations = []
    river: Name | None = Field(None, description="a river's name, in either language, such as sông Hương")
    ward: Name | None = Field(None, description="a ward's or commune's name, in either language")

    def places(self) -> Places:
        return Places(self.station, (), self.river, self.ward)


class AskedTold(AskedPlaces):
    """Which of what is told."""

    rule: Rules = Field([])
    severity: Severities = Field([])

    def wants(self, event: Event, city: City) -> bool:
        """Whether an event is among them; what is about no station of the catalogue is at no river."""
        station = city.stations.get(event.station)
        return (
            (not self.station or event.station in self.station)
            and (not (self.river or self.ward) or (station is not None and self.places().hold(station)))
            and (not self.rule or event.rule in self.rule)
            and (not self.severity or event.severity in self.severity)
        )


class AskedSpan(Asked):
    """A time range."""

    since: Moment | None = Field(None, description="RFC 3339 with offset; included")
    until: Moment | None = Field(None, description="RFC 3339 with offset; excluded")


class AskedPage(Asked):
    """Where an answer with pages goes on."""

    cursor: CursorText | None = Field(
        None, description="from `next` of the page before, with the same other parameters"
    )


def question(asked: BaseModel, *more: str) -> str:
    """What a cursor belongs to: everything that was asked but how many at once."""
    return "|".join((type(asked).__name__, *more, asked.model_dump_json(exclude={"cursor", "limit"})))


def position(asked: AskedPage, shape: Any, *more: str) -> Any:
    """Where the page before ended, None for the first page; 422 for a cursor that is not of this `shape`."""
    if asked.cursor is None:
        return None
    try:
        return cursors.read(question(asked, *more), asked.cursor, shape)
    except ValueError as error:
        raise HTTPException(422, f"cursor: {error}; begin again without one.") from error


def hub_of(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


def reader_of(request: Request) -> Reader:
    return hub_of(request).reader


def exports_of(request: Request) -> Exports:
    exports: Exports = request.app.state.exports
    return exports


HubOf = Annotated[Hub, Depends(hub_of)]
ReaderOf = Annotated[Reader, Depends(reader_of)]
ExportsOf = Annotated[Exports, Depends(exports_of)]
