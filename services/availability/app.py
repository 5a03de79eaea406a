"""Assembles availability: the only module here that names concrete stores."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from bowei.domain.clock import Clock
from bowei.livestate.mirror import CURRENT_FOR_S, LiveMirror
from bowei.livestate.reading import ReadsLiveState
from bowei.livestate.redis_store import RedisLiveState
from bowei.observability.background import in_background
from bowei.observability.collecting import spare_the_collector
from bowei.observability.health import add_health
from bowei.observability.installing import install_http
from bowei.observability.serving import told_to_stop
from bowei.records.clock import ProductionClock, ScaledClock, open_clock
from bowei.records.connecting import connect, disconnect
from bowei.records.failures import StoreFailure
from bowei.roads.keeping_up import RoadsKeeper
from bowei.roads.opening import open_travel_times
from bowei.roads.travel_times import LiveTravelTimes
from services.availability.api import router
from services.availability.boards.api import router as boards
from services.availability.boards.views import BoardView
from services.availability.city_measures import CityCollector
from services.availability.measures import Measures
from services.availability.opendata.api import CACHED, WHOLE_LISTS
from services.availability.opendata.api import router as open_data
from services.availability.opendata.editions import Editions
from services.availability.opendata.front import Front
from services.availability.opendata.history_api import router as history
from services.availability.opendata.history_folder import HistoryFolder
from services.availability.opendata.publisher import Publisher
from services.availability.pages.api import pages_router
from services.availability.pages.files import find_folder, read_pages, read_streets
from services.availability.settings import Settings
from services.availability.signs.measures import SignMeasures
from services.availability.signs.showing import signs_shown
from services.availability.signs.signs_file import NO_SIGNS, Signs
from services.availability.snapshots import Pace, Snapshots
from services.availability.streaming import Places, Streams
from services.availability.views import GateView
from services.availability.whole_streams import BEAT_S, WholeStreams
from services.availability.wiring import Wiring

_log = logging.getLogger(__name__)

_CLOCK_WITHIN_S = 60.0
_CLOCK_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Parts:
    """What an app is assembled from; tests bring in-memory ones."""

    live_state: ReadsLiveState
    find_clock: Callable[[], Awaitable[Clock]]
    travel_times: LiveTravelTimes
    pace: Pace
    most_streams: int
    frame_gap_s: float = 0.2
    beat_s: float = BEAT_S
    current_for_s: float = CURRENT_FOR_S
    signs: Signs = NO_SIGNS
    publisher: Publisher = Publisher()  # noqa: RUF009 (frozen)
    history_files: Path | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Where browsers find routing and the registry; one that is missing is where the pages are."""
    roads: Path | None = None
    """The road file, for the map to draw its streets."""
    close: Callable[[], Awaitable[None]] | None = None
    started: Callable[[], None] = lambda: None
    """Called when there is something to show."""


def create_app(settings: Settings) -> FastAPI:
    """Give availability over Redis; reads the road file, so call it before serving.

    Raises:
        RoadsError: the road file can't be used.
    """
    live_state = RedisLiveState.connect(settings.redis_url)

    async def find_clock() -> Clock:
        return await clock_of(settings)

    return assemble(
        Parts(
            live_state=live_state,
            find_clock=find_clock,
            travel_times=open_travel_times(settings.roads),
            pace=Pace(),
            most_streams=settings.most_streams,
            signs=settings.signs,
            addresses=settings.addresses,
            publisher=settings.publisher,
            history_files=settings.history_files,
            roads=settings.roads,
            close=live_state.close,
            started=spare_the_collector,
        )
    )


def assemble(parts: Parts) -> FastAPI:
    """Put an app together; its lifespan starts and stops what it works with."""
    mirror = LiveMirror(parts.live_state, current_for_s=parts.current_for_s)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            if parts.close is not None:
                running.push_async_callback(parts.close)
            clock = await parts.find_clock()
            snapshots = Snapshots(mirror, clock, parts.travel_times, parts.pace, started=parts.started)
            places = Places(snapshots, most=parts.most_streams)
            city.look_at(snapshots)
            pace = {"frame_gap_s": parts.frame_gap_s, "beat_s": parts.beat_s}
            app.state.wiring = Wiring(
                clock=clock,
                speed=clock.speed if isinstance(clock, ScaledClock) else None,
                snapshots=snapshots,
                places=places,
                streams=Streams(snapshots, places, frame_gap_s=parts.frame_gap_s),
                board_streams=WholeStreams("board", BoardView.cut, snapshots, places, **pace),
                gate_streams=WholeStreams("gate", GateView.cut, snapshots, places, **pace),
                editions=Editions(snapshots, parts.publisher),
                history=HistoryFolder(parts.history_files),
                closures=lambda: mirror.roads.closures,
                measures=Measures(metrics.registry, copy_age_s=lambda: mirror.age_s, streams=lambda: places.open_count),
            )
            keeper = RoadsKeeper(parts.travel_times, mirror, clock)
            for work in (mirror.run, snapshots.run, keeper.run):
                await running.enter_async_context(in_background(work))
            await running.enter_async_context(signs_shown(parts.signs, snapshots, sign_measures))
            running.enter_context(told_to_stop(places.close))
            running.callback(places.close)
            yield

    app = FastAPI(
        title="Bowei availability",
        summary="Lots, gates and streams of both: read only, open to everyone.",
        version="1",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    metrics = install_http(app, service="availability", failures={})
    sign_measures = SignMeasures(metrics.registry)
    city = CityCollector()
    metrics.registry.register(city)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET"],
        allow_headers=["Last-Event-ID", "If-None-Match", "Range", "If-Range"],
        expose_headers=["Link", "X-Total-Count", "ETag"],
    )
    app.add_middleware(Front, paths=WHOLE_LISTS, cached=CACHED, editions=lambda: _editions_of(app), metrics=metrics)
    app.include_router(router)
    app.include_router(boards)
    app.include_router(open_data)
    app.include_router(history)
    pages = read_pages(find_folder(), parts.addresses)
    app.include_router(pages_router(pages, read_streets(parts.roads), parts.addresses))

    async def live_state_away() -> str | None:
        return None if mirror.is_current() else "no sign of life"

    def nothing_to_show() -> str | None:
        wiring = getattr(app.state, "wiring", None)
        loaded = isinstance(wiring, Wiring) and wiring.snapshots.loaded
        return None if loaded else "nothing was copied from the live state yet"

    add_health(app, {"live_state": live_state_away}, metrics, unready=nothing_to_show)
    return app


def _editions_of(app: FastAPI) -> Editions | None:
    wiring = getattr(app.state, "wiring", None)
    return wiring.editions if isinstance(wiring, Wiring) else None


async def clock_of(settings: Settings) -> Clock:
    """Find the clock that the city runs on.

    With the ledger away a production process runs on the machine's clock, which is the ledger's in production; one
    that may serve a demo waits, because a demo's time can't be guessed.

    Raises:
        StoreFailure: a demo's ledger did not come up in a minute.
        WrongMark: the ledger is a demo's, and this is a production process.
    """
    deadline_s = time.monotonic() + _CLOCK_WITHIN_S
    while True:
        try:
            return await _ask_for_clock(settings)
        except StoreFailure as error:
            if not settings.allow_demo:
                _log.warning("ledger_was_away", extra={"why": type(error).__name__, "clock": "the machine's"})
                return ProductionClock()
            if time.monotonic() > deadline_s:
                raise
        await asyncio.sleep(_CLOCK_AGAIN_S)


async def _ask_for_clock(settings: Settings) -> Clock:
    pool = await connect(settings.database_url, most_connections=1, check_durable=False)
    try:
        return await open_clock(pool, allow_demo=settings.allow_demo)
    finally:
        await disconnect(pool)
