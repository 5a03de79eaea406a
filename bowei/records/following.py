"""The right to be the one follower: an advisory lock on a connection that also hears of every changed promise."""

import asyncio

import asyncpg

from bowei.records.connecting import translated

_LOCK_KEY = 0x666F6C6C6F77  # "follow"


class LedgerFollowing:
    """The right, held for as long as the connection lives."""

    def __init__(self, connection: asyncpg.Connection, woken: asyncio.Event) -> None:
        self._connection = connection
        self._woken = woken

    def lost(self) -> bool:
        """Say whether the connection, and the lock with it, is gone."""
        return self._connection.is_closed()

    async def wait(self, timeout_s: float) -> None:
        """Wait until a promise changes or the connection is lost, at most `timeout_s`."""
        try:
            await asyncio.wait_for(self._woken.wait(), timeout_s)
        except TimeoutError:
            return
        self._woken.clear()

    async def give_up(self) -> None:
        """Close the connection: the lock goes with it."""
        try:
            await self._connection.close(timeout=2.0)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._connection.terminate()


class LedgerLeadership:
    """Hands out the right to be the one follower of the ledger at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def try_follow(self) -> LedgerFollowing | None:
        """Take the right, or None where another process has it.

        Raises:
            StoreAway, OutcomeUnknown: the ledger can't be reached.
        """
        woken = asyncio.Event()
        with translated():
            connection = await asyncpg.connect(self._url, timeout=5.0, command_timeout=5.0)
            try:
                if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK_KEY):
                    await connection.close(timeout=2.0)
                    return None
                await connection.add_listener("bowei_promised", lambda *_: woken.set())
                connection.add_termination_listener(lambda _: woken.set())
            except BaseException:
                connection.terminate()
                raise
        return LedgerFollowing(connection, woken)
