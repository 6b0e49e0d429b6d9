"""Reads Huewatch's HTTP feed as any receiver would: told events, stations, the ledger's sums, readiness.

Promises: bounded waiting, loopback or not without a proxy, and `FeedError` in words when the feed does not
answer as its documentation says. Called by `demo` and `publish_test`.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode

from ingest.clock import to_datetime

T = TypeVar("T")

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
    """The feed at `url`, e.g. `http://127.0.0.1:8080`, read by `token`."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def events(self, after: int) -> list[Mapping[str, Any]]:
        """All told events with a number above `after`, in order."""
        found: list[Mapping[str, Any]] = []
        while True:
            page = self._list(f"/api/v1/events?after={after}&limit={EVENTS_A_PAGE}", "events")
            found += page
            if len(page) < EVENTS_A_PAGE:
                return found
            after = int(page[-1]["seq"])

    def ledger(self) -> Mapping[str, int]:
        """The conservation sums over all gateways."""
        total: Counter[str] = Counter()
        for gateway in self._list("/api/v1/ledger", "gateways"):
            total.update({name: value for name, value in gateway.items() if name != "gateway"})
        return total

    def stations(self) -> list[Mapping[str, Any]]:
        """Every station with its newest values."""
        return self._list("/api/v1/stations", "stations")

    def station(self, identifier: str) -> Mapping[str, Any] | None:
        """One station as it stands at this moment; None where the feed has no such station."""
        try:
            return self._read(f"/api/v1/stations/{identifier}", dict)
        except FeedError as error:
            if (
                isinstance(error.__cause__, urllib.error.HTTPError)
                and error.__cause__.code == HTTPStatus.NOT_FOUND
            ):
                return None
            raise

    def open_alerts(self) -> list[Mapping[str, Any]]:
        """Every open alert."""
        return self._list("/api/v1/alerts", "alerts")

    def observation(self, key: str, time: int) -> Mapping[str, Any] | None:
        """The stored observation of a datastream at that microsecond; None while there is none."""
        span = {"since": to_datetime(time).isoformat(), "until": to_datetime(time + 1).isoformat()}
        found = self._list(f"/api/v1/datastreams/{key}/observations?{urlencode(span)}", "observations")
        return found[0] if found else None

    def sight(self) -> Mapping[str, Any]:
        """How far the feed can see: `state` is `current`, `blind` or `unknown`, `reason` says why."""
        return self._get("/api/v1/status", "as_of", dict)

    def _list(self, path: str, name: str) -> list[Mapping[str, Any]]:
        return self._get(path, name, list)

    def _get(self, path: str, name: str, kind: Callable[[Any], T]) -> T:
        return self._read(path, lambda answer: kind(answer[name]))

    def _read(self, path: str, kind: Callable[[Any], T]) -> T:
        try:
            request = urllib.request.Request(self.url + path, headers=self._headers)
            with _opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return kind(json.load(answer))
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise FeedError(f"{self.url}{path}: {error}") from error
