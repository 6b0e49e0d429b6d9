"""What every answer of the feed is made of, as its document tells it.

Models only describe: answers are written from plain dictionaries (see `alerts.api.documents`). Every field is
always there; what is not known is null, and a word beside it says why. No number stands for a missing one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from ingest.model import Nature


class Answer(BaseModel):
    """A JSON object of an answer: these fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Stamp = Annotated[
    str,
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2025-10-27T00:00:00.000Z"]}),
]
Flag = Annotated[
    Literal[1, 2, 3, 4, 9],
    Field(description="QARTOD: 1 pass, 2 not evaluated, 3 suspect, 4 fail, 9 missing"),
]
Next = Annotated[
    str | None,
    Field(description="path of the next page, as in the `Link` header; null: there is none"),
]
Sighted = Literal["current", "blind", "unknown"]
Key = Annotated[str, Field(examples=["HUE-WL-KIMLONG/water_level"], description="<station>/<name>")]
NatureOf = Annotated[
    Nature, Field(description="what is not Actual is an exercise or a test, and must never look real")
]


class Words(Answer):
    """One text in Vietnamese and English."""

    vi: str
    en: str


class AsOf(Answer):
    """How far the feed can see. While `state` is *unknown* nothing may be claimed about now."""

    state: Sighted
    time: Stamp | None = Field(description="the last commit")
    age_s: float | None = Field(description="seconds since then, real time")
    now: Stamp | None = Field(description="the clock that the data live by; ages are counted against it")
    sighted_since: Stamp | None
    reason: str = Field(description="why it is blind or unknown; empty while it sees")
    backlog_s: float | None = Field(description="while blind: how far the newest reading lies behind `now`")
    stations_unknown: list[str] = Field(description="stations of which nothing is known now")
    stations_not_monitored: list[str] = Field(description="somebody works on every sensor of a property")


class Seen(Answer):
    """An answer that says how far it can see."""

    as_of: AsOf


class Page(Seen):
    """One page of an answer."""

    next: Next


class Status(Seen):
    """How far the feed can see, and the number of the newest event."""

    nature: NatureOf
    head: int | None = Field(description="null until the database has been read once")


class Health(Seen):
    """The process answers."""

    alive: Literal[True]


class Readiness(Seen):
    """Whether commits are recent and can be read here."""

    ready: bool


class ProblemDocument(Answer):
    """An error (RFC 9457). `as_of` says what is still known, which may be nothing."""

    model_config = ConfigDict(extra="allow")  # some say more, such as the events that came between

    type: str
    title: str
    status: int
    detail: str = Field(description="what is wrong and what to do, in words")
    instance: str
    as_of: AsOf
