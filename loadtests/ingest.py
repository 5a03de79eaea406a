"""Taking in: what a recorded, acknowledged and shown report costs, and how long it takes until a board has it."""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec

from loadtests.account import Row
from loadtests.city import City, analyze, cpu_s, free_port, running_city, settled
from loadtests.driving import PER_REQUEST, Run, drive, in_ms, read_seen, refuse_late, run_module, watching
from loadtests.sending import Lateness, Phase, quantile

_OBSERVATIONS_PER_S = 5_000
_FRAME_S = 0.2
"""As availability paces its streams."""


async def measure(seconds: float = 15.0, rounds: int = 3) -> list[Row]:
    """Measure on servers of its own; takes about three minutes."""
    ours, ceilings, lags, bare_lags, notes = [], [], [], [], []
    async with running_city() as city:
        await settled(5.0)
        await drive(city, [Phase(5.0, _OBSERVATIONS_PER_S / PER_REQUEST)])  # plans, caches, partitions
        await analyze(city.database_url)  # what was empty is not any more
        for _ in range(rounds):
            commits = await _commits(city)
            run = await drive(city, [Phase(seconds, _OBSERVATIONS_PER_S / PER_REQUEST)])
            per_commit = max(1, round(run.results.total() / (await _commits(city) - commits)))
            ours.append(_per_core_s(run))
            ceilings.append(await _ceiling(city, per_commit, round(seconds * _OBSERVATIONS_PER_S / per_commit)))
            lags.append(run.lags_s())
            bare_lags.append(await _bare_lags(city, seconds))
            notes.append(f"{per_commit} items a commit; answered in {in_ms(run.waits_s())}")
    ratios = [one / ceiling for one, ceiling in zip(ours, ceilings, strict=True)]
    middles = [quantile(one, 0.5) / quantile(bare, 0.5) for one, bare in zip(lags, bare_lags, strict=True)]
    ends = [quantile(one, 0.99) / quantile(bare, 0.99) for one, bare in zip(lags, bare_lags, strict=True)]
    slowest = [quantile(one, 0.99) / 0.5 for one in lags]
    rate = f"{statistics.median(ours):.0f} against {statistics.median(ceilings):.0f} events/s of a core; {notes[-1]}"
    return [
        _row(
            "ingest, durable, acknowledged and shown, requests of 20",
            "bare batches, as durable",
            ratios,
            0.5,
            rate,
            False,
        ),
        _row("receive → visible, p50", "Redis publish → SSE of a bare loop", middles, 3.0, in_ms(lags[-1]), True),
        _row("receive → visible, p99", "Redis publish → SSE of a bare loop", ends, 3.0, in_ms(bare_lags[-1]), True),
        _row(f"receive → visible, p99 at {_OBSERVATIONS_PER_S}/s", "500 ms", slowest, 1.0, "", True),
    ]


def _row(work: str, against: str, ratios: list[float], reach: float, note: str, lower_is_better: bool) -> Row:
    spread = (min(ratios), max(ratios))
    return Row(work, against, statistics.median(ratios), reach, spread, lower_is_better, note)


def _per_core_s(run: Run) -> float:
    """Give the events that a second of processor time takes in, of all three: ingest, Postgres and Redis."""
    return run.results.total() / sum(run.cpu_s[name] for name in ("ingest", "postgres", "redis"))


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


async def _bare_lags(city: City, seconds: float) -> list[float]:
    per_s = _OBSERVATIONS_PER_S / PER_REQUEST
    with tempfile.TemporaryDirectory(prefix="bowei-load-") as name:
        file = Path(name) / "seen"
        async with _bare_server(city) as port, watching(port, file):
            printed = await run_module(
                "loadtests.peers.bare_stream", "publish", city.redis_url, str(seconds), str(per_s)
            )
            await asyncio.sleep(1.0)
        refuse_late(msgspec.json.decode(printed, type=Lateness))
        return sorted(arrived_s - at_ms / 1000 for events in read_seen(file).values() for at_ms, arrived_s in events)


@asynccontextmanager
async def _bare_server(city: City) -> AsyncIterator[int]:
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.peers.bare_stream", "serve", city.redis_url, str(port), str(_FRAME_S)
    )
    try:
        await _listening(port)
        yield port
    finally:
        server.kill()
        await server.wait()


async def _listening(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return
