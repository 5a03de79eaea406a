"""Assembles routing: the only module here that names concrete stores."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from fastapi import FastAPI

from bowei.domain.clock import Clock
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.mirror import LiveMirror
from bowei.livestate.reading import ReadsLiveState
from bowei.livestate.redis_store import RedisLiveState
from bowei.livestate.showing import ShowsPromises
from bowei.observability.background import in_background, stop
from bowei.observability.bodies import RequestLimits, RequestRules
from bowei.observability.collecting import spare_the_collector
from bowei.observability.health import add_health
from bowei.observability.installing import install_http, let_pages_ask
from bowei.observability.rate_limits import RateLimit
from bowei.observability.serving import told_to_stop
from bowei.records.barriers import BarrierBook
from bowei.records.clock import open_clock
from bowei.records.connecting import connect, disconnect
from bowei.records.failures import PROBLEM_CODES, StoreFailure
from bowei.records.following import LedgerListening, follower_leadership
from bowei.records.forgetting import ForgetsPersons
from bowei.records.gate_book import GateBook
from bowei.records.holding import HoldBook
from bowei.records.leading import HandsOutLead
from bowei.records.postgres_barriers import PostgresBarrierBook
from bowei.records.postgres_forgetting import PostgresForgetting
from bowei.records.postgres_gate_book import PostgresGateBook
from bowei.records.postgres_holding import PostgresHoldBook
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.postgres_reporting import PostgresReportJournal
from bowei.records.postgres_road_book import PostgresRoadBook
from bowei.records.registering import Register
from bowei.records.reporting import ReportJournal
from bowei.records.road_book import RoadBook
from bowei.roads.keeping_up import RoadsKeeper
from bowei.roads.opening import open_travel_times
from services.routing.api import router
from services.routing.barriers import Barriers
from services.routing.broker_line import Broker
from services.routing.direct import Direct
from services.routing.diverting import Diverting
from services.routing.drivers import DriverTokens
from services.routing.endangering import Dangers
from services.routing.following import Follower
from services.routing.forgetting import Forgetting
from services.routing.gates_api import router as gates_router
from services.routing.guarding import Guard
from services.routing.hints import Hints
from services.routing.knowing import KnownKeys
from services.routing.lots_api import router as lots_router
from services.routing.measures import Measures
from services.routing.moving import Moving
from services.routing.own_data_api import router as own_data_router
from services.routing.places import Places
from services.routing.ranking import Ranking
from services.routing.settings import Settings
from services.routing.silences import Silences
from services.routing.streaming import Streams
from services.routing.telling import OpensLines, Telling
from services.routing.views import written
from services.routing.watching import HearsLedger, Watching
from services.routing.wiring import Wiring

_log = logging.getLogger(__name__)

_START_WITHIN_S = 3.0
"""A ledger that is away for longer does not delay the start: the process answers 503 until it is there."""
_LOAD_WITHIN_S = 2.0
_MOST_WAITS_OF_DRIVER = 4
_MOST_POLLS_OF_LOT = 4
_POLLED = RequestLimits(total_s=40.0)
"""A long poll of 30 s, and what comes before and after."""
_RULES = RequestRules(by_prefix={"/v1/diversions/": _POLLED, "/v1/lots/": _POLLED})
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 2.0


class LiveState(ShowsPromises, ReadsLiveState, Protocol):
    """The live state as routing uses it: it shows promises, and reads everything."""

    async def ping(self) -> None:
        """Ask for a sign of life. Raises LiveStateAway."""
        ...


@dataclass(frozen=True, slots=True)
class Stores:
    """What routing stands on."""

    book: HoldBook
    register: Register
    roads: RoadBook
    gates: GateBook
    persons: ForgetsPersons
    journal: ReportJournal
    live_state: LiveState
    leadership: HandsOutLead
    hears: HearsLedger
    barriers: BarrierBook
    clock: Clock
    broker: OpensLines | None = None
    """By which barriers are told, where there is one."""


OpensStores = Callable[[AsyncExitStack], Awaitable[Stores]]
"""Opens the stores and leaves on the stack what closes them."""


def create_app(settings: Settings) -> FastAPI:
    """Make the app; its stores are opened when it starts."""
    return assemble(settings, lambda stack: _open_stores(settings, stack), started=spare_the_collector)


def assemble(settings: Settings, open_stores: OpensStores, *, started: Callable[[], None] = lambda: None) -> FastAPI:
    """Make the app on whatever `open_stores` opens when it starts; tests bring the in-memory twins.

    `started` is called when there is something to decide with.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            start = asyncio.create_task(_start(app, settings, open_stores, stack, measures))
            start.add_done_callback(lambda _: started())
            stack.push_async_callback(stop, start)
            await asyncio.wait({start}, timeout=_START_WITHIN_S)
            if start.done():
                start.result()
            yield

    app = FastAPI(
        title="Bowei routing",
        version="1",
        lifespan=lifespan,
        summary="Drivers and gate staff ask: a diversion, its hold, its life.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # to look for it costs each request 30 µs
    )
    app.add_middleware(Direct, failures=PROBLEM_CODES)
    metrics = install_http(app, service="routing", failures=PROBLEM_CODES, rules=_RULES)
    if settings.pages_url is not None:
        let_pages_ask(app, settings.pages_url)
    measures = Measures(metrics.registry)
    for each in (own_data_router, router, lots_router, gates_router):
        app.include_router(each)
    app.state.stores = app.state.wiring = None
    add_health(
        app,
        {"ledger": lambda: _ask_ledger(app, measures), "live_state": lambda: _ask_live_state(app)},
        metrics,
        unready=lambda: None if app.state.wiring else "the ledger has not been reached since the start",
    )
    return app


async def _start(
    app: FastAPI, settings: Settings, open_stores: OpensStores, stack: AsyncExitStack, measures: Measures
) -> None:
    """Open the stores and set to work, however long the ledger is away.

    Raises:
        WrongMark, UnsafeServer, RoadsError: a mistake of set-up, which waiting does not mend.
    """
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            async with AsyncExitStack() as opened:
                stores = await open_stores(opened)
                wiring = await _wire(stores, settings, opened, measures)
                stack.push_async_exit(opened.pop_all())
                break
        except StoreFailure as error:
            _log.warning("ledger_awaited", extra={"why": str(error), "retry_in_s": pause_s})
        except Exception as error:
            _log.error("start_failed", exc_info=error)
            raise
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 (jitter, not a secret)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
    app.state.stores, app.state.wiring = stores, wiring


async def _open_stores(settings: Settings, stack: AsyncExitStack) -> Stores:
    pool = await connect(
        settings.database_url,
        most_connections=settings.most_connections,
        require_synchronous=settings.require_synchronous,
    )
    stack.push_async_callback(disconnect, pool)
    clock = await open_clock(pool, allow_demo=settings.allow_demo)
    book, journal = PostgresHoldBook(pool), PostgresReportJournal(pool)
    stack.push_async_callback(book.close)
    stack.push_async_callback(journal.close)
    live_state = RedisLiveState.connect(settings.redis_url)
    stack.push_async_callback(live_state.close)
    return Stores(
        book=book,
        register=PostgresRegister(pool),
        roads=PostgresRoadBook(pool),
        gates=PostgresGateBook(pool),
        persons=PostgresForgetting(pool),
        journal=journal,
        live_state=live_state,
        leadership=follower_leadership(settings.database_url),
        hears=LedgerListening(settings.database_url),
        barriers=PostgresBarrierBook(pool),
        clock=clock,
        broker=None if settings.barrier_broker is None else Broker(settings.barrier_broker),
    )


async def _wire(stores: Stores, settings: Settings, stack: AsyncExitStack, measures: Measures) -> Wiring:
    travel_times = await asyncio.to_thread(open_travel_times, settings.roads)
    book, clock = stores.book, stores.clock
    mirror = LiveMirror(stores.live_state)
    silences = Silences(stores.barriers, mirror, clock, measures)
    hints = Hints(mirror, book, stores.journal, stores.register, stores.gates, silent=lambda: silences.lots)
    ranking = Ranking(hints, travel_times, measures)
    watching = Watching(book, stores.hears)
    dangers = Dangers(mirror, ranking, watching, clock)
    moving = Moving(book, ranking, clock, measures)
    guard = Guard(dangers, mirror, book, moving, measures)
    barriers = Barriers(book, stores.barriers, watching, moving, measures)
    forgetting = Forgetting(stores.persons, timedelta(days=settings.drivers_kept_days), measures)
    beside = [guard.run, forgetting.run]
    if stores.broker is not None:
        telling = Telling(stores.broker, book, stores.barriers, barriers, stores.register, watching, measures)
        beside.append(telling.run)
    follower = Follower(
        stores.leadership,
        book,
        stores.register,
        stores.roads,
        stores.gates,
        stores.live_state,
        measures,
        beside=beside,
    )
    keeper = RoadsKeeper(travel_times, mirror, clock, measures.roads)
    for work in (mirror.run, watching.run, dangers.run, follower.run, keeper.run, silences.run):
        await stack.enter_async_context(in_background(work))
    stack.enter_context(told_to_stop(watching.close))
    stack.callback(watching.close)
    await mirror.wait_loaded(_LOAD_WITHIN_S)
    diverting = Diverting(book, ranking, clock, measures, danger_to=dangers.of)
    places = Places(most=settings.most_streams, most_of_one=_MOST_WAITS_OF_DRIVER)
    measures.streams.set_function(lambda: places.taken)
    return Wiring(
        diverting=diverting,
        tokens=DriverTokens(settings.driver_key),
        clock=clock,
        plate_keys=settings.plate_keys,
        new_drivers=RateLimit(per_minute=settings.drivers_per_minute),
        requests_of_driver=RateLimit(per_minute=settings.requests_per_driver),
        streams=Streams(diverting, watching, measures, lambda diversion: written(diversion, clock.now())),
        stream_places=places,
        polls=Places(most=settings.most_streams, most_of_one=_MOST_POLLS_OF_LOT),
        barriers=barriers,
        keys=KnownKeys(stores.register),
        gates=stores.gates,
        persons=stores.persons,
        geofence_m=settings.geofence_m,
        pages_url=settings.pages_url,
    )


async def _ask_ledger(app: FastAPI, measures: Measures) -> str | None:
    stores: Stores | None = app.state.stores
    if stores is None:
        return "not reached yet"
    try:
        ledger_now = await stores.book.now()
    except StoreFailure as error:
        return type(error).__name__
    measures.clock_skew.set((stores.clock.now() - ledger_now).total_seconds())
    return None


async def _ask_live_state(app: FastAPI) -> str | None:
    stores: Stores | None = app.state.stores
    if stores is None:
        return "not asked yet"
    try:
        await stores.live_state.ping()
    except LiveStateAway:
        return "away"
    return None
