"""`/api/v1`: every router of the feed's own, under one prefix.

Promises: one answer is one view of the database, and says in `as_of` how far it can see. Whoever adds an
endpoint adds it to a router here; what it answers is told by `alerts.api.documents`.
"""

from __future__ import annotations

from fastapi import APIRouter

from alerts.api import (
    alerts_feed,
    forecasts,
    health,
    observations,
    open_data,
    reference,
    stations,
    status,
    stream,
)

router = APIRouter(prefix="/api/v1")
for each in (status, stations, observations, forecasts, alerts_feed, stream, health, open_data, reference):
    router.include_router(each.router)
