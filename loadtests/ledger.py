"""Placing holds: does group commit pay, does it cost a lone driver anything, and does ingest disturb it?"""

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta

import asyncpg

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow
from bowei.domain.lots import DriverId, Entrance, Hospital, HospitalId, Lot, LotId, LotKind, Name, SourceId, SpaceClass
from bowei.domain.observations import Observation
from bowei.domain.places import Point
from bowei.records.connecting import connect
from bowei.records.holding import Candidate, HoldBook, Outcome, PlaceRequest
from bowei.records.migrating import migrate
from bowei.records.postgres_holding import PostgresHoldBook
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.postgres_reporting import PostgresReportJournal
from bowei.records.reporting import Judged
from loadtests.account import Row
from loadtests.peers import one_transaction
from services.local.data_folder import throwaway_data_folder
from services.local.servers import embedded_servers

_HERE = Point(30.2576, 120.1621)
_NAME = Name("示例", "Example")
_LOTS = 10_000
_HOT = LotId("hot")
_LIFETIME = timedelta(minutes=10)
_OBSERVATIONS_PER_S = 5_000
_PER_REQUEST = 20

Place = Callable[[int], Awaitable[None]]


async def measure(seconds: float = 4.0, rounds: int = 3) -> list[Row]:
    """Measure on servers of its own; takes about a minute."""
    async with AsyncExitStack() as stack:
        data = stack.enter_context(throwaway_data_folder())
        servers = await stack.enter_async_context(embedded_servers(data, environment={}))
        await migrate(servers.database_url)
        pool = await connect(servers.database_url, most_connections=60)
        stack.push_async_callback(pool.close)
        await _furnish(pool)
        book = PostgresHoldBook(pool)
        numbers = itertools.count()

        async def ours(_: int) -> None:
            await _place(book, next(numbers))

        async def peer(_: int) -> None:
            number = next(numbers)
            await one_transaction.place(pool, f"peer-hold-{number}", f"peer-{number}", _HOT, _LIFETIME)

        await asyncio.gather(*(place(number) for place in (ours, peer) for number in range(500)))
        async with pool.acquire() as connection:
            # What autovacuum does within a minute: until then plans are made for empty tables.
            await connection.execute("ANALYZE")
        lone = [await _lone(ours) / await _lone(peer) for _ in range(rounds)]
        quiet = await _compare(ours, peer, clients=200, seconds=seconds, rounds=rounds)
        ingesting = asyncio.create_task(_ingest(pool))
        try:
            busy = await _compare(ours, peer, clients=200, seconds=seconds, rounds=rounds)
        finally:
            ingesting.cancel()
            with suppress(asyncio.CancelledError):
                await ingesting
        if broken := await book.broken_promises():
            raise AssertionError(f"broken promises: {broken[:3]}")
        await book.close()
        return [
            _row("200 drivers, one hot lot", "one transaction each", [a / b for a, b in quiet], 8, _rates(quiet)),
            _row(
                f"the same while {_OBSERVATIONS_PER_S} observations/s come in",
                "one transaction each",
                [a / b for a, b in busy],
                8,
                _rates(busy),
            ),
            _row("a lone driver's wait, p50", "one transaction", lone, 1.25, "", lower_is_better=True),
        ]


def _row(
    work: str, against: str, ratios: list[float], reach: float, note: str, *, lower_is_better: bool = False
) -> Row:
    spread = (min(ratios), max(ratios))
    return Row(work, against, statistics.median(ratios), reach, spread, lower_is_better, note)


def _rates(pairs: list[tuple[float, float]]) -> str:
    ours, peers = (statistics.median(side) for side in zip(*pairs, strict=True))
    return f"{ours:.0f}/s against {peers:.0f}/s"


async def _compare(ours: Place, peer: Place, *, clients: int, seconds: float, rounds: int) -> list[tuple[float, float]]:
    """Run both in turn, and give (ours, peer) in holds a second for each round."""
    return [(await _rate(ours, clients, seconds), await _rate(peer, clients, seconds)) for _ in range(rounds)]


async def _rate(place: Place, clients: int, seconds: float) -> float:
    done = 0
    started = time.perf_counter()

    async def client(number: int) -> None:
        nonlocal done
        while time.perf_counter() - started < seconds:
            await place(number)
            done += 1

    await asyncio.gather(*(client(number) for number in range(clients)))
    return done / (time.perf_counter() - started)


async def _lone(place: Place, times: int = 200) -> float:
    """Give the median wait of one client that is alone, in seconds."""
    waits = []
    for number in range(times):
        started = time.perf_counter()
        await place(number)
        waits.append(time.perf_counter() - started)
    return statistics.median(waits)


async def _place(book: HoldBook, number: int) -> None:
    decision = await book.place(
        PlaceRequest(
            f"diversion-{number}",
            DriverId(f"driver-{number}"),
            b"h" * 32,
            HospitalId("hospital"),
            (Candidate(AgreementId("hot"), SpaceClass.STANDARD, _LIFETIME),),
            {"considered": []},
        )
    )
    if decision.outcome is not Outcome.GRANTED:
        raise AssertionError(decision.outcome)


async def _ingest(pool: asyncpg.Pool) -> None:
    """Record observations at the rate of a mega-city until cancelled."""
    journal = PostgresReportJournal(pool)
    lots = itertools.cycle(range(_LOTS))
    running: set[asyncio.Task[object]] = set()
    interval_s = _PER_REQUEST / _OBSERVATIONS_PER_S
    due = time.perf_counter()
    while True:
        now = datetime.now(UTC)
        batch = [
            Judged(Observation(LotId(f"lot-{next(lots)}"), now, SourceId("s"), free=5)) for _ in range(_PER_REQUEST)
        ]
        task: asyncio.Task[object] = asyncio.create_task(_record(journal, batch))
        running.add(task)
        task.add_done_callback(running.discard)
        due += interval_s
        await asyncio.sleep(max(0.0, due - time.perf_counter()))


async def _record(journal: PostgresReportJournal, batch: list[Judged]) -> None:
    await journal.record(batch)


async def _furnish(pool: asyncpg.Pool) -> None:
    register, journal = PostgresRegister(pool), PostgresReportJournal(pool)
    hot = _lot(_HOT, capacity=100_000)
    await register.put_lots([hot, *(_lot(LotId(f"lot-{number}"), capacity=100) for number in range(_LOTS))])
    await register.put_hospitals([Hospital(HospitalId("hospital"), _NAME, _HOT, _HERE, _HERE)])
    await register.put_agreements(
        [Agreement(AgreementId("hot"), _HOT, HospitalId("hospital"), (LendingWindow(SpaceClass.STANDARD, 100_000),))]
    )
    await journal.record([Judged(Observation(_HOT, datetime.now(UTC), SourceId("s"), free=100_000))])
    async with pool.acquire() as connection:
        await connection.execute(one_transaction.SCHEMA)
        await connection.execute("INSERT INTO peer_lot VALUES ($1, 1000000)", _HOT)


def _lot(lot_id: LotId, *, capacity: int) -> Lot:
    entrance = Entrance("main", _NAME, _HERE)
    return Lot(lot_id, LotKind.PUBLIC, _NAME, "Asia/Shanghai", capacity, _HERE, (entrance,))
