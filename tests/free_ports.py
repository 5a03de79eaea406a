"""Ports for the servers of tests, so that no two servers of a run are given the same.

A port that the system chose is free only until somebody else is given it, and a server takes seconds until it listens.
Whoever got there first answers in its place, and the test asks a stranger. So each process of the tests counts through
a range of its own, below the range from which the system chooses.
"""

import itertools
import os
import socket

_FIRST, _OF_EACH = 10_000, 2_000
_PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_START = _FIRST + _PROCESS % 10 * _OF_EACH
# Where it begins differs between two runs on one machine.
_counted = (_START + (os.getpid() * 37 + number) % _OF_EACH for number in itertools.count())


def free_port() -> int:
    """Give a port of the loopback that nobody listens on, and that no other test of this run is given."""
    for port in itertools.islice(_counted, _OF_EACH):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError(f"no port is free from {_START} on")


def free_ports(count: int) -> list[int]:
    """Give so many different ones."""
    return [free_port() for _ in range(count)]
