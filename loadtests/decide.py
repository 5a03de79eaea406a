"""A decision over HTTP with its commit: what it costs and how long it takes, beside its ceilings and another design.

Each is asked by drivers in a process of their own (`asking`), at rates that it takes: first it is found how many a
second it can answer at all, then it is asked at half and at four fifths of that. PostGIS is not among the servers that
a bench starts, so the design that asks it for the nearest lot is not here.
"""

import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx2
import msgspec

from bowei.domain.places import Point
from loadtests.account import Row
from loadtests.asking import Asked, Plan
from loadtests.city import free_port, listening, settled
from loadtests.driving import GeneratorLate, refuse_late, run_module
from loadtests.hospital import DRIVER_KEY, HospitalCity, running_hospital
from loadtests.peers import bare_decision, near_and_hold
from loadtests.sending import quantile
from services.local.servers.finding import find_redis
from services.routing.drivers import DriverTokens

_SMALL, _LARGE = 5_000, 100_000
_CALM_PER_S = 200.0
_FIRST_PER_S, _STEP = 200.0, 1.35
_STEP_S, _MEASURE_S = 1.5, 3.0
_MOST_PER_S = 5_000.0
"""More than this the drivers' process can't ask in time; who takes it is not asked for more."""
_KEEPS_UP = 0.93
"""A server keeps up with a rate where it answers this share of it, to the last answer."""
_BEGUN_WITHIN_S = 90.0
_COMMITS = 600
_SHARES = (0.5, 0.8)


@dataclass(slots=True)
class _Server:
    """One that answers drivers."""

    name: str
    port: int
    pid: int
    door: Point
    city: HospitalCity | None = None
    saturated_per_s: float = 0.0

    async def asked(self, per_s: float, seconds: float) -> Asked:
        """Ask at a rate; again where the drivers were late themselves.

        Raises:
            GeneratorLate: they were each time, and the figures would say nothing.
        """
        for last_try in (False, False, True):
            asked = await self._ask(per_s, seconds)
            try:
                refuse_late(asked.lateness)
                break
            except GeneratorLate:
                if last_try:
                    raise
        if asked.granted < asked.requests:
            raise AssertionError(f"{self.name} at {per_s:.0f}/s: {asked.statuses}")
        return asked

    async def _ask(self, per_s: float, seconds: float) -> Asked:
        name = f"{self.name}-{next(_RUNS):04d}"
        plan = Plan(self.port, self.pid, per_s, seconds, name, DRIVER_KEY, self.door.lat, self.door.lon)
        with tempfile.TemporaryDirectory(prefix="bowei-load-") as folder:
            path = Path(folder) / "plan.json"
            path.write_bytes(msgspec.json.encode(plan))
            asked = msgspec.json.decode(await run_module("loadtests.asking", str(path)), type=Asked)
        if self.city is not None:
            await self.city.release_all()
        return asked

    async def begun(self) -> None:
        """Ask until a whole run is answered: how a process starts is not what is measured.

        Raises:
            TimeoutError: it never does.
        """
        async with asyncio.timeout(_BEGUN_WITHIN_S):
            while (asked := await self._ask(_CALM_PER_S, _MEASURE_S)).granted < asked.requests:
                await settled(1.0)

    async def saturate(self) -> None:
        """Ask more and more until it, or the machine with it, twice does not keep up."""
        per_s, failed = _FIRST_PER_S, 0
        while failed < 2 and per_s < _MOST_PER_S:
            asked = await self._ask(per_s, _STEP_S)
            self.saturated_per_s = max(self.saturated_per_s, asked.per_s)
            if asked.per_s < _KEEPS_UP * per_s:
                failed += 1
            else:
                per_s, failed = per_s * _STEP, 0


_RUNS = itertools.count()


async def measure(rounds: int = 3) -> list[Row]:
    """Measure on servers of its own; takes about three minutes."""
    async with AsyncExitStack() as stack:
        city = await stack.enter_async_context(running_hospital(_SMALL))
        ours = _Server("ours", city.port, city.pid, city.door, city)
        await ours.begun()
        answer = await stack.enter_async_context(_an_answer(ours))
        await _make_row(city.database_url)
        bare = (bare_decision.__name__,)
        at_once = await stack.enter_async_context(_peer("bytes", city.door, *bare, ("bytes",), answer))
        commit = await stack.enter_async_context(
            _peer("commit", city.door, *bare, ("commit",), answer, city.database_url)
        )
        near = await stack.enter_async_context(_near_and_hold(city.door))
        servers = (ours, at_once, commit, near)
        for server in servers:
            await server.saturate()
        halves: dict[str, list[Asked]] = {server.name: [] for server in servers}
        ends: dict[str, list[Asked]] = {"ours": [], "commit": []}
        calm, commits_ms = [], []
        for _ in range(rounds):
            for server in servers:
                halves[server.name].append(await server.asked(_SHARES[0] * server.saturated_per_s, _MEASURE_S))
            for server in (ours, commit):
                ends[server.name].append(await server.asked(_SHARES[1] * server.saturated_per_s, _MEASURE_S))
            calm.append(await ours.asked(_CALM_PER_S, _MEASURE_S))
            commits_ms.append(await _one_commit_p99_ms(city.database_url))
    return _rows(servers, halves, ends, calm, commits_ms, city.roads)


def _rows(
    servers: Sequence[_Server],
    halves: Mapping[str, Sequence[Asked]],
    ends: Mapping[str, Sequence[Asked]],
    calm: Sequence[Asked],
    commits_ms: Sequence[float],
    roads: str,
) -> list[Row]:
    cpu_us = {name: [one.cpu_us for one in asked] for name, asked in halves.items()}
    said_us = ", ".join(f"{name} {statistics.median(each):.0f}" for name, each in cpu_us.items()) + f" µs; {roads}"
    limits = {server.name: [server.saturated_per_s] for server in servers}
    said_per_s = ", ".join(f"{name} {limit:.0f}/s" for name, (limit,) in limits.items())
    shared, near = "bare ASGI + one shared commit", "FastAPI, Redis: near + hold, synced"
    work = "decide + hold over HTTP, CPU of a request"
    rows = [
        _row(work, shared, cpu_us["ours"], cpu_us["commit"], 2.0, said_us),
        _row("… requests/s of a core", "bare uvicorn answering bytes", cpu_us["bytes"], cpu_us["ours"], -0.5, ""),
        _row("… requests/s of a core", near, cpu_us["near"], cpu_us["ours"], -4.0, "its Redis not counted"),
        _row("… saturated, requests/s", near, limits["ours"], limits["near"], -4.0, said_per_s),
    ]
    for share, asked in zip(_SHARES, (halves, ends), strict=True):
        own, least = _p99s_ms(asked["ours"]), _p99s_ms(asked["commit"])
        rows.append(
            _row(f"… p99 at {share:.0%} of saturation", f"{shared}, of its own", own, least, 2.0, _in_ms(own, least))
        )
    own = _p99s_ms(calm)
    rows.append(
        _row(
            f"… p99 at {_CALM_PER_S:.0f}/s",
            "one durable commit of a row",
            own,
            commits_ms,
            2.0,
            _in_ms(own, commits_ms),
        )
    )
    return rows


async def measure_large(rounds: int = 5) -> list[Row]:
    """Measure a city of 100,000 lots beside one of 5,000; takes about three minutes."""
    async with running_hospital(_SMALL) as small, running_hospital(_LARGE) as large:
        servers = [_Server(f"of-{lots}", c.port, c.pid, c.door, c) for lots, c in ((_SMALL, small), (_LARGE, large))]
        for server in servers:
            await server.begun()
        asked = [[await server.asked(_CALM_PER_S, _MEASURE_S) for server in servers] for _ in range(rounds)]
    few, many = ([one[size] for one in asked] for size in (0, 1))
    against, own, least = f"with {_SMALL:,}", _p99s_ms(many), _p99s_ms(few)
    work = f"decide + hold over HTTP with {_LARGE:,} lots"
    cpu_us = [[one.cpu_us for one in each] for each in (many, few)]
    return [
        _row(f"{work}, p99", against, own, least, 1.2, f"{_in_ms(own, least)}, at {_CALM_PER_S:.0f}/s; {small.roads}"),
        _row("… CPU of a request", against, cpu_us[0], cpu_us[1], 1.2, f"{statistics.median(cpu_us[0]):.0f} µs"),
    ]


def _row(work: str, against: str, ours: Sequence[float], theirs: Sequence[float], reach: float, note: str) -> Row:
    """Compare rounds; a negative mark is one to be above."""
    ratios = [own / other for own, other in zip(ours, theirs, strict=True)]
    spread = (min(ratios), max(ratios))
    return Row(work, against, statistics.median(ratios), abs(reach), spread, lower_is_better=reach > 0, note=note)


def _p99s_ms(asked: Sequence[Asked]) -> list[float]:
    return [one.p99_ms for one in asked]


def _in_ms(ours: Sequence[float], theirs: Sequence[float]) -> str:
    return f"{statistics.median(ours):.1f} ms against {statistics.median(theirs):.1f} ms"


@asynccontextmanager
async def _an_answer(server: _Server) -> AsyncIterator[str]:
    """Give a file with one answer of ours, for those that only send it."""
    with tempfile.TemporaryDirectory(prefix="bowei-load-") as folder:
        path = Path(folder) / "answer.json"
        token = DriverTokens(DRIVER_KEY).make()
        body = {"hospital_id": "hospital", "height_cm": 165}
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
            headers = {"Authorization": f"Bearer {token}"}
            answer = await client.put("/v1/diversions/one-answer", json=body, headers=headers)
        answer.raise_for_status()
        path.write_bytes(answer.content)
        yield str(path)


@asynccontextmanager
async def _peer(name: str, door: Point, module: str, before: Sequence[str], *after: str) -> AsyncIterator[_Server]:
    """Run a peer: its port stands between its other arguments."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, *before, str(port), *after)
    try:
        await listening(port)
        yield _Server(name, port, process.pid, door)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def _near_and_hold(door: Point) -> AsyncIterator[_Server]:
    with tempfile.TemporaryDirectory(prefix="bowei-load-") as folder:
        socket = f"{folder}/redis.sock"
        options = {
            "port": "0",
            "unixsocket": socket,
            "dir": folder,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        store = await asyncio.create_subprocess_exec(
            str(find_redis()[0].binary), *words, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(20):
                while not Path(socket).exists():  # noqa: ASYNC110, ASYNC240 (another process makes it)
                    await asyncio.sleep(0.05)
            near_and_hold.furnish(socket, door)
            async with _peer("near", door, near_and_hold.__name__, (), socket) as peer:
                yield peer
        finally:
            store.terminate()
            await store.wait()


async def _make_row(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(bare_decision.SCHEMA)
    finally:
        await connection.close()


async def _one_commit_p99_ms(url: str) -> float:
    """Commit a row by itself, again and again at the calm rate, each from when it was due."""
    connection = await asyncpg.connect(url)
    waits_s = []
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS peer_row (id bigserial PRIMARY KEY, said text)")
        due = time.perf_counter() + 0.05
        for _ in range(_COMMITS):
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await connection.execute("INSERT INTO peer_row (said) VALUES ('held')")
            waits_s.append(time.perf_counter() - due)
            due += 1 / _CALM_PER_S
    finally:
        await connection.close()
    return quantile(sorted(waits_s), 0.99) * 1e3
