"""Two ingest processes and one feed: one of them pulls, and when it is killed the other does."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from httpx2 import AsyncClient, TransportError

from bowei.domain.lots import Entrance, Lot, LotId, LotKind, Name, SourceId
from bowei.domain.places import Point
from bowei.records.connecting import connect
from bowei.records.leading import Leadership
from bowei.records.migrating import migrate
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.registering import Source, SourceKind
from services.ingest.pulling.leading import PULLER
from tests.free_ports import free_port
from tests.service.feed_server import Asked, FeedServer, feed_server, reply
from tests.system.test_ingest_real import shown, wait_until

MALL = LotId("mall")


@pytest.fixture
async def database(fresh_database: str) -> str:
    """A database with a mall, and a feed that may report for it."""
    await migrate(fresh_database)
    pool = await connect(fresh_database, most_connections=2, check_durable=False)
    try:
        here = Point(30.2552, 120.1582)
        register = PostgresRegister(pool)
        entrance = Entrance("north", Name("北口", "North"), here)
        await register.put_lots(
            [Lot(MALL, LotKind.MALL, Name("商场", "Mall"), "Asia/Shanghai", 300, here, (entrance,))]
        )
        await register.put_sources([Source(SourceId("city"), SourceKind.FEED, lots=(("1001", MALL),))])
    finally:
        await pool.close()
    return fresh_database


class Counting:
    """A feed in which one space is taken between any two looks."""

    def __init__(self) -> None:
        self.free = 200

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        """Answer in the shape of a map's."""
        self.free -= 1
        body = f'[{{"PARKNO": "1001", "TOTALQUANTITY": 300, "FREEQUANTITY": {self.free}}}]'.encode()
        await reply(body, content_type="application/json")(asked, writer)


@pytest.fixture
async def feed() -> AsyncIterator[FeedServer]:
    """A feed on this machine."""
    async with feed_server(Counting()) as server:
        yield server


@dataclass(frozen=True, slots=True)
class Ingest:
    """One ingest process."""

    process: Process
    client: AsyncClient

    async def pulls(self) -> bool:
        """Say whether it is the one that pulls."""
        try:
            metrics = (await self.client.get("/metrics")).text.splitlines()
        except TransportError:
            return False
        assert process_has_feeds(metrics)
        return "bowei_ingest_pulling 1.0" in metrics


def process_has_feeds(metrics: list[str]) -> bool:
    """Say whether a process read the feeds file."""
    return "bowei_ingest_pull_feeds 1.0" in metrics


@asynccontextmanager
async def running(folder: Path, environment: Mapping[str, str]) -> AsyncIterator[Ingest]:
    """Run one process until the test is done."""
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOWEI_")}
    own = {**inherited, **environment, "BOWEI_PORT": str(port)}
    with (folder / f"ingest-{port}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.ingest", env=own, stderr=log)
    try:
        async with AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            one = Ingest(process, client)

            async def answers() -> bool:
                try:
                    return (await client.get("/livez")).status_code == 200
                except TransportError:
                    return False

            await wait_until(answers, within_s=20)
            yield one
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_one_process_pulls_and_when_it_is_killed_the_other_does(
    database: str, fresh_redis: str, feed: FeedServer, tmp_path: Path
) -> None:
    """Proves the whole way from a feed's page to Redis; that one of two asks; and that nobody has to be told."""
    feeds = tmp_path / "feeds.yaml"
    pull = f"source: city, way: pull, url: '{feed.url()}', map: hsinchu, every_s: 5"
    feeds.write_text(f"feeds: [{{{pull}, insecure: true, allow_private: true}}]", "utf-8")
    environment = {"BOWEI_DATABASE_URL": database, "BOWEI_REDIS_URL": fresh_redis, "BOWEI_FEEDS": str(feeds)}

    async def free_shown() -> int:
        report = await shown(fresh_redis)
        return 300 if report is None or report.free is None else report.free

    async with AsyncExitStack() as stack:
        both = [await stack.enter_async_context(running(tmp_path, environment)) for _ in range(2)]

        async def shows_counts() -> bool:
            return await free_shown() < 200

        await wait_until(shows_counts, within_s=20)
        assert sorted([await one.pulls() for one in both]) == [False, True]
        leader, other = both if await both[0].pulls() else (both[1], both[0])
        leader.process.kill()
        await leader.process.wait()
        left_at = await free_shown()
        await wait_until(other.pulls, within_s=20)

        async def goes_on() -> bool:
            return await free_shown() < left_at

        await wait_until(goes_on, within_s=20)
        assert feed.most_at_once == 1


async def test_the_right_to_pull_is_one_and_comes_back(fresh_database: str) -> None:
    """Proves that Postgres hands it out once, and again as soon as it was given up."""
    first, second = (Leadership(fresh_database, PULLER) for _ in range(2))
    leading = await first.try_lead()
    assert leading is not None
    assert await second.try_lead() is None
    await leading.give_up()
    again = await second.try_lead()
    assert again is not None
    assert not again.lost()
    await again.give_up()
    assert again.lost()
