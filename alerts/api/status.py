"""`/healthz`, `/readyz` and `/api/v1/status`: does it live, does the path work, how far can it see.

Promises: all three answer while the database is away. Called by the HTTP application.
"""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.responses import Response

from alerts.access import Scope
from alerts.api import answers, documents, models
from alerts.api.asking import HubOf
from alerts.api.guard import needs

health = APIRouter(tags=["status"])
router = APIRouter(tags=["status"], dependencies=[Depends(needs(Scope.READ))])


@health.get("/healthz", operation_id="isAlive", responses=documents.answers(models.Health))
async def healthz(hub: HubOf) -> Response:
    """The process answers."""
    return answers.answer({"alive": True}, hub.as_of)


@health.get(
    "/readyz",
    operation_id="isReady",
    responses=documents.answers(models.Readiness) | {503: {"model": models.Readiness, "description": "Not."}},
)
async def readyz(hub: HubOf) -> Response:
    """The path works: commits are recent and this process can read them. 503 otherwise."""
    answer = answers.answer({"ready": hub.as_of.known}, hub.as_of)
    answer.status_code = 200 if hub.as_of.known else 503
    return answer


@router.get("/status", operation_id="getStatus", responses=documents.answers(models.Status))
async def status(hub: HubOf) -> Response:
    """How far the feed can see. Answers also while the database is away."""
    return answers.answer({"nature": hub.reader.nature.value, "head": hub.head}, hub.as_of)
