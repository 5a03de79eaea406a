"""The faults: how each is struck, and how it is mended. A fault that returns is over."""

import asyncio
import contextlib
import math
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx2
from redis.asyncio import Redis

from services.local.supervision import Supervised
from tests.campaign.history import History
from tests.campaign.machines import INGEST, OTHERS, ROUTING, SPEED, Machines, Valkey

_POLL_S = 0.01
_ADMIN_TIMEOUT_S = 2.0
_UNSYNCED = b"never synced"
_JUMPS_S = (600, -600, 7_200, -7_200)
_LOOKS = 3
_MEASURED_WITHIN_S = 10.0
"""Of this machine's clock: a process that is frozen between two readings measures that too."""
LEDGER, COPY = "postgres", "redis"


@dataclass(frozen=True, slots=True)
class Blow:
    """One fault of the plan: which, against whom, for how long (s), after which pause (s)."""

    kind: str
    target: str
    for_s: float
    after_s: float


@dataclass(frozen=True, slots=True)
class Reach:
    """What a fault may lay hands on."""

    machines: Machines
    history: History
    old_copy: Path
    """Where the copy's folder of some faults ago is kept."""


# --- processes


def _service(reach: Reach, name: str) -> Callable[[], int | None]:
    return lambda: reach.machines.services.pids().get(name)


async def _kill_service(reach: Reach, blow: Blow) -> None:
    await _kill_and_wait(_service(reach, blow.target))


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


async def _freeze_service(reach: Reach, blow: Blow) -> None:
    await _freeze([await _running_pid(_service(reach, blow.target))], blow.for_s)


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


async def _kill_redis(reach: Reach, _blow: Blow) -> None:
    await _kill_and_wait(_pid_of(reach.machines.valkeys[0].supervised))


async def _freeze_redis(reach: Reach, blow: Blow) -> None:
    await _freeze([await _running_pid(_pid_of(reach.machines.valkeys[0].supervised))], blow.for_s)


async def flush_copy(machines: Machines) -> None:
    """Empty the copy."""
    async with _client(machines.valkeys[0]) as redis:
        await redis.flushall()


async def _flush_redis(reach: Reach, _blow: Blow) -> None:
    await flush_copy(reach.machines)


async def _wipe_redis(reach: Reach, _blow: Blow) -> None:
    valkey = reach.machines.valkeys[0]
    valkey.prepare = _wipe
    await _kill_and_wait(_pid_of(valkey.supervised))


async def _restore_old_redis(reach: Reach, _blow: Blow) -> None:
    """Restart on a copy of the folder made some faults ago; and make the copy for the next time."""
    valkey = reach.machines.valkeys[0]
    old, kept = reach.old_copy, reach.old_copy.with_suffix(".next")

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


async def _fail_over_redis(reach: Reach, blow: Blow) -> None:
    """Let a replica fall behind, and promote it while the old one still takes writes."""
    machines = reach.machines
    old, new = machines.valkeys
    async with _client(old) as primary, _client(new) as replica:
        port = _port_of(old)
        await primary.config_set("repl-diskless-sync-delay", 0)  # it would wait 5 s for more replicas
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


async def _terminate_backends(reach: Reach, _blow: Blow) -> None:
    connection = await asyncpg.connect(reach.machines.database_url, timeout=_ADMIN_TIMEOUT_S)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            timeout=_ADMIN_TIMEOUT_S,
        )
    finally:
        connection.terminate()


async def _kill_postmaster(reach: Reach, _blow: Blow) -> None:
    await _kill_and_wait(_pid_of(reach.machines.postgres))


async def _freeze_postgres(reach: Reach, blow: Blow) -> None:
    await _running_pid(_pid_of(reach.machines.postgres))
    await _freeze(reach.machines.processes_of_postgres(), blow.for_s)


async def _fill_disk(reach: Reach, blow: Blow) -> None:
    disk = reach.machines.disk
    assert disk is not None
    with disk.full():
        await asyncio.sleep(blow.for_s)
    await _running_pid(_pid_of(reach.machines.postgres))


async def _cut_power(reach: Reach, _blow: Blow) -> None:
    """Stop the ledger's disk and kill everyone on it; what was not synced is gone when it is back."""
    machines = reach.machines
    disk = machines.disk
    assert disk is not None
    pid = await _running_pid(_pid_of(machines.postgres))
    struck = machines.processes_of_postgres()
    with disk.opened("unsynced") as unsynced:
        unsynced.write(_UNSYNCED)
        disk.cut_power()
        _signal_all(struck, signal.SIGKILL)
    while machines.postgres.pid == pid:  # noqa: ASYNC110 (another process tells nobody of its end)
        await asyncio.sleep(_POLL_S)
    await _running_pid(_pid_of(machines.postgres))
    with disk.opened("unsynced") as kept:
        if kept.read():
            reach.history.violated("power_cut_lost_nothing", "what was not synced is on the disk all the same")


# --- clocks


async def _jump_clock(reach: Reach, blow: Blow) -> None:
    """Set a service's clock wrong by minutes or hours, and right again; its metric must tell, if it has one."""
    clocks = reach.machines.clocks
    assert clocks is not None
    # The length decides, so that the seed does.
    ahead_s = _JUMPS_S[int(blow.for_s * 1_000) % len(_JUMPS_S)]
    clocks.set(blow.target, ahead_s)
    try:
        async with httpx2.AsyncClient(base_url=reach.machines.urls[blow.target], trust_env=False) as client:
            for _ in range(_LOOKS):
                await asyncio.sleep(blow.for_s / _LOOKS)
                reach.history.measured_clocks += await _judge_metric(reach, client, blow.target, ahead_s)
    finally:
        clocks.set(blow.target, 0)


async def _judge_metric(reach: Reach, client: httpx2.AsyncClient, target: str, ahead_s: int) -> int:
    """Compare what the process says of its clock, where it just asked the ledger; say how often that was."""
    try:
        text = (await client.get("/metrics", timeout=_ADMIN_TIMEOUT_S)).text
    except (httpx2.HTTPError, OSError, RuntimeError, AttributeError):
        return 0
    lines = text.splitlines()
    if 'bowei_dependency_up{dependency="ledger"} 1.0' not in lines:
        return 0  # it does not know; availability never does
    told = next((float(line.split()[1]) for line in lines if line.startswith("bowei_clock_skew_seconds ")), math.nan)
    if not abs(told - ahead_s * SPEED) <= _MEASURED_WITHIN_S * SPEED:
        reach.history.violated("wrong_clock_not_told", f"{target} tells {told} s, and is {ahead_s * SPEED} s ahead")
    return 1


# --- the wires


async def _lose_answers(reach: Reach, blow: Blow) -> None:
    """Let a service's commits happen, and lose the news of them."""
    wire = reach.machines.ledger_wires[blow.target]
    wire.losing_answers = True
    await asyncio.sleep(blow.for_s)
    wire.losing_answers = False


async def _cut_wire(reach: Reach, blow: Blow) -> None:
    wire = reach.machines.ledger_wires[blow.target]
    for _ in range(5):
        wire.cut()
        await asyncio.sleep(blow.for_s / 5)


async def _hush_wire(reach: Reach, blow: Blow) -> None:
    """Let a service's connections fall silent, and break in the end."""
    wire = reach.machines.ledger_wires[blow.target]
    wire.hush()
    await asyncio.sleep(blow.for_s)
    wire.cut()
    wire.speak()


async def _slow_both(reach: Reach, blow: Blow) -> None:
    wires = [reach.machines.redis_wire, *reach.machines.ledger_wires.values()]
    for wire in wires:
        wire.delay_s = 0.15
    await asyncio.sleep(blow.for_s)
    for wire in wires:
        wire.delay_s = 0.0


async def _kill_both(reach: Reach, _blow: Blow) -> None:
    machines = reach.machines
    await asyncio.gather(
        _kill_and_wait(_pid_of(machines.postgres)), _kill_and_wait(_pid_of(machines.valkeys[0].supervised))
    )


Act = Callable[[Reach, Blow], Awaitable[None]]
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
    "redis_killed": ((COPY,), _INSTANTLY, _kill_redis),
    "redis_frozen": ((COPY,), _BRIEFLY, _freeze_redis),
    "redis_flushed": ((COPY,), _INSTANTLY, _flush_redis),
    "redis_wiped": ((COPY,), _INSTANTLY, _wipe_redis),
    "redis_restored_old": ((COPY,), _INSTANTLY, _restore_old_redis),
    "redis_failed_over_lagging": ((COPY,), (0.3, 1.2), _fail_over_redis),
    "postgres_backends_terminated": ((LEDGER,), _INSTANTLY, _terminate_backends),
    "postgres_killed": ((LEDGER,), _INSTANTLY, _kill_postmaster),
    "postgres_frozen": ((LEDGER,), _BRIEFLY, _freeze_postgres),
    "commit_answers_lost": ((*ROUTING, *INGEST), (0.1, 0.4), _lose_answers),
    "ledger_connections_cut": ((*ROUTING, *INGEST), (0.1, 0.5), _cut_wire),
    "ledger_silent": ((*ROUTING, *INGEST), (0.5, 2.0), _hush_wire),
    "both_stores_slow": ((LEDGER,), _BRIEFLY, _slow_both),
    "both_stores_killed": ((LEDGER,), _INSTANTLY, _kill_both),
    "disk_full": ((LEDGER,), (0.8, 1.5), _fill_disk),
    "power_lost": ((LEDGER,), _INSTANTLY, _cut_power),
    "routing_clock_jumped": (ROUTING, (0.5, 2.0), _jump_clock),
    "ingest_clock_jumped": (INGEST, (0.5, 2.0), _jump_clock),
    "availability_clock_jumped": (OTHERS[:1], (0.5, 2.0), _jump_clock),
}
"""By name: whom it may strike, for how long (s), and how."""

NEED_DISK = frozenset({"disk_full", "power_lost"})
"""What strikes only where the ledger has a small disk of its own."""
NEED_CLOCKS = frozenset(kind for kind in KINDS if kind.endswith("_clock_jumped"))
"""What strikes only where clocks can be set wrong."""
