"""What only real servers can show: moved slots, lost scripts, changed servers, and who is refused what."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError
from typing_extensions import override

from bowei.domain.lots import LotId
from bowei.domain.road_conditions import RoadConditions
from bowei.livestate import keys
from bowei.livestate.connecting import open_servers
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.permissions import AVAILABILITY, INGEST, ROUTING, USERS, User
from bowei.livestate.redis_servers import Command, Listening, RedisServers
from bowei.livestate.redis_store import RedisLiveState
from tests.contract.full_directory import MALL, directory
from tests.contract.live_state_servers import Node, RunningCluster, running, running_sentinels, until
from tests.contract.live_state_users import LiveStateAsUsers, sign_up, signed_in
from tests.contract.test_live_state import FULL_PROMISE, FULL_REPORT, LEDGER, report
from tests.contract.test_live_state_forecasts import city
from tests.free_ports import free_ports

CITY = [LotId(f"lot-{number}") for number in range(700)]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[RedisLiveState]:
    """Open the live state."""
    live_state = RedisLiveState.connect(url)
    try:
        yield live_state
    finally:
        await live_state.close()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    """Give a server that a test may do anything to."""
    (port,) = free_ports(1)
    node = Node(port, tmp_path / "node", ("--port", str(port), "--bind", "127.0.0.1", "--save", ""))
    async with running([node]):
        yield node


async def free_of(live_state: RedisLiveState, lot_id: LotId = MALL) -> int | None:
    """Give what a lot is shown to have free."""
    shown = (await live_state.lots([lot_id])).get(lot_id)
    return shown.report.free if shown and shown.report else None


async def test_a_server_that_lost_its_scripts_is_written_all_the_same(node: Node) -> None:
    """Restarted, promoted, or told SCRIPT FLUSH: the script goes along once, and no report is lost."""
    async with connected(f"redis://127.0.0.1:{node.port}") as live_state:
        await live_state.show_reports({MALL: report(1)})
        await node.do("SCRIPT FLUSH")
        await live_state.show_reports({MALL: report(2, at=1)})
        assert await free_of(live_state) == 2
        await live_state.show_reports({MALL: report(3, at=0)})
        assert await free_of(live_state) == 2


async def test_a_server_that_was_demoted_and_promoted_again_is_filled_again(node: Node) -> None:
    """It is the same process with the same mark, but for a while it held what another had."""
    async with connected(f"redis://127.0.0.1:{node.port}") as live_state:
        await live_state.copy_promises({MALL: FULL_PROMISE}, directory(), ledger=LEDGER)
        await live_state.copy_reports({MALL: FULL_REPORT})
        assert await live_state.promises_copied(LEDGER)
        await node.do("REPLICAOF", "127.0.0.1", *free_ports(1))
        with pytest.raises(LiveStateAway):
            await live_state.promises_copied(LEDGER)
        await node.do("REPLICAOF", "NO", "ONE")
        assert not await live_state.promises_copied(LEDGER)
        assert not await live_state.reports_copied()


class Interrupted(RedisServers):
    """A server to which something happens after so many commands."""

    def __init__(self, servers: RedisServers, *, after: int, strike: Callable[[], Awaitable[None]]) -> None:
        self._servers = servers
        self._left = after
        self._strike = strike

    @override
    async def send(self, commands: Sequence[Command]) -> list[Any]:
        answers = await self._servers.send(commands)
        self._left -= len(commands)
        if self._left <= 0 < self._left + len(commands):
            await self._strike()
        return answers

    @override
    async def publish(self, channel: str, message: str) -> None:
        await self._servers.publish(channel, message)

    @override
    def listen(self, channel: str) -> AbstractAsyncContextManager[Listening]:
        return self._servers.listen(channel)

    @override
    async def identity(self) -> str:
        return await self._servers.identity()

    @override
    async def ping(self) -> None:
        await self._servers.ping()

    @override
    async def close(self) -> None:
        await self._servers.close()


async def test_each_process_copies_again_when_its_server_changed_though_another_already_has(node: Node) -> None:
    """What it last showed may have gone to the server before, after the other one read the record."""
    url = f"redis://127.0.0.1:{node.port}"
    async with connected(url) as first, connected(url) as second:
        await first.copy_reports({MALL: report(1)})
        assert await first.reports_copied()
        assert await second.reports_copied()
        node.kill()
        node.start()
        await until(lambda: node.do("PING"))
        await until(lambda: _answered(first, second), what="both have connected anew")
        await first.copy_reports({MALL: report(1)})
        assert await first.reports_copied()
        assert not await second.reports_copied()
        await second.copy_reports({MALL: report(2, at=1)})
        assert await second.reports_copied()
        assert await first.reports_copied()


async def _answered(*those: RedisLiveState) -> bool:
    try:
        for one in those:
            await one.ping()
    except LiveStateAway:
        return False
    return True


@pytest.mark.parametrize("what", ["promises", "reports"])
async def test_a_copy_that_was_begun_on_another_server_is_not_taken_for_whole(node: Node, what: str) -> None:
    """The server is replaced by an empty one halfway, and nothing fails: it lacks the first half all the same."""

    async def replace_server() -> None:
        node.kill()
        node.start()
        await until(lambda: servers.send([("PING",)]), what="the new server answers on the old connections")

    servers = open_servers(f"redis://127.0.0.1:{node.port}")
    # So that the server knows the script: otherwise the first half would be sent twice.
    await RedisLiveState(servers).show_reports({MALL: FULL_REPORT})
    live_state = RedisLiveState(Interrupted(servers, after=500, strike=replace_server))
    if what == "promises":
        await live_state.copy_promises(dict.fromkeys(CITY, FULL_PROMISE), directory(), ledger=LEDGER)
        copied = await live_state.promises_copied(LEDGER)
    else:
        await live_state.copy_reports(dict.fromkeys(CITY, FULL_REPORT))
        copied = await live_state.reports_copied()
    assert len(await live_state.lots(CITY)) == len(CITY) - 500
    assert not copied
    await live_state.close()


async def test_a_lot_whose_slot_moves_to_another_master_is_followed(live_cluster: RunningCluster) -> None:
    """While it moves (ASK), and after (MOVED): every report is shown, and none is refused to the caller."""
    await live_cluster.flush()
    slot = int(await live_cluster.nodes[0].do("CLUSTER", "KEYSLOT", keys.seen(MALL)))
    before = await live_cluster.master_of(keys.seen(MALL))
    after = next(one for one in await live_cluster.masters() if one is not before)
    before_id, after_id = await before.do("CLUSTER", "MYID"), await after.do("CLUSTER", "MYID")
    try:
        async with connected(live_cluster.url) as live_state, connected(live_cluster.url) as reader:
            assert (await free_of(live_state), await free_of(reader)) == (None, None)
            await after.do("CLUSTER", "SETSLOT", slot, "IMPORTING", before_id)
            await before.do("CLUSTER", "SETSLOT", slot, "MIGRATING", after_id)
            await live_state.show_reports({MALL: report(1), **{lot_id: report(9) for lot_id in CITY}})
            assert await free_of(reader) == 1
            for one in (after, before):
                await one.do("CLUSTER", "SETSLOT", slot, "NODE", after_id)
            await live_state.show_reports({MALL: report(2, at=1), **{lot_id: report(8, at=1) for lot_id in CITY}})
            assert await free_of(reader) == 2
            assert {await free_of(reader, lot_id) for lot_id in CITY[:20]} == {8}
            assert (await live_cluster.master_of(keys.seen(MALL))) is after
    finally:
        await live_cluster.flush()
        for one in (before, after):
            await one.do("CLUSTER", "SETSLOT", slot, "NODE", before_id)
        await until(live_cluster.settled)


@asynccontextmanager
async def small_cluster(folder: Path, port: int, bus: int) -> AsyncIterator[None]:
    """Start a cluster of one node."""
    cluster = ("--cluster-enabled", "yes", "--cluster-port", str(bus), "--save", "")
    node = Node(port, folder / f"node-{port}", ("--port", str(port), "--bind", "127.0.0.1", *cluster))
    async with running([node]):
        await node.do("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)

        async def whole() -> bool:
            return bool((await node.do("CLUSTER INFO"))["cluster_state"] == "ok")

        await until(whole)
        yield


async def test_when_every_known_node_is_gone_the_addresses_of_the_settings_are_asked_again(tmp_path: Path) -> None:
    """A cluster that was moved to other machines behind the same names is found without a restart."""
    first, second, *buses = free_ports(4)
    async with connected(f"redis+cluster://127.0.0.1:{first},127.0.0.1:{second}") as live_state:
        async with small_cluster(tmp_path, first, buses[0]):
            await live_state.copy_reports({MALL: report(1)})
        async with small_cluster(tmp_path, second, buses[1]):
            await until(lambda: _answered(live_state), within_s=5, what="the new cluster was found")
            assert not await live_state.reports_copied()
            await live_state.copy_reports({MALL: report(1)})
            assert await free_of(live_state) == 1


async def test_when_sentinels_name_another_server_nobody_stays_with_the_old_one(tmp_path: Path) -> None:
    """Cut off from the sentinels, it still answers those who are connected to it; they leave it by themselves."""
    async with running_sentinels(tmp_path) as city, connected(city.url) as writer, connected(city.url) as reader:
        old, new = city.servers
        await writer.copy_promises({MALL: FULL_PROMISE}, directory(), ledger=LEDGER)
        await writer.copy_reports({MALL: report(1)})
        assert await writer.promises_copied(LEDGER)
        async with reader.changes() as news:
            await new.do("REPLICAOF", "NO", "ONE")
            for sentinel in city.sentinels:
                await sentinel.do("SENTINEL", "REMOVE", "city")
                await sentinel.do("SENTINEL", "MONITOR", "city", "127.0.0.1", new.port, 2)
            async with asyncio.timeout(5):
                with pytest.raises(LiveStateAway):
                    async for _change in news:
                        pass
        assert not await writer.promises_copied(LEDGER)
        await writer.show_reports({MALL: report(2, at=1)})
        assert await free_of(reader) == 2
        assert (await old.info("replication"))["role"] == "master"


FORBIDDEN: list[tuple[str, ...]] = [
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("KEYS", "*"),
    ("SCAN", "0"),
    ("CONFIG", "GET", "requirepass"),
    ("ACL", "LIST"),
    ("CLIENT", "LIST"),
    ("MONITOR",),
    ("SCRIPT", "FLUSH"),
    ("REPLICAOF", "NO", "ONE"),
    ("SHUTDOWN", "NOSAVE"),
    ("DEL", keys.DIRECTORY),
    ("GET", "v1:another-program-s"),
    ("PUBLISH", "another-channel", "lots"),
]
NOT_ITS_OWN: dict[User, list[tuple[str, ...]]] = {
    INGEST: [
        ("SET", keys.promised(MALL), "9 {}"),
        ("SET", keys.DIRECTORY, "x"),
        ("SET", keys.COPIED_PROMISED, "x"),
        ("GET", keys.DIRECTORY),
        ("SUBSCRIBE", keys.CHANGES),
    ],
    ROUTING: [("SET", keys.seen(MALL), "9 {}"), ("SET", keys.COPIED_SEEN, "x")],
    AVAILABILITY: [
        ("SET", keys.seen(MALL), "9 {}"),
        ("SET", keys.DIRECTORY, "x"),
        ("EVAL", "return redis.call('SET', KEYS[1], 'x')", "1", keys.DIRECTORY),
        ("PUBLISH", keys.CHANGES, "directory"),
        ("INFO",),
    ],
}


@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
async def test_a_service_s_user_is_refused_what_is_not_its_part(fresh_redis: str, user: User) -> None:
    """Nobody can empty the server, list it, or look at its settings; nobody writes another's keys."""
    async with Redis.from_url(fresh_redis) as redis:
        await sign_up(redis.execute_command)
    async with Redis.from_url(signed_in(fresh_redis, user), driver_info=None) as redis:
        for command in FORBIDDEN + NOT_ITS_OWN[user]:
            with pytest.raises(NoPermissionError):
                await redis.execute_command(*command)  # type: ignore[no-untyped-call]


async def test_each_user_may_run_what_it_runs_and_nothing_else(node: Node, live_cluster: RunningCluster) -> None:
    """What a service's part runs on a server and on a cluster, and what its user may run, are the same."""
    url = f"redis://127.0.0.1:{node.port}/3"
    used: dict[str, set[str]] = {}
    for name, part in PARTS.items():
        await sign_up(node.do)
        for one in live_cluster.nodes:
            await sign_up(one.do)
        await node.do("SCRIPT FLUSH")
        await node.do("CONFIG", "RESETSTAT")
        await part(LiveStateAsUsers(url))
        used[name] = await ran(node)
        for one in live_cluster.nodes:
            await one.do("CONFIG", "RESETSTAT")
        await part(LiveStateAsUsers(live_cluster.url))
        for one in live_cluster.nodes:
            used[name] |= {command for command in await ran(one) if command in {"command", "cluster|slots"}}
    assert used == {user.name: set(user.commands) for user in USERS}


async def test_the_users_of_the_operator_s_page_are_those_of_the_code(tmp_path: Path) -> None:
    """A server starts on the page's ACL file, and each user on it is the one that the tests run under."""
    page = (Path(__file__).parents[2] / "docs" / "operations" / "redis-acl.md").read_text("utf-8")
    (listed,) = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    acl_file = tmp_path / "users.acl"
    acl_file.write_text(listed.replace("user default off\n", "").replace("#SHA256", "nopass"), "utf-8")
    (port,) = free_ports(1)
    node = Node(port, tmp_path / "node", ("--port", str(port), "--bind", "127.0.0.1", "--aclfile", str(acl_file)))
    async with running([node]):
        for user in USERS:
            before = await node.do("ACL GETUSER", user.name)
            await node.do("ACL SETUSER", user.name, *user.rules, "nopass")
            assert await node.do("ACL GETUSER", user.name) == before


async def ran(node: Node) -> set[str]:
    """Give the commands that were run on a server since its statistics were reset; everybody may sign in."""
    statistics = await node.info("commandstats")
    return {name.removeprefix("cmdstat_") for name in statistics} - {"config|resetstat", "hello", "auth"}


async def ingest_part(live_state: LiveStateAsUsers) -> None:
    """Do all that ingest does."""
    await live_state.ingest.ping()
    await live_state.ingest.reports_copied()
    await live_state.ingest.copy_reports({MALL: FULL_REPORT})
    await live_state.ingest.show_reports({MALL: report(1, at=99)})
    await live_state.ingest.show_forecasts(city(MALL))
    await live_state.close()


async def routing_part(live_state: LiveStateAsUsers) -> None:
    """Do all that routing does: the follower's work and a mirror's."""
    await live_state.routing.ping()
    await live_state.routing.promises_copied(LEDGER)
    await live_state.routing.copy_promises({MALL: FULL_PROMISE}, directory(), ledger=LEDGER)
    await live_state.routing.show_promises({MALL: FULL_PROMISE})
    await live_state.routing.show_roads(RoadConditions(1))
    await live_state.routing.show_gate_words([])
    await read(live_state.routing)
    await live_state.close()


async def availability_part(live_state: LiveStateAsUsers) -> None:
    """Do all that availability does."""
    await live_state.availability.ping()
    await read(live_state.availability)
    await live_state.close()


async def read(live_state: RedisLiveState) -> None:
    """Do all that a mirror does, through a silence."""
    async with live_state.changes() as news:
        await anext(news)
    await live_state.directory()
    await live_state.roads_version()
    await live_state.roads()
    await live_state.gate_words()
    await live_state.lots([MALL])
    await live_state.forecasts()


PARTS = {INGEST.name: ingest_part, ROUTING.name: routing_part, AVAILABILITY.name: availability_part}
