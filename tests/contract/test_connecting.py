"""The border to Postgres: what failed is told from what may have happened, and no connection in doubt is used again."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from bowei.records.connecting import acquired, connect, disconnect, kept, translated
from bowei.records.failures import OutcomeUnknown, StoreAway


@pytest.fixture
async def pool(fresh_database: str) -> AsyncIterator[asyncpg.Pool]:
    """Give a pool of one connection, so that a test knows which one it gets."""
    pool = await connect(fresh_database, most_connections=1)
    yield pool
    await disconnect(pool)


async def backend_of(pool: asyncpg.Pool) -> int:
    """Give the process id of the server's side of the next connection."""
    async with acquired(pool) as connection:
        pid: int = await connection.fetchval("SELECT pg_backend_pid()")
    return pid


async def run(pool: asyncpg.Pool, statement: str, timeout_s: float = 5.0) -> None:
    """Run a statement as the stores do."""
    async with acquired(pool) as connection:
        with translated():
            await connection.execute(statement, timeout=timeout_s)


async def sleeping(operator: asyncpg.Connection) -> None:
    """Wait until the server runs the statement that a test sent."""
    async with asyncio.timeout(5):
        while not await operator.fetchval(  # noqa: ASYNC110  (no event tells of it)
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
        ):
            await asyncio.sleep(0.01)


async def test_a_connection_goes_back_and_is_used_again(pool: asyncpg.Pool) -> None:
    """Where nothing went wrong no connection is thrown away."""
    assert await backend_of(pool) == await backend_of(pool)


async def test_a_kept_connection_is_the_same_at_every_use_and_goes_back_at_the_end(pool: asyncpg.Pool) -> None:
    """A writer pays for borrowing once; nobody else gets it meanwhile, and everybody afterwards."""
    async with kept(pool) as borrow:
        async with borrow() as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
        with pytest.raises(StoreAway):
            await backend_of(pool)
        async with borrow() as connection:
            assert await connection.fetchval("SELECT pg_backend_pid()") == pid
    assert await backend_of(pool) == pid


async def test_a_kept_connection_that_was_lost_between_two_uses_is_replaced(
    pool: asyncpg.Pool, fresh_database: str
) -> None:
    """A server that was started again meanwhile fails nobody."""
    operator = await asyncpg.connect(fresh_database)
    async with kept(pool) as borrow:
        async with borrow() as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        await operator.execute("SELECT pg_terminate_backend($1)", pid)
        await asyncio.wait_for(lost.wait(), timeout=5)
        async with borrow() as connection:
            assert await connection.fetchval("SELECT pg_backend_pid()") != pid
    await operator.close()


async def test_a_connection_goes_back_without_asking_the_server(pool: asyncpg.Pool, fresh_database: str) -> None:
    """No answer waits for a round trip that cleans: the last that the server heard is what was asked."""
    operator = await asyncpg.connect(fresh_database)
    pid = await backend_of(pool)
    await run(pool, "SELECT 'what was asked'")
    heard = await operator.fetchval("SELECT query FROM pg_stat_activity WHERE pid = $1", pid)
    assert heard == "SELECT 'what was asked'"
    await operator.close()


async def test_a_statement_refused_by_the_server_is_no_doubt(pool: asyncpg.Pool) -> None:
    """A wrong statement passes as the mistake it is, and its connection is good."""
    pid = await backend_of(pool)
    with pytest.raises(asyncpg.exceptions.DivisionByZeroError):
        await run(pool, "SELECT 1 / 0")
    assert await backend_of(pool) == pid


async def test_a_late_answer_is_unknown_and_its_connection_is_not_used_again(pool: asyncpg.Pool) -> None:
    """The statement may still run at the server: whoever comes next gets another connection, at once."""
    pid = await backend_of(pool)
    began_at = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        await run(pool, "SELECT pg_sleep(30)", timeout_s=0.2)
    assert await backend_of(pool) != pid
    assert time.monotonic() - began_at < 1.0


async def test_a_cancelled_request_leaves_no_connection_in_doubt(pool: asyncpg.Pool, fresh_database: str) -> None:
    """A request that ran out of time is cut off; its half-read answer is nobody else's."""
    pid = await backend_of(pool)
    asking = asyncio.create_task(run(pool, "SELECT pg_sleep(30)"))
    operator = await asyncpg.connect(fresh_database)
    await sleeping(operator)
    await operator.close()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await backend_of(pool) != pid


@pytest.mark.parametrize("how", ["pg_terminate_backend", "pg_cancel_backend"])
async def test_a_statement_ended_at_the_server_is_unknown(pool: asyncpg.Pool, fresh_database: str, how: str) -> None:
    """An operator, or a shutdown, may meet a statement right after its commit: never `nothing was changed`."""
    pid = await backend_of(pool)
    asking = asyncio.create_task(run(pool, "SELECT pg_sleep(30)"))
    operator = await asyncpg.connect(fresh_database)
    try:
        await sleeping(operator)
        await operator.execute(f"SELECT {how}({pid})")
    finally:
        await operator.close()
    with pytest.raises(OutcomeUnknown):
        await asking
    assert await backend_of(pool) != pid


async def test_a_server_that_takes_no_writes_changes_nothing(pool: asyncpg.Pool) -> None:
    """A standby, or a primary that was demoted a moment ago."""
    with pytest.raises(StoreAway):
        await run(pool, "BEGIN READ ONLY; CREATE TABLE t (n integer)")
    await run(pool, "SELECT 1")


async def test_all_connections_in_use_is_said_in_time(pool: asyncpg.Pool) -> None:
    """Nothing was sent: whoever waits for a connection does not wait without end."""
    async with acquired(pool):
        began_at = time.monotonic()
        with pytest.raises(StoreAway):
            await backend_of(pool)
    assert time.monotonic() - began_at < 4.0
    await backend_of(pool)


async def test_a_pool_with_a_connection_that_hangs_is_closed_all_the_same(fresh_database: str) -> None:
    """A process can always be stopped."""
    pool = await connect(fresh_database, most_connections=2)
    asking = asyncio.create_task(run(pool, "SELECT pg_sleep(30)", timeout_s=30))
    await asyncio.sleep(0)
    began_at = time.monotonic()
    await disconnect(pool)
    assert time.monotonic() - began_at < 5.0
    with pytest.raises((OutcomeUnknown, StoreAway)):
        await asking


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ConnectionRefusedError(), StoreAway),
        (asyncpg.exceptions.CannotConnectNowError(""), StoreAway),
        (asyncpg.exceptions.LockNotAvailableError(""), StoreAway),
        (asyncpg.exceptions.DeadlockDetectedError(""), StoreAway),
        (asyncpg.exceptions.DiskFullError(""), StoreAway),
        (TimeoutError(), OutcomeUnknown),
        (ConnectionResetError(), OutcomeUnknown),
        (OSError(113, "No route to host"), OutcomeUnknown),
        (asyncpg.exceptions.AdminShutdownError(""), OutcomeUnknown),
        (asyncpg.exceptions.CrashShutdownError(""), OutcomeUnknown),
        (asyncpg.exceptions.QueryCanceledError(""), OutcomeUnknown),
        (asyncpg.exceptions.ConnectionDoesNotExistError(""), OutcomeUnknown),
        (asyncpg.exceptions.ConnectionFailureError(""), OutcomeUnknown),
        (asyncpg.InterfaceError(""), OutcomeUnknown),
        (asyncpg.exceptions.CheckViolationError(""), asyncpg.exceptions.CheckViolationError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_nothing_changed_is_said_only_where_it_is_sure(error: Exception, failure: type[Exception]) -> None:
    """Told `nothing was changed`, a driver is guided without a hold: never while there may be one."""
    with pytest.raises(failure), translated():
        raise error
