"""A mega-city on this machine: servers, three services, 10,000 lots of 50 sources; and what each process costs."""

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow
from bowei.domain.lots import Entrance, Hospital, HospitalId, Lot, LotId, LotKind, Name, SourceId, SpaceClass
from bowei.domain.places import Point
from bowei.records.connecting import connect
from bowei.records.migrating import migrate
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.registering import Source, SourceKind
from services.local.data_folder import throwaway_data_folder
from services.local.processes import Processes, ServiceSpec
from services.local.servers import embedded_servers

LOTS = 10_000
SOURCES = 50
LOTS_OF_A_SOURCE = LOTS // SOURCES
_NAME = Name("示例", "Example")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class City:
    """Where the parts of a running city are."""

    database_url: str
    redis_url: str
    ingest_port: int
    availability_port: int
    pids: dict[str, int]
    """Of the services, and of `postgres` and `redis`."""

    def cpu_s(self) -> dict[str, float]:
        """Say how much processor time each part has used, its child processes included."""
        return {name: cpu_s(pid) for name, pid in self.pids.items()}


def lot_id(number: int) -> LotId:
    """Name a lot."""
    return LotId(f"lot-{number:05d}")


def key_of(source: int) -> str:
    """Give a source's key."""
    return f"source-{source}.a-key-of-a-bench-and-of-nothing-else"


@asynccontextmanager
async def running_city(*, services: bool = True) -> AsyncIterator[City]:
    """Run a city until the context ends; without `services` only its servers and its register."""
    with throwaway_data_folder() as data:
        async with embedded_servers(data, environment={}) as servers:
            await migrate(servers.database_url)
            await _furnish(servers.database_url)
            stores = {"postgres": _pid_of(b"postgres", data.path), "redis": _pid_of(b"redis", data.path)}
            if not services:
                yield City(servers.database_url, servers.redis_url, 0, 0, stores)
                return
            common = {
                "BOWEI_DATABASE_URL": servers.database_url,
                "BOWEI_REDIS_URL": servers.redis_url,
                "BOWEI_DRIVER_KEY": "a-driver-key-of-a-bench-and-of-nothing-else",
                "BOWEI_LOG_LEVEL": "WARNING",
            }
            names = ("ingest", "routing", "availability")
            specs = [ServiceSpec(name, f"services.{name}", free_port(), common) for name in names]
            async with Processes(specs, data) as processes:
                ports = {spec.name: spec.port for spec in specs}
                yield City(
                    servers.database_url,
                    servers.redis_url,
                    ports["ingest"],
                    ports["availability"],
                    processes.pids() | stores,
                )


async def _furnish(url: str) -> None:
    pool = await connect(url, most_connections=4)
    try:
        register = PostgresRegister(pool)
        await register.put_lots([_lot(number) for number in range(LOTS)])
        point = _place(0)
        await register.put_hospitals([Hospital(HospitalId("hospital"), _NAME, lot_id(0), point, point)])
        await register.put_agreements(
            [
                Agreement(
                    AgreementId(f"a-{number}"),
                    lot_id(number),
                    HospitalId("hospital"),
                    (LendingWindow(SpaceClass.STANDARD, 50),),
                )
                for number in range(1, 41)
            ]
        )
        await register.put_sources(
            [
                Source(
                    SourceId(f"source-{source}"),
                    SourceKind.NATIVE,
                    hashlib.sha256(key_of(source).encode()).digest(),
                    lots=tuple(
                        (lot_id(number), lot_id(number))
                        for number in range(source * LOTS_OF_A_SOURCE, (source + 1) * LOTS_OF_A_SOURCE)
                    ),
                )
                for source in range(SOURCES)
            ]
        )
        await analyze(url)
    finally:
        await pool.close()


async def analyze(url: str) -> None:
    """Do what autovacuum does within a minute: until then plans are made for empty tables, and kept."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def _place(number: int) -> Point:
    return Point(30.20 + number // 100 * 0.001, 120.10 + number % 100 * 0.001)


def _lot(number: int) -> Lot:
    place = _place(number)
    return Lot(lot_id(number), LotKind.PUBLIC, _NAME, "Asia/Shanghai", 500, place, (Entrance("main", _NAME, place),))


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def listening(port: int) -> None:
    """Wait until somebody listens on a port."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return


def _pid_of(program: bytes, folder: Path) -> int:
    """Find the server that works in `folder`, or was started from it."""
    own = os.fsencode(folder.name)
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            command = (process / "cmdline").read_bytes()
            environment = os.fsencode((process / "cwd").readlink())
        except OSError:
            continue
        if program in command.split(b"\0")[0] and (own in command or own in environment):
            return int(process.name)
    raise AssertionError(f"{program.decode()} was not found")


def cpu_s(pid: int) -> float:
    """Give the processor time of a process, of its children and of those of them that have ended."""
    return sum(sum(_times(one)) for one in (pid, *_children(pid))) / _TICKS


def resident_mib(pid: int) -> float:
    """Give the memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * _PAGE / 2**20


def _children(pid: int) -> Sequence[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:
        return []


def _times(pid: int) -> list[int]:
    """Give utime, stime, cutime and cstime; nothing where the process has just ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii")
    except OSError:
        return []
    return [int(word) for word in text.rpartition(")")[2].split()[11:15]]


async def settled(seconds: float) -> None:
    """Let a city that has just started come to rest."""
    await asyncio.sleep(seconds)
