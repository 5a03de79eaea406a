"""Pools of connections to Postgres, the checks at start-up, and the border where driver errors become ours."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg

from bowei.records.failures import OutcomeUnknown, StoreAway

CONNECT_TIMEOUT_S = 5.0
STATEMENT_TIMEOUT_S = 5.0
LOCK_TIMEOUT_MS = 900
"""A lock held longer than this is somebody's open transaction, not a batch; the request is answered 503."""

_NEVER_SENT = (
    asyncpg.exceptions.CannotConnectNowError,
    asyncpg.exceptions.TooManyConnectionsError,
    asyncpg.exceptions.InvalidCatalogNameError,
    asyncpg.exceptions.AdminShutdownError,
    OSError,
)
_REFUSED_BY_SERVER = (
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.DeadlockDetectedError,
    asyncpg.exceptions.DiskFullError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,
    asyncpg.exceptions.SerializationError,
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
            server_settings={"lock_timeout": str(LOCK_TIMEOUT_MS), "timezone": "UTC", "application_name": "bowei"},
        )
    if check_durable:
        async with acquired(pool) as connection:
            await _refuse_unsafe(connection)
    return pool


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

    Raises:
        StoreAway: no connection within the time.
    """
    try:
        connection = await pool.acquire(timeout=CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreAway(str(error)) from error
    try:
        yield connection
    finally:
        # Shielded: a cancelled request must not leave a connection in doubt in the pool.
        await asyncio.shield(_give_back(pool, connection))


async def _give_back(pool: asyncpg.Pool, connection: asyncpg.pool.PoolConnectionProxy) -> None:
    try:
        await pool.release(connection, timeout=1.0)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()


@contextmanager
def translated() -> Iterator[None]:
    """Turn driver errors into ours.

    Raises:
        StoreAway: the server refused before doing anything, or rolled all of it back.
        OutcomeUnknown: the answer was lost or late.
    """
    try:
        yield
    except (*_NEVER_SENT, *_REFUSED_BY_SERVER) as error:
        if isinstance(error, ConnectionResetError | BrokenPipeError | TimeoutError):
            raise OutcomeUnknown(type(error).__name__) from error
        raise StoreAway(type(error).__name__) from error
    except (asyncpg.exceptions.QueryCanceledError, asyncpg.InterfaceError) as error:
        raise OutcomeUnknown(type(error).__name__) from error
    except asyncpg.PostgresConnectionError as error:
        raise OutcomeUnknown(type(error).__name__) from error
