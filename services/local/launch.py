"""Become another program that cannot outlive the process which started this one.

Run by path, with nothing but the standard library: `launch.py PARENT LIFELINE SIGNAL UID GID COMMAND…`.
A server that survived a `kill -9` of its parent would hold the data folder against the next start. Two ways
to prevent it:

- `kernel` (Linux): the kernel sends SIGNAL when the parent dies. Changing the user id clears that order, so it
  is given after the change.
- `watcher` (elsewhere): standard input is a pipe whose other end only the parent holds; a small process waits
  for its end and then sends SIGNAL.

The process id stays the one the parent knows: it ends in `exec`.
"""

import ctypes
import os
import select
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_WATCH_EVERY_S = 1.0


def _kernel_lifeline() -> Callable[[int], None]:
    """Load libc's prctl now: another user may not be able to read what this one can."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def order(signal_number: int) -> None:
        if prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "the kernel refused to watch the parent process")

    return order


def _leave_a_watcher(signal_number: int) -> None:
    server = os.getpid()
    if (child := os.fork()) != 0:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork() != 0:  # The watcher is nobody's child: the server must not meet a stranger in its waits.
        os._exit(0)
    for output in (1, 2):
        os.close(output)
    while _alive(server):
        ended, _, _ = select.select([0], [], [], _WATCH_EVERY_S)
        if ended and not os.read(0, 1):
            if _alive(server):
                os.kill(server, signal_number)
            break
    os._exit(0)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def main(arguments: list[str]) -> None:
    """Take the lifeline, drop to the user if one is given (`-` means stay), and become the command."""
    parent, lifeline, signal_number, uid, gid, *command = arguments
    order = _kernel_lifeline() if lifeline == "kernel" else None
    if uid != "-":
        _become(int(uid), int(gid))
    os.umask(0o077)
    if order:
        order(int(signal_number))
    else:
        _leave_a_watcher(int(signal_number))
    if os.getppid() != int(parent):  # It died before the lifeline was taken.
        raise SystemExit(1)
    os.execv(command[0], command)  # noqa: S606  (no shell is wanted: the command is a list)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.stderr.write(f"cannot start {sys.argv[6]}: {error}\n")
        raise SystemExit(126) from error
