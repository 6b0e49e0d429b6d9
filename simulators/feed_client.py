"""Reads Huewatch's HTTP feed as any receiver would: told events, stations, the ledger's sums, readiness.

Promises: bounded waiting, loopback or not without a proxy, and `FeedError` in words when the feed does not
answer as its documentation says. Called by `demo`.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping
from typing import Any

TIMEOUT_SECONDS = 10.0
EVENTS_A_PAGE = 500

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class FeedError(Exception):
    """The feed did not answer, or not as it should."""


def is_ready(url: str) -> bool:
    """Whether a `/readyz` says so; no answer is no."""
    try:
        with _opener.open(url, timeout=TIMEOUT_SECONDS) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


class FeedClient:
    """The feed at `url`, e.g. `http://127.0.0.1:8080`."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def events(self, after: int) -> list[Mapping[str, Any]]:
        """All told events with a number above `after`, in order."""
        found: list[Mapping[str, Any]] = []
        while True:
            page = self._get(f"/api/v1/events?after={after}&limit={EVENTS_A_PAGE}", "events")
            found += page
            if len(page) < EVENTS_A_PAGE:
                return found
            after = int(page[-1]["seq"])

    def ledger(self) -> Mapping[str, int]:
        """The conservation sums over all gateways."""
        total: Counter[str] = Counter()
        for gateway in self._get("/api/v1/ledger", "gateways"):
            total.update({name: value for name, value in gateway.items() if name != "gateway"})
        return total

    def stations(self) -> list[Mapping[str, Any]]:
        """Every station with its newest values."""
        return self._get("/api/v1/stations", "stations")

    def _get(self, path: str, name: str) -> list[Mapping[str, Any]]:
        try:
            with _opener.open(self.url + path, timeout=TIMEOUT_SECONDS) as answer:
                return list(json.load(answer)[name])
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise FeedError(f"{self.url}{path}: {error}") from error
