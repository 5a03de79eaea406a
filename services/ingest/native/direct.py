"""The hot addresses, answered in front of FastAPI: resolving what an endpoint needs costs more than reading it.

The same functions stay FastAPI's endpoints, for OpenAPI; they are just not reached by that way.
"""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import FastAPI, Request, Response
from starlette.routing import Route

from services.ingest.wiring import Wiring, wiring

Endpoint = Callable[[Request, Wiring], Awaitable[Response]]


def answer_directly(app: FastAPI, endpoints: Mapping[str, Endpoint]) -> None:
    """Let `endpoints` answer what is posted to their paths."""
    for place, (path, endpoint) in enumerate(endpoints.items()):
        app.router.routes.insert(place, _route(path, endpoint))


def _route(path: str, endpoint: Endpoint) -> Route:
    async def answer(request: Request) -> Response:
        request.scope["route"] = route  # as FastAPI's own do, for metrics
        return await endpoint(request, wiring(request))

    route = Route(path, answer, methods=["POST"])
    return route
