"""Knows how the routes are described: OpenAPI 3.1 with the problem documents each of them may answer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.openapi.utils import get_openapi
from pydantic import AfterValidator

from api.schemas import Moment, storable

__all__ = ["Cursor", "Described", "Filter", "Limit", "Moment", "problem_responses"]

FINDING_FIELDS = ("where", "rule", "zh", "en", "mend_zh", "mend_en", "severity")
PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem document; `code` is stable, `findings` lists everything that is wrong at once",
    "required": ["type", "title", "title_en", "status", "code", "facts", "findings"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "title_en": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "facts": {"type": "object"},
        "findings": {
            "type": "array",
            "items": {"type": "object", "properties": {name: {"type": "string"} for name in FINDING_FIELDS}},
        },
    },
}
_WORDS = {
    400: "The request cannot be read",
    401: "Not logged in",
    403: "The caller's posts do not allow it",
    404: "Nothing here that the caller may see",
    409: "Somebody or something was first",
    413: "Larger than the limit",
    415: "Neither JSON nor, for files, multipart/form-data",
    422: "The input is not acceptable; every finding at once",
    503: "The database is busy or away; nothing was written",
}
_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key, route and body have one effect and one answer",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}
_KEYLESS = frozenset({"/api/sessions"})


Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=500), AfterValidator(storable)]
Filter = Annotated[str | None, Query(max_length=200), AfterValidator(storable)]


def problem_responses(*statuses: int) -> dict[str, Any]:
    """OpenAPI `responses` for these statuses."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): {"description": _WORDS[status], "content": content} for status in statuses}


class Described(FastAPI):
    """An application whose OpenAPI document is ours: problems, security and idempotency of every route."""

    def openapi(self) -> dict[str, Any]:
        """The document, built once when first asked for."""
        if self.openapi_schema is None:
            self.openapi_schema = _document(self)
        return self.openapi_schema


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, openapi_version="3.1.0", routes=app.routes, description=__doc__
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = PROBLEM_SCHEMA
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "sanwei_session"},
    }
    for path, item in document["paths"].items():
        for method, operation in item.items():
            _complete(path, method, operation)
    return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add what is the same for all: problems, security, the idempotency key."""
    if not path.startswith("/api/"):
        return
    responses = operation["responses"]
    responses.pop("422", None)
    writes = method == "post"
    statuses = (400, 401, 403, 404, 409, 413, 415, 422, 503) if writes else (400, 401, 403, 404, 422, 503)
    responses.update(problem_responses(*statuses))
    operation["security"] = [{"bearer": []}, {"cookie": []}]
    if writes and path not in _KEYLESS:
        operation.setdefault("parameters", []).append(_KEY_PARAMETER)
