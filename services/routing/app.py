"""Assembles routing: the only module here that names concrete stores."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from fastapi import FastAPI

from bowei.domain.clock import Clock
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.mirror import LiveMirror
from bowei.livestate.redis_store import RedisLiveState
from bowei.observability.health import add_health
from bowei.observability.installing import install_http
from bowei.observability.logs import configure_logs
from bowei.records.clock import open_clock
from bowei.records.connecting import connect
from bowei.records.failures import OutcomeUnknown, Overloaded, StoreAway, StoreFailure
from bowei.records.following import LedgerLeadership
from bowei.records.postgres_holding import PostgresHoldBook
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.postgres_reporting import PostgresReportJournal
from bowei.roads.opening import open_travel_times
from services.routing.api import router
from services.routing.diverting import Diverting
from services.routing.drivers import DriverTokens
from services.routing.following import Follower
from services.routing.hints import Hints
from services.routing.measures import Measures
from services.routing.settings import Settings
from services.routing.wiring import Wiring

_FAILURES: dict[type[Exception], str] = {
    StoreAway: "store_away",
    OutcomeUnknown: "outcome_unknown",
    Overloaded: "overloaded",
}
_LOAD_WITHIN_S = 5.0


def create_app(settings: Settings) -> FastAPI:
    """Make the app; its stores are opened when it starts."""
    configure_logs("routing", settings.log_level)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.wiring = await _assemble(app, settings, stack, measures)
            yield

    app = FastAPI(
        title="Bowei routing",
        version="1",
        lifespan=lifespan,
        summary="Drivers and gate staff ask: a diversion, its hold, its life.",
    )
    metrics = install_http(app, service="routing", failures=_FAILURES)
    measures = Measures(metrics.registry)
    app.include_router(router)
    add_health(
        app,
        {"ledger": lambda: _ask_ledger(app), "live_state": lambda: _ask_live_state(app)},
        metrics,
    )
    return app


async def _assemble(app: FastAPI, settings: Settings, stack: AsyncExitStack, measures: Measures) -> Wiring:
    travel_times = await asyncio.to_thread(open_travel_times, settings.roads)
    pool = await connect(settings.database_url, most_connections=settings.most_connections)
    stack.push_async_callback(pool.close)
    clock: Clock = await open_clock(pool, allow_demo=settings.allow_demo)
    book = PostgresHoldBook(pool)
    stack.push_async_callback(book.close)
    register, journal = PostgresRegister(pool), PostgresReportJournal(pool)
    stack.push_async_callback(journal.close)
    live_state = RedisLiveState.connect(settings.redis_url)
    stack.push_async_callback(live_state.close)
    mirror = LiveMirror(live_state)
    follower = Follower(LedgerLeadership(settings.database_url), book, register, live_state, measures)
    for task in (asyncio.create_task(mirror.run()), asyncio.create_task(follower.run())):
        stack.push_async_callback(_stop, task)
    await mirror.wait_loaded(_LOAD_WITHIN_S)
    app.state.book, app.state.live_state = book, live_state
    diverting = Diverting(book, Hints(mirror, book, journal, register), travel_times, clock, measures)
    return Wiring(diverting, DriverTokens(settings.driver_key), clock, settings.plate_key)


async def _stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _ask_ledger(app: FastAPI) -> str | None:
    book: PostgresHoldBook = app.state.book
    try:
        await book.now()
    except StoreFailure as error:
        return type(error).__name__
    return None


async def _ask_live_state(app: FastAPI) -> str | None:
    live_state: RedisLiveState = app.state.live_state
    try:
        await live_state.ping()
    except LiveStateAway:
        return "away"
    return None
