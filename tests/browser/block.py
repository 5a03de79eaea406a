"""A block around the First Hospital that has one lot of each kind of state, in a Redis that is real."""

import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from bowei.domain.directory import Directory
from bowei.domain.lots import LotId, LotKind
from bowei.domain.observations import Bound, LotState
from bowei.domain.offering import LotPromise, Report
from bowei.livestate.redis_store import RedisLiveState
from services.local.children import kill
from services.local.data_folder import throwaway_data_folder
from services.local.servers.finding import find_redis
from services.local.servers.redis_server import redis_place_for, start_redis
from tests.free_ports import free_port
from tests.service.availability_block import FIRST, HOSPITAL, MALL, OWN, agreement, lot
from tests.system.availability_process import Service, running

IN77, BANK, TOWER, YARD, KIOSK, DARK = map(LotId, ("in77", "bank", "tower", "yard", "kiosk", "dark"))

LOTS = (
    lot(OWN, "市第一医院停车场", "First Hospital", 30.2576, 120.1621, kind=LotKind.HOSPITAL, capacity=127),
    lot(MALL, "工联CC", "Gonglian CC", 30.2563, 120.1600, capacity=450),
    lot(IN77, "湖滨银泰in77", "in77 Hubin Yintai", 30.2552, 120.1582, capacity=600),
    lot(BANK, "示例银行大厦停车场", "Example Bank Tower", 30.2590, 120.1652, kind=LotKind.OFFICE, capacity=80),
    lot(TOWER, "示例大厦停车场", "Example Tower", 30.2605, 120.1625, kind=LotKind.OFFICE, capacity=100),
    lot(YARD, "示例里弄公共停车场", "Example Lane Public Car Park", 30.2540, 120.1640, kind=LotKind.PUBLIC),
    lot(KIOSK, "示例菜场停车场", "Example Market", 30.2600, 120.1585, kind=LotKind.PUBLIC, capacity=60),
    lot(DARK, "示例影城停车场", "Example Cinema", 30.2530, 120.1600, capacity=200),
)
_SHARING = (MALL, IN77, BANK, TOWER, YARD, KIOSK, DARK)
AGREEMENTS = tuple(agreement(lot_id, 40, margin=2) for lot_id in _SHARING)

STREETS = Path(str(resources.files("services.local.scenes") / "hangzhou_streets.geojson"))
_NO_LEDGER = "postgresql://nobody@127.0.0.1:1/none"
"""Boards need none: a process that finds it away runs on the machine's clock."""


class Block:
    """The service, its address, and the live state that it looks at."""

    def __init__(self, redis_url: str, live_state: RedisLiveState) -> None:
        self.live_state = live_state
        self._redis_url = redis_url
        self._port = free_port()
        self._running = AsyncExitStack()
        self.service: Service

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def board(self) -> str:
        """The hospital's board, hung at its gate for drivers who come from the north."""
        return f"{self.url}/board/{FIRST}?facing=s"

    @property
    def map(self) -> str:
        """The city map."""
        return f"{self.url}/map"

    async def start(self) -> None:
        """Start the service, always at the same address."""
        streets = {"BOWEI_ROADS": str(STREETS)}
        service = running(self._redis_url, _NO_LEDGER, streets, port=self._port)
        self.service = await self._running.enter_async_context(service)
        await self.shown()

    async def kill(self) -> None:
        """Kill the service."""
        await self._running.aclose()

    def silence(self) -> None:
        """Let the service say nothing more, as a network does that broke: nobody closes a connection."""
        self.service.process.send_signal(signal.SIGSTOP)

    def speak(self) -> None:
        """Let it go on."""
        self.service.process.send_signal(signal.SIGCONT)

    async def shown(self) -> None:
        """Wait until the service shows what `fill` reported."""
        await self.service.gate_that(
            lambda gate: (
                gate["state"] == "diverting" and gate["next"]["lot_id"] == MALL and gate["next"]["offered"] == 40
            )
        )

    async def report(self, lot_id: LotId, free: int | None, **more: Any) -> None:
        """Let a lot report now."""
        now = datetime.now(UTC)
        await self.live_state.show_reports({lot_id: Report(now, now, free=free, **more)})

    async def fill(self) -> None:
        """Let all but one lot report: the hospital is full, the mall has room."""
        await self.report(OWN, 0)
        await self.report(MALL, 118)
        await self.report(IN77, 30, bound=Bound.AT_LEAST)
        await self.report(BANK, 7)
        await self.report(TOWER, 0)
        await self.report(YARD, 23, state=LotState.CLOSED)
        await self.report(KIOSK, 2)


@asynccontextmanager
async def running_block() -> AsyncIterator[Block]:
    """Run the block, on a Redis of its own, until the context ends."""
    with throwaway_data_folder() as data, tempfile.TemporaryDirectory(prefix="bowei-block-", dir="/tmp") as sockets:
        place = redis_place_for(data, find_redis(["machine", "wheel"])[0], Path(sockets))
        redis = await start_redis(place)
        try:
            async with _shown_in(place.url) as block:
                yield block
        finally:
            kill(redis)


@asynccontextmanager
async def _shown_in(redis_url: str) -> AsyncIterator[Block]:
    store = RedisLiveState.connect(redis_url)
    try:
        await store.copy_promises(
            {one.lot_id: LotPromise(version=1) for one in LOTS},
            Directory.of(1, LOTS, (HOSPITAL,), AGREEMENTS),
            ledger="test",
        )
        block = Block(redis_url, store)
        await block.fill()
        await block.start()
        try:
            yield block
        finally:
            await block.kill()
    finally:
        await store.close()
