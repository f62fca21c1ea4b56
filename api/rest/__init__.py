"""Knows every route for programs: the public surface of design §7 over the verbs of `engine.commands`."""

from __future__ import annotations

from fastapi import APIRouter

from api.rest import (
    correlation,
    definitions,
    handing,
    instances,
    keeping,
    operations,
    people,
    registers,
    signing,
    tasks,
)
from api.rest.description import Described

router = APIRouter()
# Tasks first: routes are tried in order, and a completion is what the hall waits for.
for _part in (tasks, handing, signing, instances, definitions, correlation, registers, people, operations, keeping):
    router.include_router(_part.router)

__all__ = ["Described", "router"]
