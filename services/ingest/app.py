"""Assembles ingest: the only module here that names concrete stores."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from bowei.domain.heartbeats import Heartbeat
from bowei.livestate.redis_store import RedisLiveState
from bowei.observability.background import in_background
from bowei.observability.bodies import RequestRules
from bowei.observability.collecting import spare_the_collector
from bowei.observability.health import Probe, add_health
from bowei.observability.installing import install_http
from bowei.records.clock import open_clock
from bowei.records.connecting import connect, disconnect
from bowei.records.failures import PROBLEM_CODES
from bowei.records.leading import Leadership
from bowei.records.postgres_dead_letters import PostgresDeadLetters
from bowei.records.postgres_forecasts import PostgresForecastBook, foreseer_leadership
from bowei.records.postgres_history import PostgresHistory, keeper_leadership
from bowei.records.postgres_quality import PostgresQualityBook, assessor_leadership
from bowei.records.postgres_quality_desk import PostgresQualityDesk
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.postgres_reporting import PostgresReportJournal
from bowei.records.postgres_sensing import PostgresSpaceBook
from services.ingest.admitting import Admission
from services.ingest.assessing import Assessor
from services.ingest.citybrain import api as citybrain_api
from services.ingest.citybrain.uploading import Uploads
from services.ingest.copying import Copying
from services.ingest.datex2 import api as datex2_api
from services.ingest.doubting import Facts, ShownDoubts
from services.ingest.feeds_file import unheard_sources
from services.ingest.fieldmaps import api as fieldmaps_api
from services.ingest.fieldmaps.pushing import Pushes, keyless_sources
from services.ingest.foreseeing import Foreseer
from services.ingest.history_files import HistoryFiles
from services.ingest.intake import Intake
from services.ingest.keeping import Keeper
from services.ingest.letters import CountedLetters
from services.ingest.lorawan import api as lorawan_api
from services.ingest.lorawan.webhooks import webhooks
from services.ingest.measures import Measures
from services.ingest.mqtt.assembling import ListenerParts, listeners
from services.ingest.native import api as native_api
from services.ingest.native.describing import describe
from services.ingest.native.direct import Direct
from services.ingest.noting import Notes
from services.ingest.parkapi import api as parkapi_api
from services.ingest.pulling.assembling import pullings_of
from services.ingest.pulling.leading import PULLER, Pulling
from services.ingest.receiving import Receiving
from services.ingest.settings import Settings
from services.ingest.sources import Sources
from services.ingest.wiring import Wiring

_log = logging.getLogger(__name__)


class PostgresQuality(PostgresQualityBook, PostgresQualityDesk):
    """The book and the desk on one pool."""


OpensWiring = Callable[[Measures], AbstractAsyncContextManager[Wiring]]
"""Opens the stores and gives what stands around them, for as long as the context lasts."""


def create_app(settings: Settings) -> FastAPI:
    """Give ingest on Postgres and Redis, which are opened when the app starts."""
    return assemble(
        lambda measures: _on_servers(settings, measures), citybrain=settings.citybrain, pushes=settings.pushes
    )


def assemble(open_wiring: OpensWiring, *, citybrain: bool, pushes: Pushes | None = None) -> FastAPI:
    """Give ingest on whatever `open_wiring` opens.

    `citybrain` says whether the City Brain's addresses exist; `pushes` are the feeds that post in their own shape.
    """
    pushes = pushes or Pushes()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            opened = await running.enter_async_context(open_wiring(measures))
            for work in opened.background:
                await running.enter_async_context(in_background(work))
            app.state.wiring = opened
            yield

    app = FastAPI(
        title="Bowei ingest",
        version="1",
        lifespan=lifespan,
        summary="Lots report: observations and passages, from every kind of feed.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    limits = {
        **native_api.LIMITS,
        **citybrain_api.LIMITS,
        **datex2_api.LIMITS,
        **parkapi_api.LIMITS,
        **fieldmaps_api.limits_of(pushes),
    }
    rules = RequestRules(by_prefix=limits)
    app.add_middleware(Direct, endpoints=native_api.DIRECT, failures=PROBLEM_CODES)
    metrics = install_http(app, service="ingest", failures=PROBLEM_CODES, rules=rules)
    measures = Measures(metrics.registry)
    app.include_router(native_api.router)
    app.include_router(datex2_api.router)
    app.include_router(parkapi_api.router)
    app.include_router(lorawan_api.router)
    if citybrain:
        app.include_router(citybrain_api.router)
    if pushes.by_address:
        app.include_router(fieldmaps_api.router_of(pushes))
    add_health(app, {name: _probe(app, name) for name in ("ledger", "live_state")}, metrics)
    describe(app)
    return app


def _probe(app: FastAPI, name: str) -> Probe:
    async def ask() -> str | None:
        opened: Wiring = app.state.wiring
        return await opened.probes[name]()

    return ask


@asynccontextmanager
async def _on_servers(settings: Settings, measures: Measures) -> AsyncIterator[Wiring]:
    async with AsyncExitStack() as stack:
        pool = await connect(
            settings.database_url,
            most_connections=settings.most_connections,
            require_synchronous=settings.require_synchronous,
        )
        stack.push_async_callback(disconnect, pool)
        clock = await open_clock(pool, allow_demo=settings.allow_demo)
        register, journal = PostgresRegister(pool), PostgresReportJournal(pool)
        stack.push_async_callback(journal.close)
        live_state = RedisLiveState.connect(settings.redis_url)
        stack.push_async_callback(live_state.close)
        quality = PostgresQuality(pool)
        facts = Facts(quality)
        sources = Sources(register, sealings=settings.sealings, also_read=facts.read)
        registered = await sources.registered()
        kinds = {source_id: reporter.source.kind for source_id, reporter in registered.by_id.items()}
        for source_id in unheard_sources(settings.feeds, kinds):
            _log.warning("feed_source_not_registered", extra={"source_id": source_id})
        for source_id in keyless_sources(settings.pushes, kinds):
            _log.warning("feed_source_has_no_key", extra={"source_id": source_id})
        letters = PostgresDeadLetters(pool)
        stack.push_async_callback(letters.close)
        counted_letters = CountedLetters(letters, measures.history)
        history, files_at = PostgresHistory(pool), settings.history_files
        keeper = Keeper(
            keeper_leadership(settings.database_url),
            history,
            letters,
            measures.history,
            settings.retention,
            files=None if files_at is None else HistoryFiles(history, files_at, measures.history),
        )
        copying = Copying(journal, live_state, measures)

        async def note_signs(heard: Sequence[Heartbeat]) -> None:
            await notes.signs(heard)

        receiving = Receiving(
            journal,
            live_state,
            clock,
            measures,
            copy_again=copying.copy_again,
            facts_of=facts.of,
            note_signs=note_signs,
        )
        doubts = ShownDoubts(facts, show_all=copying.copy_again)
        notes = Notes(quality, doubts, sources, clock, measures)
        assessor = Assessor(
            assessor_leadership(settings.database_url),
            quality,
            doubts,
            clock,
            measures.quality,
            rules=settings.trust,
            show_all=copying.copy_again,
            keep_days=settings.retention.days,
        )
        foreseer = Foreseer(
            foreseer_leadership(settings.database_url),
            PostgresForecastBook(pool),
            live_state,
            clock,
            measures.forecasts,
        )
        spaces = PostgresSpaceBook(pool)

        async def ask_ledger() -> str | None:
            measures.clock_skew.set((clock.now() - await journal.now()).total_seconds())
            return None

        async def ask_live_state() -> str | None:
            await live_state.ping()
            return None

        intake = Intake(receiving, sources, clock, measures, settings.plate_keys, counted_letters, notes)
        feeds = pullings_of(settings.feeds, intake=intake, sources=sources, clock=clock, measures=measures.pulling)
        pulling = Pulling(Leadership(settings.database_url, PULLER), feeds, measures.pulling)
        parts = ListenerParts(intake, sources, spaces, clock, measures.mqtt, settings.replica)
        brokers = listeners(settings.brokers, parts)
        spare_the_collector()

        yield Wiring(
            receiving=receiving,
            intake=intake,
            uploads=Uploads(receiving, measures, settings.plate_keys),
            copying=copying,
            letters=counted_letters,
            admission=measures.admission(Admission()),
            notes=notes,
            background=(
                copying.run,
                keeper.run,
                facts.run,
                notes.run,
                assessor.run,
                foreseer.run,
                *([pulling.run] if feeds else []),
                *(listener.run for listener in brokers),
            ),
            sources=sources,
            clock=clock,
            measures=measures,
            plate_keys=settings.plate_keys,
            signed_only=settings.signed_only,
            probes={"ledger": ask_ledger, "live_state": ask_live_state},
            webhooks=webhooks(settings.feeds, spaces, intake, sources),
        )
