"""An operator's desk: registry, routing and availability running, and a party that speaks for the mall."""

import os
import sys
from asyncio import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
from playwright.async_api import Browser, Page, expect

from bowei.domain.lots import Name
from bowei.domain.parties import Party, PartyId, Role
from bowei.records.connecting import connect, disconnect
from bowei.records.postgres_party_book import PostgresPartyBook
from bowei.records.registering import key_sha256_of
from tests.browser.acting import Acting, acting_on, opened
from tests.browser.chromium import Seen
from tests.free_ports import free_port
from tests.system.routing_city import MALL, PROJECT, Site, until

PARTY, SECRET = "malls", "malls.a-secret-of-a-test-and-of-nothing-else"


@dataclass
class Desk:
    """The services, and where the operator's page is."""

    acting: Acting
    registry: str
    seen: Seen = field(repr=False)

    async def opened(self, browser: Browser, **options: object) -> Page:
        """Open the page, and sign in."""
        page = await opened(browser, self.seen, f"{self.acting.pages}/operator?lang=en", **options)
        await page.get_by_label("Party").fill(PARTY)
        await page.get_by_label("Secret").fill(SECRET)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator(f'[data-lot="{MALL}"]')).to_be_visible()
        return page


@asynccontextmanager
async def _registry(acting: Acting, port: int) -> AsyncIterator[None]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BOWEI_")}
    environment |= {
        "BOWEI_DATABASE_URL": acting.city.database_url,
        "BOWEI_ADMIN_TOKEN": "a token of a test and of nothing else",
        "BOWEI_PAGES_URL": acting.pages,
        "BOWEI_PORT": str(port),
    }
    process = await subprocess.create_subprocess_exec(
        sys.executable, "-m", "services.registry", env=environment, cwd=PROJECT, stderr=subprocess.DEVNULL
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:

            async def ready() -> bool:
                try:
                    return (await client.get("/readyz")).status_code == 200
                except httpx2.HTTPError:
                    return False

            await until(ready, bool)
        yield
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def desk_at(site: Site) -> AsyncIterator[Desk]:
    """Run it, with nothing promised yet."""
    port = free_port()
    registry = f"http://127.0.0.1:{port}"
    party = Party(
        PartyId(PARTY),
        Role.OPERATOR,
        Name("商", "Malls"),
        lots=frozenset({MALL}),
        secret_sha256=key_sha256_of(SECRET),
    )
    async with acting_on(site, {"BOWEI_REGISTRY_URL": registry}) as acting, _registry(acting, port):
        pool = await connect(acting.city.database_url, most_connections=1)
        try:
            await PostgresPartyBook(pool).put(party)
        finally:
            await disconnect(pool)
        yield Desk(acting, registry, Seen(acting.pages, registry))
