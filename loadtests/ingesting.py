"""What a mega-city's lots say, from a process of its own: python -m loadtests.ingesting, the database's URL on stdin.

It has a process of its own because ingest has one: the event loop that measures has nothing to do with it.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import uvloop

from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import Observation
from bowei.records.connecting import connect, disconnect
from bowei.records.failures import Overloaded
from bowei.records.postgres_reporting import PostgresReportJournal
from bowei.records.reporting import Judged

LOTS = 10_000
OBSERVATIONS_PER_S = 5_000
_PER_REQUEST = 20


@dataclass(slots=True)
class Ingested:
    """What the process did, known when it has ended."""

    per_s: float = 0.0


@asynccontextmanager
async def ingesting(url: str) -> AsyncIterator[Ingested]:
    """Have observations recorded for the length of the context."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    ingested = Ingested()
    try:
        process.stdin.write(f"{url}\n".encode())
        if await process.stdout.readline() != b"begun\n":
            raise RuntimeError("the ingesting process did not begin")
        yield ingested
        process.stdin.close()
        ingested.per_s = json.loads(await process.stdout.readline())["per_s"]
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ingest(url: str) -> None:
    pool = await connect(url)
    journal = PostgresReportJournal(pool)
    over = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    print("begun", flush=True)
    recorded = 0

    async def record(batch: list[Judged]) -> None:
        nonlocal recorded
        with suppress(Overloaded):  # it shows in the rate
            answers = await journal.record(batch)
            recorded += len(answers)

    lots = itertools.cycle(range(LOTS))
    started = due = time.perf_counter()
    async with asyncio.TaskGroup() as running:
        while not over.done():
            now = datetime.now(UTC)
            running.create_task(
                record(
                    [
                        Judged(Observation(LotId(f"lot-{next(lots)}"), now, SourceId("s"), free=5))
                        for _ in range(_PER_REQUEST)
                    ]
                )
            )
            due += _PER_REQUEST / OBSERVATIONS_PER_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
    print(json.dumps({"per_s": recorded / (time.perf_counter() - started)}), flush=True)
    await journal.close()
    await disconnect(pool)


if __name__ == "__main__":
    uvloop.run(_ingest(sys.stdin.readline().strip()))
