"""The services as processes: ready when they say so, started again when they die, gone when they should be."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from services.local.data_folder import DataFolder, open_data_folder
from services.local.processes import Processes, ServiceSpec, on_free_ports
from services.local.setup_problem import SetupProblem
from services.local.supervision import RestartBudget
from tests.free_ports import free_port

DEADLINE_S = 20.0

# Answers /readyz on BOWEI_PORT, says its greeting, and misbehaves as MANNER tells.
STAND_IN = """
import http.server, os, pathlib, signal, sys

manner = os.environ.get("MANNER")
if manner == "dies":
    sys.exit("the scene cannot be read")
if manner == "dies the second time":
    ran_before = pathlib.Path(os.environ["MARK"])
    if ran_before.exists():
        sys.exit("cannot start again")
    ran_before.touch()
if manner == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
        self.wfile.write(os.environ.get("GREETING", "").encode())

address = (os.environ["BOWEI_HOST"], int(os.environ["BOWEI_PORT"]))
http.server.HTTPServer(address, Answer).serve_forever()
"""


@pytest.fixture
def module(tmp_path: Path) -> dict[str, str]:
    """Write the stand-in where Python finds it by this environment."""
    (tmp_path / "stand_in.py").write_text(STAND_IN, "utf-8")
    return {"PYTHONPATH": str(tmp_path), "MARK": str(tmp_path / "mark")}


def service(name: str, environment: dict[str, str], **more: str) -> ServiceSpec:
    """Describe a stand-in on a port of its own."""
    return ServiceSpec(name, "stand_in", free_port(), environment | more)


def answers(spec: ServiceSpec) -> bool:
    """Tell whether anything listens on the service's port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", spec.port)) == 0


async def until(what: Callable[[], bool]) -> None:
    """Poll with a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """Give a data folder that nobody else uses."""
    with open_data_folder(tmp_path / "data") as folder:
        return folder


async def test_all_are_ready_on_entering_and_gone_on_leaving(data: DataFolder, module: dict[str, str]) -> None:
    """Each on its port, each with a log of its own."""
    specs = [service("one", module), service("two", module)]
    async with Processes(specs, data) as processes:
        pids = processes.pids()
        assert set(pids) == {"one", "two"}
        assert all(answers(spec) for spec in specs)
        assert processes.restart_counts() == {"one": 0, "two": 0}
    assert not any(answers(spec) for spec in specs)
    assert {file.name for file in (data.path / "logs").iterdir()} == {"one.log", "two.log"}


async def test_one_that_is_killed_is_started_again_and_counted(data: DataFolder, module: dict[str, str]) -> None:
    """The other one does not notice."""
    specs = [service("one", module), service("two", module)]
    async with Processes(specs, data) as processes:
        before = processes.pids()
        os.kill(before["one"], signal.SIGKILL)
        await until(lambda: processes.restart_counts()["one"] == 1)
        after = processes.pids()
        assert after["one"] != before["one"]
        assert after["two"] == before["two"]
        assert answers(specs[0])


async def test_one_that_cannot_start_ends_all_with_its_last_words(data: DataFolder, module: dict[str, str]) -> None:
    """Nobody has to look for a log to learn why."""
    specs = [service("one", module), service("two", module, MANNER="dies")]
    with pytest.raises(SetupProblem, match="the scene cannot be read") as problem:
        async with Processes(specs, data):
            pass
    assert problem.value.code == "service_did_not_start"
    assert not answers(specs[0])


async def test_one_that_keeps_dying_is_given_up_and_said_so(data: DataFolder, module: dict[str, str]) -> None:
    """After so many attempts within a minute, with the reason of the last."""
    spec = service("one", module, MANNER="dies the second time")
    async with Processes([spec], data, restarts_max=3) as processes:
        os.kill(processes.pids()["one"], signal.SIGKILL)
        problem = await asyncio.wait_for(processes.gave_up(), timeout=60)
    assert "cannot start again" in problem.what


async def test_one_that_does_not_hear_sigterm_is_killed(data: DataFolder, module: dict[str, str]) -> None:
    """Ctrl-C must end a demo, whatever its parts do."""
    spec = service("one", module, MANNER="deaf")
    async with Processes([spec], data):
        began_s = time.monotonic()
    assert not answers(spec)
    assert 4.5 < time.monotonic() - began_s < 10.0


async def test_a_port_in_use_is_named_with_its_service(data: DataFolder, module: dict[str, str]) -> None:
    """Nothing is started then."""
    specs = [service("one", module), service("two", module)]
    with socket.socket() as other:
        other.bind(("127.0.0.1", specs[1].port))
        other.listen()
        with pytest.raises(SetupProblem, match=f"Port {specs[1].port} of the two service") as problem:
            async with Processes(specs, data):
                pass
    assert problem.value.code == "port_in_use"
    assert "BOWEI_TWO_PORT" in problem.value.fix
    assert not answers(specs[0])


def test_services_may_move_to_the_next_free_ports() -> None:
    """Each to another one, and those whose port is free stay."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        specs = [ServiceSpec("one", "stand_in", taken), ServiceSpec("two", "stand_in", taken)]
        moved = on_free_ports(specs)
    ports = [spec.port for spec in moved]
    assert taken not in ports
    assert ports == sorted(set(ports))
    assert on_free_ports(moved) == moved


def test_a_service_that_must_move_takes_no_others_port() -> None:
    """Readers of the README ask routing and availability on their usual ports, also while the registry's is in use."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        after = next(port for port in range(taken + 1, 65536) if is_free(port))
        moved = on_free_ports([ServiceSpec("one", "stand_in", taken), ServiceSpec("two", "stand_in", after)])
    assert moved[1].port == after
    assert moved[0].port not in {taken, after}


def is_free(port: int) -> bool:
    """Whether a service could listen there now; a port from which somebody calls elsewhere is not free either."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_restarts_come_later_each_time_and_end() -> None:
    """0.2, 0.4, 0.8, 1.6, then 2 s; ten within a minute; a quiet minute forgives all."""
    budget = RestartBudget()
    delays = [budget.next_delay_s(now_s) for now_s in range(11)]
    assert delays == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, None]
    assert budget.next_delay_s(100.0) == 0.2


def test_what_a_service_is_told_in_secret_is_not_shown(module: dict[str, str]) -> None:
    """Its environment holds tokens and the database's password."""
    assert "s3cret" not in repr(service("one", module, GREETING="s3cret"))
