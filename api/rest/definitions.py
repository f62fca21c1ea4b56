"""Routes for what is published: deployments, process definitions, and the description of each one's human tasks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Request, Response
from starlette.datastructures import UploadFile

from api import identity
from api.rest.description import problem_responses
from api.schemas import Answer, StartIn, plain
from engine import commands as c
from engine.errors import Finding, Invalid, NotFound
from engine.model import Library

router = APIRouter(prefix="/api", tags=["process definitions"])

MOST_FILES = 10_000


async def _uploaded(request: Request) -> dict[str, bytes]:
    """Files of a multipart body by their file names, which are paths of the designers' rooms.

    Raises:
        Invalid: no file, or a name that is no path below processes/ or forms/.
    """
    files: dict[str, bytes] = {}
    findings: list[Finding] = []
    form = await request.form(max_files=MOST_FILES, max_fields=10)
    for _, part in form.multi_items():
        if not isinstance(part, UploadFile):
            continue
        path = (part.filename or "").replace("\\", "/")
        if path.startswith(("processes/", "forms/")) and ".." not in path.split("/"):
            files[path] = await part.read()
        else:
            zh, en = (
                "文件名须为 processes/ 或 forms/ 之下的路径",
                "the file name must be a path below processes/ or forms/",
            )
            findings.append(Finding(where="files", rule="path", zh=zh, en=en))
    await form.close()
    if not files and not findings:
        findings.append(Finding(where="files", rule="required", zh="没有文件", en="there is no file"))
    if findings:
        raise Invalid(findings)
    return files


@router.post(
    "/deployments",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                    }
                }
            },
        }
    },
)
def deploy(request: Request, files: Annotated[dict[str, bytes], Depends(_uploaded)]) -> Response:
    """Publish one or more files, named by their paths, over what is published (designer); 422 with all findings."""
    office, actor = identity.office(request), identity.asker(request).actor
    once = identity.once_by_files(request, [(path, "", content) for path, content in files.items()])
    return Answer(c.publish(office, actor, Library(files), alone=False, once=once), 201)


@router.get("/process-definitions")
def process_definitions(request: Request) -> Response:
    """What is published, and what the caller may start."""
    rows = c.process_definitions(identity.office(request), identity.asker(request).actor)
    return Answer({"process_definitions": rows})


@router.get("/process-definitions/{key}")
def process_definition(request: Request, key: str) -> Response:
    """One published process."""
    return Answer(_row(request, key))


@router.get("/process-definitions/{key}/xml", response_class=Response)
def xml(request: Request, key: str) -> Response:
    """The diagram as it is published now."""
    found = c.process_xml(identity.office(request), identity.asker(request).actor, key)
    return Response(found, media_type="application/xml")


@router.get("/process-definitions/{key}/versions/{version}/xml", response_class=Response)
def version_xml(request: Request, key: str, version: Annotated[int, Path(ge=1, le=2**31 - 1)]) -> Response:
    """One version of the diagram, counted from 1."""
    found = c.process_xml(identity.office(request), identity.asker(request).actor, key, version)
    return Response(found, media_type="application/xml")


@router.post("/process-definitions/{key}/instances", status_code=201)
def start(request: Request, key: str, told: Annotated[StartIn | None, Body()] = None) -> Response:
    """Start a case. Its first tasks are in the answer."""
    actor, once = identity.asker(request).actor, identity.once(request)
    told = told or StartIn()
    outcome = c.start_case(
        identity.office(request), actor, key, told.variables, business_key=told.business_key, once=once
    )
    return Answer(outcome, 201, headers={"Location": f"/api/process-instances/{outcome.case}"})


@router.get("/process-definitions/{key}/openapi.json")
def described(request: Request, key: str) -> Response:
    """OpenAPI 3.1 of one process: starting it, and completing each of its human tasks with its form's schema."""
    row = _row(request, key)
    forms = c.task_forms(identity.office(request), identity.asker(request).actor, key)
    return Answer(_openapi(row, forms))


def _row(request: Request, key: str) -> c.DefinitionRow:
    rows = c.process_definitions(identity.office(request), identity.asker(request).actor)
    found = next((row for row in rows if row.key == key), None)
    if found is None:
        raise NotFound
    return found


def _openapi(row: c.DefinitionRow, forms: tuple[c.TaskForm, ...]) -> dict[str, Any]:
    """One operation per human task. The path is the same for all, so each carries its element as a fragment."""
    done = {"200": {"description": "Where the case stands now"}, **problem_responses(400, 401, 403, 404, 409, 422, 503)}
    start_path = f"/api/process-definitions/{row.key}/instances"
    paths: dict[str, Any] = {
        start_path: {
            "post": {
                "operationId": f"start_{row.key}",
                "summary": row.name,
                "requestBody": _body(StartIn.model_json_schema()),
                "responses": {"201": done["200"], **problem_responses(400, 401, 403, 404, 409, 422, 503)},
            }
        }
    }
    for one in forms:
        name = one.element.replace("/", ".")
        answers = {"type": "object", "required": ["answers"], "additionalProperties": False}
        answers["properties"] = {"answers": plain(one.form.schema)}
        paths[f"/api/tasks/{{task_id}}/complete#{one.element}"] = {
            "parameters": [
                {"name": "task_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
            ],
            "post": {
                "operationId": f"complete_{name}",
                "summary": one.name,
                "x-element": one.element,
                "x-role": one.role,
                "requestBody": _body(answers),
                "responses": done,
            },
        }
    problem = {"$ref": "/api/openapi.json#/components/schemas/Problem"}
    return {
        "openapi": "3.1.0",
        "info": {"title": row.name, "version": row.digest[:12]},
        "paths": paths,
        "components": {"schemas": {"Problem": problem}},
    }


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}
