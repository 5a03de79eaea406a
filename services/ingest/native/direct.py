"""The hot addresses, answered in front of FastAPI: finding an endpoint and what it needs costs more than reading it.

The same functions stay FastAPI's endpoints, for OpenAPI; they are just not reached by that way.
"""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bowei.observability.directly import DirectRoute, answered
from services.ingest.wiring import Wiring, wiring

Endpoint = Callable[[Request, Wiring], Awaitable[Response]]


class Direct:
    """Answers what is posted to the paths of `endpoints`, and hands everything else on.

    `failures` says with which problem code each failure of a store is answered.
    """

    def __init__(
        self, app: ASGIApp, *, endpoints: Mapping[str, Endpoint], failures: Mapping[type[Exception], str]
    ) -> None:
        self._app = app
        self._endpoints = {path: (DirectRoute(path), endpoint) for path, endpoint in endpoints.items()}
        self._failures = failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        found = self._endpoints.get(scope["path"]) if scope.get("method") == "POST" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["route"], endpoint = found
        request = Request(scope, receive)
        response = await answered(request, _asked(endpoint, request), failures=self._failures)
        await response(scope, receive, send)


async def _asked(endpoint: Endpoint, request: Request) -> Response:
    return await endpoint(request, wiring(request))
