"""Taking in: what a recorded, acknowledged and shown report costs, and how long it takes until a board has it."""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import msgspec

from loadtests.account import Row
from loadtests.city import City, analyze, cpu_s, free_port, listening, running_city, settled
from loadtests.driving import PER_REQUEST, Run, drive, in_ms, read_seen, refuse_late, run_module, watching
from loadtests.sending import Lateness, Phase, quantile

_OBSERVATIONS_PER_S = 5_000
_PRESSING_PER_S = 20_000
"""More than one process takes in: requests wait, and share commits."""
_TAKES_IN = ("ingest", "postgres", "redis")
_FRAME_S = 0.2
"""As availability paces its streams."""


@dataclass(slots=True)
class _Rounds:
    """What was measured at one rate, round by round, beside what has to be beaten."""

    per_core_s: list[float] = field(default_factory=list)
    ceilings: list[float] = field(default_factory=list)
    items_a_commit: list[int] = field(default_factory=list)
    us_per_item: list[dict[str, float]] = field(default_factory=list)

    def ratios(self) -> list[float]:
        """Set each round against the ceiling that was measured right after it."""
        return [ours / ceiling for ours, ceiling in zip(self.per_core_s, self.ceilings, strict=True)]

    def note(self) -> str:
        """Say what an event costs, and where."""
        parts = {part: statistics.median(one[part] for one in self.us_per_item) for part in _TAKES_IN}
        ceiling = 1e6 / statistics.median(self.ceilings)
        where = ", ".join(f"{part} {used:.0f}" for part, used in parts.items())
        items = round(statistics.median(self.items_a_commit))
        return f"µs/event: {where}; bare {ceiling:.0f}; {items} a commit"


async def measure(seconds: float = 15.0, rounds: int = 3) -> list[Row]:
    """Measure on servers of its own; takes about four minutes."""
    usual, pressed = _Rounds(), _Rounds()
    lags, paced_lags, bare_lags, waits = [], [], [], []
    async with running_city() as city:
        await settled(5.0)
        await drive(city, [Phase(5.0, _OBSERVATIONS_PER_S / PER_REQUEST)])  # plans, caches, partitions
        await analyze(city.database_url)  # what was empty is not any more
        for _ in range(rounds):
            run = await _against_ceiling(city, usual, Phase(seconds, _OBSERVATIONS_PER_S / PER_REQUEST), punctual=True)
            lags.append(run.lags_s())
            waits.append(run.waits_s())
            paced_lags.append(await _bare_lags(city, seconds, _FRAME_S))
            bare_lags.append(await _bare_lags(city, seconds, 0.0))
            await _against_ceiling(city, pressed, Phase(seconds / 3, _PRESSING_PER_S / PER_REQUEST), punctual=False)
    return [
        _row(
            "ingest, durable, acknowledged and shown, requests of 20",
            "bare batches, the same commits",
            usual.ratios(),
            0.5,
            f"{usual.note()}; answered in {in_ms(waits[-1])}",
            False,
        ),
        _row("… as many as it takes", "bare batches, the same commits", pressed.ratios(), 0.5, pressed.note(), False),
        _row(
            "receive → visible, p50",
            "Redis publish → SSE of a bare loop",
            _quotients(lags, paced_lags, 0.5),
            3.0,
            in_ms(lags[-1]),
            True,
        ),
        _row(
            "receive → visible, p99",
            "Redis publish → SSE of a bare loop",
            _quotients(lags, paced_lags, 0.99),
            3.0,
            f"bare: {in_ms(paced_lags[-1])}",
            True,
        ),
        _row(
            "receive → visible, p50",
            "… that sends at once, not 5 times a second",
            _quotients(lags, bare_lags, 0.5),
            3.0,
            f"bare: {in_ms(bare_lags[-1])}",
            True,
        ),
        _row(
            f"receive → visible, p99 at {_OBSERVATIONS_PER_S}/s",
            "500 ms",
            [quantile(one, 0.99) / 0.5 for one in lags],
            1.0,
            "",
            True,
        ),
    ]


async def _against_ceiling(city: City, rounds: _Rounds, phase: Phase, *, punctual: bool) -> Run:
    commits = await _commits(city)
    run = await drive(city, [phase], punctual=punctual)
    items = run.results.total()
    per_commit = max(1, round(items / (await _commits(city) - commits)))
    used = run.us_per_item()
    rounds.per_core_s.append(1e6 / sum(used[part] for part in _TAKES_IN))
    rounds.ceilings.append(await _ceiling(city, per_commit, round(items / per_commit)))
    rounds.items_a_commit.append(per_commit)
    rounds.us_per_item.append(used)
    return run


def _quotients(ours: list[list[float]], theirs: list[list[float]], share: float) -> list[float]:
    return [quantile(one, share) / quantile(other, share) for one, other in zip(ours, theirs, strict=True)]


def _row(work: str, against: str, ratios: list[float], reach: float, note: str, lower_is_better: bool) -> Row:
    spread = (min(ratios), max(ratios))
    return Row(work, against, statistics.median(ratios), reach, spread, lower_is_better, note)


async def _commits(city: City) -> int:
    connection = await asyncpg.connect(city.database_url)
    try:
        # What a backend counts is shown within a second.
        await asyncio.sleep(1.5)
        commits: int = await connection.fetchval(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        )
        return commits
    finally:
        await connection.close()


async def _ceiling(city: City, per_commit: int, commits: int) -> float:
    before = cpu_s(city.pids["postgres"])
    own = float(await run_module("loadtests.peers.bare_batches", city.database_url, str(per_commit), str(commits)))
    return per_commit * commits / (own + cpu_s(city.pids["postgres"]) - before)


async def _bare_lags(city: City, seconds: float, frame_s: float) -> list[float]:
    per_s = _OBSERVATIONS_PER_S / PER_REQUEST
    with tempfile.TemporaryDirectory(prefix="bowei-load-") as name:
        file = Path(name) / "seen"
        async with _bare_server(city, frame_s) as port, watching(port, file):
            printed = await run_module(
                "loadtests.peers.bare_stream", "publish", city.redis_url, str(seconds), str(per_s)
            )
            await asyncio.sleep(1.0)
        refuse_late(msgspec.json.decode(printed, type=Lateness))
        return sorted(arrived_s - at_ms / 1000 for events in read_seen(file).values() for at_ms, arrived_s in events)


@asynccontextmanager
async def _bare_server(city: City, frame_s: float) -> AsyncIterator[int]:
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.peers.bare_stream", "serve", city.redis_url, str(port), str(frame_s)
    )
    try:
        await listening(port)
        yield port
    finally:
        server.kill()
        await server.wait()
