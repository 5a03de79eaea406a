"""A hospital, a mall and an office with real services: availability, which serves pages, and routing, which acts."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from playwright.async_api import Browser, Page

from bowei.records.connecting import connect, disconnect
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.registering import key_sha256_of
from tests.browser.chromium import PHONE, Seen, context_of
from tests.free_ports import free_port
from tests.system.availability_process import Service, running
from tests.system.routing_city import FIRST, OWN, SPACES, City, Site

GATE_KEY = "first-hospital.a-key-of-a-test-and-of-nothing-else"


@dataclass
class Acting:
    """The services, and where their pages are."""

    city: City
    port: int
    _availability: AsyncExitStack = field(default_factory=AsyncExitStack)
    service: Service | None = None
    more: Mapping[str, str] = field(default_factory=dict)
    """Settings of availability, beside where routing is."""

    @property
    def pages(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def routing(self) -> str:
        """Where routing is."""
        return f"http://127.0.0.1:{self.city.port}"

    @property
    def go(self) -> str:
        """A driver's page, as the hospital's QR opens it."""
        return f"{self.pages}/go?h={FIRST}&lang=en"

    @property
    def gate(self) -> str:
        """The console of the hospital's gate."""
        return f"{self.pages}/gate/{FIRST}?lang=en"

    async def start_availability(self) -> None:
        """Start it, always at the same address, and wait until it shows where the next car goes."""
        settings = {"BOWEI_ROUTING_URL": self.routing, **self.more}
        self.service = await self._availability.enter_async_context(
            running(self.city.site.redis.url, self.city.database_url, settings, port=self.port)
        )
        await self.service.gate_that(lambda gate: "next" in gate, within_s=20)

    async def kill_availability(self) -> None:
        """Kill it, as a machine that fails does."""
        await self._availability.aclose()

    async def states(self) -> list[str]:
        """Give the state of every hold of the ledger."""
        return sorted(str(hold["state"]) for hold in await self.city.holds())


@asynccontextmanager
async def acting_on(site: Site, more: Mapping[str, str] | None = None) -> AsyncIterator[Acting]:
    """Run a city of its own with its pages until the context ends."""
    acting = Acting(City(site), free_port(), more=more or {})
    city = acting.city
    city.settings = {"BOWEI_PAGES_URL": acting.pages, "BOWEI_PLATE_KEY": "a key of at least 32 bytes for the plates"}
    try:
        await city.start_stores()
        await city.settle_in()
        await _put_gate_key(city)
        city.start_routing()
        await city.ready()
        await city.report(OWN, 0)
        for lot_id, spaces in SPACES.items():
            await city.report(lot_id, spaces)
        await acting.start_availability()
        yield acting
    finally:
        await acting.kill_availability()
        await city.close()


async def _put_gate_key(city: City) -> None:
    pool: asyncpg.Pool = await connect(city.database_url, most_connections=1)
    try:
        await PostgresRegister(pool).put_gate_key(FIRST, key_sha256_of(GATE_KEY))
    finally:
        await disconnect(pool)


async def opened(browser: Browser, seen: Seen, address: str, **options: Any) -> Page:
    """Open a page in a browser of its own."""
    context = await context_of(browser, **({"viewport": PHONE, "timezone_id": "Asia/Shanghai"} | options))
    page = await context.new_page()
    seen.watch(page)
    await page.goto(address)
    return page
