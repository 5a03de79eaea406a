"""Assembles ingest: the only module here that names concrete stores."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from fastapi import FastAPI

from bowei.livestate.failures import LiveStateAway
from bowei.livestate.redis_store import RedisLiveState
from bowei.observability.logs import configure_logs
from bowei.records.clock import open_clock
from bowei.records.connecting import connect
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.postgres_reporting import PostgresReportJournal
from services.ingest.api import create_api
from services.ingest.copying import Copying
from services.ingest.measures import Measures
from services.ingest.receiving import Receiving
from services.ingest.settings import Settings
from services.ingest.sources import Sources
from services.ingest.uploading import Uploads
from services.ingest.wiring import Wiring

_CLOSE_WITHIN_S = 3.0


def create_app(settings: Settings) -> FastAPI:
    """Make the app; its stores are opened when it starts."""
    configure_logs("ingest", settings.log_level)

    @asynccontextmanager
    async def open_wiring(measures: Measures) -> AsyncIterator[Wiring]:
        async with AsyncExitStack() as stack:
            yield await _assemble(settings, stack, measures)

    return create_api(open_wiring, citybrain=settings.citybrain)


async def _close(close: Callable[[], Awaitable[None]]) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(close(), _CLOSE_WITHIN_S)


async def _assemble(settings: Settings, stack: AsyncExitStack, measures: Measures) -> Wiring:
    pool = await connect(settings.database_url, most_connections=settings.most_connections)
    stack.push_async_callback(_close, pool.close)
    clock = await open_clock(pool, allow_demo=settings.allow_demo)
    register, journal = PostgresRegister(pool), PostgresReportJournal(pool)
    stack.push_async_callback(journal.close)
    live_state = RedisLiveState.connect(settings.redis_url)
    stack.push_async_callback(live_state.close)
    sources = Sources(register, sealings=settings.sealings)
    await sources.registered()
    copying = Copying(journal, live_state, measures)

    async def ask_postgres() -> str | None:
        await register.directory_version()
        return None

    async def ask_redis() -> str | None:
        try:
            await live_state.ping()
        except LiveStateAway:
            return "away"
        return None

    receiving = Receiving(journal, live_state, clock, measures, copy_again=copying.copy_again)
    return Wiring(
        receiving=receiving,
        uploads=Uploads(receiving, measures, settings.plate_key),
        copying=copying,
        sources=sources,
        clock=clock,
        measures=measures,
        plate_key=settings.plate_key,
        probes={"postgres": ask_postgres, "redis": ask_redis},
    )
