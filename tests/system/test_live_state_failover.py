"""Redis fails over in the middle of load, to a replica that lags behind: everyone's copy ends up as the ledger says.

The follower, ingest's copying and a reader's mirror are the services' own; the ledger is the twin, in this process.
"""

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from typing_extensions import override

from bowei.domain.agreements import AgreementId
from bowei.domain.choosing import LotNow
from bowei.domain.clock import SteppedClock
from bowei.domain.lots import LotId
from bowei.domain.offering import NOTHING_PROMISED
from bowei.livestate import keys
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.mirror import LiveMirror
from bowei.livestate.redis_store import RedisLiveState
from bowei.records.in_memory import InMemoryRecords
from bowei.records.leading import HandsOutLead, Leads
from services.ingest.copying import Copying
from services.ingest.measures import Measures as IngestMeasures
from services.routing.following import Follower
from services.routing.measures import Measures as RoutingMeasures
from tests.contract.block import FIRST, MONDAY_9H, Block, a_hospital, a_lot, lending, on
from tests.contract.live_state_servers import (
    Node,
    RunningCluster,
    RunningSentinels,
    cut_off,
    running_cluster,
    running_sentinels,
    until,
)
from tests.contract.stores import in_memory_stores

PACE_S = 0.005
"""Between two drivers, and so between two reports."""
CONVERGED_WITHIN_S = 15.0
"""Half of what the follower takes to show everything again in any case."""
STOPPED_WITHIN_S = 10.0
DEMOTED_WITHIN_S = 40.0
"""A sentinel asks a server that came back for its role every ten seconds, and waits a while before it demotes it."""
CITY = [LotId(f"lot-{number}") for number in range(24)]


class AloneInTheLedger(HandsOutLead, Leads):
    """The right to follow where nobody else wants it."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()

    @override
    async def try_lead(self) -> Leads | None:
        return self

    @override
    def lost(self) -> bool:
        return False

    @override
    async def wait(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self.changed.wait()
        except TimeoutError:
            return
        self.changed.clear()

    @override
    async def give_up(self) -> None:
        pass


class City:
    """A ledger, everyone who copies it to Redis and from it, and drivers who never stop asking."""

    def __init__(self, url: str) -> None:
        self.url = url
        clock = SteppedClock(MONDAY_9H)
        self.block = Block(in_memory_stores(InMemoryRecords(clock), clock))
        self.ingest, self.routing, self.reader = (RedisLiveState.connect(url) for _ in range(3))
        self.leadership = AloneInTheLedger()
        self.follower = Follower(
            self.leadership,
            self.block.book,
            self.block.register,
            self.block.stores.roads,
            self.block.stores.gates,
            self.routing,
            RoutingMeasures(CollectorRegistry()),
        )
        self.copying = Copying(self.block.journal, self.ingest, IngestMeasures(CollectorRegistry()), look_every_s=0.5)
        self.mirror = LiveMirror(self.reader)
        self.drivers = itertools.count()
        self.not_shown = 0

    async def settle_in(self) -> None:
        """Register the city and let each lot report."""
        await self.block.register.put_lots([a_lot(lot_id, 500) for lot_id in (*CITY, LotId("own"))])
        await self.block.register.put_hospitals([a_hospital(FIRST)])
        await self.block.register.put_agreements([lending(agreement_of(lot), lot, FIRST, 400) for lot in CITY])
        for lot_id in CITY:
            await self.report(lot_id, 500)

    async def report(self, lot_id: LotId, free: int) -> None:
        """Record a report and show it, as ingest does."""
        await self.block.pass_time(milliseconds=10)
        recorded = await self.block.report(lot_id, free=free)
        assert recorded.report is not None
        try:
            await self.ingest.show_reports({lot_id: recorded.report})
        except LiveStateAway:
            self.not_shown += 1
            self.copying.copy_again()

    async def hold(self, lot_id: LotId) -> str:
        """Let a driver hold a space, and give the driver's name."""
        driver = f"driver-{next(self.drivers)}"
        decision = await self.block.ask(driver, on(agreement_of(lot_id), hours=1))
        assert decision.outcome == "granted"
        self.leadership.changed.set()
        return driver

    async def drive(self, lots: list[LotId], enough: asyncio.Event) -> None:
        """Hold and report until it is enough. Never broken off: what is recorded is shown, as ingest sees to."""
        for number in itertools.count():
            if enough.is_set():
                return
            lot_id = lots[number % len(lots)]
            driver = await self.hold(lot_id)
            await self.report(lot_id, 400 - number % 300)
            await self.block.release(driver)
            self.leadership.changed.set()
            await asyncio.sleep(PACE_S)

    async def expected(self) -> dict[LotId, LotNow]:
        """Give what the ledger and the record say of each lot."""
        promises = (await self.block.book.promised(None)).promises
        reports = await self.block.journal.reports()
        return {lot: LotNow(reports.get(lot), promises.get(lot, NOTHING_PROMISED)) for lot in CITY}

    async def mirrored(self) -> bool:
        """Say whether the reader's own copy is current, and the ledger's."""
        age_s = self.mirror.age_s
        expected = await self.expected()
        return age_s is not None and age_s < 2 and all(self.mirror.lot(lot) == now for lot, now in expected.items())

    async def shown(self) -> bool:
        """Say whether Redis shows the ledger to somebody who comes now."""
        newcomer = RedisLiveState.connect(self.url)
        try:
            return dict(await newcomer.lots(CITY)) == await self.expected()
        except LiveStateAway:
            return False
        finally:
            await newcomer.close()


def agreement_of(lot_id: LotId) -> AgreementId:
    """Name the agreement under which a lot lends."""
    return AgreementId(f"{lot_id}/first")


@asynccontextmanager
async def living_city(url: str) -> AsyncIterator[City]:
    """Give a city whose copy is whole, with everyone at work but the drivers."""
    city = City(url)
    await city.settle_in()
    async with at_work(city.follower.run, city.copying.run, city.mirror.run):
        await until(city.mirrored, what="the copy is whole before the fault")
        yield city
    for live_state in (city.ingest, city.routing, city.reader):
        await live_state.close()


@asynccontextmanager
async def at_work(*works: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run work beside the test, and end it; a work that failed fails the test."""
    tasks = [asyncio.create_task(work()) for work in works]
    try:
        yield
        assert not [task for task in tasks if task.done()]
    finally:
        async with asyncio.timeout(STOPPED_WITHIN_S):
            # Again and again: in Python 3.11 a cancellation that meets the end of a wait may be lost.
            while waiting := {task for task in tasks if not task.done()}:
                for task in waiting:
                    task.cancel()
                await asyncio.wait(waiting, timeout=0.2)
    assert all(task.cancelled() for task in tasks), [task for task in tasks if not task.cancelled()]


@asynccontextmanager
async def surviving(
    city: City, quiet: LotId, strike: Callable[[], Coroutine[Any, Any, None]], replica: Node, master: Node
) -> AsyncIterator[None]:
    """Strike in the middle of load, right after the replica missed the last words of a lot that then stays silent.

    The body waits until another server has taken over; then everything is equal again by itself.
    """
    enough = asyncio.Event()
    driving = asyncio.create_task(city.drive([lot for lot in CITY if lot != quiet], enough))
    try:
        await cut_off(replica, master)
        await city.hold(quiet)
        await city.report(quiet, 123)

        async def heard() -> bool:
            shown = city.mirror.lot(quiet)
            return shown.promise.held == 1 and shown.report is not None and shown.report.free == 123

        await until(heard, what="the reader saw the quiet lot's last words")
        serial = city.mirror.serial
        await strike()
        yield
        await until(lambda: _later(city, serial), what="news flows again")
    finally:
        enough.set()
        async with asyncio.timeout(STOPPED_WITHIN_S):
            await driving
    await until(city.shown, within_s=CONVERGED_WITHIN_S, what="Redis shows what the ledger says")
    await until(city.mirrored, within_s=CONVERGED_WITHIN_S, what="the reader's copy is what the ledger says")


async def _later(city: City, serial: int) -> bool:
    age_s = city.mirror.age_s
    return city.mirror.serial > serial and age_s is not None and age_s < 1


async def quiet_lot(cluster: RunningCluster) -> LotId:
    """Give a lot that lives on another master than both marks: theirs are not what is lost."""
    marks = {(await cluster.master_of(key)).port for key in (keys.COPIED_SEEN, keys.COPIED_PROMISED)}
    for lot_id in CITY:
        if (await cluster.master_of(keys.seen(lot_id))).port not in marks:
            return lot_id
    raise AssertionError("all lots live with the marks")


async def replica_of(cluster: RunningCluster, master: Node) -> Node:
    """Give the replica of a master."""
    return cluster.nodes[cluster.nodes.index(master) + 3]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[RunningCluster]:
    """Give a cluster that the test may break."""
    async with running_cluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
async def sentinels(tmp_path: Path) -> AsyncIterator[RunningSentinels]:
    """Give servers under sentinels that the test may break."""
    async with running_sentinels(tmp_path) as sentinels:
        yield sentinels


async def test_a_cluster_s_master_is_killed_and_its_lagging_replica_takes_over(cluster: RunningCluster) -> None:
    """What the replica never got is copied again: its promises and reports, of a lot that says nothing more."""
    quiet = await quiet_lot(cluster)
    master = await cluster.master_of(keys.seen(quiet))
    replica = await replica_of(cluster, master)
    async with living_city(cluster.url) as city:

        async def strike() -> None:
            master.kill()

        async with surviving(city, quiet, strike, replica, master):
            await until(lambda: _leads(replica), what="the replica was promoted")


async def test_a_cluster_s_master_that_was_frozen_wakes_up_as_a_replica(cluster: RunningCluster) -> None:
    """What it still holds, and what was sent to it while it slept, is seen by nobody."""
    quiet = await quiet_lot(cluster)
    master = await cluster.master_of(keys.seen(quiet))
    replica = await replica_of(cluster, master)
    async with living_city(cluster.url) as city:

        async def strike() -> None:
            master.send_signal(signal.SIGSTOP)

        async with surviving(city, quiet, strike, replica, master):
            await until(lambda: _leads(replica), what="the replica was promoted")
            master.send_signal(signal.SIGCONT)
            await until(lambda: _follows(master), within_s=DEMOTED_WITHIN_S, what="the old master became a replica")


async def test_a_cluster_that_was_gone_as_a_whole_comes_back_empty_and_is_filled(cluster: RunningCluster) -> None:
    """A power cut: whoever was connected to it finds it again by the addresses of the settings."""
    quiet = await quiet_lot(cluster)
    master = await cluster.master_of(keys.seen(quiet))
    async with living_city(cluster.url) as city:

        async def strike() -> None:
            for node in cluster.nodes:
                node.kill()

        async with surviving(city, quiet, strike, await replica_of(cluster, master), master):
            for node in cluster.nodes:
                node.start()
            await until(cluster.settled, what="the cluster is whole again")


async def test_sentinels_promote_a_lagging_replica_when_the_master_is_killed(sentinels: RunningSentinels) -> None:
    """Everyone finds the new server through the sentinels, and it is filled again."""
    master, replica = sentinels.servers
    async with living_city(sentinels.url) as city:

        async def strike() -> None:
            master.kill()

        async with surviving(city, CITY[0], strike, replica, master):
            await until(lambda: _leads(replica), what="the replica was promoted")


async def test_a_master_under_sentinels_that_was_frozen_wakes_up_as_a_replica(sentinels: RunningSentinels) -> None:
    """Nobody goes on writing to it, or reading from it, once the sentinels have named another."""
    master, replica = sentinels.servers
    async with living_city(sentinels.url) as city:

        async def strike() -> None:
            master.send_signal(signal.SIGSTOP)

        async with surviving(city, CITY[0], strike, replica, master):
            await until(lambda: _leads(replica), what="the replica was promoted")
            master.send_signal(signal.SIGCONT)
            await until(lambda: _follows(master), within_s=DEMOTED_WITHIN_S, what="the old master became a replica")


async def _leads(node: Node) -> bool:
    return bool((await node.info("replication"))["role"] == "master")


async def _follows(node: Node) -> bool:
    replication = await node.info("replication")
    return bool(replication["role"] == "slave" and replication["master_link_status"] == "up")
