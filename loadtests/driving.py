"""Driving a city: a plan is sent by one process, boards are watched by another, and both are put side by side."""

import asyncio
import bisect
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from loadtests.city import City, resident_mib
from loadtests.sending import Lateness, Phase, Plan, Sent, quantile

PER_REQUEST = 20
WATCHED = tuple((first, 200) for first in range(0, 10_000, 2_000))
"""Which lots are followed: (first, how many) for each stream."""
_LATE_AT_MOST_S = 0.05
_VISIBLE_WITHIN_S = 3.0

Seen = dict[int, list[tuple[int, float]]]
"""Of each lot: when each report that became visible was observed (ms), and when it became visible (s)."""


class GeneratorLate(Exception):
    """The load generator itself was late: the machine is too busy for a figure that means anything."""


@dataclass(frozen=True, slots=True)
class Run:
    """What happened."""

    sent: Sequence[Sent]
    seen: Seen
    lateness: Lateness
    took_s: float
    cpu_s: dict[str, float]
    grown_mib: dict[str, float]

    @property
    def statuses(self) -> Counter[int]:
        """How many requests were answered how; 0: not at all."""
        return Counter(one.status for one in self.sent)

    @property
    def results(self) -> Counter[str]:
        """What became of the items that were answered."""
        return Counter(result for one in self.sent for result in one.results)

    def us_per_item(self) -> dict[str, float]:
        """Give the processor time that each part used for an item that was answered, microseconds."""
        items = max(1, self.results.total())
        return {part: used * 1e6 / items for part, used in self.cpu_s.items()}

    def waits_s(self) -> list[float]:
        """Give how long each answered request took from when it was due, sorted."""
        return sorted(one.answered_s - one.due_ms / 1000 for one in self.sent if one.status == 200)

    def lags_s(self) -> list[float]:
        """Give how long each report of a watched lot took from when it was due until it, or a newer one, was visible.

        One that never was counts as infinite.
        """
        lags = []
        for one in self.sent:
            for place in range(len(one.results)):
                events = self.seen.get(one.first_lot + place)
                if events is not None:
                    first = bisect.bisect_left(events, (one.due_ms, 0.0))
                    lags.append(events[first][1] - one.due_ms / 1000 if first < len(events) else float("inf"))
        return sorted(lags)


async def drive(city: City, phases: Sequence[Phase], *, connections: int = 300, punctual: bool = True) -> Run:
    """Send the phases and watch what becomes visible.

    Raises:
        GeneratorLate: the figures would say nothing; unless they need no `punctual` generator.
    """
    with tempfile.TemporaryDirectory(prefix="bowei-load-") as name:
        folder = Path(name)
        plan = folder / "plan.json"
        plan.write_bytes(msgspec.json.encode(Plan(city.ingest_port, list(phases), connections)))
        async with watching(city.availability_port, folder / "seen"):
            cpu = city.cpu_s()
            memory = {part: resident_mib(pid) for part, pid in city.pids.items()}
            began_s = time.time()
            lateness = msgspec.json.decode(await run_module("loadtests.sending", str(plan)), type=Lateness)
            took_s = time.time() - began_s
            used = {part: after - cpu[part] for part, after in city.cpu_s().items()}
            grown = {part: resident_mib(pid) - memory[part] for part, pid in city.pids.items()}
            await asyncio.sleep(_VISIBLE_WITHIN_S)
        decoder = msgspec.json.Decoder(Sent)
        sent = [decoder.decode(line) for line in plan.with_suffix(".sent").read_bytes().splitlines()]
        if punctual:
            refuse_late(lateness)
        return Run(sent, read_seen(folder / "seen"), lateness, took_s, used, grown)


def refuse_late(lateness: Lateness) -> None:
    """Refuse to report what a late generator measured.

    Raises:
        GeneratorLate: it was.
    """
    if lateness.p99_s > _LATE_AT_MOST_S:
        raise GeneratorLate(f"one request in a hundred left {lateness.p99_s * 1000:.0f} ms late or more")


@asynccontextmanager
async def watching(port: int, file: Path) -> AsyncIterator[None]:
    """Watch the boards at a port while the context lasts; what was seen is in `file` afterwards."""
    ranges = [f"{first}:{count}" for first, count in WATCHED]
    watcher = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.watching", str(port), str(file), *ranges
    )
    try:
        await asyncio.sleep(1.0)  # its streams open
        yield
        watcher.send_signal(signal.SIGTERM)
        if await asyncio.wait_for(watcher.wait(), 30):
            raise AssertionError("the watcher failed")
    finally:
        if watcher.returncode is None:
            watcher.kill()
            await watcher.wait()


async def run_module(module: str, *arguments: str) -> bytes:
    """Run one of this package's programs to its end; give what it printed."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, *arguments, stdout=subprocess.PIPE)
    try:
        printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise AssertionError(f"{module} failed")
    return printed


def read_seen(file: Path) -> Seen:
    """Read what a watcher wrote; of each lot in the order in which it was observed."""
    seen: Seen = {}
    for line in file.read_text("ascii").splitlines():
        lot, observed_at, arrived_s = line.split()
        at_ms = round(datetime.fromisoformat(observed_at).timestamp() * 1000)
        seen.setdefault(int(lot), []).append((at_ms, float(arrived_s)))
    for events in seen.values():
        events.sort()
    return seen


def in_ms(values_s: list[float]) -> str:
    """Say the middle and the slow end of sorted times."""
    if not values_s:
        return "none"
    return f"p50 {quantile(values_s, 0.5) * 1000:.0f} ms, p99 {quantile(values_s, 0.99) * 1000:.0f} ms"
