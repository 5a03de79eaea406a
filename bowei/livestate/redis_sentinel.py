"""Redis under Sentinel: one server at a time, and sentinels who say which."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.exceptions import RedisError
from typing_extensions import override

from bowei.livestate.redis_servers import Listening, PubSubListening, SingleServer, subscription


class SentinelServers(SingleServer):
    """The server that the sentinels name.

    Each look at the identity, and each silence of the news, asks them again: a server that was cut off from them and
    can still be reached from here would otherwise be written and listened to for as long as its connections live.
    """

    def __init__(self, sentinels: Sentinel, name: str, options: Mapping[str, Any]) -> None:
        self._sentinels = sentinels
        super().__init__(sentinels.master_for(name, **options))

    @override
    async def identity(self) -> str:
        await self._address()
        return await super().identity()

    @override
    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncIterator[Listening]:
        async with subscription(self._client, channel) as pubsub:
            yield _SentinelListening(pubsub, self)

    async def moved_from(self, address: tuple[str, int]) -> bool:
        """Say whether the sentinels now name another server; not where they can't be asked."""
        return await self._address() not in {None, address}

    @override
    async def close(self) -> None:
        await super().close()
        await self._sentinels.aclose()

    async def _address(self) -> tuple[str, int] | None:
        """Give the server's address; idle connections to another one are closed on the way."""
        pool = cast("SentinelConnectionPool", self._client.connection_pool)
        try:
            host, port = await pool.get_master_address()  # type: ignore[no-untyped-call]
        except (RedisError, OSError):
            # No sentinel, or a failover under way: the server itself will be missed, or not.
            return None
        return host, int(port)


class _SentinelListening(PubSubListening):
    def __init__(self, pubsub: Any, servers: SentinelServers) -> None:  # noqa: ANN401 (redis-py leaves PubSub untyped)
        super().__init__(pubsub)
        self._servers = servers

    @override
    async def outdated(self) -> bool:
        connection = self._pubsub.connection
        return await self._servers.moved_from((connection.host, int(connection.port)))
