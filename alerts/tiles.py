"""Pictures under the console's map, from a server that somebody has named. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Tiles:
    """`template` has {z}, {x} and {y} as everybody's tile servers do; `credit` says whom to thank."""

    template: str
    credit: str = ""

    @property
    def origin(self) -> str:
        """The server, as a content policy names it."""
        parts = urlsplit(self.template)
        return f"{parts.scheme}://{parts.netloc}"
