"""The app around its stores: the addresses, the border, the health, and the copier that runs beside them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from fastapi import FastAPI

from bowei.observability.bodies import RequestLimits, RequestRules
from bowei.observability.health import Probe, add_health
from bowei.observability.installing import install_http
from bowei.records.failures import OutcomeUnknown, Overloaded, StoreAway
from services.ingest import citybrain_api, native
from services.ingest.describing import describe
from services.ingest.measures import Measures
from services.ingest.wiring import Wiring

_FAILURES: dict[type[Exception], str] = {
    StoreAway: "store_away",
    OutcomeUnknown: "outcome_unknown",
    Overloaded: "overloaded",
}

OpensWiring = Callable[[Measures], AbstractAsyncContextManager[Wiring]]
"""Opens the stores and gives what stands around them, for as long as the context lasts."""


def create_api(open_wiring: OpensWiring, *, citybrain: bool) -> FastAPI:
    """Make the app; its stores are opened when it starts. `citybrain` says whether those addresses exist."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_wiring(measures) as opened:
            app.state.wiring = opened
            copying = asyncio.create_task(opened.copying.run())
            try:
                yield
            finally:
                copying.cancel()
                with suppress(asyncio.CancelledError):
                    await copying

    app = FastAPI(
        title="Bowei ingest",
        version="1",
        lifespan=lifespan,
        summary="Lots report: observations and passages, from every kind of feed.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    metrics = install_http(app, service="ingest", failures=_FAILURES, rules=_RULES)
    measures = Measures(metrics.registry)
    app.include_router(native.router)
    if citybrain:
        app.include_router(citybrain_api.router)
    add_health(app, {name: _probe(app, name) for name in ("postgres", "redis")}, metrics)
    describe(app)
    return app


_CITYBRAIN_LIMITS = RequestLimits(
    body_bytes=citybrain_api.BODY_BYTES_MAX, content_types=("application/x-www-form-urlencoded",)
)
_PHOTO_LIMITS = RequestLimits(
    body_bytes=citybrain_api.PHOTO_BYTES_MAX, content_types=("application/x-www-form-urlencoded", "multipart/form-data")
)
_RULES = RequestRules(
    by_prefix={
        "/tcjg/": _CITYBRAIN_LIMITS,
        "/api/v2/": _CITYBRAIN_LIMITS,
        "/tcjg/api/uploadPhoto": _PHOTO_LIMITS,
        "/api/v2/cp/uploadPhoto": _PHOTO_LIMITS,
    }
)


def _probe(app: FastAPI, name: str) -> Probe:
    async def ask() -> str | None:
        opened: Wiring = app.state.wiring
        return await opened.probes[name]()

    return ask
