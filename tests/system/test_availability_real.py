"""The availability service as a process of its own, over a real Redis and Postgres: what a board in the city gets."""

import asyncio
import json
import shutil
import signal
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bowei.livestate.redis_store import RedisLiveState
from bowei.records.clock import mark_demo
from bowei.records.connecting import connect
from bowei.records.migrating import migrate
from services.local.children import kill
from services.local.data_folder import open_data_folder
from services.local.servers.finding import find_redis
from services.local.servers.redis_server import redis_place_for, start_redis
from tests.service.availability_block import MALL, OWN
from tests.system.availability_process import fill, fill_server, report, running

_PATIENCE_S = 10.0


@pytest.fixture
async def live_state(fresh_redis: str) -> AsyncIterator[RedisLiveState]:
    """A block whose hospital is full and whose mall has 118 spaces free, 4 of them held."""
    store = RedisLiveState.connect(fresh_redis)
    await fill(store)
    yield store
    await store.close()


async def next_data(lines: AsyncIterator[str]) -> Any:
    """Read the next event's data."""
    async with asyncio.timeout(_PATIENCE_S):
        async for line in lines:
            if line.startswith("data: "):
                return json.loads(line.removeprefix("data: "))
    raise AssertionError("the stream ended")


async def test_a_report_in_redis_is_on_the_board_and_in_the_open_stream(
    live_state: RedisLiveState, fresh_redis: str, fresh_database: str
) -> None:
    """From the snapshot over a change to a stop of the process, which an open stream does not hold up."""
    await migrate(fresh_database)
    async with running(fresh_redis, fresh_database) as service:
        gate = await service.gate_that(lambda gate: gate.get("state") == "diverting")
        assert gate["text"] == {
            "zh": "本院车位已满，请前往工联CC停车场：余112位，步行5分钟。",
            "en": "Hospital full. Go to Gonglian CC: 112 spaces, 5 min walk.",
        }
        async with service.client.stream("GET", f"/v1/stream?lots={MALL}") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.aiter_lines()
            first = (await next_data(lines))["lots"][0]
            assert (first["free"], first["held"], first["offered"]) == (118, 4, 112)
            await report(live_state, MALL, 90)
            assert (await next_data(lines))["free"] == 90
            told_at_s = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(_PATIENCE_S):
                assert [line async for line in lines if line.startswith("data:")] == []
                await service.process.wait()
            assert time.monotonic() - told_at_s < 3.0


async def test_boards_need_no_ledger(fresh_redis: str) -> None:
    """Postgres is away from the start: a production process serves by the machine's clock."""
    await fill_server(fresh_redis)
    async with running(fresh_redis, "postgresql://nobody@127.0.0.1:1/none") as service:
        gate = await service.gate_that(lambda gate: gate.get("state") == "diverting")
        assert gate["freshness"] == "fresh"
        assert gate["age_s"] < 60


async def test_a_demos_clock_is_waited_for_and_followed(
    live_state: RedisLiveState, fresh_redis: str, fresh_database: str
) -> None:
    """A demo on a Monday of another year at sixty times the speed: its reports are fresh, by its own clock."""
    await migrate(fresh_database)
    monday = datetime(2031, 3, 3, 0, 30, tzinfo=UTC)
    pool = await connect(fresh_database, most_connections=1)
    await mark_demo(pool, monday, 60.0)
    await pool.close()
    await report(live_state, OWN, 0, at=monday)
    await report(live_state, MALL, 80, at=monday)
    async with running(fresh_redis, fresh_database, {"BOWEI_ALLOW_DEMO": "1"}) as service:
        await service.gate_that(lambda gate: gate.get("state") == "diverting")
        shown = (await service.client.get("/v1/time")).json()
        assert shown["speed"] == 60.0
        assert shown["now"].startswith("2031-03-03T00:")


async def test_a_production_process_refuses_a_demos_ledger(fresh_redis: str, fresh_database: str) -> None:
    """It would show a day that is not today; it stops at once."""
    await migrate(fresh_database)
    pool = await connect(fresh_database, most_connections=1)
    await mark_demo(pool, datetime(2031, 3, 3, tzinfo=UTC), 60.0)
    await pool.close()
    async with running(fresh_redis, fresh_database) as service, asyncio.timeout(_PATIENCE_S):
        assert await service.process.wait() != 0


async def test_when_redis_dies_the_boards_stay_and_say_how_old_they_are(server_folder: Path) -> None:
    """Killed, silent for more than ten seconds, started again empty: the sign never goes dark."""
    sockets = server_folder / "s"
    sockets.mkdir()
    with open_data_folder(server_folder / "data") as data:
        place = redis_place_for(data, find_redis(["machine", "wheel"])[0], sockets)
        redis = await start_redis(place)
        try:
            await fill_server(place.url)
            async with running(place.url, "postgresql://nobody@127.0.0.1:1/none") as service:
                before = await service.gate_that(lambda gate: gate.get("state") == "diverting")
                kill(redis)
                gate = await service.gate_that(lambda gate: gate["stale"], within_s=20.0)
                assert (gate["state"], gate["next"]["offered"]) == ("diverting", before["next"]["offered"])
                assert (await service.client.get("/readyz")).json()["status"] == "degraded"

                shutil.rmtree(place.folder)
                redis = await start_redis(place)
                await fill_server(place.url, mall_free=50)
                gate = await service.gate_that(lambda gate: not gate["stale"] and gate["next"]["offered"] == 44)
                assert gate["state"] == "diverting"
        finally:
            kill(redis)
