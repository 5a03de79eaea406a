"""The nemesis: faults of every kind, in an order that the seed decides, up to two at a time."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.local.supervision import Supervised
from tests.campaign.history import Fault, History
from tests.campaign.machines import INGEST, OTHERS, ROUTING, Machines, Valkey

_AT_ONCE = 2
_GAP_S = (0.1, 0.7)
_BACK_WITHIN_S = 30.0
_POLL_S = 0.01
_ADMIN_TIMEOUT_S = 2.0
_LEDGER, _COPY = "postgres", "redis"
_ITSELF_STRUCK = (OSError, RuntimeError, asyncpg.PostgresError, asyncpg.InterfaceError, RedisError)
"""A fault that met another on its way is left out, and reported as skipped."""


@dataclass(frozen=True, slots=True)
class Blow:
    """One fault of the plan: which, against whom, for how long (s), after which pause (s)."""

    kind: str
    target: str
    for_s: float
    after_s: float


def plan(seed: int, *, own_disk: bool) -> Iterable[Blow]:
    """Give the faults of a seed, for ever: every kind in each round, in another order each time."""
    rng = random.Random(f"{seed} nemesis")  # noqa: S311 (to be replayed, not secret)
    # Twice where there is such a disk, because only every other seed has one.
    kinds = [*KINDS, "disk_full"] if own_disk else [kind for kind in KINDS if kind != "disk_full"]
    while True:
        for kind in rng.sample(kinds, len(kinds)):
            targets, (least_s, most_s), _ = KINDS[kind]
            yield Blow(kind, rng.choice(targets), rng.uniform(least_s, most_s), rng.uniform(*_GAP_S))


class Nemesis:
    """Strikes machines, and sees to it that each is mended."""

    def __init__(self, machines: Machines, history: History) -> None:
        self.machines = machines
        self._history = history
        self._alone = {name: asyncio.Lock() for name in (*ROUTING, *INGEST, *OTHERS, _LEDGER, _COPY)}
        self._striking = asyncio.Semaphore(_AT_ONCE)
        self._running: set[asyncio.Task[None]] = set()
        self.old_copy = machines.folder.path / "old-copy"

    async def run(self, blows: Iterable[Blow], stop: asyncio.Event) -> None:
        """Strike until told to stop, and wait until everything is mended."""
        try:
            for blow in blows:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(blow.after_s):
                        await stop.wait()
                await self._striking.acquire()
                if stop.is_set():
                    break
                task = asyncio.create_task(self._strike(blow))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        finally:
            await asyncio.gather(*self._running)

    async def _strike(self, blow: Blow) -> None:
        try:
            async with AsyncExitStack() as stack:
                # In one order, as the ledger's own locks are taken.
                for name in sorted(_touched(blow)):
                    await stack.enter_async_context(self._alone[name])
                fault = Fault(blow.kind, blow.target, time.time())
                self._history.faults.append(fault)
                _, _, act = KINDS[blow.kind]
                try:
                    async with asyncio.timeout(_BACK_WITHIN_S):
                        await act(self, blow)
                except _ITSELF_STRUCK as error:
                    fault.skipped = f"{type(error).__name__}: {error}"
                fault.returned_s = time.time()
        finally:
            self._striking.release()


def _touched(blow: Blow) -> set[str]:
    if blow.kind in {"both_stores_killed", "both_stores_slow"}:
        return {_LEDGER, _COPY}
    return {blow.target}


# --- processes


def _service(nemesis: Nemesis, name: str) -> Callable[[], int | None]:
    return lambda: nemesis.machines.services.pids().get(name)


async def _kill_service(nemesis: Nemesis, blow: Blow) -> None:
    await _kill_and_wait(_service(nemesis, blow.target))


async def _kill_and_wait(pid_of: Callable[[], int | None]) -> None:
    """Kill it, and wait until supervision has it running and ready again."""
    pid = await _running_pid(pid_of)
    os.kill(pid, signal.SIGKILL)
    while pid_of() == pid:  # noqa: ASYNC110 (another process tells nobody of its end)
        await asyncio.sleep(_POLL_S)
    await _running_pid(pid_of)


async def _running_pid(pid_of: Callable[[], int | None]) -> int:
    while (pid := pid_of()) is None:  # noqa: ASYNC110 (nothing tells of it)
        await asyncio.sleep(_POLL_S)
    return pid


async def _freeze_service(nemesis: Nemesis, blow: Blow) -> None:
    await _freeze([await _running_pid(_service(nemesis, blow.target))], blow.for_s)


async def _freeze(pids: Iterable[int], for_s: float) -> None:
    frozen = list(pids)
    _signal_all(frozen, signal.SIGSTOP)
    try:
        await asyncio.sleep(for_s)
    finally:
        _signal_all(frozen, signal.SIGCONT)


def _signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


# --- the copy


def _pid_of(supervised: Supervised) -> Callable[[], int | None]:
    return lambda: supervised.pid


async def _kill_redis(nemesis: Nemesis, _blow: Blow) -> None:
    await _kill_and_wait(_pid_of(nemesis.machines.valkeys[0].supervised))


async def _freeze_redis(nemesis: Nemesis, blow: Blow) -> None:
    await _freeze([await _running_pid(_pid_of(nemesis.machines.valkeys[0].supervised))], blow.for_s)


async def flush_copy(machines: Machines) -> None:
    """Empty the copy."""
    async with _client(machines.valkeys[0]) as redis:
        await redis.flushall()


async def _flush_redis(nemesis: Nemesis, _blow: Blow) -> None:
    await flush_copy(nemesis.machines)


async def _wipe_redis(nemesis: Nemesis, _blow: Blow) -> None:
    valkey = nemesis.machines.valkeys[0]
    valkey.prepare = _wipe
    await _kill_and_wait(_pid_of(valkey.supervised))


async def _restore_old_redis(nemesis: Nemesis, _blow: Blow) -> None:
    """Restart on a copy of the folder made some faults ago; and make the copy for the next time."""
    valkey = nemesis.machines.valkeys[0]
    old, kept = nemesis.old_copy, nemesis.old_copy.with_suffix(".next")

    def exchange(folder: Path) -> None:
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept)
        if old.exists():
            _wipe(folder)
            shutil.copytree(old, folder)
            shutil.rmtree(old)
        kept.rename(old)

    valkey.prepare = exchange
    await _kill_and_wait(_pid_of(valkey.supervised))


async def _fail_over_redis(nemesis: Nemesis, blow: Blow) -> None:
    """Let a replica fall behind, and promote it while the old one still takes writes."""
    machines = nemesis.machines
    old, new = machines.valkeys
    async with _client(old) as primary, _client(new) as replica:
        port = _port_of(old)
        await primary.config_set("port", port)
        await replica.replicaof("127.0.0.1", str(port))
        while (await replica.info("replication")).get("master_link_status") != "up":  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
        await replica.replicaof("NO", "ONE")
        await primary.config_set("port", 0)
    await asyncio.sleep(blow.for_s)
    machines.valkeys.reverse()
    machines.redis_wire.leads_to = new.place.socket
    machines.redis_wire.cut()


def _port_of(valkey: Valkey) -> int:
    # Its pid keeps it apart from other campaigns on the same machine.
    return 28_000 + (valkey.supervised.pid or 0) % 4_000


def _client(valkey: Valkey) -> "Redis":
    return Redis.from_url(valkey.place.url, decode_responses=True, socket_timeout=_ADMIN_TIMEOUT_S)


def _wipe(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


# --- the ledger


async def _terminate_backends(nemesis: Nemesis, _blow: Blow) -> None:
    connection = await asyncpg.connect(nemesis.machines.database_url, timeout=_ADMIN_TIMEOUT_S)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            timeout=_ADMIN_TIMEOUT_S,
        )
    finally:
        connection.terminate()


async def _kill_postmaster(nemesis: Nemesis, _blow: Blow) -> None:
    await _kill_and_wait(_pid_of(nemesis.machines.postgres))


async def _freeze_postgres(nemesis: Nemesis, blow: Blow) -> None:
    await _running_pid(_pid_of(nemesis.machines.postgres))
    await _freeze(nemesis.machines.processes_of_postgres(), blow.for_s)


async def _fill_disk(nemesis: Nemesis, blow: Blow) -> None:
    disk = nemesis.machines.disk
    assert disk is not None
    ballast = disk / "ballast"
    room = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_bsize)
    try:
        await asyncio.sleep(blow.for_s)
    finally:
        ballast.unlink()
    await _running_pid(_pid_of(nemesis.machines.postgres))


# --- the wires


async def _lose_answers(nemesis: Nemesis, blow: Blow) -> None:
    """Let a service's commits happen, and lose the news of them."""
    wire = nemesis.machines.ledger_wires[blow.target]
    wire.losing_answers = True
    await asyncio.sleep(blow.for_s)
    wire.losing_answers = False


async def _cut_wire(nemesis: Nemesis, blow: Blow) -> None:
    wire = nemesis.machines.ledger_wires[blow.target]
    for _ in range(5):
        wire.cut()
        await asyncio.sleep(blow.for_s / 5)


async def _hush_wire(nemesis: Nemesis, blow: Blow) -> None:
    """Let a service's connections fall silent, and break in the end."""
    wire = nemesis.machines.ledger_wires[blow.target]
    wire.hush()
    await asyncio.sleep(blow.for_s)
    wire.cut()
    wire.speak()


async def _slow_both(nemesis: Nemesis, blow: Blow) -> None:
    wires = [nemesis.machines.redis_wire, *nemesis.machines.ledger_wires.values()]
    for wire in wires:
        wire.delay_s = 0.15
    await asyncio.sleep(blow.for_s)
    for wire in wires:
        wire.delay_s = 0.0


async def _kill_both(nemesis: Nemesis, _blow: Blow) -> None:
    machines = nemesis.machines
    await asyncio.gather(
        _kill_and_wait(_pid_of(machines.postgres)), _kill_and_wait(_pid_of(machines.valkeys[0].supervised))
    )


Act = Callable[[Nemesis, Blow], Awaitable[None]]
_INSTANTLY = (0.0, 0.0)
_BRIEFLY = (0.3, 1.5)

KINDS: dict[str, tuple[tuple[str, ...], tuple[float, float], Act]] = {
    "routing_killed": (ROUTING, _INSTANTLY, _kill_service),
    "routing_frozen": (ROUTING, (0.3, 2.0), _freeze_service),
    "routing_zombie": (ROUTING, (3.0, 3.5), _freeze_service),
    "ingest_killed": (INGEST, _INSTANTLY, _kill_service),
    "ingest_frozen": (INGEST, (0.3, 2.0), _freeze_service),
    "availability_killed": (OTHERS[:1], _INSTANTLY, _kill_service),
    "availability_frozen": (OTHERS[:1], _BRIEFLY, _freeze_service),
    "registry_killed": (OTHERS[1:], _INSTANTLY, _kill_service),
    "registry_frozen": (OTHERS[1:], _BRIEFLY, _freeze_service),
    "redis_killed": ((_COPY,), _INSTANTLY, _kill_redis),
    "redis_frozen": ((_COPY,), _BRIEFLY, _freeze_redis),
    "redis_flushed": ((_COPY,), _INSTANTLY, _flush_redis),
    "redis_wiped": ((_COPY,), _INSTANTLY, _wipe_redis),
    "redis_restored_old": ((_COPY,), _INSTANTLY, _restore_old_redis),
    "redis_failed_over_lagging": ((_COPY,), (0.3, 1.2), _fail_over_redis),
    "postgres_backends_terminated": ((_LEDGER,), _INSTANTLY, _terminate_backends),
    "postgres_killed": ((_LEDGER,), _INSTANTLY, _kill_postmaster),
    "postgres_frozen": ((_LEDGER,), _BRIEFLY, _freeze_postgres),
    "commit_answers_lost": ((*ROUTING, *INGEST), (0.1, 0.4), _lose_answers),
    "ledger_connections_cut": ((*ROUTING, *INGEST), (0.1, 0.5), _cut_wire),
    "ledger_silent": ((*ROUTING, *INGEST), (0.5, 2.0), _hush_wire),
    "both_stores_slow": ((_LEDGER,), _BRIEFLY, _slow_both),
    "both_stores_killed": ((_LEDGER,), _INSTANTLY, _kill_both),
    "disk_full": ((_LEDGER,), (0.8, 1.5), _fill_disk),
}
"""By name: whom it may strike, for how long (s), and how."""
