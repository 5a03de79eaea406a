"""A Redis or Valkey Cluster: each lot's keys on the master that its hash tag names.

Everything goes through redis-py's cluster pipelines, which group commands by node. What they leave open is done here:
after a lost connection the map of slots is read again, and commands refused with a redirection are sent once more.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.exceptions import AskError, ClusterDownError, RedisClusterException, RedisError, TryAgainError
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import TimeoutError as AnswerLate
from typing_extensions import override

from bowei.livestate.redis_servers import INFO, Command, Listening, PubSubListening, RedisServers, history, subscription

_LEARN_WITHIN_S = 5.0
_LEARN_EVERY_S = 0.2
"""While a master is away each call fails; the map need not be read again for each."""
_REDIRECTED = (AskError, TryAgainError)  # MovedError is an AskError
_LOST = (ConnectionLost, AnswerLate, ClusterDownError, OSError)


class ClusterServers(RedisServers):
    """All masters of a cluster.

    `make_cluster` gives a new client of the addresses that were set, `make_single` one of a node.
    """

    def __init__(self, make_cluster: Callable[[], RedisCluster], make_single: Callable[[str, int], Redis]) -> None:
        self._make_cluster = make_cluster
        self._make_single = make_single
        self._cluster = make_cluster()
        self._map_is_old = False
        self._map_read_at = 0.0
        self._reading_map = asyncio.Lock()

    @override
    async def send(self, commands: Sequence[Command]) -> list[Any]:
        with self._looking_for_loss():
            await self._know_masters()
            answers = await self._pipelined([(command, None) for command in commands])
            redirected = [place for place, answer in enumerate(answers) if isinstance(answer, _REDIRECTED)]
            if redirected:
                # Refused, so not done: to send it again does nothing twice.
                await self._read_map()
                again = await self._pipelined([(commands[place], None) for place in redirected], follow=True)
                for place, answer in zip(redirected, again, strict=True):
                    answers[place] = answer
            self._map_is_old |= any(isinstance(answer, _LOST) for answer in answers)
            return answers

    @override
    async def publish(self, channel: str, message: str) -> None:
        with self._looking_for_loss():
            _raise_first(await self._pipelined([(("PUBLISH", channel, message), await self._teller_of(channel))]))

    @override
    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncIterator[Listening]:
        with self._looking_for_loss():
            node = await self._teller_of(channel)
        async with AsyncExitStack() as stack:
            client = self._make_single(node.host, int(node.port))
            stack.push_async_callback(client.aclose)
            with self._looking_for_loss():
                pubsub = await stack.enter_async_context(subscription(client, channel))
            yield _ClusterListening(pubsub, self, channel, node.name)

    @override
    async def identity(self) -> str:
        with self._looking_for_loss():
            answers = await self._pipelined([(INFO, node) for node in await self._masters()])
            _raise_first(answers)
            return ",".join(sorted(history(answer) for answer in answers))

    @override
    async def ping(self) -> None:
        with self._looking_for_loss():
            _raise_first(await self._pipelined([(("PING",), node) for node in await self._masters()]))

    @override
    async def close(self) -> None:
        await self._cluster.aclose()

    async def told_elsewhere(self, channel: str, name: str) -> bool:
        """Say whether another node than this one tells a channel's news now, as far as is known."""
        with self._looking_for_loss():
            return bool((await self._teller_of(channel)).name != name)

    async def _pipelined(
        self, commands: Sequence[tuple[Command, ClusterNode | None]], *, follow: bool = False
    ) -> list[Any]:
        """Send each command to its node, or where that is None to its key's; `follow` its redirection, if any."""
        pipe = self._cluster.pipeline()
        for command, node in commands:
            if node is None:
                pipe.execute_command(*command)
            else:
                pipe.execute_command(*command, target_nodes=node)
        return await pipe.execute(raise_on_error=False, allow_redirections=follow)

    async def _teller_of(self, channel: str) -> ClusterNode:
        """Give the node that tells a channel's news: the master of the channel's name, were it a key.

        Nodes pass news on to each other, but late: what is told at two of them may be heard in another order, or after
        a later subscription. At one node it is heard as it was told.
        """
        await self._know_masters()
        node = self._cluster.get_node_from_key(channel)
        if node is None:
            raise ConnectionLost("no node tells this channel's news")
        return node

    async def _masters(self) -> list[ClusterNode]:
        await self._know_masters()
        masters: list[ClusterNode] = self._cluster.get_primaries()
        return masters

    async def _know_masters(self) -> None:
        if self._map_is_old and time.monotonic() - self._map_read_at >= _LEARN_EVERY_S:
            await self._read_map()
        async with asyncio.timeout(_LEARN_WITHIN_S):
            await self._cluster.initialize()

    async def _read_map(self) -> None:
        """Read the map of slots anew, once for all who wait for it."""
        asked_at = time.monotonic()
        async with self._reading_map:
            if self._map_read_at > asked_at:
                return
            self._map_is_old = False
            try:
                async with asyncio.timeout(_LEARN_WITHIN_S):
                    await self._cluster.nodes_manager.initialize()
            except (RedisClusterException, TimeoutError):
                # All nodes that were known may have gone: begin again from the addresses that were set.
                old, self._cluster = self._cluster, self._make_cluster()
                await old.aclose()
                raise
            finally:
                self._map_read_at = time.monotonic()

    @contextmanager
    def _looking_for_loss(self) -> Iterator[None]:
        try:
            yield
        except (*_LOST, TimeoutError, RuntimeError):  # RuntimeError: uvloop's, of a connection just closed
            self._map_is_old = True
            raise
        except (RedisClusterException, LookupError) as error:
            # redis-py's own words for "no such node" and "not all slots are covered" are no RedisErrors.
            self._map_is_old = True
            raise ConnectionLost(type(error).__name__) from error


class _ClusterListening(PubSubListening):
    def __init__(self, pubsub: Any, servers: ClusterServers, channel: str, node: str) -> None:  # noqa: ANN401 (untyped by redis-py)
        super().__init__(pubsub)
        self._servers = servers
        self._channel = channel
        self._node = node

    @override
    async def outdated(self) -> bool:
        # A node that was demoted still passes on what others tell; one that was taken out lives on in silence.
        return await self._servers.told_elsewhere(self._channel, self._node)


def _raise_first(answers: Sequence[Any]) -> None:
    for answer in answers:
        if isinstance(answer, RedisError | OSError):
            raise answer
