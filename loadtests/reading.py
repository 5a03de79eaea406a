"""Open data of 10,000 lots, read while they report: beside Starlette that sends the same bytes from memory.

python -m loadtests reading    takes about a minute
"""

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httptools
import httpx2

from loadtests.account import Row
from loadtests.city import City, cpu_s, free_port, listening, running_city, settled
from loadtests.driving import drive
from loadtests.peers import bare_bytes
from loadtests.sending import Phase, quantile

_PATH = "/open/v1/status"
_ROUNDS = 5
_ROUND_S = 2.0
_CONNECTIONS = 4
_CALM_PER_S = 50
_CALM_S = 30.0
_STARTED_S = 6.0
"""By then the processes that report and watch have started, which takes all there is."""
_REPORTS_PER_S = 25
"""Requests of 20 reports each."""
_LONGEST_MS = 20.0


@dataclass(frozen=True, slots=True)
class _Server:
    port: int
    pid: int
    request: bytes
    known: bytes
    """The same, of whoever has the answer already."""


class _Reader(asyncio.Protocol):
    """One connection that asks again as soon as it was answered."""

    def __init__(self) -> None:
        self.answered = asyncio.Event()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self.status = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop's own is no subclass

    def data_received(self, data: bytes) -> None:
        """Read the answer."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Note it."""
        self.status = self._parser.get_status_code()
        self._parser = httptools.HttpResponseParser(self)
        self.answered.set()

    async def ask(self, request: bytes) -> int:
        """Ask once, and give the status."""
        assert self._transport is not None
        self.answered.clear()
        self._transport.write(request)
        await self.answered.wait()
        return self.status


async def measure() -> list[Row]:
    """Compare processor time of an answer, and how long one takes while the lots report."""
    async with running_city() as city:
        await drive(city, [Phase(10.0, 50.0)])
        await settled(2.0)
        async with _bare(await _answer_of(city)) as bare:
            ours = await _server_of(city)
            whole = [(await _cpu_us(ours, 200), await _cpu_us(bare, 200)) for _ in range(_ROUNDS)]
            known = [(await _cpu_us(ours, 304), await _cpu_us(bare, 304)) for _ in range(_ROUNDS)]
        waits_ms = await _while_they_report(city, ours)
    p99 = quantile(waits_ms, 0.99)
    return [
        _row("GET all lots unchanged (304), answers of a core", known, 0.6),
        _row("GET all lots whole, answers of a core", whole, 0.6),
        Row(
            f"GET all lots whole, p99 at {_CALM_PER_S}/s while {_REPORTS_PER_S * 20}/s report",
            f"{_LONGEST_MS:.0f} ms",
            p99 / _LONGEST_MS,
            1.0,
            (waits_ms[0] / _LONGEST_MS, waits_ms[-1] / _LONGEST_MS),
            lower_is_better=True,
            note=f"p50 {quantile(waits_ms, 0.5):.1f} ms, p99 {p99:.1f} ms, longest {waits_ms[-1]:.1f} ms",
        ),
    ]


def _row(work: str, pairs: Sequence[tuple[float, float]], reach: float) -> Row:
    ratios = [bare / own for own, bare in pairs]
    own, bare = (statistics.median(one) for one in zip(*pairs, strict=True))
    note = f"µs of a core: ours {own:.0f}, bare {bare:.0f}"
    return Row(
        work, "Starlette with the same bytes", statistics.median(ratios), reach, (min(ratios), max(ratios)), note=note
    )


async def _cpu_us(server: _Server, status: int) -> float:
    """Ask for a while by a few connections, and give the server's processor time of an answer, µs."""
    request = server.known if status == 304 else server.request
    before, until, count = cpu_s(server.pid), time.perf_counter() + _ROUND_S, 0

    async def read() -> None:
        nonlocal count
        loop = asyncio.get_running_loop()
        transport, reader = await loop.create_connection(_Reader, "127.0.0.1", server.port)
        while time.perf_counter() < until:
            assert await reader.ask(request) == status
            count += 1
        transport.close()

    await asyncio.gather(*(read() for _ in range(_CONNECTIONS)))
    return (cpu_s(server.pid) - before) / count * 1e6


async def _while_they_report(city: City, server: _Server) -> list[float]:
    """Ask at a fixed rate, each from when it was due, while lots report; give how long each took, ms, sorted."""
    reporting = asyncio.create_task(drive(city, [Phase(_CALM_S, _REPORTS_PER_S)], punctual=False))
    loop, waits_ms, asking = asyncio.get_running_loop(), [], set()
    idle: list[_Reader] = []

    async def ask(due: float) -> None:
        if idle:
            reader = idle.pop()
        else:
            _, reader = await loop.create_connection(_Reader, "127.0.0.1", server.port)
        await reader.ask(server.request)
        waits_ms.append((time.perf_counter() - due) * 1e3)
        idle.append(reader)

    await settled(_STARTED_S)
    due = time.perf_counter() + 0.5
    for _ in range(round((_CALM_S - _STARTED_S - 2) * _CALM_PER_S)):
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(ask(due))
        asking.add(task)
        task.add_done_callback(asking.discard)
        due += 1 / _CALM_PER_S
    await asyncio.gather(*asking, reporting)
    return sorted(waits_ms)


async def _answer_of(city: City) -> bytes:
    """Give the compressed answer of ours, for who only sends it."""
    async with (
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{city.availability_port}") as client,
        client.stream("GET", _PATH, headers={"Accept-Encoding": "gzip"}) as answer,
    ):
        return b"".join([part async for part in answer.aiter_raw()])


async def _server_of(city: City) -> _Server:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{city.availability_port}") as client:
        etag = (await client.get(_PATH)).headers["etag"]
    return _Server(city.availability_port, city.pids["availability"], _request(_PATH), _request(_PATH, etag))


@asynccontextmanager
async def _bare(body: bytes) -> AsyncIterator[_Server]:
    with tempfile.TemporaryDirectory(prefix="bowei-load-") as folder:
        path, port = Path(folder) / "body.gz", free_port()
        path.write_bytes(body)
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", bare_bytes.__name__, str(path), str(port))
        try:
            await listening(port)
            yield _Server(port, process.pid, _request("/"), _request("/", bare_bytes.ETAG))
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


def _request(path: str, etag: str | None = None) -> bytes:
    known = f"If-None-Match: {etag}\r\n" if etag else ""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAccept-Encoding: gzip\r\n{known}\r\n".encode()
