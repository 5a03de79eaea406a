"""Ingest as a process of its own between a real broker, Postgres and Redis; a test may kill any of them."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import msgspec
from httpx2 import AsyncClient, TransportError

from bowei.domain.lots import LotId, SourceId
from bowei.domain.offering import Report
from bowei.livestate.redis_store import RedisLiveState
from bowei.records.connecting import connect
from bowei.records.migrating import migrate
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.registering import Source, SourceKind
from tests.contract.block import MALL, OFFICE, a_lot
from tests.free_ports import free_port

EAST = SourceId("east")
STATE, EVENT, ONLINE = "parking/east/mall-a/state", "parking/east/mall-a/event", "parking/east/mall-a/online"
LONG_AGO = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)
"""Before the messages of a test, which are each a second later than the one before."""


def state(number: int, free: int) -> bytes:
    """Write the full count of the mall, so many seconds after the first."""
    return msgspec.json.encode({"observed_at": LONG_AGO + timedelta(seconds=number), "capacity": 300, "free": free})


def event(number: int) -> bytes:
    """Write a car that came in."""
    return msgspec.json.encode(
        {"passage_id": f"in-{number}", "kind": "enter", "passed_at": LONG_AGO + timedelta(seconds=number)}
    )


@dataclass(slots=True)
class MqttCity:
    """What a test may look at or disturb."""

    folder: Path
    database: str
    redis_url: str
    feeds: str
    port: int = 0
    process: asyncio.subprocess.Process | None = None
    _log_count: int = field(default=0)

    @property
    def log(self) -> str:
        """What the newest process of ingest has logged."""
        return (self.folder / f"ingest-{self._log_count}.log").read_text("utf-8")

    async def start(self) -> None:
        """Start ingest, and wait until its broker is connected."""
        self.port = free_port()
        (self.folder / "feeds.yaml").write_text(self.feeds, "utf-8")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOWEI_")}
        own = {
            "BOWEI_PORT": str(self.port),
            "BOWEI_DATABASE_URL": self.database,
            "BOWEI_REDIS_URL": self.redis_url,
            "BOWEI_FEEDS": str(self.folder / "feeds.yaml"),
            "BOWEI_REPLICA": "one",
            "EAST_PASSWORD": "hunter2",
        }
        self._log_count += 1
        with (self.folder / f"ingest-{self._log_count}.log").open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.ingest", env=inherited | own, stderr=log
            )
        await until(self.connected, within_s=30)

    async def kill(self) -> None:
        """End ingest as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> None:
        """End ingest politely; it must end by itself."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            assert await asyncio.wait_for(self.process.wait(), 15) in {0, -15}, self.log
        finally:
            if self.process.returncode is None:
                await self.kill()

    async def metric(self, name: str) -> float:
        """Give the value of one line of /metrics; -1 where it is not there."""
        try:
            async with AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=5) as client:
                text = (await client.get("/metrics")).text
        except TransportError:
            return -1.0
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found.group(1)) if found else -1.0

    async def messages(self, result: str) -> int:
        """Count the messages that had a result."""
        return max(0, int(await self.metric(f'bowei_ingest_mqtt_messages_total{{result="{result}",source="east"}}')))

    async def connected(self) -> bool:
        """Say whether the broker is connected."""
        return await self.metric('bowei_ingest_mqtt_connected{source="east"}') == 1.0

    async def shown(self, lot_id: LotId = MALL) -> Report | None:
        """Give what Redis shows of a lot."""
        live_state = RedisLiveState.connect(self.redis_url)
        try:
            lots = await live_state.lots([lot_id])
        finally:
            await live_state.close()
        return lots[lot_id].report if lot_id in lots else None

    async def query(self, sql: str) -> Sequence[asyncpg.Record]:
        """Ask Postgres itself."""
        connection = await asyncpg.connect(self.database)
        try:
            return list(await connection.fetch(sql))
        finally:
            await connection.close()

    async def states_recorded(self) -> set[int]:
        """Give the numbers of the states that are in the record."""
        rows = await self.query("SELECT DISTINCT observed_at FROM bowei.observation WHERE lot_id = 'mall'")
        return {int((row["observed_at"] - LONG_AGO).total_seconds()) for row in rows}

    async def cars_recorded(self) -> list[int]:
        """Give the numbers of the cars that are in the record, as often as they are."""
        rows = await self.query("SELECT passage_id FROM bowei.passage ORDER BY passed_at")
        return [int(row["passage_id"].removeprefix("in-")) for row in rows]

    @asynccontextmanager
    async def ledger_away(self, admin_url: str) -> AsyncIterator[None]:
        """Throw everybody out of the database, and let nobody in for as long as the context lasts."""
        name = urlsplit(self.database).path.lstrip("/")
        admin = await asyncpg.connect(admin_url)
        try:
            await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
            yield
        finally:
            await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            await admin.close()


async def prepare(database: str) -> None:
    """Register a mall and an office, and the source that speaks for them."""
    await migrate(database)
    pool = await connect(database, most_connections=2, check_durable=False)
    try:
        register = PostgresRegister(pool)
        await register.put_lots([a_lot(MALL, 300), a_lot(OFFICE, 80)])
        await register.put_sources([Source(EAST, SourceKind.FEED, lots=(("mall-a", MALL), ("office-b", OFFICE)))])
    finally:
        await pool.close()


async def until(reached: Callable[[], Awaitable[bool]], *, within_s: float = 15.0) -> None:
    """Poll until it is so."""
    async with asyncio.timeout(within_s):
        while not await reached():  # noqa: ASYNC110 (what is waited for happens in another process)
            await asyncio.sleep(0.03)
