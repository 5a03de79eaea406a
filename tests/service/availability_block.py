"""A small block in memory for the tests of availability: one hospital, four lots, a clock that moves when told."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2
from fastapi import FastAPI

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow
from bowei.domain.clock import Clock, SteppedClock
from bowei.domain.directory import Directory
from bowei.domain.lots import Entrance, Hospital, HospitalId, Lot, LotId, LotKind, Name, SpaceClass
from bowei.domain.offering import LotPromise, PoolPromise, Report
from bowei.domain.places import Point
from bowei.livestate.in_memory import InMemoryLiveState
from bowei.roads.by_air import AirTravelTimes
from bowei.roads.travel_times import LiveTravelTimes
from services.availability.app import Parts, assemble
from services.availability.opendata.publisher import Publisher
from services.availability.snapshots import Pace

_T = TypeVar("_T")

MONDAY_MORNING = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
"""08:30 in Hangzhou."""
FIRST, SECOND = HospitalId("first-hospital"), HospitalId("second-hospital")
OWN, MALL, TOWER, SQUARE = LotId("first-own"), LotId("gonglian-cc"), LotId("tower"), LotId("square")
PACE = Pace(tick_s=0.02, shortest_s=0.005, stale_after_s=1.6)
CURRENT_FOR_S = 1.3
BEAT_S = 0.1
PATIENCE_S = 5.0


def lot(lot_id: LotId, zh: str, en: str, lat: float, lon: float, **changes: Any) -> Lot:
    """Make a lot with one entrance where it lies."""
    point = Point(lat, lon)
    values: dict[str, Any] = {
        "lot_id": lot_id,
        "kind": LotKind.MALL,
        "name": Name(zh, en),
        "timezone": "Asia/Shanghai",
        "capacity": 300,
        "location": point,
        "entrances": (Entrance("e1", Name("入口", "Entrance"), point),),
        "block": "hubin",
    }
    return Lot(**(values | changes))


LOTS = (
    lot(OWN, "市第一医院停车场", "First Hospital", 30.2576, 120.1621, kind=LotKind.HOSPITAL, capacity=127),
    lot(MALL, "工联CC", "Gonglian CC", 30.2563, 120.1600, barrier_link=True),
    lot(TOWER, "示例大厦停车场", "Example Tower", 30.2605, 120.1625, kind=LotKind.OFFICE, capacity=100),
    lot(SQUARE, "示例广场停车场", "Example Square", 30.2719, 120.1578, kind=LotKind.PUBLIC, block="wulin"),
)
HOSPITAL = Hospital(
    FIRST, Name("市第一医院", "First Hospital"), OWN, Point(30.2576, 120.1621), Point(30.2577, 120.1620), block="hubin"
)


def agreement(lot_id: LotId, spaces: int, hospital_id: HospitalId = FIRST, **changes: Any) -> Agreement:
    """Lend `spaces` standard spaces at all hours."""
    values: dict[str, Any] = {
        "agreement_id": AgreementId(f"{lot_id}.{hospital_id}"),
        "lot_id": lot_id,
        "hospital_id": hospital_id,
        "windows": (LendingWindow(SpaceClass.STANDARD, spaces),),
    }
    return Agreement(**(values | changes))


AGREEMENTS = (agreement(MALL, 200, margin=2), agreement(TOWER, 40), agreement(SQUARE, 50))


@dataclass
class Block:
    """The running service and what it looks at."""

    app: FastAPI
    client: httpx2.AsyncClient
    live_state: InMemoryLiveState
    clock: SteppedClock
    directory_version: int = 0
    seq: int = 0
    versions: dict[LotId, int] = field(default_factory=dict)

    async def register(
        self,
        lots: tuple[Lot, ...] = LOTS,
        hospitals: tuple[Hospital, ...] = (HOSPITAL,),
        agreements: tuple[Agreement, ...] = AGREEMENTS,
    ) -> None:
        """Show a directory."""
        self.directory_version += 1
        await self.live_state.show_directory(Directory.of(self.directory_version, lots, hospitals, agreements))

    async def report(self, lot_id: LotId, free: int | None, **changes: Any) -> None:
        """Let a lot report now."""
        self.seq += 1
        now = self.clock.now()
        report = Report(observed_at=now, received_at=now, seq=self.seq, free=free, **changes)
        await self.live_state.show_reports({lot_id: report})

    async def promise(self, lot_id: LotId, held: int, pools: Mapping[str, PoolPromise] | None = None) -> None:
        """Let the ledger have promised `held` spaces of a lot."""
        self.versions[lot_id] = self.versions.get(lot_id, 0) + 1
        await self.live_state.show_promises({lot_id: LotPromise(held, 0, self.versions[lot_id], pools or {})})

    async def ready(self) -> None:
        """Wait until the service has something to say."""
        response = await until(lambda: self.client.get("/readyz"), lambda response: response.status_code == 200)
        assert response.json()["status"] == "ready"

    def pass_time(self, **length: float) -> None:
        """Move the clock on."""
        self.clock.step_to(self.clock.now() + timedelta(**length))

    async def get(self, path: str) -> dict[str, Any]:
        """Read an address that answers 200."""
        response = await self.client.get(path)
        assert response.status_code == 200, response.text
        body = response.json()
        assert isinstance(body, dict)
        return body

    async def until(self, path: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read an address until what it says holds."""
        return await until(lambda: self.get(path), holds)

    async def gate(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read the first hospital's gate until what it says holds."""
        return await self.until(f"/v1/hospitals/{FIRST}/gate", holds)

    async def lot(self, lot_id: LotId, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read a lot until what it says holds."""
        return await self.until(f"/v1/lots/{lot_id}", holds)


_NOBODY = Publisher()


@asynccontextmanager
async def running_block(
    *,
    most_streams: int = 10,
    frame_gap_s: float = 0.02,
    travel_times: LiveTravelTimes | None = None,
    addresses: Mapping[str, str] | None = None,
    publisher: Publisher = _NOBODY,
    history_files: Path | None = None,
) -> AsyncIterator[Block]:
    """Run the service over an empty live state."""
    clock, live_state = SteppedClock(MONDAY_MORNING), InMemoryLiveState()

    async def find_clock() -> Clock:
        return clock

    app = assemble(
        Parts(
            live_state,
            find_clock,
            travel_times or AirTravelTimes(),
            PACE,
            most_streams=most_streams,
            frame_gap_s=frame_gap_s,
            beat_s=BEAT_S,
            current_for_s=CURRENT_FOR_S,
            addresses=addresses or {},
            publisher=publisher,
            history_files=history_files,
        )
    )
    transport = httpx2.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url="http://b") as client:
        yield Block(app, client, live_state, clock)


async def until(ask: Callable[[], Awaitable[_T]], holds: Callable[[_T], bool]) -> _T:
    """Ask until the answer holds; after a while fail with the last answer."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        answer = await ask()
        if holds(answer):
            return answer
        if time.monotonic() > deadline_s:
            raise AssertionError(f"never came true; the last answer was {answer}")
        await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    event: str
    id: str
    data: dict[str, Any]


class EventReader:
    """Reads an address of the app as a stream; httpx's own ASGI transport waits for the end of an answer."""

    def __init__(self, app: FastAPI, path: str, last_event_id: str | None = None, *, token: str | None = None) -> None:
        path, _, query = path.partition("?")
        headers = [] if last_event_id is None else [(b"last-event-id", last_event_id.encode())]
        if token is not None:
            headers.append((b"authorization", f"Bearer {token}".encode()))
        self._scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "headers": headers,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "server": ("b", 80),
            "client": ("127.0.0.1", 1),
            "root_path": "",
        }
        self._app = app
        self._left = asyncio.Event()
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._text = ""
        self._asked = False
        self.status = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left.set()
        await asyncio.wait_for(self._task, PATIENCE_S)

    async def next_event(self) -> Event | None:
        """Give the next event, or None at the end of the stream."""
        while "\n\n" not in self._text:
            chunk = await asyncio.wait_for(self._chunks.get(), PATIENCE_S)
            if chunk is None:
                return None
            self._text += chunk.decode()
        block, _, self._text = self._text.partition("\n\n")
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        return Event(fields["event"], fields.get("id", ""), json.loads(fields["data"]))

    async def event(self) -> Event:
        """Give the next event, which must come."""
        found = await self.next_event()
        assert found is not None, "the stream ended"
        return found

    async def event_that(self, holds: Callable[[Event], bool]) -> Event:
        """Skip events until one holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds(found := await self.event()):
                pass
        return found

    async def _run(self) -> None:
        await self._app(self._scope, self._receive, self._send)
        self._chunks.put_nowait(None)

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status.set_result(message["status"])
        elif message.get("body"):
            self._chunks.put_nowait(message["body"])
