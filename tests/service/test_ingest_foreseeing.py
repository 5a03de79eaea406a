"""One process foresees: by Bowei's clock, from what is believed; shown to all, scored, and known after a restart."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from prometheus_client import CollectorRegistry
from typing_extensions import override

from bowei.domain.clock import SteppedClock
from bowei.domain.dirt import Doubt
from bowei.domain.forecasting import UNKNOWN_LOT, Foreseen
from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import Observation
from bowei.livestate.in_memory import InMemoryLiveState
from bowei.livestate.mirror import LiveMirror
from bowei.observability.background import in_background
from bowei.records.failures import StoreAway
from bowei.records.in_memory import (
    InMemoryForecastBook,
    InMemoryHistory,
    InMemoryRecords,
    InMemoryRegister,
    InMemoryReportJournal,
)
from bowei.records.reporting import Judged
from services.ingest.forecast_measures import ForecastMeasures
from services.ingest.foreseeing import Foreseer
from tests.service.ingest_app import MALL, NOW, OFFICE, a_lot, wait_until
from tests.service.test_ingest_keeping import Lead, StandInLead

STEP, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)


class LosableBook(InMemoryForecastBook):
    """A book that can be told to be away."""

    away = False

    @override
    async def keep(self, lots: dict[LotId, bytes], city: bytes) -> None:  # type: ignore[override]
        if self.away:
            raise StoreAway
        await super().keep(lots, city)


class CountingLead(Lead):
    """The right, with how often its holder waited for the next look."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = 0

    @override
    async def wait(self, timeout_s: float) -> None:
        self.waits += 1
        await super().wait(timeout_s)


class Foresight:
    """A record with two lots, a live state, and whoever foresees."""

    def __init__(self) -> None:
        self.clock = SteppedClock(NOW)
        self.records = InMemoryRecords(self.clock)
        self.history = InMemoryHistory(self.records)
        self.book = LosableBook(self.records, self.history.summed_up)
        self.live_state = InMemoryLiveState()
        self.journal = InMemoryReportJournal(self.records)

    async def settle_in(self) -> None:
        """Register the lots."""
        await InMemoryRegister(self.records).put_lots([a_lot(MALL, 50), a_lot(OFFICE, 20)])

    def foreseer(self, leads: StandInLead | None = None) -> tuple[Foreseer, CollectorRegistry]:
        """Give a process that foresees, and its metrics."""
        registry = CollectorRegistry()
        measures = ForecastMeasures(registry)
        lead = leads or StandInLead()
        return Foreseer(lead, self.book, self.live_state, self.clock, measures, tick_s=0.01), registry

    async def report(self, lot_id: LotId, free: int) -> None:
        """Let a lot report now."""
        await self.journal.record([Judged(Observation(lot_id, self.clock.now(), SourceId("s"), free=free))])

    async def foreseen(self, lot_id: LotId = MALL) -> Foreseen | None:
        """Give what is shown to be foreseen of a lot."""
        return (await self.live_state.forecasts()).get(lot_id)

    async def live(self, foreseer: Foreseer, steps: int) -> None:
        """Let the mall change by six spaces at each step, the office by none."""
        for step in range(steps):
            self.clock.step_to(self.clock.now() + STEP)
            await self.report(MALL, 20 + 6 * (step % 2))
            await self.report(OFFICE, 5)
            await foreseer.step()


@asynccontextmanager
async def foresight() -> AsyncIterator[Foresight]:
    """Give a settled room."""
    room = Foresight()
    await room.settle_in()
    yield room


async def test_each_five_minutes_of_bowei_s_clock_everything_is_foreseen_anew() -> None:
    """Once for each, however often it looks; a mirror takes it by itself."""
    async with foresight() as room:
        leads, lead = StandInLead(), CountingLead()
        leads.lead = lead
        foreseer, registry = room.foreseer(leads)
        await room.report(MALL, 20)
        mirror = LiveMirror(room.live_state)
        async with in_background(foreseer.run, again_after_s=0.01), in_background(mirror.run):

            async def foreseen_at(minutes: int) -> bool:
                shown = await room.foreseen()
                return shown is not None and shown.at == NOW + timedelta(minutes=minutes)

            await wait_until(lambda: foreseen_at(0))
            assert registry.get_sample_value("bowei_ingest_foreseeing") == 1
            room.clock.step_to(NOW + timedelta(minutes=17))
            await wait_until(lambda: foreseen_at(15))
            looked = lead.waits

            async def looked_often() -> bool:
                return lead.waits > looked + 5

            await wait_until(looked_often)
            assert registry.get_sample_value("bowei_ingest_foreseeing_seconds_count") == 2
        assert registry.get_sample_value("bowei_ingest_foreseeing") == 0


async def test_a_restless_lot_is_foreseen_as_one_and_a_new_one_as_unknown() -> None:
    """What was learned of each lot is shown; a lot that never reported has the prior."""
    async with foresight() as room:
        foreseer, _ = room.foreseer()
        await room.live(foreseer, 24)
        restless, calm = await room.foreseen(MALL), await room.foreseen(OFFICE)
        assert restless is not None
        assert calm is not None
        assert restless.volatility > 4
        assert calm.volatility < 1.5

        await InMemoryRegister(room.records).put_lots([a_lot(LotId("new"), 50)])
        await room.live(foreseer, 1)
        fresh = await room.foreseen(LotId("new"))
        assert fresh is not None
        assert fresh.volatility == UNKNOWN_LOT.volatility
        assert (await room.foreseen(MALL)) is not None


async def test_a_doubted_lot_teaches_nothing() -> None:
    """Its wild counts leave it as calm as it was."""
    async with foresight() as room:
        foreseer, _ = room.foreseer()
        await room.report(MALL, 20)
        await foreseer.step()
        before = await room.foreseen(MALL)
        await room.journal.set_doubt(MALL, Doubt.STUCK)
        await room.live(foreseer, 12)
        after = await room.foreseen(MALL)

        assert before is not None
        assert after is not None
        assert after.volatility == before.volatility


async def test_forecasts_are_scored_as_their_time_comes() -> None:
    """Of both lots, for each method and horizon, near full and all."""
    async with foresight() as room:
        foreseer, registry = room.foreseer()
        await room.live(foreseer, 14)

        def cases(**labels: str) -> float:
            return registry.get_sample_value("bowei_ingest_forecast_cases_total", labels) or 0

        assert cases(method="bowei", minutes="5", regime="all") == 2 * 13
        assert cases(method="last_value", minutes="5", regime="near_full") == 13
        assert cases(method="bowei", minutes="60", regime="all") == 2 * 2
        assert cases(method="last_week", minutes="5", regime="all") == 0
        error = registry.get_sample_value(
            "bowei_ingest_forecast_error_spaces_total", {"method": "last_value", "minutes": "5", "regime": "all"}
        )
        assert error == 13 * 6


async def test_what_was_learned_outlives_the_process() -> None:
    """Every lot is kept within an hour, and known again by whoever takes over."""
    async with foresight() as room:
        first, _ = room.foreseer()
        await room.live(first, 24)
        restless = await room.foreseen(MALL)
        second, _ = room.foreseer()
        await second.recall()
        await room.live(second, 1)
        again = await room.foreseen(MALL)

        assert restless is not None
        assert again is not None
        assert abs(again.volatility - restless.volatility) < 1


async def test_the_first_start_learns_from_the_hours_that_are_kept() -> None:
    """A lot that fills between nine and ten every day is expected to fill today, though nobody ever foresaw it."""
    async with foresight() as room:
        for hour in range(3 * 24 + 1):
            room.clock.step_to(NOW + hour * HOUR)
            await room.report(MALL, 10 if hour % 24 in range(1, 12) else 40)
            await room.history.note_hours()
            await room.history.note_hours()
            while await room.history.roll_up():
                pass
        foreseer, _ = room.foreseer()
        await foreseer.recall()
        await foreseer.step()
        foreseen = await room.foreseen()

        assert foreseen is not None
        assert foreseen.mean(40, HOUR, 50, room.clock.now()) < 30


async def test_with_the_live_state_away_it_goes_on_learning() -> None:
    """What it learned meanwhile is shown when the live state is back."""
    async with foresight() as room:
        foreseer, _ = room.foreseer()
        room.live_state.away = True
        await room.live(foreseer, 12)
        room.live_state.away = False
        await room.live(foreseer, 1)
        foreseen = await room.foreseen()

        assert foreseen is not None
        assert foreseen.volatility > 3


async def test_with_the_record_away_forecasts_stay_as_they_were_and_go_on_when_it_is_back() -> None:
    """The process that foresees outlives it."""
    async with foresight() as room:
        foreseer, _ = room.foreseer(StandInLead(failures=2))
        await room.report(MALL, 20)
        room.book.away = True
        async with in_background(foreseer.run, again_after_s=0.01):

            async def shown() -> bool:
                return await room.foreseen() is not None

            await wait_until(shown)
        room.book.away = False
        again, registry = room.foreseer()
        async with in_background(again.run, again_after_s=0.01):

            async def kept() -> bool:
                return await room.book.kept_city() is not None

            await wait_until(kept)
            assert registry.get_sample_value("bowei_ingest_foreseeing") == 1
