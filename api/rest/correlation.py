"""Routes for what comes from outside and what is stuck: messages and incidents."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from api import identity
from api.schemas import Answer, MessageIn
from engine import commands as c

router = APIRouter(prefix="/api", tags=["messages and incidents"])


@router.post("/messages")
def deliver(request: Request, message: MessageIn) -> Response:
    """Hand a message to the case that waits for this name and key. The same `id` counts once."""
    actor, once = identity.asker(request).actor, identity.once(request)
    outcome = c.deliver_message(
        identity.office(request),
        actor,
        name=message.name,
        key=message.key,
        payload=message.payload,
        message_id=message.id,
        once=once,
    )
    return Answer(outcome)


@router.get("/incidents")
def incidents(request: Request) -> Response:
    """What is stuck, and where; codes, never data."""
    return Answer({"incidents": c.incidents(identity.office(request), identity.asker(request).actor)})


@router.post("/incidents/{incident_id}/retry")
def retry(request: Request, incident_id: UUID) -> Response:
    """Try again where it failed."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.retry_incident(identity.office(request), actor, incident_id, once=once))


@router.get("/incidents/{incident_id}/diagram", response_class=Response)
def diagram(request: Request, incident_id: UUID) -> Response:
    """BPMN XML of the process in which it is stuck."""
    xml = c.stuck_diagram(identity.office(request), identity.asker(request).actor, incident_id)
    return Response(xml, media_type="application/xml")
