"""Redis in every form that it is run in, as real processes on loopback: a cluster, servers under sentinels, users.

Each process ends with this one at the latest (services/local/children.py).
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.local.children import Child, kill, last_lines, spawn
from services.local.servers.finding import find_redis
from tests.free_ports import free_ports

READY_WITHIN_S = 20.0
_SILENT_AFTER_MS = 1_000
"""For how long a master must be silent before another takes its place."""
_SLOTS = 16_384
_POLL_S = 0.02
_Opened = TypeVar("_Opened")


@dataclass
class Node:
    """One server, which a test may end, freeze, and start again on what it wrote."""

    port: int
    folder: Path
    arguments: tuple[str, ...]
    child: Child | None = None

    def start(self) -> None:
        """Start it; it may take a moment until it answers."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.child = spawn(
            [str(find_redis()[0].binary), *self.arguments],
            log=self.folder / "log",
            environment={"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
            folder=self.folder,
        )

    def kill(self) -> None:
        """End it at once."""
        if self.child is not None:
            kill(self.child)

    def send_signal(self, number: signal.Signals) -> None:
        """Freeze it (SIGSTOP), or let it go on (SIGCONT)."""
        assert self.child is not None
        self.child.send_signal(number)

    async def info(self, section: str) -> dict[str, Any]:
        """Give what it says of itself."""
        said: dict[str, Any] = await self.do("INFO", section)
        return said

    async def do(self, *command: str | int) -> Any:
        """Give the answer to one command, on a connection of its own: a test's loop is not the servers'."""
        async with Redis(port=self.port, decode_responses=True, socket_timeout=2, driver_info=None) as redis:
            return await redis.execute_command(*command)  # type: ignore[no-untyped-call]


async def until(
    condition: Callable[[], Awaitable[object]], *, within_s: float = READY_WITHIN_S, what: str = ""
) -> None:
    """Wait until a condition is true; a server that does not answer yet makes it false."""
    try:
        async with asyncio.timeout(within_s):
            while True:
                try:
                    if await condition():
                        return
                except (RedisError, OSError):
                    pass
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise AssertionError(f"not within {within_s:g} s: {what or condition}") from None


def _server_arguments(port: int, *more: str) -> tuple[str, ...]:
    settings = {"port": str(port), "bind": "127.0.0.1", "save": "", "appendonly": "no", "repl-diskless-sync-delay": "0"}
    return tuple(word for name, value in settings.items() for word in (f"--{name}", value)) + more


@asynccontextmanager
async def running(nodes: Sequence[Node]) -> AsyncIterator[None]:
    """Start servers, wait until each answers, and end them."""
    async with AsyncExitStack() as stack:
        for node in nodes:
            node.start()
            stack.callback(node.kill)
        for node in nodes:
            await until(partial(node.do, "PING"), what=f"{node.port} answers: {last_lines(node.folder / 'log')}")
        yield


@dataclass(frozen=True)
class RunningCluster:
    """Three masters with a replica each: `nodes[n + 3]` copies `nodes[n]`, as long as no test fails one over."""

    nodes: list[Node]

    @property
    def url(self) -> str:
        """The address, with two of the six nodes."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in (self.nodes[0], self.nodes[4]))

    async def masters(self) -> list[Node]:
        """Give the nodes that are masters and answer."""
        return [node for node in self.nodes if await self._is_master(node)]

    async def master_of(self, key: str) -> Node:
        """Give the node that serves a key now."""
        slot = await self.nodes[0].do("CLUSTER", "KEYSLOT", key)
        for first, last, master, *_ in await self.nodes[0].do("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == int(master[1]))
        raise AssertionError("no node serves the key")

    async def settled(self) -> bool:
        """Say whether all nodes see a whole cluster, and each replica is up with its master."""
        for node in self.nodes:
            state = await node.do("CLUSTER INFO")
            if state["cluster_state"] != "ok" or int(state["cluster_known_nodes"]) != len(self.nodes):
                return False
            replication = await node.info("replication")
            if replication["role"] == "slave" and replication["master_link_status"] != "up":
                return False
        return len(await self.masters()) == 3

    async def _is_master(self, node: Node) -> bool:
        try:
            return bool((await node.info("replication"))["role"] == "master")
        except (RedisError, OSError):
            return False

    async def flush(self) -> None:
        """Empty it."""
        for node in await self.masters():
            await node.do("FLUSHALL")


@asynccontextmanager
async def running_cluster(folder: Path) -> AsyncIterator[RunningCluster]:
    """Start a cluster of six and wait until it is whole."""
    ports = free_ports(12)
    nodes = [
        Node(
            port,
            folder / f"node-{port}",
            _server_arguments(
                port,
                *("--cluster-enabled", "yes", "--cluster-port", str(bus)),
                *("--cluster-node-timeout", str(_SILENT_AFTER_MS), "--cluster-replica-validity-factor", "0"),
            ),
        )
        for port, bus in zip(ports[:6], ports[6:], strict=True)
    ]
    async with running(nodes):
        cluster = RunningCluster(nodes)
        await _join(nodes, ports[6:])
        await until(cluster.settled, what="the cluster is whole")
        yield cluster


async def _join(nodes: Sequence[Node], buses: Sequence[int]) -> None:
    third = _SLOTS // 3
    for place, node in enumerate(nodes[:3]):
        last = _SLOTS - 1 if place == 2 else (place + 1) * third - 1
        await node.do("CLUSTER", "ADDSLOTSRANGE", place * third, last)
        # Distinct from the start, so that nobody has to settle a collision.
        await node.do("CLUSTER", "SET-CONFIG-EPOCH", place + 1)
    for node, bus in zip(nodes[1:], buses[1:], strict=True):
        await nodes[0].do("CLUSTER", "MEET", "127.0.0.1", node.port, bus)

    async def acquainted() -> bool:
        states = [await node.do("CLUSTER INFO") for node in nodes]
        return all(int(state["cluster_known_nodes"]) == len(nodes) for state in states)

    await until(acquainted, what="all nodes know each other")
    for master, replica in zip(nodes[:3], nodes[3:], strict=True):
        await replica.do("CLUSTER", "REPLICATE", await master.do("CLUSTER", "MYID"))


@dataclass(frozen=True)
class RunningSentinels:
    """A master and a replica, and three sentinels of whom two must agree."""

    servers: list[Node]
    sentinels: list[Node]

    @property
    def url(self) -> str:
        """The address: all sentinels, and the name under which they watch the master."""
        return "redis+sentinel://" + ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels) + "/city?db=1"

    async def master(self) -> Node:
        """Give the server that the sentinels name."""
        for sentinel in self.sentinels:
            _, port = await sentinel.do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "city")
            return next(server for server in self.servers if server.port == int(port))
        raise AssertionError("no sentinel")

    async def flush(self) -> None:
        """Empty it."""
        await (await self.master()).do("FLUSHALL")

    async def settled(self) -> bool:
        """Say whether the sentinels know each other and a replica that is up with its master."""
        for sentinel in self.sentinels:
            state = await sentinel.do("SENTINEL MASTER", "city")
            if state["num-other-sentinels"] != len(self.sentinels) - 1 or state["num-slaves"] != 1:
                return False
        roles = [await server.info("replication") for server in self.servers]
        return sorted(role["role"] for role in roles) == ["master", "slave"] and all(
            role.get("master_link_status", "up") == "up" for role in roles
        )


@asynccontextmanager
async def running_sentinels(folder: Path) -> AsyncIterator[RunningSentinels]:
    """Start a master with a replica under three sentinels."""
    first, second, *watching = free_ports(5)
    servers = [
        Node(first, folder / f"server-{first}", _server_arguments(first)),
        Node(second, folder / f"server-{second}", _server_arguments(second, "--replicaof", "127.0.0.1", str(first))),
    ]
    sentinels = [Node(port, folder / f"sentinel-{port}", ("sentinel.conf", "--sentinel")) for port in watching]
    for sentinel in sentinels:
        sentinel.folder.mkdir()
        (sentinel.folder / "sentinel.conf").write_text(
            f"port {sentinel.port}\nbind 127.0.0.1\nsentinel monitor city 127.0.0.1 {first} 2\n"
            f"sentinel down-after-milliseconds city {_SILENT_AFTER_MS}\nsentinel failover-timeout city 3000\n",
            "utf-8",
        )
    running_both = RunningSentinels(servers, sentinels)
    async with running(servers):
        # A sentinel learns of replicas when it first asks the master, and then only every ten seconds.
        await until(lambda: _has_replica(servers[0]), what="the replica is up")
        async with running(sentinels):
            await until(running_both.settled, what="the sentinels know each other")
            yield running_both


async def _has_replica(master: Node) -> bool:
    return bool((await master.info("replication"))["connected_slaves"] == 1)


async def cut_off(replica: Node, master: Node) -> None:
    """Let a replica fall behind: it can't sign in any more, and the master drops it."""
    await replica.do("CONFIG SET", "masteruser", "nobody")
    await replica.do("CONFIG SET", "masterauth", "wrong")
    await master.do("CLIENT KILL", "TYPE", "replica")

    async def is_cut_off() -> bool:
        return bool((await master.info("replication"))["connected_slaves"] == 0)

    await until(is_cut_off, what="the replica is cut off")


def _kept(opened: Callable[[Path], AbstractAsyncContextManager[_Opened]], folder: Path) -> Iterator[_Opened]:
    """Keep servers up for many tests, outside every test's loop."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            yield runner.run(stack.enter_async_context(opened(folder)))
        finally:
            runner.run(stack.aclose())


@pytest.fixture(scope="session")
def live_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    """Give a cluster that many tests share and none fails over."""
    yield from _kept(running_cluster, tmp_path_factory.mktemp("cluster"))


@pytest.fixture(scope="session")
def live_sentinels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSentinels]:
    """Give servers under sentinels that many tests share and none fails over."""
    yield from _kept(running_sentinels, tmp_path_factory.mktemp("sentinels"))
