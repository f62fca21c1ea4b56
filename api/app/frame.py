"""The frame around every request: limits of size and depth, security headers, counts, a net under faults."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import Counter

from fastapi import Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.problems import Page, Problem
from api.settings import Settings

DEEPEST = 32

# Everything comes from this host. Inline style attributes are needed by the diagram library; scripts never inline.
CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    # Screens show personal data: neither a shared browser nor a proxy may keep them.
    (b"cache-control", b"no-store"),
)
# The closing mark is optional, so that a match never fails: trying again at every mark inside would be quadratic.
_STRINGS = re.compile(rb'"(?:[^"\\]+|\\.)*"?', re.DOTALL)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BRACKETS = re.compile(rb"[\[\]{}]")


class Metrics:
    """Counts of this process since its start; the text format of Prometheus."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._seconds: dict[str, float] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request that was answered."""
        with self._lock:
            self._requests[method, route, status] += 1
            self._seconds[route] = self._seconds.get(route, 0.0) + seconds

    def text(self) -> str:
        """All counts, one a line."""
        with self._lock:
            requests, seconds = dict(self._requests), dict(self._seconds)
        lines = ["# TYPE sanwei_http_requests_total counter"]
        for (method, route, status), n in sorted(requests.items()):
            lines.append(f'sanwei_http_requests_total{{method="{method}",route="{route}",status="{status}"}} {n}')
        lines.append("# TYPE sanwei_http_request_seconds_sum counter")
        for route, total in sorted(seconds.items()):
            lines.append(f'sanwei_http_request_seconds_sum{{route="{route}"}} {total:.6f}')
        return "\n".join(lines) + "\n"


class Frame:
    """ASGI middleware. Reads the whole body (bounded), so that its digest is known before any route runs."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics, page: Page) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Never raises for HTTP."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        outgoing = _Outgoing(send, self._settings.cookie_secure)
        request = Request(scope, receive)
        try:
            body = await self._body(request)
            problem = body if isinstance(body, Problem) else _refusal(request, body)
            if problem is None and isinstance(body, bytes):
                scope.setdefault("state", {})["digest"] = hashlib.sha256(body).hexdigest()
                await self._app(scope, _replay(body, receive), outgoing)
            elif problem is not None:
                await self._told(request, problem)(scope, receive, outgoing)
        except Exception as error:  # the one net: nothing of the error leaves but a code
            problem = problems.fault(error)
            if not outgoing.status:
                await self._told(request, problem)(scope, receive, outgoing)
        route = getattr(scope.get("route"), "path", "") or "other"
        # A caller makes up as many methods as it likes; each would be a line for ever.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.count(method, route, outgoing.status, time.perf_counter() - began)

    def _told(self, request: Request, problem: Problem) -> Response:
        """The problem for people or programs; where even its page fails, as plain JSON."""
        try:
            return problems.answer(request, problem, self._page)
        except Exception as error:
            return problems.response(problems.fault(error))

    async def _body(self, request: Request) -> bytes | Problem:
        """The body, or the problem that it is too large."""
        multipart = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
        limit = self._settings.upload_limit if multipart else self._settings.body_limit
        told = request.headers.get("content-length", "")
        if told.isdecimal() and (len(told) > 15 or int(told) > limit):
            return problems.of_code(413, "too_large", limit=limit)
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > limit:
                return problems.of_code(413, "too_large", limit=limit)
            parts.append(part)
        return b"".join(parts)


def _refusal(request: Request, body: bytes) -> Problem | None:
    """What is wrong with a request before anybody looks at its meaning."""
    path, query = request.url.path, request.url.query.lower()
    if "\0" in request.scope["path"] or "%00" in query:
        return problems.of_code(400, "bad_request")
    if not body or not path.startswith("/api/"):
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return None
    if kind != "application/json":
        return problems.of_code(415, "unsupported_media_type")
    # JSON between systems is UTF-8 (RFC 8259 §8.1), which has no NUL byte; in others the depth would be miscounted.
    if b"\0" in body:
        return problems.of_code(400, "bad_json")
    return problems.of_code(400, "too_deep", deepest=DEEPEST) if deeper(body, DEEPEST) else None


def deeper(body: bytes, deepest: int) -> bool:
    """Does this JSON text nest deeper than `deepest`? Counted on the bytes, before any parser recurses."""
    if body.count(b"[") + body.count(b"{") <= deepest:
        return False
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        if depth > deepest:
            return True
    return False


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body already read, then whatever comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


class _Outgoing:
    """The answer on its way out: notes the status, adds the headers that the route has not set itself."""

    def __init__(self, send: Send, secure: bool) -> None:
        self._send = send
        self._secure = secure
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            own = {name.lower() for name, _ in headers}
            headers += [pair for pair in _HEADERS if pair[0] not in own]
            if self._secure:
                headers.append((b"strict-transport-security", b"max-age=31536000"))
            message = {**message, "headers": headers}
        await self._send(message)
