"""What was said, what is believed of it, and what is shown: three things, from the first byte to the screen."""

from datetime import timedelta

import pytest

from bowei.domain.believing import NOTHING_LEARNED, LotFacts
from bowei.domain.dirt import Dirt, Doubt
from bowei.domain.lots import SourceId
from bowei.domain.observations import Bound, LotState, Outcome, Verdict
from bowei.records.failures import StoreAway
from services.ingest.intake import Intake
from services.ingest.measures import Way
from services.ingest.readings import CountReading
from services.ingest.receiving import Receiving
from services.ingest.sources import Sources
from tests.service.ingest_app import MALL, NOW, IngestWorld, ingest, observation, results

MINUTE = timedelta(minutes=1)
LONG_AGO = NOW - timedelta(days=30)


class Feed:
    """A feed that reports for the mall, and what is shown of it."""

    def __init__(self, world: IngestWorld, facts: LotFacts = NOTHING_LEARNED) -> None:
        self.world = world
        self.facts = facts
        self.receiving = Receiving(
            world.journal,
            world.live,
            world.clock,
            world.measures,
            copy_again=world.copying.copy_again,
            facts_of=lambda lot_id: self.facts if lot_id == MALL else NOTHING_LEARNED,
        )
        sources = Sources(world.register, monotonic=lambda: world.monotonic_s)
        self.intake = Intake(self.receiving, sources, world.clock, world.measures, None)

    async def says(self, reading: CountReading) -> Verdict:
        """Let it say something."""
        [verdict] = await self.intake.take(SourceId("malls"), [reading], way=Way.PULL)
        return verdict

    async def shown(self) -> tuple[int | None, Bound, Doubt | None]:
        """Give the count that is shown, what it is a bound of, and what is doubted."""
        seen = await self.world.seen(MALL)
        assert seen is not None
        return seen.free, seen.bound, seen.doubt


async def test_what_is_believed_is_shown_and_what_was_said_is_kept() -> None:
    """302 free of 300 is shown as all of them; the record has both, and the names of the dirt."""
    async with ingest() as world:
        feed = Feed(world)
        verdict = await feed.says(CountReading("1001", NOW, free=302, raw='{"surplus": "302.0"}'))
        assert (verdict.outcome, verdict.code) == (Outcome.APPLIED, None)
        assert await feed.shown() == (300, Bound.EXACT, None)
        kept, _ = world.records.observations[-1]
        assert (kept.observation.free, kept.observation.raw) == (302, '{"surplus": "302.0"}')
        assert (kept.taken.free, kept.taken.dirt) == (300, frozenset({Dirt.FREE_ABOVE_CAPACITY}))
        assert await world.metric('bowei_ingest_dirt_total{dirt="free_above_capacity",way="pull"}') == 1.0


@pytest.mark.parametrize(
    ("reading", "code"),
    [
        (CountReading("1001", NOW, dirt=frozenset({Dirt.NEGATIVE_COUNT})), "negative_count"),
        (CountReading("1001", NOW, free=200, occupied=200), "counts_disagree"),
        (CountReading("1001", NOW, free=23, capacity=0), "capacity_zero"),
        (CountReading("1001", NOW, free=20, capacity=40), "capacity_moved"),
        (CountReading("1001", NOW, free=8259), "free_above_capacity"),
    ],
)
async def test_what_is_not_believed_leaves_the_last_good_count_with_the_reason(
    reading: CountReading, code: str
) -> None:
    """Each reason has its own code, and is shown at once beside the count that stands."""
    async with ingest() as world:
        feed = Feed(world)
        await feed.says(CountReading("1001", NOW - MINUTE, free=118))
        verdict = await feed.says(reading)
        assert (verdict.outcome, verdict.code) == (Outcome.QUARANTINED, code)
        seen = await world.seen(MALL)
        assert seen is not None
        assert (seen.free, seen.observed_at, seen.refused) == (118, NOW - MINUTE, Dirt(code))


async def test_a_capacity_that_leapt_is_believed_when_the_next_report_repeats_it() -> None:
    """A floor was closed; the same report sent twice is not two reports."""
    async with ingest() as world:
        feed = Feed(world)
        leap = CountReading("1001", NOW - MINUTE, free=20, capacity=200)
        assert [(await feed.says(leap)).code for _ in range(2)] == ["capacity_moved"] * 2
        assert (await feed.says(CountReading("1001", NOW, free=21, capacity=200))).outcome is Outcome.APPLIED
        seen = await world.seen(MALL)
        assert seen is not None
        assert (seen.free, seen.capacity, seen.refused) == (21, 200, None)


async def test_a_process_that_starts_knows_what_lots_said_before() -> None:
    """It does not take a capacity that was believed long ago for a leap."""
    async with ingest() as world:
        before = Feed(world)
        for minutes in (3, 2):
            await before.says(CountReading("1001", NOW - minutes * MINUTE, free=20, capacity=200))
        assert (await Feed(world).says(CountReading("1001", NOW, free=9, capacity=200))).code is None


async def test_a_source_whose_clock_stands_still_is_shown_at_the_time_of_receipt() -> None:
    """Found by the second count at a time of a month ago, and said in the record."""
    async with ingest() as world:
        feed = Feed(world)
        for free in (118, 117, 117):
            world.clock.step_to(world.clock.now() + MINUTE)
            assert (await feed.says(CountReading("1001", LONG_AGO, free=free))).outcome is Outcome.APPLIED
        seen = await world.seen(MALL)
        assert seen is not None
        assert (seen.free, seen.observed_at, seen.said_at) == (117, world.clock.now(), LONG_AGO)
        assert seen.dirt == {Dirt.FROZEN_CLOCK}


async def test_what_was_learned_of_a_lot_goes_into_every_verdict() -> None:
    """A yes is at least one space, whatever number it wears."""
    async with ingest() as world:
        feed = Feed(world, LotFacts(binary=True, doubt=Doubt.PROBATION))
        await feed.says(CountReading("1001", NOW, free=99))
        assert await feed.shown() == (1, Bound.AT_LEAST, Doubt.PROBATION)


async def test_with_the_record_away_a_doubted_lot_stays_doubted() -> None:
    """What is shown without being recorded is believed no more than what was."""
    async with ingest() as world:
        feed = Feed(world)
        await feed.says(CountReading("1001", NOW - MINUTE, free=118))
        feed.facts = LotFacts(doubt=Doubt.STUCK)
        world.journal.failing = StoreAway("gone")
        with pytest.raises(StoreAway):
            await feed.says(CountReading("1001", NOW, free=302))
        assert await feed.shown() == (300, Bound.EXACT, Doubt.STUCK)
        feed.facts = NOTHING_LEARNED
        with pytest.raises(StoreAway):
            await feed.says(CountReading("1001", NOW + MINUTE / 4, free=299))
        assert await feed.shown() == (299, Bound.EXACT, None)


async def test_a_count_by_hand_ends_the_doubt_of_a_counter() -> None:
    """Over the native address, as an operator's tool sends it."""
    async with ingest() as world:
        await world.observe(observation(free=118, observed_at="2026-03-02T00:59:00Z"))
        await world.journal.set_doubt(MALL, Doubt.DRIFT)
        await world.observe(observation(free=97, observed_at="2026-03-02T01:00:00Z", reset=True))
        seen = await world.seen()
        assert seen is not None
        assert (seen.free, seen.doubt) == (97, None)


async def test_a_lot_may_count_its_cars_or_say_a_bound() -> None:
    """Over the native address: free spaces follow from the cars, and "30 or more" stays so."""
    async with ingest() as world:
        counted = observation(free=None, occupied=182, observed_at="2026-03-02T00:59:00Z")
        assert results(await world.observe(counted)) == [("applied", None)]
        seen = await world.seen()
        assert seen is not None
        assert seen.free == 118
        await world.observe(observation(free=30, free_bound="at_least", observed_at="2026-03-02T01:00:00Z"))
        seen = await world.seen()
        assert seen is not None
        assert (seen.free, seen.bound) == (30, Bound.AT_LEAST)


async def test_a_lot_without_data_is_unknown_whatever_number_comes_with_it() -> None:
    """Its 0 is not full, and not empty."""
    async with ingest() as world:
        await world.observe(observation(free=0, open=None, capacity=None, state="unknown"))
        seen = await world.seen()
        assert seen is not None
        assert (seen.free, seen.state, seen.dirt) == (None, LotState.UNKNOWN, frozenset({Dirt.NO_DATA_AS_ZERO}))
