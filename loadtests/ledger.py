"""Placing holds: does group commit pay, does it cost a lone driver anything, and does ingest disturb it?"""

import asyncio
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow
from bowei.domain.lots import DriverId, Entrance, Hospital, HospitalId, Lot, LotId, LotKind, Name, SourceId, SpaceClass
from bowei.domain.observations import Observation
from bowei.domain.places import Point
from bowei.records.connecting import connect, disconnect
from bowei.records.holding import Candidate, Outcome, PlaceRequest
from bowei.records.migrating import migrate
from bowei.records.postgres_holding import PostgresHoldBook
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.postgres_reporting import PostgresReportJournal
from bowei.records.reporting import Judged
from loadtests.account import Row
from loadtests.ingesting import LOTS, OBSERVATIONS_PER_S, ingesting
from loadtests.peers import one_transaction
from services.local.data_folder import throwaway_data_folder
from services.local.servers import embedded_servers

_HERE = Point(30.2576, 120.1621)
_NAME = Name("示例", "Example")
_LIFETIME = timedelta(minutes=10)
_HASH = b"h" * 32
_CLIENTS = 200
_HOT_LOTS = 40
"""A new one for each round: none fills, and each round begins with an empty lot."""
_SPACES = 100_000

_PEER_CONNECTIONS = 4
"""The peers' best on one hot lot: with 10 they did a little less, with 60 half as much. Ours takes one."""

Place = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Bench:
    url: str
    book: PostgresHoldBook
    peers: asyncpg.Pool
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def ours(self, lot: int) -> None:
        number = next(self.numbers)
        request = PlaceRequest(
            f"diversion-{number}",
            DriverId(f"driver-{number}"),
            _HASH,
            HospitalId("hospital"),
            (Candidate(AgreementId(f"hot-{lot}"), SpaceClass.STANDARD, _LIFETIME),),
            {"considered": []},
        )
        decision = await self.book.place(request)
        if decision.outcome is not Outcome.GRANTED:
            raise AssertionError(decision.outcome)

    async def one_transaction(self, lot: int) -> None:
        number = next(self.numbers)
        hold = await one_transaction.place(
            self.peers, f"hold-{number}", f"driver-{number}", _HASH, f"hot-{lot}", _LIFETIME
        )
        if hold is None:
            raise AssertionError("refused")

    async def lean_transaction(self, lot: int) -> None:
        number = next(self.numbers)
        if not await one_transaction.place_lean(
            self.peers, f"hold-{number}", f"driver-{number}", f"hot-{lot}", _LIFETIME
        ):
            raise AssertionError("refused")


async def measure(seconds: float = 2.0, rounds: int = 5) -> list[Row]:
    """Measure on servers of its own; takes about a minute and a half."""
    async with _bench() as bench:
        one = {"ours": bench.ours, "one transaction": bench.one_transaction, "lean": bench.lean_transaction}
        lots = itertools.count()
        lone = [await _lone(one, next(lots)) for _ in range(rounds)]
        quiet = [await _hot(one, next(lots), seconds) for _ in range(rounds)]
        async with ingesting(bench.url) as ingested:
            busy = [await _hot(one, next(lots), seconds) for _ in range(rounds)]
        if broken := await bench.book.broken_promises():
            raise AssertionError(f"broken promises: {broken[:3]}")
    came = f"while {ingested.per_s:.0f} of {OBSERVATIONS_PER_S} observations/s came in"
    return [
        row
        for peer, against in (("one transaction", "one transaction each"), ("lean", "the leanest transaction each"))
        for row in (
            _row(f"{_CLIENTS} drivers, one hot lot", against, quiet, peer, 8),
            _row(f"the same, {came}", against, busy, peer, 8),
            _row("a lone driver's wait, p50", against.removesuffix(" each"), lone, peer, 1.25, lower_is_better=True),
        )
    ]


@asynccontextmanager
async def _bench() -> AsyncIterator[_Bench]:
    async with AsyncExitStack() as stack:
        data = stack.enter_context(throwaway_data_folder())
        servers = await stack.enter_async_context(embedded_servers(data, environment={}))
        await migrate(servers.database_url)
        pools = []
        for connections in (10, _PEER_CONNECTIONS):
            pools.append(await connect(servers.database_url, most_connections=connections))
            stack.push_async_callback(disconnect, pools[-1])
        await _furnish(pools[0])
        book = PostgresHoldBook(pools[0])
        stack.push_async_callback(book.close)
        bench = _Bench(servers.database_url, book, pools[1])
        for place in (bench.ours, bench.one_transaction, bench.lean_transaction):
            await asyncio.gather(*(place(_HOT_LOTS - 1) for _ in range(500)))
        async with pools[0].acquire() as connection:
            # What autovacuum does within a minute: until then plans are made for empty tables.
            await connection.execute("ANALYZE")
        yield bench


def _row(
    work: str,
    against: str,
    rounds: Sequence[Mapping[str, float]],
    peer: str,
    reach: float,
    *,
    lower_is_better: bool = False,
) -> Row:
    ratios = [one["ours"] / one[peer] for one in rounds]
    ours, theirs = (statistics.median(one[side] for one in rounds) for side in ("ours", peer))
    note = (
        f"{ours * 1e6:.0f} µs against {theirs * 1e6:.0f}" if lower_is_better else f"{ours:.0f}/s against {theirs:.0f}"
    )
    return Row(work, against, statistics.median(ratios), reach, (min(ratios), max(ratios)), lower_is_better, note)


async def _hot(places: Mapping[str, Place], lot: int, seconds: float) -> dict[str, float]:
    """Give the holds a second of each, one after the other."""
    return {name: await _rate(place, lot, seconds) for name, place in places.items()}


async def _rate(place: Place, lot: int, seconds: float) -> float:
    done = 0
    started = time.perf_counter()

    async def client() -> None:
        nonlocal done
        while time.perf_counter() - started < seconds:
            await place(lot)
            done += 1

    await asyncio.gather(*(client() for _ in range(_CLIENTS)))
    return done / (time.perf_counter() - started)


async def _lone(places: Mapping[str, Place], lot: int, turns: int = 20, times: int = 20) -> dict[str, float]:
    """Give the median wait of one client that is alone with each, in seconds.

    They take turns, so that each has the same of what else the machine does.
    """
    waits: dict[str, list[float]] = {name: [] for name in places}
    for _ in range(turns):
        for name, place in places.items():
            for _ in range(times):
                started = time.perf_counter()
                await place(lot)
                waits[name].append(time.perf_counter() - started)
    return {name: statistics.median(these) for name, these in waits.items()}


async def _furnish(pool: asyncpg.Pool) -> None:
    register, journal = PostgresRegister(pool), PostgresReportJournal(pool)
    hot = [LotId(f"hot-{number}") for number in range(_HOT_LOTS)]
    await register.put_lots(
        [_lot(lot_id, capacity=_SPACES) for lot_id in hot]
        + [_lot(LotId(f"lot-{number}"), capacity=100) for number in range(LOTS)]
    )
    await register.put_hospitals([Hospital(HospitalId("hospital"), _NAME, hot[0], _HERE, _HERE)])
    lent = (LendingWindow(SpaceClass.STANDARD, _SPACES),)
    await register.put_agreements(
        [Agreement(AgreementId(lot_id), lot_id, HospitalId("hospital"), lent) for lot_id in hot]
    )
    now = datetime.now(UTC)
    await journal.record([Judged(Observation(lot_id, now, SourceId("s"), free=_SPACES)) for lot_id in hot])
    await journal.close()
    async with pool.acquire() as connection:
        await connection.execute(one_transaction.SCHEMA)
        for table in ("peer_lot", "lean_lot"):
            await connection.execute(f"INSERT INTO {table} SELECT unnest($1::text[]), {_SPACES}", hot)


def _lot(lot_id: LotId, *, capacity: int) -> Lot:
    entrance = Entrance("main", _NAME, _HERE)
    return Lot(lot_id, LotKind.PUBLIC, _NAME, "Asia/Shanghai", capacity, _HERE, (entrance,))
