"""The records room behind its ports, in memory or in Postgres, with a clock that only the test moves."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import asyncpg
from typing_extensions import override

from bowei.domain.clock import SteppedClock
from bowei.domain.lots import DriverId
from bowei.records.agreement_book import AgreementBook
from bowei.records.audit import AuditTrail
from bowei.records.barriers import BarrierBook
from bowei.records.clock import step_replay
from bowei.records.connecting import connect
from bowei.records.dead_letters import DeadLetters
from bowei.records.forecasts import ForecastBook
from bowei.records.forgetting import ForgetsPersons
from bowei.records.gate_book import GateBook
from bowei.records.history import KeepsHistory, ReadsHours
from bowei.records.holding import Decision, HoldBook, PlaceRequest
from bowei.records.in_memory import (
    InMemoryAgreementBook,
    InMemoryAuditTrail,
    InMemoryBarrierBook,
    InMemoryDeadLetters,
    InMemoryForecastBook,
    InMemoryForgetting,
    InMemoryGateBook,
    InMemoryHistory,
    InMemoryHoldBook,
    InMemoryPartyBook,
    InMemoryQuality,
    InMemoryRecords,
    InMemoryRegister,
    InMemoryReportJournal,
    InMemoryRoadBook,
    InMemorySharing,
    InMemorySpaceBook,
)
from bowei.records.migrating import migrate
from bowei.records.party_book import PartyBook
from bowei.records.postgres_agreement_book import PostgresAgreementBook
from bowei.records.postgres_audit import PostgresAuditTrail
from bowei.records.postgres_barriers import PostgresBarrierBook
from bowei.records.postgres_dead_letters import PostgresDeadLetters
from bowei.records.postgres_forecasts import PostgresForecastBook
from bowei.records.postgres_forgetting import PostgresForgetting
from bowei.records.postgres_gate_book import PostgresGateBook
from bowei.records.postgres_history import PostgresHistory
from bowei.records.postgres_holding import PostgresHoldBook
from bowei.records.postgres_party_book import PostgresPartyBook
from bowei.records.postgres_quality import PostgresQualityBook
from bowei.records.postgres_quality_desk import PostgresQualityDesk
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.postgres_reporting import PostgresReportJournal
from bowei.records.postgres_road_book import PostgresRoadBook
from bowei.records.postgres_sensing import PostgresSpaceBook
from bowei.records.postgres_sharing import PostgresSharing
from bowei.records.quality import QualityBook, QualityDesk
from bowei.records.registering import Register
from bowei.records.reporting import ReportJournal
from bowei.records.rights import INGEST, REGISTRY, ROUTING, as_role, make_roles
from bowei.records.road_book import RoadBook
from bowei.records.sensing import SpaceBook
from bowei.records.sharing import ReadsSharing

MOST_LETTERS = 5
"""Of one source, in the room of a test."""


class Quality(QualityBook, QualityDesk, Protocol):
    """Keeps quality, and shows it."""


class PostgresQuality(PostgresQualityBook, PostgresQualityDesk):
    """The book and the desk on one pool."""


class History(KeepsHistory, ReadsHours, Protocol):
    """Keeps history and reads it."""


@dataclass(frozen=True, slots=True)
class Stores:
    """One records room: its ports, and the hand on its clock."""

    book: HoldBook
    journal: ReportJournal
    register: Register
    spaces: SpaceBook
    history: History
    letters: DeadLetters
    quality: Quality
    forecasts: ForecastBook
    barriers: BarrierBook
    roads: RoadBook
    gates: GateBook
    parties: PartyBook
    agreements: AgreementBook
    sharing: ReadsSharing
    persons: ForgetsPersons
    audit: AuditTrail
    step_to: Callable[[datetime], Coroutine[Any, Any, None]]


def in_memory_stores(records: InMemoryRecords, clock: SteppedClock) -> Stores:
    """Give the ports of a room in memory."""

    async def step_to(instant: datetime) -> None:
        clock.step_to(instant)

    history = InMemoryHistory(records)
    return Stores(
        InMemoryHoldBook(records),
        InMemoryReportJournal(records),
        InMemoryRegister(records),
        InMemorySpaceBook(records),
        history,
        InMemoryDeadLetters(records, most=MOST_LETTERS),
        InMemoryQuality(records),
        InMemoryForecastBook(records, history.summed_up),
        InMemoryBarrierBook(records),
        InMemoryRoadBook(records),
        InMemoryGateBook(records),
        InMemoryPartyBook(records),
        InMemoryAgreementBook(records),
        InMemorySharing(records),
        InMemoryForgetting(records),
        InMemoryAuditTrail(records),
        step_to,
    )


class AskedInCompany(PostgresHoldBook):
    """The ledger as a busy city uses it: no request is alone in its commit."""

    @override
    async def place(self, request: PlaceRequest) -> Decision:
        company = PlaceRequest("somebody-else", DriverId("somebody-else"), b"." * 32, request.hospital_id, ())
        _, decision = await asyncio.gather(super().place(company), super().place(request))
        return decision


@asynccontextmanager
async def postgres_stores(
    url: str, *, book_type: type[PostgresHoldBook] = PostgresHoldBook
) -> AsyncIterator[tuple[Stores, asyncpg.Pool]]:
    """Give the ports of the room in a prepared database, and the connections behind them."""
    async with AsyncExitStack() as stack:

        async def pool_of(role: str | None) -> asyncpg.Pool:
            pool = await connect(url if role is None else as_role(url, role), most_connections=4, check_durable=False)
            stack.push_async_callback(pool.close)
            return pool

        # Each port as the service that uses it, with no more rights.
        pool, registry, ingest, routing = [await pool_of(role) for role in (None, REGISTRY, INGEST, ROUTING)]
        book, journal = book_type(routing), PostgresReportJournal(ingest)
        letters = PostgresDeadLetters(ingest, most=MOST_LETTERS)
        history = PostgresHistory(ingest, settled_after=timedelta())
        register = PostgresRegister(registry)
        spaces = PostgresSpaceBook(ingest)
        quality = PostgresQuality(ingest)
        roads = PostgresRoadBook(registry)
        barriers, forecasts = PostgresBarrierBook(routing), PostgresForecastBook(ingest)

        async def step_to(instant: datetime) -> None:
            await step_replay(pool, instant)

        audit = PostgresAuditTrail(registry)
        gates = PostgresGateBook(routing)
        stores = Stores(
            book,
            journal,
            register,
            spaces,
            history,
            letters,
            quality,
            forecasts,
            barriers,
            roads,
            gates,
            PostgresPartyBook(registry),
            PostgresAgreementBook(registry),
            PostgresSharing(registry),
            PostgresForgetting(routing),
            audit,
            step_to,
        )
        yield stores, pool
        await book.close()
        await journal.close()
        await letters.close()


async def prepare(admin_url: str, url: str, name: str) -> None:
    """Make a database, migrated once for many tests.

    Its commits don't wait for the disk: these tests stop no server, and other suites ask what outlives one.
    """
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        await admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    finally:
        await admin.close()
    await make_roles(url)
    await migrate(url)


async def empty(pool: asyncpg.Pool) -> None:
    """Take everything out of the room; deleting is ten times as fast as truncating where there is little."""
    async with pool.acquire() as connection:
        if days := await connection.fetchval(
            "SELECT string_agg('DROP TABLE bowei.' || name, ';') FROM bowei.observation_day"
        ):
            await connection.execute(days)
        deletions = await connection.fetchval(
            "SELECT string_agg(format('DELETE FROM bowei.%I', tablename), ';') FROM pg_tables"
            " WHERE schemaname = 'bowei'"
            " AND tablename NOT IN ('clock', 'directory_version', 'road_version', 'migration')"
        )
        async with connection.transaction():
            # Foreign keys are not looked at, so that the order does not matter.
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(deletions)
            await connection.execute("UPDATE bowei.directory_version SET version = 0")
            await connection.execute("UPDATE bowei.road_version SET version = 0")
