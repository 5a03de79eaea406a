"""What is about a lot that nobody registered yet waits, is shown nowhere, and is delivered once it can be meant."""

from datetime import timedelta
from typing import Any

from typing_extensions import override

from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import Bound, PassageKind
from bowei.records.failures import StoreAway
from bowei.records.in_memory import InMemoryDeadLetters
from bowei.records.registering import Source, SourceKind, key_sha256_of
from services.ingest.intake import Intake
from services.ingest.letters import CountedLetters
from services.ingest.measures import Way
from services.ingest.readings import CarReading, CountReading, Reading
from services.ingest.receiving import Receiving
from services.ingest.redelivering import Redelivered, Redelivering
from services.ingest.sources import Sources
from tests.service.ingest_app import (
    KEY,
    MALL,
    NOW,
    PLATE_KEYS,
    IngestWorld,
    a_lot,
    ingest,
    observation,
    passage,
    results,
)

MALLS = SourceId("malls")
NEW = LotId("new-mall")


async def register_new(world: IngestWorld) -> None:
    """Register the lot that the malls report for already."""
    await world.register.put_lots([a_lot(NEW, 60)])
    lots = (("1001", MALL), ("new", NEW))
    await world.register.put_sources([Source(MALLS, SourceKind.NATIVE, key_sha256_of(KEY), lots=lots)])
    world.monotonic_s += 10


async def redeliver(world: IngestWorld, readers: Any = None, **chosen: Any) -> Redelivered:
    """Deliver letters as the command does."""
    receiving = Receiving(world.journal, world.live, world.clock, world.measures, copy_again=lambda: None)
    sources = Sources(world.register)
    intake = Intake(receiving, sources, world.clock, world.measures, PLATE_KEYS)
    return await Redelivering(world.letters, intake, sources, readers or {}).run(**chosen)


async def test_a_report_of_a_lot_that_is_registered_later_is_not_lost() -> None:
    """The sender is told that the lot is unknown; nothing is shown; once registered, what was said is recorded."""
    async with ingest() as world:
        at = (NOW - timedelta(seconds=9)).isoformat()
        said = observation(lot_id="new", observed_at=at, free=31, capacity=60, open=None, seq=4)
        car = passage(lot_id="new", plate="浙A12345")
        assert results(await world.observe(observation(), said)) == [("applied", None), ("rejected", "unknown_lot")]
        assert results(await world.report_passages(car)) == [("rejected", "unknown_lot")]
        assert await world.seen(NEW) is None
        letters = await world.letters.waiting()
        assert [(one.source_id, one.way, one.reason, one.lot_code) for one in letters] == [
            (MALLS, "native", "unknown_lot", "new")
        ] * 2
        assert all(b"12345" not in one.payload for one in letters)

        assert (await redeliver(world)).waiting == {"unknown_lot": 2}
        assert (await redeliver(world, dry_run=True)).waiting == {"unknown_lot": 2}
        await register_new(world)
        assert (await redeliver(world, dry_run=True)).delivered == 2
        assert await world.letters.count() == 2
        world.step(60)
        done = await redeliver(world)
        assert (done.delivered, dict(done.waiting)) == (2, {})
        seen = await world.seen(NEW)
        assert seen is not None
        assert (seen.free, seen.capacity, seen.seq, seen.observed_at) == (
            30,
            60,
            4,
            NOW - timedelta(seconds=2),
        )  # the car came in since
        assert await world.letters.count() == 0
        assert (await redeliver(world)).delivered == 0
        text = 'bowei_ingest_dead_letters_total{reason="unknown_lot",way="native"}'
        assert await world.metric(text) == 2


async def test_a_letter_says_all_that_the_native_report_said() -> None:
    """Cars counted, a bound and a count by hand are believed later as they would have been at once."""
    async with ingest() as world:
        said = observation(lot_id="new", capacity=60, open=60, free=30, free_bound="at_least", occupied=20, reset=True)
        await world.observe(said)
        await register_new(world)
        assert (await redeliver(world)).delivered == 1
        [kept] = world.records.history
        assert (kept.observation.occupied, kept.observation.bound, kept.observation.reset) == (20, Bound.AT_LEAST, True)
        seen = await world.seen(NEW)
        assert seen is not None
        assert (seen.free, seen.bound) == (30, Bound.AT_LEAST)


async def test_what_can_never_be_meant_and_what_is_another_s_is_only_answered() -> None:
    """A caller who is told what is wrong can put it right; no letter is kept for it."""
    async with ingest() as world:
        answer = await world.observe(
            observation(free=-1),
            observation(lot_id="office"),
            observation(lot_id="new", free=None),
            observation(lot_id="new", observed_at="2026-03-02T01:00:00"),
        )
        assert [code for _, code in results(answer)] == ["out_of_range", "not_your_lot", "unknown_lot", "unknown_lot"]
        assert await world.letters.count() == 0


async def test_of_a_lot_that_reports_all_the_time_a_count_a_minute_is_kept() -> None:
    """An unknown lot's counts don't push out the letters of others; its newest in a batch is the one that is kept."""
    async with ingest() as world:
        for second in range(5):
            at = NOW - timedelta(seconds=20 - second)
            batch = [
                observation(lot_id="new", observed_at=at.isoformat(), capacity=60, open=60, free=free)
                for free in (second, second + 10)
            ]
            await world.observe(*batch)
        assert await world.letters.count() == 1
        world.monotonic_s += 60
        await world.observe(observation(lot_id="new", capacity=60, open=60, free=59))
        assert await world.letters.count() == 2
        await register_new(world)
        await redeliver(world)
        said = [(kept.observation.free, kept.outcome.value) for kept in world.records.history]
        assert said == [(10, "applied"), (59, "applied")]
        assert await world.metric('bowei_ingest_dead_letters_dropped_total{why="often"}') == 9


async def test_feeds_keep_letters_too_with_the_time_of_receipt_where_none_was_said() -> None:
    """A feed without a clock is believed later at the instant when it was heard, not when it was delivered."""
    async with ingest() as world:
        letters = CountedLetters(world.letters, world.measures.history)
        receiving = Receiving(world.journal, world.live, world.clock, world.measures, copy_again=lambda: None)
        intake = Intake(receiving, Sources(world.register), world.clock, world.measures, PLATE_KEYS, letters)
        cars: list[Reading] = [
            CarReading("new", f"in-{number}", PassageKind.ENTER, NOW, plate="浙A12345") for number in (1, 2)
        ]
        await intake.take(MALLS, [CountReading("new", None, free=5), *cars], way=Way.MQTT)
        assert all(b"12345" not in one.payload for one in await world.letters.waiting())
        assert await world.letters.count() == 3
        await register_new(world)
        world.step(3600)
        assert (await redeliver(world)).delivered == 3
        seen = await world.seen(NEW)
        assert seen is not None
        assert seen.observed_at == NOW


async def test_a_letter_in_a_way_s_own_words_is_read_by_that_way() -> None:
    """What a broker brought and nobody could read then is read by the reader of now; without one it waits on."""
    async with ingest() as world:
        await world.letters.keep(MALLS, Way.MQTT, "bad_value", b"free=7", None)
        await world.letters.keep(MALLS, "gone", "bad_value", b"free=7", None)
        assert (await redeliver(world)).waiting == {"unreadable": 2}

        def read(source_id: SourceId, payload: bytes) -> list[Reading]:
            assert source_id == MALLS
            return [CountReading("1001", NOW, free=int(payload.partition(b"=")[2]))]

        done = await redeliver(world, {Way.MQTT: read})
        assert (done.delivered, dict(done.waiting)) == (1, {"unreadable": 1})
        seen = await world.seen(MALL)
        assert seen is not None
        assert seen.free == 7


async def test_only_the_letters_that_are_asked_for_are_tried() -> None:
    """A source or a reason narrows what is delivered."""
    async with ingest() as world:
        await register_new(world)
        for source_id, reason in ((MALLS, "unknown_lot"), (MALLS, "bad_value"), (SourceId("office"), "unknown_lot")):
            await world.letters.keep(source_id, Way.NATIVE, reason, f"{source_id} {reason}".encode(), None)
        assert sum((await redeliver(world, source_id=MALLS, reason="bad_value")).waiting.values()) == 1
        assert [one.tries for one in await world.letters.waiting()] == [0, 1, 0]


async def test_a_letter_waits_on_while_what_was_recorded_is_not_shown() -> None:
    """With the live state away a letter is recorded and tried again, so that boards have it in the end."""
    async with ingest() as world:
        await world.observe(observation(lot_id="new", capacity=60, open=60, free=3))
        await register_new(world)
        assert (await redeliver(world, shown=lambda: False)).waiting == {"not shown": 1}
        assert (await redeliver(world)).delivered == 1
        assert len(world.records.observations) == 1


async def test_letters_that_can_t_be_kept_cost_no_answer() -> None:
    """The items are answered as rejected; the others of the batch are taken in as ever."""

    class Away(InMemoryDeadLetters):
        @override
        async def keep(self, *_: object) -> int:
            raise StoreAway

    async with ingest(letters=Away) as world:
        answer = await world.observe(observation(), observation(lot_id="new"))
        assert results(answer) == [("applied", None), ("rejected", "unknown_lot")]
        assert await world.metric('bowei_ingest_dead_letters_dropped_total{why="away"}') == 1
