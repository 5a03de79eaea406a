"""A source that storms is refused politely: memory stays flat, others are served, nothing acknowledged is lost."""

import asyncio
import hashlib
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from httpx2 import AsyncClient, Limits, Response

from bowei.domain.lots import Entrance, Lot, LotId, LotKind, Name, SourceId
from bowei.domain.places import Point
from bowei.records.connecting import connect
from bowei.records.migrating import migrate
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.registering import Source, SourceKind
from tests.system.test_ingest_real import query, running_ingest

LOTS = 500
BATCHES = 150
STORM_KEY, QUIET_KEY = "storm.a-key-of-a-test", "quiet.a-key-of-a-test"
AT = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)
GROWN_MOST_MIB = 48


@pytest.fixture
async def city(fresh_database: str) -> str:
    """A database with 500 lots of a source that storms, and one lot of a quiet one."""
    await migrate(fresh_database)
    pool = await connect(fresh_database, most_connections=2, check_durable=False)
    try:
        here = Point(30.2552, 120.1582)
        entrance = Entrance("north", Name("北口", "North"), here)
        register = PostgresRegister(pool)
        ids = [LotId(f"lot-{number}") for number in range(LOTS)]
        await register.put_lots(
            [
                Lot(lot_id, LotKind.MALL, Name("商场", "Mall"), "Asia/Shanghai", 300, here, (entrance,))
                for lot_id in [*ids, LotId("quiet")]
            ]
        )
        await register.put_sources(
            [
                Source(SourceId(name), SourceKind.NATIVE, hashlib.sha256(key.encode()).digest(), lots=lots)
                for name, key, lots in (
                    ("storm", STORM_KEY, tuple((lot_id, lot_id) for lot_id in ids)),
                    ("quiet", QUIET_KEY, (("quiet", LotId("quiet")),)),
                )
            ]
        )
    finally:
        await pool.close()
    return fresh_database


def batch(second: int) -> bytes:
    """Write a report of each of the storm's lots, of one second of its own."""
    at = (AT + timedelta(seconds=second)).isoformat()
    items = [{"lot_id": f"lot-{lot}", "observed_at": at, "capacity": 300, "free": lot % 300} for lot in range(LOTS)]
    return json.dumps({"items": items}).encode()


async def post(client: AsyncClient, body: bytes, key: str) -> Response:
    """Post observations of a source."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return await client.post("/v1/observations", content=body, headers=headers)


def memory_mib(pid: int) -> float:
    """Give the memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) / 256


async def test_a_storm_is_refused_politely_and_costs_nobody_else_anything(
    city: str, fresh_redis: str, tmp_path: Path
) -> None:
    """Proves it with three storms of 150 batches of 500 at once: more than twice what one source may have under way."""
    stores = {"BOWEI_DATABASE_URL": city, "BOWEI_REDIS_URL": fresh_redis}
    async with running_ingest(tmp_path, stores) as ingest:
        url = str(ingest.client.base_url)
        limits = Limits(max_connections=None)
        async with (
            AsyncClient(base_url=url, limits=limits, timeout=60) as storm,
            AsyncClient(base_url=url, timeout=60) as quiet,
        ):
            acknowledged: set[int] = set()
            statuses: Counter[int] = Counter()
            memory: list[float] = []
            for round_ in range(3):
                seconds = range(round_ * BATCHES, (round_ + 1) * BATCHES)
                storming = [asyncio.create_task(post(storm, batch(second), STORM_KEY)) for second in seconds]
                quiet_statuses: Counter[int] = Counter()
                while not all(task.done() for task in storming):
                    now = datetime.now(UTC).isoformat()
                    said = {"items": [{"lot_id": "quiet", "observed_at": now, "free": 7}]}
                    answer = await post(quiet, json.dumps(said).encode(), QUIET_KEY)
                    quiet_statuses[answer.status_code] += 1
                # Whoever has to share a slow machine may wait too long; but not be kept out.
                assert quiet_statuses[200] > quiet_statuses[503], quiet_statuses
                for second, task in zip(seconds, storming, strict=True):
                    answer = task.result()
                    statuses[answer.status_code] += 1
                    if answer.status_code == 200:
                        acknowledged.add(second)
                    else:
                        assert answer.json()["code"] == "overloaded"
                        assert 1 <= int(answer.headers["Retry-After"]) <= 4
                memory.append(memory_mib(ingest.pid))
            assert set(statuses) == {200, 503}

            # The storm is over: the same source is taken in again at once.
            again = min(set(range(3 * BATCHES)) - acknowledged)
            answer = await post(storm, batch(again), STORM_KEY)
            assert answer.status_code == 200, answer.text
            assert {one["result"] for one in answer.json()["results"]} <= {"applied", "stale"}
            assert "bowei_ingest_in_flight_bytes 0.0" in (await storm.get("/metrics")).text
    kept = await query(
        city, "SELECT observed_at FROM bowei.observation WHERE source_id = 'storm' GROUP BY 1 HAVING count(*) = 500"
    )
    assert {AT + timedelta(seconds=second) for second in acknowledged} <= {row["observed_at"] for row in kept}
    assert max(memory[1:]) - memory[0] < GROWN_MOST_MIB, memory
