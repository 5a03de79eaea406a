"""The demo on real servers: it diverts, it outlives the death of any service, and it leaves nothing behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_GONE_WITHIN_S = 3.0
_NAMES = ("registry", "ingest", "routing", "availability")


class Demo:
    """One `bowei demo` of a test's own, with its own folder and whatever ports are free."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._errors = (folder / "stderr.txt").open("wb")
        self._output = (folder / "stdout.txt").open("wb")
        self._folder = folder
        environment = {key: value for key, value in os.environ.items() if not key.startswith("BOWEI_")}
        command = [sys.executable, "-m", "services.local", "demo", "--data", str(folder / "data"), *words]
        self.process = subprocess.Popen(
            command, stdout=self._output, stderr=self._errors, stdin=subprocess.DEVNULL, env=environment
        )

    def said(self) -> str:
        """Give all it said so far."""
        return "".join((self._folder / name).read_text("utf-8", "replace") for name in ("stderr.txt", "stdout.txt"))

    def summary(self) -> dict[str, Any]:
        """Give the last line of its output."""
        last = (self._folder / "stdout.txt").read_text("utf-8").strip().splitlines()[-1]
        result: dict[str, Any] = json.loads(last)
        return result

    def pids(self) -> dict[str, int]:
        """Give the process ids of the services, as the table of addresses names them."""
        found = re.findall(r"(registry|ingest|routing|availability): API \(pid (\d+)\)", self.said())
        return {name: int(pid) for name, pid in found}

    def children(self) -> set[int]:
        """Give every process under the demo."""
        return _descendants(self.process.pid)

    def wait_for(self, seen: Callable[[], object], within_s: float) -> None:
        """Wait until something is seen, or fail with what the demo said."""
        deadline = time.monotonic() + within_s
        while not seen():
            if time.monotonic() > deadline or self.process.poll() is not None:
                pytest.fail(f"not seen within {within_s} s:\n{self.said()}")
            time.sleep(0.1)

    def close(self) -> None:
        """End it, whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._errors.close()
        self._output.close()


@contextmanager
def _demo(folder: Path, *words: str) -> Iterator[Demo]:
    demo = Demo(folder, *words)
    try:
        yield demo
    finally:
        demo.close()


def _descendants(pid: int) -> set[int]:
    """Give the ids of a process's children, and theirs, from /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                after_name = (entry / "stat").read_text("ascii", "replace").rsplit(")", 1)[1]
                parents[int(entry.name)] = int(after_name.split()[1])
            except (OSError, IndexError):
                continue
    found, new = set[int](), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def _left_behind(pids: set[int]) -> set[int]:
    """Give the processes that are still there after the moment that Postgres' own children need to notice its end."""
    deadline = time.monotonic() + _GONE_WITHIN_S
    while (left := _alive(pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to find child processes")


@needs_proc
def test_promises_outlive_the_death_of_every_service(server_folder: Path) -> None:
    """Each service is killed with -9 in turn; the run ends with diversions and not one broken promise or refusal."""
    with _demo(server_folder, "--json", "--for", "36s", "--seed", "7") as demo:
        demo.wait_for(lambda: len(demo.pids()) == len(_NAMES), 60)
        demo.wait_for(lambda: re.search(r"diverted [1-9]", demo.said()), 30)
        killed = demo.pids()
        for name in _NAMES:
            os.kill(killed[name], signal.SIGKILL)
            demo.wait_for(lambda pid=killed[name]: not _alive({pid}), 5)  # type: ignore[misc]
            time_to_notice = time.monotonic() + 2
            demo.wait_for(lambda until=time_to_notice: time.monotonic() > until, 5)  # type: ignore[misc]
        children = demo.children()
        assert demo.process.wait(60) == 0, demo.said()
        summary = demo.summary()
    assert summary["restarts"] == len(_NAMES)
    assert summary["diverted"] >= 12
    assert summary["arrived"] >= 5
    for figure in ("broken_promises", "ledger_violations", "refused_on_arrival"):
        assert summary[figure] == 0, (figure, summary)
    assert not _left_behind(children)


@needs_proc
def test_ctrl_c_stops_everything_and_a_second_start_uses_the_same_folder(server_folder: Path) -> None:
    """After one Ctrl-C no process is left; the next demo finds the folder, begins on Monday at seven, and says so."""
    with _demo(server_folder, "--json") as demo:
        demo.wait_for(lambda: " cars " in demo.said(), 90)
        children = demo.children()
        assert len(children) >= len(_NAMES)
        demo.process.send_signal(signal.SIGINT)
        demo.process.wait(20)
        assert not _left_behind(children)
        assert demo.summary()["broken_promises"] == 0
    secrets = {file.name: file.read_bytes() for file in (server_folder / "data" / "secrets").iterdir()}
    with _demo(server_folder, "--json", "--for", "12s") as demo:
        assert demo.process.wait(90) == 0, demo.said()
        assert "ledger of the last demo is emptied" in demo.said()
        assert re.search(r"07:\d\d cars", demo.said())
        assert demo.summary()["ledger_violations"] == 0
    assert {file.name: file.read_bytes() for file in (server_folder / "data" / "secrets").iterdir()} == secrets


@needs_proc
def test_two_demos_at_once_do_not_meet(server_folder: Path) -> None:
    """The second on the same folder says who uses it and what to do, and touches nothing."""
    with _demo(server_folder, "--json") as first:
        first.wait_for((server_folder / "data" / "id").exists, 20)
        words = [sys.executable, "-m", "services.local", "demo", "--data", str(server_folder / "data"), "--json"]
        second = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode == 1
        assert "Another copy of Bowei" in second.stderr
        assert "Traceback" not in second.stderr
        children = first.children()
        first.process.send_signal(signal.SIGTERM)
        first.process.wait(40)
        assert not _left_behind(children)
