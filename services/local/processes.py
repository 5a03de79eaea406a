"""The services as child processes: started together, kept running, stopped together.

One that dies is started again (see `supervision.py` for how often). Each writes to a log of its own in the data
folder. They listen on the loopback only.
"""

import asyncio
import errno
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from services.local.children import Child, kill, last_lines, spawn, stop
from services.local.data_folder import DataFolder
from services.local.setup_problem import SetupProblem
from services.local.supervision import RestartBudget, Supervised, first_to_give_up, run_together

LOOPBACK = "127.0.0.1"

_READY_WITHIN_S = 30.0
_ANSWER_WITHIN_S = 2.0
_POLL_S = 0.05
_STOP_WITHIN_S = 5.0
_PORTS_TRIED_MAX = 50


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One service to run: `python -m module`, told its address by `BOWEI_HOST` and `BOWEI_PORT`."""

    name: str
    module: str
    port: int
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Added to this process's own. May hold secrets."""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{LOOPBACK}:{self.port}"


SERVICES = {"registry": 8100, "ingest": 8101, "routing": 8102, "availability": 8103}
"""The services and their usual ports."""


def service_specs(common: Mapping[str, str], *, environment: Mapping[str, str] = os.environ) -> tuple[ServiceSpec, ...]:
    """Return the four services, each with the variables in `common`, on its usual port or on `BOWEI_<NAME>_PORT`.

    Raises:
        SetupProblem: `port_not_a_number`.
    """
    return tuple(
        ServiceSpec(name, f"services.{name}", _port_of(name, usual, environment), common)
        for name, usual in SERVICES.items()
    )


def _port_of(name: str, usual: int, environment: Mapping[str, str]) -> int:
    variable = f"BOWEI_{name.upper()}_PORT"
    text = environment.get(variable) or str(usual)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise SetupProblem("port_not_a_number", f"{variable} is not a port.", "Set it to a number from 1 to 65535.")
    return int(text)


class Processes:
    """The services while the context lasts; all are ready when it is entered."""

    def __init__(self, specs: Sequence[ServiceSpec], data: DataFolder, *, restarts_max: int = 10) -> None:
        self.specs = tuple(specs)
        self._supervised = [
            Supervised(
                spec.name, partial(_start, spec, data.log(spec.name)), _stop, RestartBudget(restarts_max=restarts_max)
            )
            for spec in specs
        ]
        self._running = run_together(self._supervised)

    async def __aenter__(self) -> Self:
        """Start all.

        Raises:
            SetupProblem: `port_in_use`, or `service_did_not_start` with the end of its log.
        """
        for spec in self.specs:
            check_port_free(spec.name, spec.port)
        await self._running.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all: SIGTERM, and SIGKILL after 5 s."""
        await self._running.__aexit__(kind, error, trace)

    def pids(self) -> dict[str, int]:
        """Return the process ids of those that run now, by name."""
        return {one.name: pid for one in self._supervised if (pid := one.pid)}

    def restart_counts(self) -> dict[str, int]:
        """Return how often each was started again, by name."""
        return {one.name: one.restart_count for one in self._supervised}

    async def gave_up(self) -> SetupProblem:
        """Wait until one of them can no longer be kept running, and return why."""
        return await first_to_give_up(self._supervised)


def check_port_free(name: str, port: int) -> None:
    """Try the port.

    Raises:
        SetupProblem: `port_in_use` or `port_not_allowed`.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # As servers do: a closing one is no hindrance.
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise SetupProblem(
                    "port_in_use",
                    f"Port {port} of the {name} service is in use by another program.",
                    f"Stop that program (`ss -ltnp` names it), or choose another with BOWEI_{name.upper()}_PORT.",
                ) from error
            raise SetupProblem(
                "port_not_allowed",
                f"Port {port} of the {name} service cannot be opened: {error.strerror}.",
                f"Choose another with BOWEI_{name.upper()}_PORT.",
            ) from error


def on_free_ports(specs: Sequence[ServiceSpec]) -> tuple[ServiceSpec, ...]:
    """Return the specs, each moved to the next free port if its own is in use, and past those that others want.

    Raises:
        SetupProblem: `port_in_use`, when the 50 ports after it are in use too.
    """
    # One that must move takes no other's place: else all after it would move too, and readers know the usual ports.
    wanted = {spec.port for spec in specs}
    taken: set[int] = set()
    moved = []
    for spec in specs:
        port = _free_port(spec, taken | (wanted - {spec.port}))
        taken.add(port)
        moved.append(replace(spec, port=port))
    return tuple(moved)


def _free_port(spec: ServiceSpec, taken: set[int]) -> int:
    problem: SetupProblem | None = None
    for port in range(spec.port, min(spec.port + _PORTS_TRIED_MAX, 65536)):
        if port in taken:
            continue
        try:
            check_port_free(spec.name, port)
        except SetupProblem as reason:
            problem = problem or reason
        else:
            return port
    raise problem or SetupProblem("port_in_use", f"No port is left for {spec.name}.", "Stop other programs.")


async def _start(spec: ServiceSpec, log: Path) -> Child:
    address = {"BOWEI_HOST": LOOPBACK, "BOWEI_PORT": str(spec.port)}
    # A pipe or file makes Python hold lines back; the log should show the last words of one that is killed.
    environment = dict(os.environ) | {"PYTHONUNBUFFERED": "1"} | dict(spec.environment) | address
    service = spawn([sys.executable, "-m", spec.module], log=log, environment=environment, folder=Path.cwd())
    try:
        await _ready(spec, service, log)
    except BaseException:
        kill(service)
        raise
    return service


async def _stop(service: Child) -> None:
    await stop(service, within_s=_STOP_WITHIN_S)


async def _ready(spec: ServiceSpec, service: Child, log: Path) -> None:
    try:
        async with asyncio.timeout(_READY_WITHIN_S):
            while service.poll() is None:
                if await _answers(spec.port):
                    return
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        pass
    raise SetupProblem(
        "service_did_not_start",
        f"The {spec.name} service did not become ready. Its last words: {last_lines(log)}",
        f"Read {log}.",
    )


async def _answers(port: int) -> bool:
    """Ask `/readyz` once; true when it answers 200."""
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, ValueError):  # A timeout is an OSError; a line too long is a ValueError.
        return False
    return status.startswith(b"HTTP/1.") and status.split()[1:2] == [b"200"]
