"""Routes for what comes from outside and what is stuck: messages and incidents."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Request, Response

from api import identity
from api.schemas import Answer, MessageIn, UntilIn
from engine import commands as c

router = APIRouter(prefix="/api", tags=["messages and incidents"])


@router.post(
    "/messages", responses={200: {"description": "Somebody has it"}, 202: {"description": "Kept for who will wait"}}
)
def deliver(request: Request, message: MessageIn) -> Response:
    """Hand a message to who waits for this name and key, else to the process it starts (once per key), else keep it.

    The same `id` of the same sender counts once; asked again, the answer says where the message is.
    """
    actor, once = identity.asker(request).actor, identity.once(request)
    delivery = c.deliver_message(
        identity.office(request),
        actor,
        name=message.name,
        key=message.key,
        payload=message.payload,
        message_id=message.id,
        expires_at=message.expires_at,
        once=once,
    )
    return Answer(delivery, 200 if delivery.case else 202)


@router.get("/messages")
def kept(request: Request) -> Response:
    """Messages nobody has got, oldest first, never their content (system_admin of the district)."""
    return Answer({"messages": c.kept_messages(identity.office(request), identity.asker(request).actor)})


@router.post("/messages/{message_id}/extend")
def extend(request: Request, message_id: UUID, told: Annotated[UntilIn | None, Body()] = None) -> Response:
    """Keep a message longer, or try one again that expired or was not taken (system_admin of the district)."""
    actor, once = identity.asker(request).actor, identity.once(request)
    until = told.until if told else None
    return Answer(c.extend_message(identity.office(request), actor, message_id, until, once=once))


@router.post("/messages/{message_id}/give-up")
def give_up(request: Request, message_id: UUID) -> Response:
    """Let a message go that nobody will wait for (system_admin of the district)."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.give_up_message(identity.office(request), actor, message_id, once=once))


@router.get("/incidents")
def incidents(request: Request) -> Response:
    """What is stuck, and where; codes, never data."""
    office, actor = identity.office(request), identity.asker(request).actor
    stuck = [*c.incidents(office, actor), *c.stuck_messages(office, actor)]
    return Answer({"incidents": stuck, "checkpoints": c.uncopied_checkpoints(office, actor)})


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
