"""What a feed says, once it is read, goes the same way whatever brought it."""

from datetime import timedelta

import pytest

from bowei.domain.dirt import Dirt
from bowei.domain.heartbeats import Sign
from bowei.domain.lots import SourceId
from bowei.domain.observations import Outcome, PassageKind
from bowei.records.failures import StoreAway
from services.ingest.intake import Intake
from services.ingest.letters import read_reading
from services.ingest.measures import Way
from services.ingest.readings import CarReading, CountReading, LifeReading, Reading, Unmeant
from services.ingest.receiving import Receiving
from services.ingest.sources import Sources
from tests.service.ingest_app import MALL, NOW, PLATE_KEYS, IngestWorld, ingest

MALLS = SourceId("malls")


def _intake(world: IngestWorld) -> Intake:
    receiving = Receiving(world.journal, world.live, world.clock, world.measures, copy_again=world.copying.copy_again)
    sources = Sources(world.register, monotonic=lambda: world.monotonic_s)
    return Intake(receiving, sources, world.clock, world.measures, PLATE_KEYS)


async def test_each_reading_gets_its_own_verdict_in_the_order_sent() -> None:
    """An item that can't be meant, or is about nobody's lot, never stops the others."""
    said: list[Reading] = [
        Unmeant("bad_value"),
        CountReading("1001", NOW, free=118),
        CountReading("nowhere", NOW, free=3),
        CountReading("office", NOW, free=3),
        CarReading("1001", "in-1", PassageKind.ENTER, NOW - timedelta(seconds=1)),
        CountReading("emporium", NOW + timedelta(hours=1), free=7),
    ]
    async with ingest() as world:
        verdicts = await _intake(world).take(MALLS, said, way=Way.MQTT)
        assert [(verdict.outcome, verdict.code) for verdict in verdicts] == [
            (Outcome.REJECTED, "bad_value"),
            (Outcome.APPLIED, None),
            (Outcome.REJECTED, "unknown_lot"),
            (Outcome.REJECTED, "not_your_lot"),
            (Outcome.APPLIED, None),
            (Outcome.REJECTED, "future_time"),
        ]
        seen = await world.seen(MALL)
        assert seen is not None
        assert seen.free == 118
        assert world.journal.order == ["passage", "observation"]  # a car precedes the count that has it


async def test_without_a_time_the_time_of_receipt_is_taken_and_said() -> None:
    """A source without a clock is believed at the instant it was heard, and the record says whose time that is."""
    async with ingest() as world:
        [verdict] = await _intake(world).take(MALLS, [CountReading("1001", None, free=5)], way=Way.PUSH)
        assert verdict.outcome is Outcome.APPLIED
        seen = await world.seen(MALL)
        assert seen is not None
        assert seen.observed_at == NOW


@pytest.mark.parametrize("ahead", ["own", "ledger's"])
async def test_without_a_time_a_wrong_clock_of_the_process_dates_nothing(ahead: str) -> None:
    """By the ledger's clock a report is as old as it is, whatever this machine thinks; so is a new lot's letter."""
    async with ingest() as world:
        clock = world.own_clock if ahead == "own" else world.clock
        clock.step_to(NOW + timedelta(hours=1))
        said: list[Reading] = [CountReading("1001", None, free=5), CountReading("nowhere", None, free=5)]
        verdicts = await world.intake.take(MALLS, said, way=Way.PUSH)
        assert [verdict.outcome for verdict in verdicts] == [Outcome.APPLIED, Outcome.REJECTED]
        seen = await world.seen(MALL)
        assert seen is not None
        assert seen.observed_at == world.clock.now()
        [letter] = await world.letters.waiting()
        reading = read_reading(letter.payload)
        assert isinstance(reading, CountReading)
        assert reading.observed_at == world.clock.now()


async def test_without_a_time_and_without_the_record_a_count_is_shown_at_the_own_time() -> None:
    """The ledger can't be asked; what was counted is shown all the same, and the sender is told to come back."""
    async with ingest() as world:
        world.journal.failing = StoreAway()
        with pytest.raises(StoreAway):
            await world.intake.take(MALLS, [CountReading("1001", None, free=5)], way=Way.PUSH)
        seen = await world.seen(MALL)
        assert seen is not None
        assert (seen.free, seen.observed_at) == (5, NOW)


@pytest.mark.parametrize(("source", "code"), [("nobody", "unknown_source"), ("liar", "not_allowed")])
async def test_who_is_not_known_or_is_suspended_is_not_taken_in(source: str, code: str) -> None:
    """Nothing of it is kept or shown."""
    async with ingest() as world:
        before = world.everything_kept()
        [verdict] = await _intake(world).take(SourceId(source), [CountReading("1001", NOW, free=5)], way=Way.MQTT)
        assert (verdict.outcome, verdict.code) == (Outcome.REJECTED, code)
        assert world.everything_kept() == before


async def test_a_plate_is_kept_only_as_a_hash() -> None:
    """What was recorded of a car has no plate in it, however the car was reported."""
    async with ingest() as world:
        await _intake(world).take(
            MALLS,
            [CarReading("1001", "in-1", PassageKind.ENTER, NOW, plate="浙A12345", moves_count=False)],
            way=Way.PUSH,
        )
        [(passage, moves_count)] = world.journal.passages
        assert passage.plate_hashes
        assert "12345" not in repr(passage)
        assert not moves_count


async def test_with_the_record_away_nothing_is_acknowledged() -> None:
    """The caller learns of it, and may take all of it in again."""
    async with ingest() as world:
        intake = _intake(world)
        world.journal.failing = StoreAway()
        with pytest.raises(StoreAway):
            await intake.take(MALLS, [CountReading("1001", NOW, free=5)], way=Way.PULL)
        world.journal.failing = None
        [verdict] = await intake.take(MALLS, [CountReading("1001", NOW, free=5)], way=Way.PULL)
        assert verdict.outcome is Outcome.APPLIED


async def test_a_sign_of_life_is_counted() -> None:
    """Who looks at the metrics sees links come and go."""
    async with ingest() as world:
        intake = _intake(world)
        await intake.take(
            MALLS, [LifeReading(None, Sign.HEARTBEAT), LifeReading("1001", Sign.COMMS_LOST)], way=Way.MQTT
        )
        counted = {
            sample.labels["sign"]: sample.value
            for metric in [world.measures._signs]
            for family in metric.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        }
        assert counted == {"heartbeat": 1, "comms_lost": 1}


def test_the_names_of_dirt_are_each_said_once() -> None:
    """One name, one meaning: nothing in the catalogue is an alias of another."""
    assert len({dirt.value for dirt in Dirt}) == len(Dirt.__members__)
