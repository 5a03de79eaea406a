"""What the store asks of Redis, however many servers that is; and the plainest answer, one server.

An identity names the servers and the histories that they have: `run_id` is new after a start, `master_replid` after a
promotion. So a server that was restarted, restored, promoted, or demoted and promoted again, never has the identity of
before; what it holds may be old, and is copied again.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from hiredis import pack_command
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ResponseError
from typing_extensions import override

Command = tuple[str | bytes | int, ...]
"""A command as it travels: `("GET", key)`. Its keys, if any, decide which server gets it."""

INFO: Command = ("INFO", "server", "replication")


class Listening(Protocol):
    """An open subscription."""

    async def get_message(self, timeout_s: float) -> Mapping[str, Any] | None:
        """Give the next message, or None where none came in time, or where what came was the answer to a ping."""
        ...

    async def ping(self) -> None:
        """Send a ping; its answer ends the silence."""
        ...

    async def outdated(self) -> bool:
        """Say whether the news is now told by another server than the one listened to."""
        ...


class RedisServers(Protocol):
    """Redis in whatever form. Every method raises RedisError or OSError where an answer is missing."""

    in_order: bool = False
    """Whether what is sent at once is done in that order, so that news may go along behind what it tells of."""
    keys_at_once: int = 1
    """How many keys one command may have: one, where each may be on another server, or just be moving to one."""

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """Send all at once, each to the server of its key; give the answers in order, a refusal as the exception.

        A command without an answer is not sent again: it may have been done.
        """
        ...

    async def publish(self, channel: str, message: str) -> None:
        """Tell all who listen, in the order told."""
        ...

    def listen(self, channel: str) -> AbstractAsyncContextManager[Listening]:
        """Subscribe."""
        ...

    async def identity(self) -> str:
        """Name the servers that hold the keys, and their histories."""
        ...

    async def ping(self) -> None:
        """Ask each server that holds keys for a sign of life."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


ANSWERS_WITHIN_S = 2.0
"""All of those that were asked for together."""


class SingleServer(RedisServers):
    """One server."""

    in_order = True
    keys_at_once = 1_000

    def __init__(self, client: Redis) -> None:
        self._client = client

    @override
    async def send(self, commands: Sequence[Command]) -> list[Any]:
        # Not by a pipeline of redis-py, which packs in Python and sets a timer for each answer: that is most of what a
        # report costs. Its connections are used as it uses them: one that fails on the way is closed, not used again.
        pool: Any = self._client.connection_pool
        connection = await pool.get_connection()
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                # The stub of `pack_command` forgets that a command may be longer.
                packed = [pack_command(command) for command in commands]  # type: ignore[arg-type]
                await connection.send_packed_command(b"".join(packed))
                return [await _answer(connection) for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        finally:
            await pool.release(connection)

    @override
    async def publish(self, channel: str, message: str) -> None:
        [answer] = await self.send([("PUBLISH", channel, message)])
        if isinstance(answer, ResponseError):
            raise answer

    @override
    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncIterator[Listening]:
        async with subscription(self._client, channel) as pubsub:
            yield PubSubListening(pubsub)

    @override
    async def identity(self) -> str:
        return history(await self._client.execute_command(*INFO))  # type: ignore[no-untyped-call]

    @override
    async def ping(self) -> None:
        await self._client.ping()

    @override
    async def close(self) -> None:
        await self._client.aclose()


async def _answer(connection: Any) -> Any:  # noqa: ANN401 (what a command answers)
    try:
        return await connection.read_response(timeout=math.inf)
    except ResponseError as refusal:
        return refusal


class PubSubListening(Listening):
    """A subscription of redis-py's, on a server that can't be outdated."""

    def __init__(self, pubsub: Any) -> None:  # noqa: ANN401 (redis-py leaves PubSub untyped)
        self._pubsub = pubsub

    @override
    async def get_message(self, timeout_s: float) -> Mapping[str, Any] | None:
        message: Mapping[str, Any] | None = await self._pubsub.get_message(timeout=timeout_s)
        return message

    @override
    async def ping(self) -> None:
        await self._pubsub.ping()

    @override
    async def outdated(self) -> bool:
        return False


@asynccontextmanager
async def subscription(client: Redis, channel: str) -> AsyncIterator[Any]:
    """Give redis-py's subscription to a channel."""
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    try:
        await pubsub.subscribe(channel)
        yield pubsub
    finally:
        await pubsub.aclose()  # type: ignore[no-untyped-call]


def history(info: Mapping[str, Any]) -> str:
    """Name one server and its history from its `INFO`.

    Raises:
        redis.ConnectionError: it is a replica: no writer's server, or no longer.
    """
    if info.get("role", "master") != "master":
        raise ConnectionLost("the server was demoted")
    return f"{info['run_id']}.{info.get('master_replid', '')}"
