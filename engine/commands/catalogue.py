"""What is published, as people read it: the processes, who may start them, and the forms of their human tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine import forms
from engine.bpmn import Definition, Node
from engine.commands.cases import start_lane, starter
from engine.commands.office import Office
from engine.errors import Forbidden, NotFound, Refused
from engine.model import Actor, Release
from engine.store import queries


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskForm:
    """One human task a process can reach, with its form."""

    process_key: str
    element: str
    name: str
    role: str
    role_name: str
    variable: str
    form: forms.Form


@dataclass(frozen=True, kw_only=True, slots=True)
class DefinitionRow:
    """A published process. ``item`` is its service item's row, if it is one's root."""

    key: str
    name: str
    digest: str
    versions: int
    published_at: datetime
    item: Mapping[str, Any] | None
    startable: bool


def process_definitions(office: Office, actor: Actor) -> tuple[DefinitionRow, ...]:
    """Every published process; ``startable`` says whether the actor may start it."""
    publication = office.published()
    with office.store.reading() as reading:
        versions = queries.versions(reading, "process")
    latest = {v.name: v for v in versions}
    rows = []
    for key, digest in sorted(publication.entries.get("process", {}).items()):
        process = office.process(digest, publication.entries.get("decision", {}))
        code = process.properties.get("item")
        item = office.registers(publication).item(code) if code else None
        version = latest[key]
        rows.append(
            DefinitionRow(
                key=key,
                name=process.name,
                digest=digest,
                versions=version.version,
                published_at=version.published_at,
                item=item,
                startable=_startable(office, actor, key, item),
            )
        )
    return tuple(rows)


def _startable(office: Office, actor: Actor, key: str, item: Mapping[str, Any] | None) -> bool:
    definition = office.definition(office.current_release(key))
    # A process with inputs of its own is a step that others call; one without a plain start event waits for its event.
    if start_lane(definition) is None or definition.processes[key].inputs or not definition.scopes[key].starts:
        return False
    try:
        role, scope = starter(definition, {"item": item} if item else {})
    except (Forbidden, Refused):
        return False
    return actor.holding(role, scope) is not None


def process_xml(office: Office, actor: Actor, key: str, version: int | None = None) -> bytes:
    """A published diagram's XML: the one in force, or a version counted from 1. Raises NotFound."""
    if version is None:
        digest = office.published().entries.get("process", {}).get(key)
    else:
        with office.store.reading() as reading:
            found = queries.versions(reading, "process", key)
        digest = next((v.digest for v in found if v.version == version), None)
    if digest is None:
        raise NotFound(process=key)
    return office.store.artefact(digest)


def task_forms(office: Office, actor: Actor, process_key: str) -> tuple[TaskForm, ...]:
    """Every human task the process and all it calls can reach, with its form. Raises NotFound."""
    release = office.current_release(process_key)
    return tuple(forms_of(office, release, office.definition(release)))


def forms_of(office: Office, release: Release, definition: Definition) -> Iterator[TaskForm]:
    """Every human task with a form that a release can reach."""
    for process, node in _nodes(definition):
        if node.form and node.lane and node.variable:
            yield TaskForm(
                process_key=process,
                element=f"{node.scope}/{node.id}",
                name=node.name,
                role=node.lane.id,
                role_name=node.lane.name,
                variable=node.variable,
                form=office.form(release.forms[node.form]),
            )


def _nodes(definition: Definition) -> Iterable[tuple[str, Node]]:
    for key, process in definition.processes.items():
        for scope in process.scopes.values():
            for node in scope.nodes.values():
                yield key, node
