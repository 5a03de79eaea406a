"""The stores that a contract is kept by: each test that asks for `stores` runs on every one of them."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import asyncpg
import pytest

from bowei.domain.clock import SteppedClock
from bowei.records.in_memory import InMemoryRecords
from bowei.records.postgres_holding import PostgresHoldBook
from services.local.servers import Servers
from tests.conftest import database_url
from tests.contract.block import MONDAY_9H, Block
from tests.contract.live_state_servers import live_cluster, live_sentinels
from tests.contract.stores import AskedInCompany, Stores, empty, in_memory_stores, postgres_stores, prepare

__all__ = ["live_cluster", "live_sentinels"]

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def ledger_url(servers: Servers) -> str:
    """Give the address of a migrated database that the tests empty and share, one after the other."""
    name = f"ledger_{next(_NUMBERS)}"
    url = database_url(servers, name)
    asyncio.run(prepare(servers.database_url, url, name))
    return url


@pytest.fixture(params=[None, PostgresHoldBook, AskedInCompany], ids=["in_memory", "postgres", "postgres_in_company"])
def real_book(request: pytest.FixtureRequest) -> tuple[str, type[PostgresHoldBook]] | None:
    """Give the address of the store that a test runs on, and how it is asked; None is memory.

    Not a part of `stores`, because servers can't be started from within a test's running loop.
    """
    if request.param is None:
        return None
    return request.getfixturevalue("ledger_url"), request.param


@pytest.fixture
async def stores(real_book: tuple[str, type[PostgresHoldBook]] | None) -> AsyncIterator[Stores]:
    """Give an empty records room; its time is Monday, 09:00 in Hangzhou."""
    if real_book is None:
        clock = SteppedClock(MONDAY_9H)
        yield in_memory_stores(InMemoryRecords(clock), clock)
        return
    url, book_type = real_book
    async with postgres_stores(url, book_type=book_type) as (real, pool):
        await empty(pool)
        await real.step_to(MONDAY_9H)
        yield real


@pytest.fixture
async def block(stores: Stores) -> AsyncIterator[Block]:
    """Give a block with two hospitals, a mall and an office, all reporting; no test of it may break a promise."""
    block = Block(stores)
    await block.settle_in()
    yield block
    assert await block.book.broken_promises() == []


@pytest.fixture
async def postgres_room(ledger_url: str) -> AsyncIterator[tuple[Stores, asyncpg.Pool]]:
    """Give the room in Postgres, empty, and the connections behind it: for what a test does past its ports."""
    async with postgres_stores(ledger_url) as (stores, pool):
        await empty(pool)
        await stores.step_to(MONDAY_9H)
        yield stores, pool
