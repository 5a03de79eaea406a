"""The machines: stores and services as real processes, started again when they die, with a wire before each store."""

import asyncio
import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx2
from typing_extensions import override

from bowei.records.clock import ScaledClock, mark_demo, open_clock
from bowei.records.connecting import connect
from bowei.records.migrating import migrate
from services.local.children import Child
from services.local.data_folder import DataFolder, throwaway_data_folder
from services.local.processes import Processes, ServiceSpec, on_free_ports
from services.local.servers.finding import FoundServer, find_postgres, find_redis, nothing_found
from services.local.servers.postgres_server import (
    PostgresPlace,
    choose_server,
    place_for,
    start_postgres,
    stop_postgres,
)
from services.local.servers.redis_server import RedisPlace, start_redis, stop_redis
from services.local.supervision import RestartBudget, Supervised, run_together
from tests.campaign.block import SOURCE, scene
from tests.campaign.clocks import WrongClocks, wrong_clocks
from tests.campaign.disks import SmallDisk, small_disk
from tests.campaign.proxying import Wire

ROUTING, INGEST = ("routing-1", "routing-2"), ("ingest-1", "ingest-2")
OTHERS = ("availability-1", "registry-1")
KEEP_TIME = (*ROUTING, *INGEST, OTHERS[0])
"""The services that look at a clock of their own."""
SPEED = 40.0
"""The ledger's clock against this machine's: a hold of five minutes lasts 7.5 s."""

_MONDAY_8H = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
_RESTART_AFTER_S = 0.2
_READY_WITHIN_S = 60.0


class _PromptRestarts(RestartBudget):
    """Starts again as often as the nemesis kills."""

    @override
    def next_delay_s(self, now_s: float) -> float | None:
        return _RESTART_AFTER_S


@dataclass(slots=True)
class Valkey:
    """One of the two Redis servers, and what is to be done to its folder before its next start."""

    place: RedisPlace
    prepare: Callable[[Path], None] | None = None
    supervised: Supervised = field(init=False)

    def __post_init__(self) -> None:
        """Put it under supervision."""
        self.supervised = Supervised("redis", self._start, stop_redis, _PromptRestarts())

    async def _start(self) -> Child:
        prepare, self.prepare = self.prepare, None
        if prepare is not None:
            await asyncio.to_thread(prepare, self.place.folder)
        return await start_redis(self.place)


@dataclass(frozen=True, slots=True)
class Machines:
    """Everything that runs."""

    folder: DataFolder
    clock: ScaledClock
    database_url: str = field(repr=False)
    """Past every wire."""
    postgres: Supervised
    valkeys: list[Valkey]
    """The first is the one in use."""
    redis_wire: Wire
    ledger_wires: dict[str, Wire]
    """By service."""
    services: Processes
    urls: dict[str, str]
    source_key: str = field(repr=False)
    driver_key: str = field(repr=False)
    admin_token: str = field(repr=False)
    disk: SmallDisk | None
    """A small disk of its own that holds the ledger; None: it lies with everything else."""
    clocks: WrongClocks | None
    """Of the services in KEEP_TIME; None: they are right, always."""

    def processes_of_postgres(self) -> list[int]:
        """List the postmaster and its children."""
        pid = self.postgres.pid
        return [] if pid is None else [pid, *_children_of(pid)]


def _children_of(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            # The name, in brackets, may hold spaces.
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(after_name[1]) == pid:
                found.append(int(folder.name))
    return found


@asynccontextmanager
async def running_machines(*, own_disk: bool) -> AsyncIterator[Machines]:
    """Start all of it, with the block registered and the clock running; stop all of it afterwards."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(throwaway_data_folder())
        sockets = Path(tempfile.mkdtemp(prefix="bowei-", dir="/tmp"))
        stack.callback(shutil.rmtree, sockets, ignore_errors=True)
        wires_at = sockets / "w"
        wires_at.mkdir(mode=0o700)
        disk = stack.enter_context(small_disk(folder)) if own_disk else None
        clocks = stack.enter_context(wrong_clocks(folder.path))
        place = _postgres_place(folder, sockets, disk)
        postgres = Supervised("postgres", partial(_start_ledger, place, disk), stop_postgres, _PromptRestarts())
        valkeys = [_valkey(folder, sockets, number) for number in (1, 2)]
        await stack.enter_async_context(run_together([postgres, *(one.supervised for one in valkeys)]))
        await migrate(place.url)
        clock = await _started_clock(place.url)
        redis_wire = Wire(wires_at / "r", valkeys[0].place.socket)
        names = (*ROUTING, *INGEST, *OTHERS)
        ledger_wires = {name: _ledger_wire(wires_at / name, sockets) for name in names}
        for wire in (redis_wire, *ledger_wires.values()):
            await wire.open()
            stack.push_async_callback(wire.close)
        keys = {name: secrets.token_urlsafe(32) for name in ("DRIVER_KEY", "ADMIN_TOKEN", "PLATE_KEY")}
        specs = _specs(place.url, str(sockets), wires_at, keys, clocks)
        services = await stack.enter_async_context(Processes(specs, folder, restarts_max=100_000))
        urls = {spec.name: spec.url for spec in specs}
        source_key = await _register(urls["registry-1"], keys["ADMIN_TOKEN"])
        yield Machines(
            folder,
            clock,
            place.url,
            postgres,
            valkeys,
            redis_wire,
            ledger_wires,
            services,
            urls,
            source_key,
            keys["DRIVER_KEY"],
            keys["ADMIN_TOKEN"],
            disk,
            clocks,
        )


async def _start_ledger(place: PostgresPlace, disk: SmallDisk | None) -> Child:
    if disk is not None:
        await disk.bring_back()
    return await start_postgres(place)


def _postgres_place(folder: DataFolder, sockets: Path, disk: SmallDisk | None) -> PostgresPlace:
    if not (found := find_postgres()):
        raise nothing_found("Postgres")
    place = place_for(folder, choose_server(folder, found), sockets)
    return place if disk is None else replace(place, cluster=disk.folder / "cluster")


def _valkey(folder: DataFolder, sockets: Path, number: int) -> Valkey:
    found: list[FoundServer] = find_redis()
    if not found:
        raise nothing_found("Redis")
    name = f"redis-{number}"
    return Valkey(RedisPlace(found[0], folder.path / name, sockets / f"{name}.sock", folder.log(name)))


def _ledger_wire(at: Path, sockets: Path) -> Wire:
    at.mkdir()
    return Wire(at / ".s.PGSQL.5432", sockets / ".s.PGSQL.5432")


async def _started_clock(url: str) -> ScaledClock:
    pool = await connect(url, most_connections=1, check_durable=False)
    try:
        # Sooner than a wait for a lock is given up, so that a deadlock is seen for what it is.
        await pool.execute("ALTER DATABASE postgres SET deadlock_timeout = '100ms'")
        await mark_demo(pool, _MONDAY_8H, SPEED)
        clock = await open_clock(pool, allow_demo=True)
    finally:
        await pool.close()
    assert isinstance(clock, ScaledClock)
    return clock


def _specs(
    url: str, sockets: str, wires_at: Path, keys: dict[str, str], clocks: WrongClocks | None
) -> tuple[ServiceSpec, ...]:
    settings = {f"BOWEI_{name}": value for name, value in keys.items()} | {
        "BOWEI_REDIS_URL": f"unix://{wires_at / 'r'}",
        "BOWEI_ALLOW_DEMO": "1",
        "BOWEI_ROADS": "",
        "BOWEI_ROUTING_REQUESTS_PER_DRIVER": "1000000",
        "BOWEI_LOG_LEVEL": "WARNING",
    }

    def of(name: str) -> dict[str, str]:
        clock = clocks.environment(name) if clocks is not None and name in KEEP_TIME else {}
        return {
            **settings,
            **clock,
            "BOWEI_DATABASE_URL": url.replace(f"host={sockets}", f"host={wires_at / name}"),
        }

    wanted = [
        ServiceSpec(
            name,
            f"services.{name.partition('-')[0]}",
            _first_port() + number,
            of(name),
        )
        for number, name in enumerate((*ROUTING, *INGEST, *OTHERS))
    ]
    return on_free_ports(wanted)


def _first_port() -> int:
    """Keep away from other campaigns on this machine: a service that was just killed has left its port free."""
    return 20_000 + os.getpid() % 1_000 * 8


async def _register(url: str, admin_token: str) -> str:
    async with httpx2.AsyncClient(base_url=url, timeout=_READY_WITHIN_S, trust_env=False) as client:
        headers = {"Authorization": f"Bearer {admin_token}"}
        response = await client.put("/v1/scene", json=scene(), headers=headers)
    assert response.status_code in {200, 201}, response.text
    return str(response.json()["keys"][SOURCE])
