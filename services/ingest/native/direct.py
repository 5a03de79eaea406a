"""The hot addresses, answered in front of FastAPI: finding an endpoint and what it needs costs more than reading it.

The same functions stay FastAPI's endpoints, for OpenAPI; they are just not reached by that way.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bowei.domain.problems import Refused
from bowei.observability.problems import refuse
from services.ingest.wiring import Wiring, wiring

Endpoint = Callable[[Request, Wiring], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _Route:
    """What metrics ask of a route."""

    path: str


class Direct:
    """Answers what is posted to the paths of `endpoints`, and hands everything else on.

    `failures` says with which problem code each failure of a store is answered.
    """

    def __init__(
        self, app: ASGIApp, *, endpoints: Mapping[str, Endpoint], failures: Mapping[type[Exception], str]
    ) -> None:
        self._app = app
        self._endpoints = {path: (_Route(path), endpoint) for path, endpoint in endpoints.items()}
        self._failures = failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        found = self._endpoints.get(scope["path"]) if scope.get("method") == "POST" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["route"], endpoint = found
        request = Request(scope, receive)
        try:
            response = await endpoint(request, wiring(request))
        except Refused as refused:
            response = refuse(request, refused)
        except tuple(self._failures) as failure:
            response = refuse(request, self._refused(failure))
        await response(scope, receive, send)

    def _refused(self, failure: Exception) -> Refused:
        refused = Refused(next(code for kind, code in self._failures.items() if isinstance(failure, kind)))
        refused.__cause__ = failure
        return refused
