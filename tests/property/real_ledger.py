"""The real ledger, for many histories one after the other."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass

import asyncpg

from services.local.servers import Servers
from tests.conftest import database_url
from tests.contract.stores import Stores, postgres_stores, prepare


@dataclass(frozen=True)
class Real:
    """The real ledger, for all histories of a run one after the other."""

    runner: asyncio.Runner
    stores: Stores
    pool: asyncpg.Pool


@contextmanager
def real_ledger(servers: Servers) -> Iterator[Real]:
    """Open a migrated ledger on real Postgres, in a database and a loop of its own."""
    url = database_url(servers, "histories")
    with asyncio.Runner() as runner:
        runner.run(prepare(servers.database_url, url, "histories"))
        opened = AsyncExitStack()
        stores, pool = runner.run(_opened(opened, url))
        yield Real(runner, stores, pool)
        runner.run(opened.aclose())


async def _opened(opened: AsyncExitStack, url: str) -> tuple[Stores, asyncpg.Pool]:
    return await opened.enter_async_context(postgres_stores(url))
