"""Assembles the registry; the only module of it that names a concrete store."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from bowei.observability.health import add_health
from bowei.observability.installing import install_http
from bowei.records.connecting import connect
from bowei.records.failures import OutcomeUnknown, Overloaded, StoreAway, StoreFailure
from bowei.records.migrating import migrate
from bowei.records.postgres_registering import PostgresRegister
from services.registry import api
from services.registry.settings import Settings
from services.registry.wiring import Wiring, sha256_of

_FAILURES: dict[type[Exception], str] = {
    StoreAway: "store_away",
    OutcomeUnknown: "outcome_unknown",
    Overloaded: "overloaded",
}
_CLOSE_TIMEOUT_S = 3.0


def create_app(settings: Settings) -> FastAPI:
    """Give the registry on Postgres; the database is brought to this release when the app starts."""
    return assemble(lambda: _on_postgres(settings))


def assemble(open_wiring: Callable[[], AbstractAsyncContextManager[Wiring]]) -> FastAPI:
    """Give the registry on whatever `open_wiring` opens when the app starts, and closes when it stops."""

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        async with open_wiring() as wiring:
            app.state.wiring = wiring
            yield

    async def postgres() -> str | None:
        wiring: Wiring = app.state.wiring
        try:
            await wiring.register.directory_version()
        except StoreFailure as failure:
            return type(failure).__name__
        return None

    app = FastAPI(
        title="Bowei registry",
        description="Where the parties agree: lots, hospitals, agreements, sources.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=running,
    )
    metrics = install_http(app, service="registry", failures=_FAILURES, rules=api.RULES)
    app.include_router(api.router)
    add_health(app, {"postgres": postgres}, metrics)
    return app


@asynccontextmanager
async def _on_postgres(settings: Settings) -> AsyncIterator[Wiring]:
    await migrate(settings.database_url)
    pool = await connect(settings.database_url)
    try:
        yield Wiring(register=PostgresRegister(pool), admin_token_sha256=sha256_of(settings.admin_token))
    finally:
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await pool.close()
        except TimeoutError:
            pool.terminate()
