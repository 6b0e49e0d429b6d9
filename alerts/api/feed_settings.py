"""What a city decides about its feed, out of the settings. Called by the front door and by the feed."""

from __future__ import annotations

from dataclasses import dataclass, field

from alerts.access import Policy, Public
from alerts.api.open_data import Publication
from alerts.suppression import Limits
from alerts.tiles import Tiles
from alerts.watching import Watch
from ingest.settings import Settings


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """`limits`: of suppression. `policy`: who may. `watch`: when to say that nobody is there; None: never.

    `publication`: who publishes its open data. `tiles`: the pictures under the map; None: none.
    """

    limits: Limits = field(default_factory=Limits)
    policy: Policy = field(default_factory=Policy)
    watch: Watch | None = None
    publication: Publication = field(default_factory=Publication)
    tiles: Tiles | None = None


def feed_settings(settings: Settings) -> FeedSettings:
    """The feed's part of what the services were told."""
    limits = Limits(
        settings.flap_openings,
        settings.flap_window,
        settings.storm_first,
        settings.storm_window,
        settings.storm_digest,
    )
    public = frozenset(map(Public, settings.feed_public.split(","))) if settings.feed_public else frozenset()
    return FeedSettings(
        limits,
        Policy(public, settings.feed_https, settings.feed_proxies),
        Watch(settings.watch_grace, settings.watch_idle) if settings.watch else None,
        Publication(settings.publisher, settings.licence, settings.max_age_days),
        Tiles(settings.map_tiles, settings.map_credit or "") if settings.map_tiles else None,
    )
