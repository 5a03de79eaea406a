"""However a demo ends, it leaves no process behind, and the next one starts."""

import asyncio
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import services.local
from services.local.children import Account, Lifeline
from services.local.servers.unprivileged import reachable

DEADLINE_S = 20.0
SITE_PACKAGES = Path(pytest.__file__).parents[1]

# Prints what it started as one JSON line, and then waits for its end.
DEMO = """
import asyncio, json, pathlib, signal, sys
from services.local.data_folder import open_data_folder
from services.local.servers import embedded_servers

async def main():
    with open_data_folder(pathlib.Path(sys.argv[1])) as data:
        async with embedded_servers(data, environment={}) as servers:
            print(json.dumps(servers.pids() | {"sockets": servers.redis_url}), flush=True)
            await asyncio.sleep(600)

# A shell that runs the tests in the background has its children ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
asyncio.run(main())
"""

# Starts one program that would sleep for ever, under the lifeline named.
PARENT_OF_ONE = """
import os, pathlib, sys, time
from services.local.children import spawn

child = spawn(["/bin/sleep", "600"], log=None, environment={}, lifeline=sys.argv[1])
while b"sleep" not in pathlib.Path(f"/proc/{child.pid}/comm").read_bytes():
    time.sleep(0.01)
print(child.pid, flush=True)
time.sleep(600)
"""


@dataclass(frozen=True, slots=True)
class Runner:
    """A user and a Python that this user can run."""

    name: str
    python: str
    user: int | None = None

    def __str__(self) -> str:
        return self.name


def runners() -> list[Runner]:
    """Return this user, and as root an ordinary one too, if one can reach a Python and the packages."""
    found = [Runner("this_user", sys.executable)]
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        account = Account("nobody", nobody.pw_uid, nobody.pw_gid)
        pythons = (
            shutil.which(name, path="/usr/bin:/usr/local/bin") for name in ("python3.13", "python3.12", "python3.11")
        )
        usable = [python for python in pythons if python and reachable(Path(python).resolve(), account)]
        if usable and reachable(SITE_PACKAGES / "x", account):
            found.append(Runner("an_ordinary_user", usable[0], nobody.pw_uid))
    return found


@contextmanager
def program(folder: Path, source: str, argument: str, runner: Runner) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `source` until it prints its first line; end it as Ctrl-C would."""
    code = folder / "code" / "services"
    shutil.copytree(Path(services.local.__file__).parent, code / "local", dirs_exist_ok=True)
    (code / "__init__.py").touch()
    if runner.user is not None:
        os.chown(folder, runner.user, -1)
    child = subprocess.Popen(
        [runner.python, "-c", source, argument],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={"PYTHONPATH": f"{folder / 'code'}:{SITE_PACKAGES}", "PATH": os.environ["PATH"]},
        user=runner.user,
        group=runner.user,
        extra_groups=None if runner.user is None else [],
    )
    assert child.stdout
    with child, child.stdout:
        try:
            yield child, child.stdout.readline()
        finally:
            child.send_signal(signal.SIGINT)  # The folder is removed next: its servers must be gone by then.
            try:
                child.wait(timeout=DEADLINE_S)
            finally:
                child.kill()


def alive(pid: int) -> bool:
    """Tell whether a process runs; a dead one that was not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(what: Callable[[], bool]) -> None:
    """Poll with a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("runner", runners(), ids=str)
async def test_kill_9_leaves_no_server_and_the_next_start_works(server_folder: Path, runner: Runner) -> None:
    """As this user and as an ordinary one; twice, so that the second start meets what the first left."""
    for _ in range(2):
        with program(server_folder, DEMO, str(server_folder / "data"), runner) as (demo, line):
            started = json.loads(line)
            sockets = Path(started.pop("sockets").removeprefix("unix://")).parent
            assert set(started) == {"postgres", "redis"}
            assert all(alive(pid) for pid in started.values())
            demo.kill()
            await until(lambda: not any(alive(pid) for pid in started.values()))  # noqa: B023  (awaited here)
    with program(server_folder, DEMO, str(server_folder / "data"), runner) as (demo, line):
        assert not sockets.exists(), "the sockets of a killed run stay only until the next start"
        assert json.loads(line)
        demo.send_signal(signal.SIGINT)
        await until(lambda: demo.poll() is not None)


async def test_a_second_copy_is_refused_with_the_pid_of_the_first(server_folder: Path) -> None:
    """Two demos on one ledger would each believe they are alone."""
    runner = runners()[0]
    with program(server_folder, DEMO, str(server_folder / "data"), runner) as (demo, line):
        assert line
        second = await asyncio.to_thread(
            subprocess.run,
            [runner.python, "-c", DEMO, str(server_folder / "data")],
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )
        assert f"Another copy of Bowei (pid {demo.pid}) is using" in second.stderr
        assert "BOWEI_DATA=" in second.stderr


@pytest.mark.parametrize("lifeline", ["kernel", "watcher"])
async def test_a_child_ends_with_its_parent_under_either_lifeline(server_folder: Path, lifeline: Lifeline) -> None:
    """Linux watches by itself; elsewhere a small process does."""
    with program(server_folder, PARENT_OF_ONE, lifeline, runners()[0]) as (parent, line):
        child = int(line)
        assert alive(child)
        parent.kill()
        await until(lambda: not alive(child))
