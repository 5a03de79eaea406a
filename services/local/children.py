"""Child processes that end when they are told to, and at the latest when this process ends.

`launch.py` gives each child its lifeline. Children start in a session of their own, so that Ctrl-C reaches only
this process, which then stops them in order.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from services.local.setup_problem import SetupProblem

Lifeline = Literal["kernel", "watcher"]
LIFELINE: Lifeline = "kernel" if sys.platform == "linux" else "watcher"

_LAUNCHER = Path(__file__).with_name("launch.py")
_POLL_S = 0.01
_KILL_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system user that a child runs as."""

    name: str
    uid: int
    gid: int


Child = subprocess.Popen[bytes]


def spawn(
    command: Sequence[str],
    *,
    log: Path | None,
    environment: Mapping[str, str],
    folder: Path = Path("/"),
    account: Account | None = None,
    on_parent_death: signal.Signals = signal.SIGKILL,
    lifeline: Lifeline = LIFELINE,
) -> Child:
    """Start `command` (first word an absolute path) with its output appended to `log`.

    Call it on a thread that lives as long as the child: for the kernel, a parent is a thread.

    Raises:
        SetupProblem: `cannot_start`, when the operating system refuses.
    """
    launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), lifeline, str(int(on_parent_death))]
    user = [str(account.uid), str(account.gid)] if account else ["-", "-"]
    try:
        with (log or Path(os.devnull)).open("ab") as output:
            return subprocess.Popen(  # noqa: S603  (a list, no shell; every word is ours)
                [*launcher, *user, *command],
                stdin=subprocess.PIPE if lifeline == "watcher" else subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
            )
    except OSError as error:
        raise SetupProblem(
            "cannot_start",
            f"{command[0]} could not be started: {error.strerror}.",
            "Check that the program and the data folder can be read by this user.",
        ) from error


async def exited(child: Child, *, within_s: float) -> int | None:
    """Wait for the child's exit code; None when it still runs after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while (code := child.poll()) is None and time.monotonic() < deadline:  # noqa: ASYNC110  (no event tells of it)
        await asyncio.sleep(_POLL_S)
    return code


async def stop(child: Child, *, ask: signal.Signals = signal.SIGTERM, within_s: float = 5.0) -> None:
    """Ask the child to end, and kill it if it has not after `within_s` seconds."""
    try:
        if child.poll() is None:
            child.send_signal(ask)
            await exited(child, within_s=within_s)
    finally:  # Also when cancelled on the way: never leave one behind.
        kill(child)


def kill(child: Child) -> None:
    """End the child at once."""
    if child.poll() is None:
        child.kill()
    if child.stdin:
        child.stdin.close()
    child.wait(timeout=_KILL_WITHIN_S)


def last_lines(log: Path, *, count: int = 4, bytes_max: int = 4096) -> str:
    """Return the end of a log on one line, for a message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - bytes_max))
            lines = file.read(bytes_max).decode(errors="replace").splitlines()
    except OSError:
        return "(no log)"
    return " / ".join(line.strip() for line in lines[-count:] if line.strip()) or "(an empty log)"
