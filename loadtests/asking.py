"""The drivers, a process of their own: each is new and asks once, at a fixed rate, whatever the answers do (open loop).

python -m loadtests.asking PLAN    reads a Plan as JSON, prints Asked as JSON

How long an answer took is counted from when the request was due, so a server that stalls is not spared what it kept
waiting. Ours and the other designs are sent the same requests.
"""

import asyncio
import random
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import cast

import httptools
import msgspec
import uvloop
from hdrh.histogram import HdrHistogram

from loadtests.city import cpu_s
from loadtests.sending import Lateness, quantile
from services.routing.drivers import DriverTokens

_CONNECTIONS = 64
_MOST_CONNECTIONS = 512
_LAST_ANSWERS_S = 5.0
_LONGEST_US = 60_000_000
_GRANTED = 201


class Plan(msgspec.Struct, frozen=True):
    """Who is asked, and how often; drivers are within `degrees` of (lat, lon). `pid`: whose processor time counts."""

    port: int
    pid: int
    per_s: float
    seconds: float
    name: str
    driver_key: str
    lat: float
    lon: float
    degrees: float = 0.02


class Asked(msgspec.Struct):
    """What became of the requests. Times are from when each was due, of those that were granted."""

    requests: int
    granted: int
    statuses: dict[int, int]
    took_s: float
    """From the first one due to the last answer."""
    cpu_s: float
    """Of the process that answered, meanwhile."""
    p50_ms: float
    p99_ms: float
    lateness: Lateness

    @property
    def cpu_us(self) -> float:
        """Give the processor time of a request, µs."""
        return self.cpu_s / self.requests * 1e6

    @property
    def per_s(self) -> float:
        """Give how many were granted a second."""
        return self.granted / self.took_s


class _Due(msgspec.Struct):
    request: bytes
    due_s: float = 0.0
    answered_s: float = 0.0
    status: int = 0


class _Connection(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, drivers: "Drivers") -> None:
        self._drivers = drivers
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._asks: _Due | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass
        self._drivers.ready(self)

    def send(self, one: _Due) -> None:
        """Send one request."""
        assert self._transport is not None
        self._asks = one
        self._transport.write(one.request)

    def data_received(self, data: bytes) -> None:
        """Read the answer."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Note the answer, and take the next request."""
        one, self._asks = self._asks, None
        if one is not None:
            one.answered_s, one.status = time.perf_counter(), self._parser.get_status_code()
        self._parser = httptools.HttpResponseParser(self)
        self._drivers.ready(self)

    def connection_lost(self, _: Exception | None) -> None:
        """Send nothing here any more; what was asked counts as unanswered."""
        self._drivers.gone(self)


class Drivers:
    """All the drivers of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._asks = _requests(plan)
        self._idle: list[_Connection] = []
        self._waiting: deque[_Due] = deque()
        self._connections = 0
        self._opening: set[asyncio.Task[None]] = set()
        self._late_s: list[float] = []

    async def ask(self) -> Asked:
        """Ask when each is due, and wait for the last answers."""
        await asyncio.gather(*(self._open() for _ in range(_CONNECTIONS)))
        cpu_before = cpu_s(self._plan.pid)
        begun = due = time.perf_counter() + 0.05
        for one in self._asks:
            wait_s = due - time.perf_counter()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self._late_s.append(max(0.0, time.perf_counter() - due))
            one.due_s = due
            self._send(one)
            due += 1 / self._plan.per_s
        until = time.perf_counter() + _LAST_ANSWERS_S
        while any(not one.status for one in self._asks) and time.perf_counter() < until:  # noqa: ASYNC110 (of many)
            await asyncio.sleep(0.01)
        return self._told(begun, cpu_s(self._plan.pid) - cpu_before)

    def _told(self, begun_s: float, used_s: float) -> Asked:
        waits = HdrHistogram(1, _LONGEST_US, 3)
        granted = [one for one in self._asks if one.status == _GRANTED]
        for one in granted:
            waits.record_value(max(1, round((one.answered_s - one.due_s) * 1e6)))
        late = sorted(self._late_s)
        return Asked(
            requests=len(self._asks),
            granted=len(granted),
            statuses=dict(Counter(one.status for one in self._asks)),
            took_s=max((one.answered_s for one in self._asks), default=begun_s) - begun_s,
            cpu_s=used_s,
            p50_ms=waits.get_value_at_percentile(50) / 1e3,
            p99_ms=waits.get_value_at_percentile(99) / 1e3,
            lateness=Lateness(quantile(late, 0.5), quantile(late, 0.99), late[-1], time.process_time()),
        )

    def ready(self, connection: _Connection) -> None:
        """Take a connection that has nothing to do."""
        if self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self._idle.append(connection)

    def gone(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._connections -= 1
        if connection in self._idle:
            self._idle.remove(connection)

    def _send(self, one: _Due) -> None:
        if self._idle:
            self._idle.pop().send(one)
            return
        self._waiting.append(one)
        if self._connections < _MOST_CONNECTIONS:
            task = asyncio.create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self) -> None:
        self._connections += 1
        try:
            await asyncio.get_running_loop().create_connection(lambda: _Connection(self), "127.0.0.1", self._plan.port)
        except OSError:
            self._connections -= 1


def _requests(plan: Plan) -> list[_Due]:
    """Write every request before the first is due: tokens and ids cost time that is not the server's."""
    tokens, chance = DriverTokens(plan.driver_key), random.Random(plan.name)  # noqa: S311 (places, no secret)
    return [_Due(_request(plan, number, tokens.make(), chance)) for number in range(round(plan.per_s * plan.seconds))]


def _request(plan: Plan, number: int, token: str, chance: random.Random) -> bytes:
    lat = plan.lat + chance.uniform(-plan.degrees, plan.degrees)
    lon = plan.lon + chance.uniform(-plan.degrees, plan.degrees)
    position = f'{{"lat":{lat:.6f},"lon":{lon:.6f},"datum":"wgs84"}}'
    body = f'{{"hospital_id":"hospital","position":{position},"height_cm":165}}'
    return (
        f"PUT /v1/diversions/{plan.name}-{number:06d} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _main(path: Path) -> None:
    drivers = Drivers(msgspec.json.decode(path.read_bytes(), type=Plan))
    print(msgspec.json.encode(uvloop.run(drivers.ask())).decode(), flush=True)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
