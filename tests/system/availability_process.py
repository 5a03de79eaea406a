"""An availability process of a test's own, over a real Redis that holds a small block."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2

from bowei.domain.directory import Directory
from bowei.domain.lots import LotId
from bowei.domain.offering import LotPromise, PoolPromise, Report
from bowei.livestate.redis_store import RedisLiveState
from tests.free_ports import free_port
from tests.service.availability_block import AGREEMENTS, FIRST, HOSPITAL, LOTS, MALL, OWN

_PATIENCE_S = 10.0


@dataclass
class Service:
    """A running availability process and its client."""

    process: asyncio.subprocess.Process
    client: httpx2.AsyncClient

    async def gate_that(self, holds: Callable[[dict[str, Any]], bool], within_s: float = _PATIENCE_S) -> dict[str, Any]:
        """Read the first hospital's gate until what it says holds."""
        deadline_s = time.monotonic() + within_s
        last = "nobody listens"
        while time.monotonic() < deadline_s:
            try:
                response = await self.client.get(f"/v1/hospitals/{FIRST}/gate")
                last = response.text
                if response.status_code == 200 and holds(body := response.json()):
                    assert isinstance(body, dict)
                    return body
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.05)
        raise AssertionError(f"never came true; the last answer was {last}")


@asynccontextmanager
async def running(
    redis_url: str, database_url: str, more: Mapping[str, str] | None = None, *, port: int | None = None
) -> AsyncIterator[Service]:
    """Run `python -m services.availability` until the context ends, on a free port if none is said."""
    port = port or free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BOWEI_")}
    environment |= {"BOWEI_PORT": str(port), "BOWEI_REDIS_URL": redis_url, "BOWEI_DATABASE_URL": database_url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.availability", env=environment | dict(more or {})
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5.0) as client:
            yield Service(process, client)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def fill(store: RedisLiveState, *, mall_free: int = 118) -> None:
    """Copy a block's ledger and let two lots report."""
    await store.copy_promises(
        {lot.lot_id: LotPromise(version=1) for lot in LOTS}
        | {MALL: LotPromise(4, 0, 1, {f"{MALL}.{FIRST}/standard": PoolPromise(held=4)})},
        Directory.of(1, LOTS, (HOSPITAL,), AGREEMENTS),
        ledger="test",
    )
    await report(store, OWN, 0)
    await report(store, MALL, mall_free)


async def fill_server(url: str, *, mall_free: int = 118) -> None:
    """Fill the live state at `url`."""
    store = RedisLiveState.connect(url)
    await fill(store, mall_free=mall_free)
    await store.close()


async def report(store: RedisLiveState, lot_id: LotId, free: int, at: datetime | None = None) -> None:
    """Let a lot report."""
    now = at or datetime.now(UTC)
    await store.show_reports({lot_id: Report(now, now, free=free)})
