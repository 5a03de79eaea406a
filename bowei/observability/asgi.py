"""The border of an HTTP process, as plain ASGI: what happens to each request before and after its endpoint.

    Bordered   request id, metrics, security headers, limits, and an answer for everything that goes wrong
      └── app  (FastAPI's router and endpoints)

An event stream is exempt from the time limit from the moment it says that it is one.
"""

import asyncio
import logging
import re
import secrets
import time
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bowei.domain.problems import Refused
from bowei.observability.bodies import BodyRoom, RequestLimits, RequestRules, checked_body
from bowei.observability.logs import request_id
from bowei.observability.metrics import Metrics
from bowei.observability.problems import PROBLEM_KEY, problem_response

_log = logging.getLogger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_EVENT_STREAM = "text/event-stream"
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""Set where the endpoint did not set its own."""


@dataclass(slots=True)
class _Answer:
    """What has been answered so far."""

    status: int = 0


class Bordered:
    """Wraps an ASGI app with the border that every service has."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, rules: RequestRules) -> None:
        self._app = app
        self._metrics = metrics
        self._rules = rules
        self._room = BodyRoom(rules.held_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        own_id = _id_for(headers.get("x-request-id"))
        token = request_id.set(own_id)
        answer = _Answer()
        started = time.perf_counter()
        self._metrics.active_requests.inc()
        try:
            limits = self._rules.limits_for(scope["path"])
            await self._answer(scope, headers, receive, _decorated(send, own_id, answer, headers), limits, answer)
        finally:
            self._metrics.active_requests.dec()
            self._metrics.answered(
                method=scope["method"],
                route=_route_of(scope),
                status=answer.status or 499,  # 499: the caller left before there was an answer
                problem=scope.get(PROBLEM_KEY),
                seconds=time.perf_counter() - started,
            )
            request_id.reset(token)

    async def _answer(
        self, scope: Scope, headers: Headers, receive: Receive, send: Send, limits: RequestLimits, answer: _Answer
    ) -> None:
        refused = await self._refusal(scope, headers, receive, send, limits)
        # An answer cut off half-way stays unfinished: the server closes the connection, and the caller notices.
        if refused is not None and not answer.status:
            scope[PROBLEM_KEY] = refused.code
            await problem_response(refused, headers.get("accept-language"))(scope, receive, send)

    async def _refusal(
        self, scope: Scope, headers: Headers, receive: Receive, send: Send, limits: RequestLimits
    ) -> Refused | None:
        """Let the app answer within the limits; give the refusal to send in its place, if any."""
        deadline = asyncio.timeout(limits.total_s)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_stream(message):
                deadline.reschedule(None)
            await send(message)

        try:
            with self._room.holding() as count:
                async with deadline:
                    handed_on = await checked_body(scope["method"], headers, receive, limits, count)
                    await self._app(scope, handed_on, sending)
        except ClientDisconnect:
            return None
        except Refused as error:
            return error
        except Exception as error:  # noqa: BLE001 (the last stop: every request gets an answer)
            if deadline.expired():
                _log.warning("request_timed_out", extra={"route": _route_of(scope)})
                return Refused("overloaded" if scope["method"] in _READING else "outcome_unknown")
            _log.error("request_failed", extra={"route": _route_of(scope)}, exc_info=error)
            return Refused("internal")
        return None


def _decorated(send: Send, own_id: str, answer: _Answer, request_headers: Headers) -> Send:
    async def decorated(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            headers = [*message.get("headers", ()), (b"x-request-id", own_id.encode())]
            own = {name for name, _ in headers}
            headers += [(name, value) for name, value in SECURITY_HEADERS if name not in own]
            if answer.status == 413 or "expect" in request_headers:
                headers.append((b"connection", b"close"))  # what is left of the body is not read
            message["headers"] = headers
        await send(message)

    return decorated


def _id_for(given: str | None) -> str:
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return secrets.token_hex(8)


def _route_of(scope: Scope) -> str:
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "unmatched"


def _is_stream(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type", "").startswith(_EVENT_STREAM)
