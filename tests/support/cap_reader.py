"""An Atom reader as aggregators have it: polls with its ETag, follows the archive, fetches what is new."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx
from lxml import etree

ATOM, CAP = "{http://www.w3.org/2005/Atom}", "{urn:oasis:names:tc:emergency:cap:1.2}"


@dataclass
class AtomReader:
    """`messages`: the bytes of each message by the id of its entry, in the order in which they were met."""

    client: httpx.Client
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    messages: dict[str, bytes] = field(default_factory=dict)
    fetched: int = 0
    unchanged: int = 0
    feed: etree._Element | None = None
    _etag: str = ""

    def poll(self) -> int:
        """How many messages were new."""
        asked = {"If-None-Match": self._etag} if self._etag else {}
        answer = self.client.get(self.url, headers=self.headers | asked)
        if answer.status_code == 304:
            assert answer.content == b""
            self.unchanged += 1
            return 0
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/atom+xml")
        self._etag = answer.headers["etag"]
        self.feed = etree.fromstring(answer.content)
        before = len(self.messages)
        new = self._take(self.feed)
        for entry in reversed(new):
            self._fetch(entry)
        return len(self.messages) - before

    def _take(self, feed: etree._Element) -> list[etree._Element]:
        """The entries that are new, newest first, those of the archive behind them."""
        entries = feed.findall(f"{ATOM}entry")
        new = [entry for entry in entries if entry.findtext(f"{ATOM}id") not in self.messages]
        older = feed.find(f"{ATOM}link[@rel='prev-archive']")
        if older is not None and len(new) == len(entries):
            answer = self.client.get(older.get("href"), headers=self.headers)
            assert answer.status_code == 200, answer.text
            new += self._take(etree.fromstring(answer.content))
        return new

    def _fetch(self, entry: etree._Element) -> None:
        (link,) = entry.findall(f"{ATOM}link[@type='application/cap+xml']")
        answer = self.client.get(link.get("href"), headers=self.headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/cap+xml"
        name = entry.findtext(f"{ATOM}id")
        assert name not in self.messages
        self.messages[name] = answer.content
        self.fetched += 1
