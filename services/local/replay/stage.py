"""The stage of a replay: real stores, and the same ingest and routing code as the services, on a stepped clock."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

from prometheus_client import CollectorRegistry

from bowei.domain.agreements import Agreement
from bowei.domain.choosing import LotNow
from bowei.domain.clock import SteppedClock
from bowei.domain.lots import Hospital, Lot, LotId
from bowei.domain.observations import Observation, Verdict
from bowei.livestate.mirror import LiveMirror
from bowei.livestate.redis_store import RedisLiveState
from bowei.observability.background import in_background
from bowei.records.clock import step_replay
from bowei.records.connecting import Pool, connect, disconnect
from bowei.records.migrating import migrate
from bowei.records.postgres_gate_book import PostgresGateBook
from bowei.records.postgres_holding import PostgresHoldBook
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.postgres_reporting import PostgresReportJournal
from bowei.roads.travel_times import TravelTimes
from services.ingest.measures import Measures as IngestMeasures
from services.ingest.measures import Way
from services.ingest.receiving import Receiving
from services.routing.diverting import Diverting
from services.routing.hints import Hints
from services.routing.measures import Measures as RoutingMeasures
from services.routing.ranking import Ranking

_CATCH_UP_S = 10.0


class NotCaughtUp(Exception):
    """The live state did not show what was recorded in time."""


class Stage:
    """The assembled parts. `open` first, then `register`, then reports and requests."""

    def __init__(self, pool: Pool, live_state: RedisLiveState, mirror: LiveMirror, travel_times: TravelTimes) -> None:
        self._pool = pool
        self._live_state = live_state
        self._mirror = mirror
        self._register = PostgresRegister(pool)
        self._book = PostgresHoldBook(pool)
        self._journal = PostgresReportJournal(pool)
        self._travel_times = travel_times
        self._capacities: dict[LotId, int] = {}
        self._clock: SteppedClock | None = None
        self._receiving: Receiving | None = None
        self._diverting: Diverting | None = None

    @property
    def diverting(self) -> Diverting:
        """The routing service's use case."""
        assert self._diverting is not None, "open the stage first"  # noqa: S101
        return self._diverting

    @property
    def travel_times_name(self) -> str:
        """What answers how long a drive takes."""
        return self._travel_times.name

    def shown(self, lot_id: LotId) -> LotNow:
        """Give what the live state shows of a lot."""
        return self._mirror.lot(lot_id)

    async def open(self, at: datetime) -> None:
        """Set the clock to the recording's first instant, and assemble what needs it."""
        await step_replay(self._pool, at)
        clock = self._clock = SteppedClock(at)
        self._receiving = Receiving(
            self._journal, self._live_state, clock, IngestMeasures(CollectorRegistry()), copy_again=lambda: None
        )
        hints = Hints(self._mirror, self._book, self._journal, self._register, PostgresGateBook(self._pool))
        measures = RoutingMeasures(CollectorRegistry())
        ranking = Ranking(hints, self._travel_times, measures)
        self._diverting = Diverting(self._book, ranking, clock, measures)

    async def register(
        self, lots: Iterable[Lot], hospitals: Sequence[Hospital], agreements: Sequence[Agreement]
    ) -> None:
        """Register the recording's lots and what it implies, and show the directory."""
        registered = list(lots)
        self._capacities = {lot.lot_id: lot.capacity for lot in registered}
        await self._register.put_lots(registered)
        await self._register.put_hospitals(hospitals)
        await self._register.put_agreements(agreements)
        directory = await self._register.directory()
        promises = (await self._book.promised(None)).promises
        await self._live_state.copy_promises(promises, directory, ledger=await self._book.server_identity())
        await self._until(lambda: self._mirror.directory.version == directory.version)

    async def step_to(self, at: datetime) -> None:
        """Move the one clock, the ledger's and this process's, to `at`."""
        assert self._clock is not None, "open the stage first"  # noqa: S101
        await step_replay(self._pool, at)
        self._clock.step_to(at)

    async def report(self, said: Sequence[Observation]) -> list[Verdict]:
        """Have reports judged, recorded and shown, and wait until readers see them; give each verdict."""
        assert self._receiving is not None, "open the stage first"  # noqa: S101
        verdicts = await self._receiving.observations(said, capacity_of=self._capacities.__getitem__, way=Way.NATIVE)
        applied = {
            verdict.belief.lot_id: verdict.belief.observed_at
            for verdict in verdicts
            if verdict.believed and verdict.belief is not None
        }
        await self._until(lambda: all(self._shows(lot_id, at) for lot_id, at in applied.items()))
        return verdicts

    async def broken_promises(self) -> int:
        """Count the promises that the ledger shows to be broken."""
        return len(await self._book.broken_promises())

    def _shows(self, lot_id: LotId, at: datetime) -> bool:
        report = self._mirror.lot(lot_id).report
        return report is not None and report.observed_at >= at

    async def _until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _CATCH_UP_S
        while not true():
            serial = self._mirror.serial
            if true():
                return
            if time.monotonic() > deadline:
                raise NotCaughtUp(
                    f"The live state did not show what was recorded within {_CATCH_UP_S:.0f} s. Try again."
                )
            await self._mirror.wait_change(serial, 0.5)


@asynccontextmanager
async def open_stage(database_url: str, redis_url: str, travel_times: TravelTimes) -> AsyncIterator[Stage]:
    """Assemble a stage on an empty database and live state."""
    async with AsyncExitStack() as stack:
        await migrate(database_url)
        pool = await connect(database_url)
        stack.push_async_callback(disconnect, pool)
        live_state = RedisLiveState.connect(redis_url)
        stack.push_async_callback(live_state.close)
        mirror = LiveMirror(live_state)
        await stack.enter_async_context(in_background(mirror.run))
        yield Stage(pool, live_state, mirror, travel_times)
