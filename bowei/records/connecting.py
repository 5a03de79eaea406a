"""Pools of connections to Postgres, the checks at start-up, and the border where driver errors become ours."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import asyncpg

from bowei.records.failures import OutcomeUnknown, StoreAway

Pool = asyncpg.Pool

CONNECT_TIMEOUT_S = 5.0
STATEMENT_TIMEOUT_S = 5.0
LOCK_TIMEOUT_MS = 900
"""A lock held longer than this is somebody's open transaction, not a batch; the request is answered 503."""

_ACQUIRE_TIMEOUT_S = 2.0
_CLOSE_TIMEOUT_S = 3.0
_IDLE_IN_TRANSACTION_MS = 10_000
"""A process that is frozen in the middle of a transaction must not keep the rows of others locked for longer."""

_NEVER_SENT = (
    asyncpg.exceptions.CannotConnectNowError,
    asyncpg.exceptions.TooManyConnectionsError,
    asyncpg.exceptions.InvalidCatalogNameError,
    # The registry has not migrated the database yet: it will.
    asyncpg.exceptions.InvalidSchemaNameError,
    asyncpg.exceptions.UndefinedTableError,
    # No connection was made. Any other error of a socket may have met a statement on its way.
    ConnectionRefusedError,
    FileNotFoundError,
    socket.gaierror,
)
_REFUSED_BY_SERVER = (
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.DeadlockDetectedError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,
    asyncpg.exceptions.SerializationError,
)
_LOST_ON_THE_WAY = (
    asyncpg.exceptions.OperatorInterventionError,  # cancelled or shut down: before its commit or right after it
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    asyncpg.exceptions.StatementCompletionUnknownError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server was gone just before the statement was sent
    OSError,
)


class UnsafeServer(Exception):
    """The Postgres server is set up so that an acknowledged promise could be lost."""


async def connect(url: str, *, most_connections: int = 10, check_durable: bool = True) -> asyncpg.Pool:
    """Open a pool to the ledger.

    Raises:
        StoreAway: the server can't be reached.
        UnsafeServer: fsync, full_page_writes or synchronous_commit are off.
    """
    with translated():
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=most_connections,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=STATEMENT_TIMEOUT_S,
            max_inactive_connection_lifetime=60.0,
            server_settings={
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(_IDLE_IN_TRANSACTION_MS),
                "timezone": "UTC",
                "application_name": "bowei",
            },
        )
    if check_durable:
        try:
            async with acquired(pool) as connection:
                with translated():
                    await _refuse_unsafe(connection)
        except BaseException:
            pool.terminate()
            raise
    return pool


async def disconnect(pool: asyncpg.Pool) -> None:
    """Close a pool: politely, or by force where a connection does not come back in time."""
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await pool.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()


async def _refuse_unsafe(connection: asyncpg.pool.PoolConnectionProxy) -> None:
    for setting, unsafe in (
        ("fsync", ("off",)),
        ("full_page_writes", ("off",)),
        ("synchronous_commit", ("off", "local")),
    ):
        value = await connection.fetchval("SELECT current_setting($1)", setting)
        if value in unsafe:
            raise UnsafeServer(
                f"Postgres runs with {setting}={value}; acknowledged promises could be lost. Turn it on."
            )


@asynccontextmanager
async def acquired(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
    """Borrow a connection; a failure to get one means that nothing was sent.

    A connection in doubt (its statement timed out, was cancelled or lost) is closed and never used again.

    Raises:
        StoreAway: no connection within the time.
    """
    try:
        connection = await pool.acquire(timeout=_ACQUIRE_TIMEOUT_S)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise StoreAway(type(error).__name__) from error
    try:
        yield connection
    except (OutcomeUnknown, asyncio.CancelledError):
        with suppress(asyncpg.InterfaceError):  # a connection that was lost has left the pool already
            connection.terminate()
        raise
    finally:
        await asyncio.shield(_give_back(pool, connection))


async def _give_back(pool: asyncpg.Pool, connection: asyncpg.pool.PoolConnectionProxy) -> None:
    # What can't be given back in time was closed by the pool, and it opens another when one is needed.
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        await pool.release(connection, timeout=1.0)


@contextmanager
def translated() -> Iterator[None]:
    """Turn driver errors into ours.

    What names a mistake of ours (a constraint, a wrong statement) passes as it is.

    Raises:
        StoreAway: no connection was made, or the server refused and rolled all of it back.
        OutcomeUnknown: the answer was lost or late; the write may have happened.
    """
    try:
        yield
    except (*_NEVER_SENT, *_REFUSED_BY_SERVER) as error:
        raise StoreAway(type(error).__name__) from error
    except _LOST_ON_THE_WAY as error:
        raise OutcomeUnknown(type(error).__name__) from error
