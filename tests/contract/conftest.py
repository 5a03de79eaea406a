"""The stores that a contract is kept by: each test that asks for `stores` runs on every one of them."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from bowei.domain.clock import SteppedClock
from bowei.records.in_memory import InMemoryRecords
from services.local.servers import Servers
from tests.conftest import database_url
from tests.contract.block import MONDAY_9H, Block
from tests.contract.stores import Stores, empty, in_memory_stores, postgres_stores, prepare

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def ledger_url(servers: Servers) -> str:
    """Give the address of a migrated database that the tests empty and share, one after the other."""
    name = f"ledger_{next(_NUMBERS)}"
    url = database_url(servers, name)
    asyncio.run(prepare(servers.database_url, url, name))
    return url


@pytest.fixture(params=["in_memory", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str | None:
    """Give the address of the store that a test runs on; None is memory.

    Not a part of `stores`, because servers can't be started from within a test's running loop.
    """
    if request.param == "in_memory":
        return None
    url: str = request.getfixturevalue("ledger_url")
    return url


@pytest.fixture
async def stores(store_url: str | None) -> AsyncIterator[Stores]:
    """Give an empty records room; its time is Monday, 09:00 in Hangzhou."""
    if store_url is None:
        clock = SteppedClock(MONDAY_9H)
        yield in_memory_stores(InMemoryRecords(clock), clock)
        return
    async with postgres_stores(store_url) as (real, pool):
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
