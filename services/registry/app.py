"""Assembles the registry; the only module of it that names a concrete store."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI

from bowei.observability.background import in_background
from bowei.observability.bodies import RequestRules
from bowei.observability.health import add_health
from bowei.observability.installing import install_http, let_pages_ask
from bowei.observability.rate_limits import RateLimit
from bowei.records.connecting import connect, disconnect
from bowei.records.failures import PROBLEM_CODES
from bowei.records.migrating import migrate
from bowei.records.postgres_agreement_book import PostgresAgreementBook
from bowei.records.postgres_audit import PostgresAuditTrail
from bowei.records.postgres_party_book import PostgresPartyBook
from bowei.records.postgres_quality_desk import PostgresQualityDesk
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.postgres_road_book import PostgresRoadBook
from bowei.records.postgres_sharing import PostgresSharing
from bowei.roads.verdicts import RoadPlaces
from services.registry import (
    agreements_api,
    api,
    audit_api,
    calendars_api,
    parties_api,
    quality_api,
    reports_api,
    roads_api,
)
from services.registry.first_code import offer_first_code
from services.registry.settings import Settings
from services.registry.succeeding import Succession
from services.registry.token_keys import TokenKeys
from services.registry.tokens import OutsideTokens, Tokens, fetched_json
from services.registry.wiring import Wiring

RULES = RequestRules(by_prefix={**api.LIMITS, **roads_api.LIMITS, **parties_api.LIMITS})


_SIGN_INS_PER_MINUTE = 30


def _now() -> datetime:
    """Tell real time: tokens are the same everywhere, whatever the hour of a demo's city."""
    return datetime.now(UTC)


def create_app(settings: Settings) -> FastAPI:
    """Give the registry on Postgres; the database is brought to this release when the app starts."""
    return assemble(lambda: _on_postgres(settings), pages_url=settings.pages_url)


def assemble(
    open_wiring: Callable[[], AbstractAsyncContextManager[Wiring]], *, pages_url: str | None = None
) -> FastAPI:
    """Give the registry on whatever `open_wiring` opens when the app starts, and closes when it stops.

    The pages at `pages_url`, and no others of the web, may ask it from elsewhere.
    """

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        async with open_wiring() as wiring:
            app.state.wiring = wiring
            async with in_background(Succession(wiring.agreements).run):
                yield

    async def ask_ledger() -> str | None:
        wiring: Wiring = app.state.wiring
        await wiring.register.directory_version()
        return None

    app = FastAPI(
        title="Bowei registry",
        description="Where the parties agree: lots, hospitals, agreements, sources.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=running,
    )
    metrics = install_http(app, service="registry", failures=PROBLEM_CODES, rules=RULES)
    if pages_url is not None:
        let_pages_ask(app, pages_url)
    for router in (
        api.router,
        agreements_api.router,
        reports_api.router,
        calendars_api.router,
        roads_api.router,
        quality_api.looking,
        quality_api.acting,
        quality_api.pages,
        audit_api.router,
        parties_api.router,
        parties_api.signing_in,
    ):
        app.include_router(router)
    add_health(app, {"ledger": ask_ledger}, metrics)
    return app


@asynccontextmanager
async def _on_postgres(settings: Settings) -> AsyncIterator[Wiring]:
    road_places = None if settings.roads is None else await asyncio.to_thread(RoadPlaces, settings.roads)
    await migrate(settings.database_url)
    pool = await connect(settings.database_url, require_synchronous=settings.require_synchronous)
    parties = PostgresPartyBook(pool)
    try:
        if settings.admin_token is None:
            await offer_first_code(parties)
        yield Wiring(
            register=PostgresRegister(pool),
            quality=PostgresQualityDesk(pool),
            roads=PostgresRoadBook(pool),
            audit=PostgresAuditTrail(pool),
            parties=parties,
            agreements=PostgresAgreementBook(pool),
            sharing=PostgresSharing(pool),
            tokens=Tokens(settings.token_keys or TokenKeys.made(), settings.token_issuer, _now),
            sign_ins=RateLimit(per_minute=_SIGN_INS_PER_MINUTE),
            admin_token=None if settings.admin_token is None else settings.admin_token.encode(),
            outside_tokens=None if settings.provider is None else OutsideTokens(settings.provider, fetched_json, _now),
            quality_open=settings.quality_open,
            road_places=road_places,
        )
    finally:
        await disconnect(pool)
