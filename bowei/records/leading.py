"""The right to be the one process of all that does a work: an advisory lock on a connection of its own."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

import asyncpg
from typing_extensions import override

from bowei.records.connecting import PRIMARY_ONLY, translated

_CONNECT_TIMEOUT_S = 5.0
_ANSWER_WITHIN_S = 2.0
_KEEPALIVE = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
"""How soon the server notices that a leader's machine is gone, and gives the lock to another: 20 s."""


@dataclass(frozen=True, slots=True)
class Post:
    """A work that one process does: its lock, its name in the server's list of connections, and what wakes it.

    Without a lock every process may do it, and only listens.
    """

    lock_key: int | None
    name: str
    channel: str | None = None
    gathered_s: float = 0.0
    """How long news is gathered once there is some, where it costs less to be told of much at once."""


class Leads(Protocol):
    """The right to be the one, as its holder sees it."""

    def lost(self) -> bool:
        """Say whether the right was lost with its connection."""
        ...

    async def wait(self, timeout_s: float) -> None:
        """Wait until there is news on the post's channel or the right is lost, at most `timeout_s`."""
        ...

    async def give_up(self) -> None:
        """Let another process be the one."""
        ...


class HandsOutLead(Protocol):
    """Hands out the right to one post."""

    async def try_lead(self) -> Leads | None:
        """Take the right, or None where another process has it.

        Raises:
            StoreAway, OutcomeUnknown: the record can't be reached.
        """
        ...


class Leading(Leads):
    """The right, held for as long as the connection lives."""

    def __init__(self, connection: asyncpg.Connection, woken: asyncio.Event, gathered_s: float = 0.0) -> None:
        self._connection = connection
        self._woken = woken
        self._gathered_s = gathered_s

    @override
    def lost(self) -> bool:
        return self._connection.is_closed()

    @override
    async def wait(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            await self._ask()
        else:
            await asyncio.sleep(self._gathered_s)
        self._woken.clear()

    async def _ask(self) -> None:
        # Silence may be a connection, and with it a lock, that broke without a word.
        try:
            await self._connection.execute("SELECT", timeout=_ANSWER_WITHIN_S)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._connection.terminate()

    @override
    async def give_up(self) -> None:
        # The lock goes with the connection.
        try:
            await self._connection.close(timeout=2.0)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._connection.terminate()


class Leadership(HandsOutLead):
    """Hands out the right to a post in the database at `url`."""

    def __init__(self, url: str, post: Post) -> None:
        self._url = url
        self._post = post

    @override
    async def try_lead(self) -> Leading | None:
        woken = asyncio.Event()
        with translated():
            connection = await asyncpg.connect(
                self._url,
                timeout=_CONNECT_TIMEOUT_S,
                command_timeout=_CONNECT_TIMEOUT_S,
                target_session_attrs=PRIMARY_ONLY,
                server_settings=_KEEPALIVE | {"application_name": f"bowei {self._post.name}"},
            )
            try:
                lock_key = self._post.lock_key
                if lock_key is not None and not await connection.fetchval("SELECT pg_try_advisory_lock($1)", lock_key):
                    await connection.close(timeout=2.0)
                    return None
                if self._post.channel is not None:
                    await connection.add_listener(self._post.channel, lambda *_: woken.set())
                connection.add_termination_listener(lambda _: woken.set())
            except BaseException:
                connection.terminate()
                raise
        return Leading(connection, woken, self._post.gathered_s)
