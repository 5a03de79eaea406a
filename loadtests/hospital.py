"""A city with one busy hospital, on servers of its own: N lots, of which 30 lend to it, and one routing process."""

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow
from bowei.domain.lots import Entrance, Hospital, HospitalId, Lot, LotId, LotKind, Name, SourceId, SpaceClass
from bowei.domain.observations import Observation
from bowei.domain.places import Point
from bowei.livestate.redis_store import RedisLiveState
from bowei.observability.background import in_background
from bowei.records.connecting import connect, disconnect
from bowei.records.migrating import migrate
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.postgres_reporting import PostgresReportJournal
from bowei.records.reporting import Judged
from loadtests.city import analyze, free_port
from loadtests.streets import road_file
from services.local.data_folder import throwaway_data_folder
from services.local.processes import Processes, ServiceSpec
from services.local.servers import embedded_servers

LENDING = 30
DRIVER_KEY = "a-driver-key-of-a-bench-and-of-nothing-else"
_NAME = Name("示例停车场", "Example car park")
_CAPACITY, _LENT = 3_000, 1_000
"""No lot fills while it is measured; what was held is released between the measurements."""
_NEAR, _AROUND = 0.012, 0.2
_AT_ONCE, _REGISTERED_AT_ONCE = 500, 5_000
_REPORT_EVERY_S = 15.0


@dataclass(frozen=True, slots=True)
class HospitalCity:
    """Where its parts are."""

    database_url: str
    port: int
    pid: int
    """Of routing."""
    door: Point
    roads: str

    async def release_all(self) -> None:
        """Let every driver give the space up."""
        connection = await asyncpg.connect(self.database_url)
        try:
            await connection.execute(
                "SELECT bowei.release(diversion_id, driver_id) FROM bowei.hold WHERE state = 'held'", timeout=60
            )
        finally:
            await connection.close()


def places(count: int, door: Point) -> list[Point]:
    """Place lots: those that lend near the door, the others all over the city; the same ones each time."""
    chance = random.Random(7)  # noqa: S311 (places, no secret)
    return [_near(chance, door, _NEAR if number < LENDING else _AROUND) for number in range(count)]


@asynccontextmanager
async def running_hospital(lots: int) -> AsyncIterator[HospitalCity]:
    """Run the city until the context ends; its lots go on reporting."""
    with throwaway_data_folder() as data, tempfile.TemporaryDirectory(prefix="bowei-roads-") as folder:
        roads, door, described = await asyncio.to_thread(road_file, Path(folder))
        async with embedded_servers(data, environment={}) as servers:
            await migrate(servers.database_url)
            pool = await connect(servers.database_url, most_connections=2)
            live_state = RedisLiveState.connect(servers.redis_url)
            journal = PostgresReportJournal(pool)
            try:
                await _furnish(PostgresRegister(pool), places(lots, door), door)
                await _report(journal, live_state, range(lots))
                await live_state.copy_reports(await journal.reports())
                await analyze(servers.database_url)
                spec = ServiceSpec(
                    "routing",
                    "services.routing",
                    free_port(),
                    {
                        "BOWEI_DATABASE_URL": servers.database_url,
                        "BOWEI_REDIS_URL": servers.redis_url,
                        "BOWEI_DRIVER_KEY": DRIVER_KEY,
                        "BOWEI_ROADS": str(roads),
                        "BOWEI_LOG_LEVEL": "WARNING",
                    },
                )

                async def go_on_reporting() -> None:
                    while True:
                        await asyncio.sleep(_REPORT_EVERY_S)
                        await _report(journal, live_state, range(LENDING))

                async with Processes([spec], data) as processes, in_background(go_on_reporting):
                    yield HospitalCity(servers.database_url, spec.port, processes.pids()["routing"], door, described)
            finally:
                await journal.close()
                await live_state.close()
                await disconnect(pool)


async def _furnish(register: PostgresRegister, where: Sequence[Point], door: Point) -> None:
    lots = [_lot(number, place) for number, place in enumerate([*where, door])]
    for first in range(0, len(lots), _REGISTERED_AT_ONCE):
        await register.put_lots(lots[first : first + _REGISTERED_AT_ONCE])
    await register.put_hospitals(
        [Hospital(HospitalId("hospital"), _NAME, lots[-1].lot_id, door, door, radius_m=10_000)]
    )
    await register.put_agreements(
        [
            Agreement(
                AgreementId(f"a-{number}"),
                lot.lot_id,
                HospitalId("hospital"),
                (LendingWindow(SpaceClass.STANDARD, _LENT),),
            )
            for number, lot in enumerate(lots[:LENDING])
        ]
    )


async def _report(journal: PostgresReportJournal, live_state: RedisLiveState, lots: Sequence[int]) -> None:
    """Let lots report, as ingest records and shows it."""
    for first in range(0, len(lots), _AT_ONCE):
        now = datetime.now(UTC)
        judged = [
            Judged(
                Observation(
                    LotId(f"lot-{number}"),
                    now,
                    SourceId("bench"),
                    capacity=_CAPACITY,
                    open=_CAPACITY,
                    free=_LENT + number % 50 * 20,
                )
            )
            for number in lots[first : first + _AT_ONCE]
        ]
        recorded = await journal.record(judged)
        await live_state.show_reports(
            {one.observation.lot_id: done.report for one, done in zip(judged, recorded, strict=True) if done.report}
        )


def _lot(number: int, place: Point) -> Lot:
    entrances = (Entrance("main", _NAME, place),)
    return Lot(
        LotId(f"lot-{number}"), LotKind.MALL, _NAME, "Asia/Shanghai", _CAPACITY, place, entrances, barrier_link=True
    )


def _near(chance: random.Random, place: Point, degrees: float) -> Point:
    return Point(place.lat + chance.uniform(-degrees, degrees), place.lon + chance.uniform(-degrees, degrees))
