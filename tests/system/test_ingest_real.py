"""Ingest as a process of its own, over real HTTP, Postgres and Redis."""

import asyncio
import hashlib
import os
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from httpx2 import AsyncClient, Response, TransportError
from redis.asyncio import Redis

from bowei.domain.lots import Entrance, Lot, LotId, LotKind, Name, SourceId
from bowei.domain.offering import Report
from bowei.domain.places import Point
from bowei.domain.plates import plate_hash
from bowei.livestate.redis_store import RedisLiveState
from bowei.records.connecting import connect
from bowei.records.migrating import migrate
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.registering import Source, SourceKind
from services.ingest.citybrain.envelope import seal
from services.ingest.citybrain.fields import CHINA_TIME
from services.local.servers import Servers
from tests.free_ports import free_port

MALL = LotId("mall")
KEY = f"malls.{secrets.token_urlsafe(32)}"
PLATE, PLATE_KEY = "浙A12345", secrets.token_urlsafe(32)
CITYBRAIN_KEY = generate_private_key(65537, 1024)  # noqa: S505 (the protocol's size)
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NO_REDIS = "redis://127.0.0.1:1"


@dataclass(frozen=True, slots=True)
class RunningIngest:
    """The process under test: how to speak to it, and its log."""

    client: AsyncClient
    log: Path
    pid: int

    async def observe(self, *items: object) -> Response:
        """Post observations."""
        return await self.client.post("/v1/observations", json={"items": list(items)})


@pytest.fixture
async def database(fresh_database: str) -> str:
    """A database with a mall, a source that may report for it, and a City Brain client."""
    await migrate(fresh_database)
    pool = await connect(fresh_database, most_connections=2, check_durable=False)
    try:
        here = Point(30.2552, 120.1582)
        entrance = Entrance("north", Name("北口", "North"), here)
        register = PostgresRegister(pool)
        mall = Lot(MALL, LotKind.MALL, Name("商场", "Mall"), "Asia/Shanghai", 300, here, (entrance,))
        await register.put_lots([mall])
        public = CITYBRAIN_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        digest = hashlib.sha256(KEY.encode()).digest()
        await register.put_sources(
            [
                Source(SourceId("malls"), SourceKind.NATIVE, digest, lots=(("mall", MALL),)),
                Source(SourceId("brain"), SourceKind.CITYBRAIN, public_key=public, lots=(("330106", MALL),)),
            ]
        )
    finally:
        await pool.close()
    return fresh_database


@asynccontextmanager
async def running_ingest(folder: Path, environment: Mapping[str, str]) -> AsyncIterator[RunningIngest]:
    """Run `python -m services.ingest` until the test is done; it must then end by itself within 10 s."""
    port = free_port()
    log = folder / "ingest.log"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOWEI_")}
    own = {"BOWEI_PORT": str(port), "BOWEI_CITYBRAIN": "1", "BOWEI_PLATE_KEY": PLATE_KEY}
    with log.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.ingest", env=inherited | own | dict(environment), stderr=written
        )
    try:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20) as client:
            await wait_until(lambda: _answers(client), within_s=20)
            yield RunningIngest(client, log, process.pid)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) in {0, -15}, log.read_text()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _answers(client: AsyncClient) -> bool:
    try:
        return (await client.get("/livez")).status_code == 200
    except TransportError:
        return False


async def wait_until(reached: Callable[[], Awaitable[bool]], *, within_s: float = 5.0) -> None:
    """Poll until it is so."""
    async with asyncio.timeout(within_s):
        while not await reached():  # noqa: ASYNC110 (what is waited for happens in another process)
            await asyncio.sleep(0.02)


async def shown(redis_url: str) -> Report | None:
    """Give what Redis shows of the mall."""
    live_state = RedisLiveState.connect(redis_url)
    try:
        lots = await live_state.lots([MALL])
    finally:
        await live_state.close()
    return lots[MALL].report if MALL in lots else None


async def query(database: str, sql: str) -> list[asyncpg.Record]:
    """Ask Postgres itself."""
    connection = await asyncpg.connect(database)
    try:
        return list(await connection.fetch(sql))
    finally:
        await connection.close()


def observation(free: int, observed_at: datetime) -> dict[str, object]:
    """Write an observation of the mall."""
    return {"lot_id": "mall", "observed_at": observed_at.isoformat(), "open": 280, "free": free}


async def test_what_lots_post_is_in_postgres_and_in_redis(database: str, fresh_redis: str, tmp_path: Path) -> None:
    """Proves the whole way, in both protocols; that Redis is filled again after a flush; and that no plate is kept."""
    now = datetime.now(UTC).replace(microsecond=0)
    at = now - timedelta(seconds=20)
    stores = {"BOWEI_DATABASE_URL": database, "BOWEI_REDIS_URL": fresh_redis}
    async with running_ingest(tmp_path, stores) as ingest:
        answer = await ingest.observe(observation(118, at), observation(304, at))
        assert [one["result"] for one in answer.json()["results"]] == ["applied", "quarantined"]
        [kept] = await query(database, "SELECT * FROM bowei.report")
        assert (kept["lot_id"], kept["free"], kept["observed_at"], kept["source_id"]) == ("mall", 118, at, "malls")
        said = await query(database, "SELECT free, outcome, code FROM bowei.observation ORDER BY free")
        assert [tuple(one) for one in said] == [(118, "applied", None), (304, "quarantined", "free_above_capacity")]
        report = await shown(fresh_redis)
        assert report is not None
        assert (report.free, report.open, report.observed_at) == (118, 280, at)

        car = {"lot_id": "mall", "passage_id": "p-1", "kind": "enter", "passed_at": now.isoformat(), "plate": PLATE}
        answer = await ingest.client.post("/v1/passages", json={"items": [car, car]})
        assert [one["result"] for one in answer.json()["results"]] == ["applied", "duplicate"]
        report = await shown(fresh_redis)
        assert report is not None
        assert report.free == 117

        text = now.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M:%S")
        counts: dict[str, object] = {"totalBerthNum": 300, "openBerthNum": 280, "freeBerthNum": 90}
        arrival = {"parkingCode": "330106", "uid": "u-1", "plateNo": PLATE, "arriveTime": text, "uploadTime": text}
        envelope = seal(counts | arrival, access_id="brain", client_key=CITYBRAIN_KEY)
        answer = await ingest.client.post("/api/v2/cp/uploadCarInData", content=envelope.to_form(), headers=_FORM)
        assert answer.json() == {"resultCode": 200, "msg": "操作成功"}
        passed = await query(database, "SELECT passage_id, kind FROM bowei.passage ORDER BY passage_id")
        assert [tuple(one) for one in passed] == [("p-1", "enter"), ("u-1", "enter")]
        report = await shown(fresh_redis)
        assert report is not None
        assert (report.free, report.capacity) == (90, 300)

        await flush(fresh_redis)
        await wait_until(lambda: _is_shown(fresh_redis))
        assert (await ingest.client.get("/readyz")).json()["status"] == "ready"
        log = ingest.log.read_text()
    assert "12345" not in log
    assert KEY not in log
    assert plate_hash(PLATE, PLATE_KEY.encode()).hex() not in log


async def flush(redis_url: str) -> None:
    """Empty one Redis database, as an operator's mistake would."""
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()


async def _is_shown(redis_url: str) -> bool:
    return await shown(redis_url) is not None


async def test_with_postgres_away_boards_stay_live_and_the_sender_repeats(
    database: str, fresh_redis: str, servers: Servers, tmp_path: Path
) -> None:
    """Proves that a database which throws everybody out costs no report and no process."""
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=20)
    name = urlsplit(database).path.lstrip("/")
    admin = await asyncpg.connect(servers.database_url)
    stores = {"BOWEI_DATABASE_URL": database, "BOWEI_REDIS_URL": fresh_redis}
    try:
        async with running_ingest(tmp_path, stores) as ingest:
            assert (await ingest.observe(observation(118, at))).status_code == 200
            await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)

            later = observation(100, at + timedelta(seconds=10))
            answer = await ingest.observe(later)
            assert answer.status_code == 503, answer.text
            assert answer.json()["code"] in {"store_away", "outcome_unknown"}
            report = await shown(fresh_redis)
            assert report is not None
            assert report.free == 100
            ready = await ingest.client.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (200, "degraded")

            await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

            async def taken() -> bool:
                return (await ingest.observe(later)).status_code == 200

            await wait_until(taken, within_s=15)
            [kept] = await query(database, "SELECT free FROM bowei.report")
            assert kept["free"] == 100
    finally:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await admin.close()


async def test_with_redis_away_reports_are_recorded_and_acknowledged(database: str, tmp_path: Path) -> None:
    """Proves that ingest starts and works without Redis, and says so."""
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=20)
    stores = {"BOWEI_DATABASE_URL": database, "BOWEI_REDIS_URL": NO_REDIS}
    async with running_ingest(tmp_path, stores) as ingest:
        answer = await ingest.observe(observation(118, at))

        assert answer.json()["accepted"] == 1
        assert len(await query(database, "SELECT FROM bowei.observation")) == 1
        assert "bowei_ingest_show_failures_total 1.0" in (await ingest.client.get("/metrics")).text
        ready = await ingest.client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
