"""Health: /livez (the event loop turns), /readyz (a useful answer can be given), /metrics.

A lost store shows in the body of /readyz and in `bowei_dependency_up`, and takes no process out of service: its
degraded answer is worth more than none. Only `unready` does that.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import FastAPI
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bowei.observability.metrics import Metrics

Probe = Callable[[], Awaitable[str | None]]
"""Asks a dependency whether it is there: None if so, else what is away, in words."""

PROBE_TIMEOUT_S = 1.0


def add_health(
    app: FastAPI,
    probes: Mapping[str, Probe],
    metrics: Metrics,
    *,
    unready: Callable[[], str | None] = lambda: None,
) -> None:
    """Add the three addresses. `unready` says in words why not even a degraded answer can be given, if so."""

    async def livez() -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def readyz() -> JSONResponse:
        found = await _ask_all(probes, metrics)
        reason = unready()
        status = "unready" if reason else "degraded" if any(found.values()) else "ready"
        body: dict[str, object] = {
            "status": status,
            "dependencies": {
                name: {"state": "away", "detail": away} if away else {"state": "ok"} for name, away in found.items()
            },
        }
        if reason:
            body["detail"] = reason
        return JSONResponse(body, 503 if reason else 200)

    async def show_metrics(request: Request) -> Response:
        await _ask_all(probes, metrics)
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(metrics.registry), headers={"Content-Type": content_type})

    for path, endpoint in (("/livez", livez), ("/readyz", readyz), ("/metrics", show_metrics)):
        app.add_api_route(path, endpoint, methods=["GET"], include_in_schema=False)


async def _ask_all(probes: Mapping[str, Probe], metrics: Metrics) -> dict[str, str | None]:
    answers = await asyncio.gather(*(_ask(probe) for probe in probes.values()))
    found = dict(zip(probes, answers, strict=True))
    for name, away in found.items():
        metrics.dependency_up.labels(name).set(0 if away else 1)
    return found


async def _ask(probe: Probe) -> str | None:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            return await probe()
    except TimeoutError:
        return f"no answer in {PROBE_TIMEOUT_S:g} s"
    except Exception as error:  # noqa: BLE001 (a probe that breaks is an answer: the dependency is away)
        return type(error).__name__
