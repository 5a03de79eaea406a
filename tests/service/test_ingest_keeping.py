"""One process keeps history in order: days ahead, hours summed up, what is old forgotten; and says how far it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from prometheus_client import CollectorRegistry

from bowei.domain.clock import SteppedClock
from bowei.domain.lots import SourceId
from bowei.domain.observations import Observation
from bowei.observability.background import in_background
from bowei.records.failures import StoreAway
from bowei.records.in_memory import InMemoryDeadLetters, InMemoryHistory, InMemoryRecords, InMemoryReportJournal
from bowei.records.leading import Leads
from bowei.records.reporting import Judged
from services.ingest.history_measures import HistoryMeasures
from services.ingest.keeping import Keeper, Retention
from tests.service.ingest_app import MALL, NOW, wait_until

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Lead:
    """The right, until it is taken away."""

    def __init__(self) -> None:
        self.given_up = False
        self.gone = asyncio.Event()

    def lost(self) -> bool:
        """Say whether it was taken away."""
        return self.gone.is_set()

    async def wait(self, timeout_s: float) -> None:
        """Wait so long, or until it is gone."""
        try:
            await asyncio.wait_for(self.gone.wait(), timeout_s)
        except TimeoutError:
            return

    async def give_up(self) -> None:
        """Note that it was given back."""
        self.given_up = True


class StandInLead:
    """Hands out the right, fails first, or never gives it."""

    def __init__(self, *, failures: int = 0, taken: bool = False) -> None:
        self.failures = failures
        self.taken = taken
        self.asked = 0
        self.lead = Lead()

    async def try_lead(self) -> Leads | None:
        """Give the right once nobody has it."""
        self.asked += 1
        if self.failures:
            self.failures -= 1
            raise StoreAway
        if self.taken or self.lead.given_up:
            return None
        return self.lead


class KeptWorld:
    """A record with one lot's reports, and its keeper."""

    def __init__(self, leads: StandInLead) -> None:
        self.clock = SteppedClock(NOW)
        self.records = InMemoryRecords(self.clock)
        self.history, self.letters = InMemoryHistory(self.records), InMemoryDeadLetters(self.records)
        self.registry = CollectorRegistry()
        retention = Retention(days=10, hourly_days=20, letter_days=5)
        measures = HistoryMeasures(self.registry)
        self.keeper = Keeper(leads, self.history, self.letters, measures, retention, keep_every_s=0.01)

    async def report(self, free: int) -> None:
        """Let the lot report now."""
        journal = InMemoryReportJournal(self.records)
        await journal.record([Judged(Observation(MALL, self.clock.now(), SourceId("s"), free=free))])

    async def hours(self) -> list[int | None]:
        """Give what the lot's hours ended with."""
        return [one.free_last for one in await self.history.hours(MALL, NOW - DAY, NOW + 100 * DAY)]

    def metric(self, name: str, **labels: str) -> float:
        """Give a metric's value."""
        return self.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def kept(leads: StandInLead) -> AsyncIterator[KeptWorld]:
    """Run a keeper."""
    world = KeptWorld(leads)
    async with in_background(world.keeper.run, again_after_s=0.01):
        yield world


async def test_hours_are_summed_up_and_old_days_forgotten_by_the_record_s_clock() -> None:
    """The keeper works in a demo's time as in the real one, and says how far it is."""
    async with kept(StandInLead()) as world:
        await world.report(7)
        await world.letters.keep(SourceId("s"), "mqtt", "unknown_lot", b"1", None)

        async def at(free: list[int | None]) -> bool:
            return await world.hours() == free

        world.clock.step_to(NOW + HOUR)
        await wait_until(lambda: at([7]))
        await wait_until(lambda: _is(world, "bowei_ingest_dead_letters_waiting", 1))
        assert world.metric("bowei_ingest_keeping") == 1
        assert world.metric("bowei_ingest_kept_timestamp_seconds") > 1.7e9

        world.clock.step_to(NOW + 6 * DAY)
        await wait_until(lambda: _is(world, "bowei_ingest_dead_letters_dropped_total", 1, why="age"))
        world.clock.step_to(NOW + 12 * DAY)
        await wait_until(lambda: _is(world, "bowei_ingest_history_forgotten_total", 1, what="days"))
        assert world.records.history == []
        assert await at([7])
        world.clock.step_to(NOW + 21 * DAY)
        await wait_until(lambda: at([]))


async def _is(world: KeptWorld, name: str, value: float, **labels: str) -> bool:
    return world.metric(name, **labels) >= value


async def test_a_keeper_that_lost_the_right_stops_and_shows_nothing_any_more() -> None:
    """Old figures of a process that keeps nothing would warn for ever."""
    leads = StandInLead()
    async with kept(leads) as world:
        await world.report(7)
        await world.letters.keep(SourceId("s"), "mqtt", "unknown_lot", b"1", None)
        await wait_until(lambda: _is(world, "bowei_ingest_dead_letters_waiting", 1))
        leads.lead.gone.set()

        async def given_up() -> bool:
            return leads.lead.given_up

        await wait_until(given_up)
        assert world.metric("bowei_ingest_keeping") == 0
        assert world.metric("bowei_ingest_dead_letters_waiting") == 0
        world.clock.step_to(NOW + 2 * HOUR)
        asked = leads.asked

        async def asked_again() -> bool:
            return leads.asked > asked + 2

        await wait_until(asked_again)
        assert await world.hours() == []


async def test_a_record_that_is_away_for_a_while_is_kept_when_it_is_back() -> None:
    """A keeper outlives every failure of the store."""
    async with kept(StandInLead(failures=3)) as world:
        await wait_until(lambda: _is(world, "bowei_ingest_keeping", 1))


async def test_while_another_process_keeps_this_one_does_nothing() -> None:
    """Two keepers would not harm, but one is enough."""
    leads = StandInLead(taken=True)
    async with kept(leads) as world:

        async def asked() -> bool:
            return leads.asked > 2

        await wait_until(asked)
        assert world.metric("bowei_ingest_keeping") == 0
        assert (await world.history.state()).hours_behind == 0
