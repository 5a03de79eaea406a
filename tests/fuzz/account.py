"""What a run of fuzzing counts."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

SLOW_S = 1.0
"""An input that takes longer, twice, is a fault."""
GROWTH_MOST_MB = 48.0
"""How much memory may still grow between the first quarter of the inputs, when all is warm, and the end."""
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


class Fault(Exception):
    """Something that no input may cause."""


@dataclass(slots=True)
class Account:
    """What was seen of one target."""

    target: str
    seed: int
    inputs: int = 0
    seconds: float = 0.0
    slowest_ms: float = 0.0
    grown_mb: float = 0.0
    fault: str = ""

    def write(self, file: Path) -> None:
        """Keep it as one line of JSON."""
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(asdict(self), ensure_ascii=False) + "\n")


class Watched:
    """One target with an account kept of every input."""

    def __init__(self, name: str, seed: int, inputs: int, run: Callable[[bytes], None]) -> None:
        self.account = Account(name, seed)
        self._run = run
        self._warm_after = inputs // 4
        self._warm_mb = 0.0
        self._began = time.monotonic()

    def __call__(self, data: bytes) -> None:
        """Run one input.

        Raises:
            Fault: it caused what no input may cause.
        """
        account = self.account
        took_s = self._timed(data)
        if took_s > SLOW_S and (took_s := self._timed(data)) > SLOW_S:
            raise Fault(f"an input of {len(data)} bytes took {took_s:.1f} s")
        account.inputs += 1
        account.slowest_ms = max(account.slowest_ms, round(1000 * took_s, 2))
        account.seconds = round(time.monotonic() - self._began, 1)
        if account.inputs == self._warm_after:
            self._warm_mb = memory_mb()
        elif account.inputs > self._warm_after and account.inputs % 1_000 == 0:
            account.grown_mb = round(memory_mb() - self._warm_mb, 1)
            if account.grown_mb > GROWTH_MOST_MB:
                raise Fault(f"memory grew by {account.grown_mb} MB in {account.inputs - self._warm_after} inputs")

    def _timed(self, data: bytes) -> float:
        began = time.monotonic()
        self._run(data)
        return time.monotonic() - began


def memory_mb() -> float:
    """Give the memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE_MB
