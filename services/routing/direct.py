"""The hot address, answered in front of FastAPI: finding an endpoint and what it needs costs more than deciding.

The endpoint stays FastAPI's too, for OpenAPI; and whatever can't be read at once is handed on to it, so that every
refusal of a body or an id is FastAPI's own.
"""

import re
from collections.abc import Mapping

import msgspec
from fastapi import Request, Response
from pydantic import ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bowei.observability.directly import DirectRoute, answered
from services.routing.api import divert, etag, not_a_gates_next
from services.routing.params import DIVERSION_ID_FORM, DiversionIn
from services.routing.views import written
from services.routing.wiring import driver, wiring

_PREFIX = "/v1/diversions/"
_ID = re.compile(rf"{DIVERSION_ID_FORM}")


_ROUTE = DirectRoute(f"{_PREFIX}{{diversion_id}}")


class Direct:
    """Answers `PUT /v1/diversions/{id}`, and hands everything else on.

    `failures` says with which problem code each failure of a store is answered.
    """

    def __init__(self, app: ASGIApp, *, failures: Mapping[type[Exception], str]) -> None:
        self._app = app
        self._failures = failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        diversion_id = _asked_for(scope)
        if diversion_id is None:
            await self._app(scope, receive, send)
            return
        message = await receive()  # the border has read it whole
        body = _read(message)
        if body is None:
            await self._app(scope, _again(message, receive), send)
            return
        scope["route"] = _ROUTE
        request = Request(scope, receive)
        response = await answered(request, _answer(request, diversion_id, body), failures=self._failures)
        await response(scope, receive, send)


async def _answer(request: Request, diversion_id: str, body: DiversionIn) -> Response:
    """Do what FastAPI does for `put_diversion`, its dependencies included; a test holds the two together."""
    wired = await wiring(request)
    driver_id = await driver(wired, request.headers.get("authorization"))
    await not_a_gates_next(diversion_id, wired, driver_id)
    diversion = await divert(diversion_id, body, wired, driver_id)
    return Response(
        written(diversion, wired.clock.now()),
        201 if diversion.fresh else 200,
        {"ETag": etag(diversion)},
        media_type="application/json",
    )


def _asked_for(scope: Scope) -> str | None:
    if scope.get("method") != "PUT" or not scope["path"].startswith(_PREFIX):
        return None
    diversion_id: str = scope["path"][len(_PREFIX) :]
    return diversion_id if _ID.fullmatch(diversion_id) else None


def _read(message: Message) -> DiversionIn | None:
    try:
        return DiversionIn.model_validate(msgspec.json.decode(message.get("body", b"")))
    except (msgspec.DecodeError, ValidationError):
        return None


def _again(message: Message, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return message

    return again
