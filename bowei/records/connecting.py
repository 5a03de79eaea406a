"""Pools of connections to Postgres, the checks at start-up, and the border where driver errors become ours."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from types import MappingProxyType

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from bowei.records.failures import OutcomeUnknown, StoreAway

Pool = asyncpg.Pool
Borrow = Callable[[], AbstractAsyncContextManager[asyncpg.pool.PoolConnectionProxy]]
"""How somebody gets a connection for one thing to do."""

PRIMARY_ONLY = SessionAttribute.read_write
"""Of several hosts in an address, the one that decides; a standby is refused."""

CONNECT_TIMEOUT_S = 5.0
STATEMENT_TIMEOUT_S = 5.0
LOCK_TIMEOUT_MS = 900
"""A lock held longer than this is somebody's open transaction, not a batch; the request is answered 503."""

_ACQUIRE_TIMEOUT_S = 2.0
_CLOSE_TIMEOUT_S = 3.0
_IDLE_IN_TRANSACTION_MS = 10_000
"""A process that is frozen in the middle of a transaction must not keep the rows of others locked for longer."""

_WAITS_FOR_STANDBY = "SyncRepWaitForLSN"
"""Whose warning says that a commit stopped waiting for its standby, in whatever language. The server then reports
success, although the primary alone has the commit, and a promotion would forget it."""

_NEVER_SENT = (
    asyncpg.exceptions.CannotConnectNowError,
    asyncpg.exceptions.TooManyConnectionsError,
    asyncpg.exceptions.InvalidCatalogNameError,
    asyncpg.exceptions.TargetServerAttributeNotMatched,  # a standby: decisions are the primary's
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
    asyncpg.exceptions.ObjectNotInPrerequisiteStateError,  # a standby, asked for what only a primary can do
    asyncpg.exceptions.SerializationError,
)
_LOST_ON_THE_WAY = (
    asyncpg.exceptions.PostgresSystemError,  # an error of its disk
    asyncpg.exceptions.OperatorInterventionError,  # cancelled or shut down: before its commit or right after it
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    asyncpg.exceptions.StatementCompletionUnknownError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server was gone just before the statement was sent
    OSError,
)


UNSAFE_SETTINGS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "fsync": frozenset({"off"}),
        "full_page_writes": frozenset({"off"}),
        "synchronous_commit": frozenset({"off", "local"}),
    }
)
"""Values of Postgres' settings with which a promise could be lost after it was acknowledged."""


class UnsafeServer(Exception):
    """The Postgres server is set up so that an acknowledged promise could be lost."""


async def connect(
    url: str, *, most_connections: int = 10, check_durable: bool = True, require_synchronous: bool = False
) -> asyncpg.Pool:
    """Open a pool to the ledger.

    `check_durable` is for those who decide: they get the primary (of several hosts in `url`, whichever that is), and
    only where it keeps what it acknowledges. `require_synchronous` asks for a copy of every commit on a standby too.

    Raises:
        StoreAway: the server can't be reached, or is a standby.
        UnsafeServer: fsync, full_page_writes or synchronous_commit are off; or no standby is waited for, and
            `require_synchronous` asks for one.
    """
    with translated():
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=most_connections,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=STATEMENT_TIMEOUT_S,
            target_session_attrs=PRIMARY_ONLY if check_durable else None,
            max_inactive_connection_lifetime=60.0,
            reset=_as_it_is,
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
                    await _refuse_unsafe(connection, require_synchronous=require_synchronous)
        except BaseException:
            pool.terminate()
            raise
    return pool


async def _as_it_is(connection: asyncpg.Connection) -> None:
    """Leave a connection as it was used, without asking the server to clean it: nothing here changes a session.

    Whatever lasts longer than a transaction (a lock, LISTEN, a setting) belongs on a connection of its own.
    """


async def disconnect(pool: asyncpg.Pool) -> None:
    """Close a pool: politely, or by force where a connection does not come back in time."""
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await pool.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()


async def _refuse_unsafe(connection: asyncpg.pool.PoolConnectionProxy, *, require_synchronous: bool) -> None:
    for setting, unsafe in UNSAFE_SETTINGS.items():
        value = await connection.fetchval("SELECT current_setting($1)", setting)
        if value in unsafe:
            raise UnsafeServer(
                f"Postgres runs with {setting}={value}; acknowledged promises could be lost. Turn it on."
            )
    if require_synchronous and not await connection.fetchval("SELECT current_setting('synchronous_standby_names')"):
        raise UnsafeServer(
            "Postgres waits for no standby (synchronous_standby_names is empty), and BOWEI_REQUIRE_SYNCHRONOUS is set."
            " Name the standbys, for example 'ANY 1 (standby_1, standby_2)', or unset the variable."
        )


@asynccontextmanager
async def acquired(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
    """Borrow a connection; a failure to get one means that nothing was sent.

    A connection in doubt (its statement timed out, was cancelled or lost) is closed and never used again.

    Raises:
        StoreAway: no connection within the time.
        OutcomeUnknown: what was done is committed on this server, but somebody cancelled the wait for the standby.
    """
    async with kept(pool) as borrow, borrow() as connection:
        yield connection


@asynccontextmanager
async def kept(pool: asyncpg.Pool) -> AsyncIterator[Borrow]:
    """Give a way to borrow one connection again and again, as `acquired` does, that keeps it in between.

    It is taken from the pool at the first use, or when the last one was lost, and given back at the end.
    """
    connection: asyncpg.pool.PoolConnectionProxy | None = None
    warnings: list[asyncpg.PostgresLogMessage] = []

    def heed(_: object, message: asyncpg.PostgresLogMessage) -> None:
        warnings.append(message)

    @asynccontextmanager
    async def borrow() -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        nonlocal connection
        if connection is None or _lost(connection):
            connection = await _taken(pool)
            with suppress(asyncpg.InterfaceError):  # lost since; the first statement will say so
                connection.add_log_listener(heed)
        warnings.clear()
        try:
            yield connection
            _refuse_unreplicated(warnings)
        except (OutcomeUnknown, asyncio.CancelledError):
            with suppress(asyncpg.InterfaceError):  # a connection that was lost has left the pool already
                connection.terminate()
            raise

    try:
        yield borrow
    finally:
        if connection is not None:
            with suppress(asyncpg.InterfaceError):
                connection.remove_log_listener(heed)
            await _give_back(pool, connection)


async def _taken(pool: asyncpg.Pool) -> asyncpg.pool.PoolConnectionProxy:
    try:
        return await pool.acquire(timeout=_ACQUIRE_TIMEOUT_S)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise StoreAway(type(error).__name__) from error


def _lost(connection: asyncpg.pool.PoolConnectionProxy) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # it has left the pool already
        return True


def _refuse_unreplicated(warnings: Sequence[asyncpg.PostgresLogMessage]) -> None:
    if any(warning.server_source_function == _WAITS_FOR_STANDBY for warning in warnings):
        raise OutcomeUnknown("NotReplicated")


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
