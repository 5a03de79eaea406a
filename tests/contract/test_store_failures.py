"""How the real ledger fails: in three words that a service can answer with, and never with a promise half made."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from bowei.records.connecting import UnsafeServer, connect
from bowei.records.failures import OutcomeUnknown, Overloaded, StoreAway
from bowei.records.holding import Outcome
from bowei.records.postgres_holding import PostgresHoldBook
from tests.contract.block import MALL, MONDAY_9H, Block, a_request
from tests.contract.stores import empty, postgres_stores


@pytest.fixture
async def pool(ledger_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Give the connections of a process to an emptied ledger."""
    async with postgres_stores(ledger_url) as (stores, pool):
        await empty(pool)
        await stores.step_to(MONDAY_9H)
        await Block(stores).settle_in()
        yield pool
        assert await stores.book.broken_promises() == []


@asynccontextmanager
async def mall_locked(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Keep the mall's promise locked by a transaction that somebody left open."""
    somebody = await asyncpg.connect(url)
    try:
        async with somebody.transaction():
            await somebody.execute("SELECT 1 FROM bowei.lot_promise WHERE lot_id = $1 FOR UPDATE", MALL)
            yield somebody
    finally:
        await somebody.close()


async def waiting_backend(connection: asyncpg.Connection) -> int:
    """Wait until a backend waits for a lock, and give its number."""
    deadline = datetime.now(UTC) + timedelta(seconds=5)
    while datetime.now(UTC) < deadline:
        # Within a transaction Postgres shows what it showed at the first look.
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        backend = await connection.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        if backend is not None:
            return int(backend)
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits for a lock")


async def test_a_server_that_could_lose_what_it_acknowledged_is_refused_at_the_start(ledger_url: str) -> None:
    """Shows that a ledger whose commits don't wait for the disk is not served from, and the setting is named."""
    with pytest.raises(UnsafeServer, match="synchronous_commit=off"):
        await connect(ledger_url)


async def test_a_server_that_is_not_there_is_away() -> None:
    """Shows that nothing was changed, because nothing was sent."""
    with pytest.raises(StoreAway):
        await connect("postgresql:///bowei?host=/tmp/no-server-here")


async def test_a_lot_that_somebody_keeps_locked_is_answered_in_time(pool: asyncpg.Pool, ledger_url: str) -> None:
    """Shows that a driver does not wait for somebody's open transaction, and that nothing is held after it."""
    book = PostgresHoldBook(pool)
    async with mall_locked(ledger_url):
        with pytest.raises(StoreAway):
            await asyncio.wait_for(book.place(a_request("ann")), timeout=3)
    assert (await book.find("diversion-of-ann", None)).outcome is Outcome.UNKNOWN_DIVERSION
    assert (await book.place(a_request("ann"))).outcome is Outcome.GRANTED


async def test_a_connection_lost_in_the_middle_leaves_the_outcome_unknown_and_the_id_repeatable(
    pool: asyncpg.Pool, ledger_url: str
) -> None:
    """Shows that the driver is told to repeat, and that the repeat is decided on a new connection."""
    book = PostgresHoldBook(pool)
    async with mall_locked(ledger_url) as somebody:
        asked = asyncio.create_task(book.place(a_request("ann")))
        await somebody.execute("SELECT pg_terminate_backend($1)", await waiting_backend(somebody))
        with pytest.raises(OutcomeUnknown):
            await asked
    assert (await book.place(a_request("ann"))).outcome is Outcome.GRANTED
    assert (await book.place(a_request("ann"))).outcome is Outcome.REPEATED


async def test_a_disk_that_fails_leaves_the_outcome_unknown_and_the_id_repeatable(pool: asyncpg.Pool) -> None:
    """Shows that a server whose disk gives an error, and which lives on, is one to ask again, not a mistake of ours."""
    book = PostgresHoldBook(pool)
    await pool.execute(
        "CREATE FUNCTION bowei.fail() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'could not read block 7: Input/output error' USING ERRCODE = 'io_error'; END $$"
    )
    await pool.execute("CREATE TRIGGER fails BEFORE INSERT ON bowei.hold EXECUTE FUNCTION bowei.fail()")
    try:
        with pytest.raises(OutcomeUnknown):
            await book.place(a_request("ann"))
    finally:
        await pool.execute("DROP FUNCTION bowei.fail CASCADE")
    assert (await book.place(a_request("ann"))).outcome is Outcome.GRANTED


async def test_more_requests_than_the_queue_takes_are_refused_at_once(pool: asyncpg.Pool, ledger_url: str) -> None:
    """Shows that whoever does not fit is told so before the others are served, and holds nothing."""
    book = PostgresHoldBook(pool, queue_limit=1)
    async with mall_locked(ledger_url) as somebody:
        first = asyncio.create_task(book.place(a_request("ann")))
        await waiting_backend(somebody)
        second = asyncio.create_task(book.place(a_request("bob")))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await book.place(a_request("cid"))
    assert [decision.outcome for decision in await asyncio.gather(first, second)] == [Outcome.GRANTED] * 2
    assert (await book.find("diversion-of-cid", None)).outcome is Outcome.UNKNOWN_DIVERSION
