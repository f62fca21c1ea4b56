"""The only table from errors to HTTP: RFC 9457 problem documents for programs, a page in words for people."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from engine import errors as e
from engine.errors import Finding

_log = logging.getLogger("sanwei.api")

# Enough for the findings of a whole library; a body of senseless fields must not come back tenfold.
MOST_FINDINGS = 1_000
LONGEST_PLACE = 200

STATUS: Mapping[type[e.SanweiError], int] = {
    e.NotFound: 404,
    e.Forbidden: 403,
    e.Conflict: 409,
    e.Invalid: 422,
    e.KeyReused: 422,
    e.LoginFailed: 401,
    e.TooLarge: 413,
    e.DatabaseBusy: 503,
    e.SanweiError: 400,
}

# What no engine error says: reasons this room gives, and what the web framework refuses by itself.
_WORDS: Mapping[str, tuple[str, str]] = {
    "login_required": ("请先登录", "Log in first"),
    "csrf": ("页面已过期，请刷新后再试", "The page is out of date; reload it and try again"),
    "bad_request": ("请求无法识别", "The request cannot be read"),
    "bad_json": ("请求内容不是有效的 JSON", "The body is not valid JSON"),
    "too_deep": ("JSON 嵌套过深", "The JSON is nested too deeply"),
    "too_large": ("内容超过允许的大小", "More than the limit"),
    "not_found": ("没有找到，或您无权查看", "There is nothing here that you may see"),
    "method_not_allowed": ("此地址不支持该操作", "This address does not know the method"),
    "unsupported_media_type": ("内容类型不受支持", "The content type is not supported here"),
    "not_ready": ("文书正在生成，请稍后刷新", "The paper is still being made; reload in a moment"),
    "invalid_request": ("提交的内容有误，请按提示修改", "The input is not acceptable"),
    "fault": ("系统出错，未保存任何内容；已记录，请稍后再试", "Something is wrong here; nothing was saved"),
}
_BY_STATUS = {
    400: "bad_request",
    401: "login_required",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What went wrong, in both languages. `code` is stable snake_case; `facts` are plain and never personal."""

    status: int
    code: str
    zh: str
    en: str
    findings: tuple[Finding, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The problem document (RFC 9457 §3.1) with our members code, title_en, facts and findings."""
        return {
            "type": f"urn:sanwei:problem:{self.code}",
            "title": self.zh,
            "title_en": self.en,
            "status": self.status,
            "code": self.code,
            "facts": {k: _plain(v) for k, v in self.facts.items()},
            "findings": [asdict(finding) for finding in self.findings[:MOST_FINDINGS]],
        }


def of_error(error: e.SanweiError) -> Problem:
    """The problem an engine error is."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    reason = error.facts.get("reason")
    if reason in _WORDS:
        return of_code(status, str(reason))
    findings = tuple(error.findings) if isinstance(error, e.Invalid) else ()
    english = (type(error).__doc__ or "").split("\n")[0].partition(". ")[0].rstrip(".")
    return Problem(
        status=status, code=_snake(type(error).__name__), zh=error.zh, en=english, findings=findings, facts=error.facts
    )


def of_code(status: int, code: str, findings: tuple[Finding, ...] = (), **facts: Any) -> Problem:
    """A problem of the web itself, by its code."""
    zh, en = _WORDS[code]
    return Problem(status=status, code=code, zh=zh, en=en, findings=findings, facts=facts)


def response(problem: Problem) -> Response:
    """The problem as `application/problem+json`."""
    headers = {}
    if problem.status == 503:
        headers["Retry-After"] = "2"
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(problem.document(), problem.status, headers, "application/problem+json")


Page = Callable[[Request, Problem], Response]


def answer(request: Request, problem: Problem, page: Page) -> Response:
    """JSON for programs, the page for people: `/api/` and whoever asks for JSON are programs."""
    program = request.url.path.startswith("/api/") or "json" in request.headers.get("accept", "")
    return response(problem) if program else page(request, problem)


def install(app: FastAPI, page: Page) -> None:
    """Register the table with the application; `page` draws a problem for people."""
    # Starlette types every handler's error as Exception; each is called for the class it is registered with.

    def of_engine(request: Request, error: Exception) -> Response:
        return answer(request, of_error(cast(e.SanweiError, error)), page)

    def of_web(request: Request, error: Exception) -> Response:
        error = cast(HTTPException, error)
        problem = of_code(error.status_code, _BY_STATUS.get(error.status_code, "bad_request"))
        shown = answer(request, problem, page)
        if error.status_code == 405 and error.headers:
            shown.headers["Allow"] = error.headers.get("Allow", "")
        return shown

    def of_shape(request: Request, error: Exception) -> Response:
        return answer(request, _of_validation(cast(RequestValidationError, error)), page)

    app.add_exception_handler(e.SanweiError, of_engine)
    app.add_exception_handler(HTTPException, of_web)
    app.add_exception_handler(RequestValidationError, of_shape)


def fault(error: BaseException) -> Problem:
    """An error nobody foresaw: logged by its class and the places it passed, never by its text, which may hold data."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno}" for f in reversed(frames[-12:]))
    _log.error("unforeseen %s at %s", type(error).__name__, places)
    return of_code(500, "fault")


# Pydantic's kinds that need their own words; any other is "does not fit".
_KINDS: Mapping[str, tuple[str, str]] = {
    "missing": ("必填", "is required"),
    "extra_forbidden": ("没有这个字段", "is not a field of this request"),
    "json_invalid": ("不是有效的 JSON", "is not valid JSON"),
    "string_too_long": ("内容过长", "is too long"),
    "string_too_short": ("内容过短", "is too short"),
    "uuid_parsing": ("编号格式不正确", "is not an id"),
}


def _of_validation(error: RequestValidationError) -> Problem:
    """Pydantic's list as findings; the value that was sent is never repeated."""
    found = error.errors()
    if any(f["type"] == "json_invalid" for f in found):
        return of_code(400, "bad_json")
    if found and all(f["loc"][:1] == ("path",) for f in found):
        # An id that is no id names nothing: the same answer as for one that does not exist.
        return of_code(404, "not_found")
    findings = []
    for one in found[:MOST_FINDINGS]:
        zh, en = _KINDS.get(one["type"], ("类型或格式不正确", "does not fit: type or format"))
        where = ".".join(str(part) for part in one["loc"][1:])[:LONGEST_PLACE] or str(one["loc"][0])
        findings.append(Finding(where=where, rule=str(one["type"]), zh=zh, en=en))
    return of_code(422, "invalid_request", tuple(findings))


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
