"""Trust as ingest keeps it: who is new offers nothing, who lies is found, whose link breaks is doubted at once."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from bowei.domain.dirt import Doubt
from bowei.domain.heartbeats import Heartbeat, Sign
from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import Observation
from bowei.domain.places import Point
from bowei.domain.trust import TrustState
from bowei.records.failures import StoreAway
from bowei.records.quality import LotQuality
from bowei.records.registering import Source, SourceKind, key_sha256_of
from bowei.records.reporting import Judged
from services.ingest import noting
from services.ingest.measures import Way
from services.ingest.noting import STRANGERS_MOST
from services.ingest.readings import CountReading, LifeReading
from tests.service.ingest_app import EMPORIUM, MALL, NOW, OFFICE, IngestWorld, a_lot, ingest, observation, results

MALLS = SourceId("malls")
NEW_KEY = "new.a-secret-that-nobody-has-seen-before"
HOUR = timedelta(hours=1)


async def register_new(world: IngestWorld, lot_id: str = "new", *, trusted: bool = False) -> None:
    """Register a source with a lot of its own."""
    await world.register.put_lots([a_lot(LotId(lot_id), 60)])
    source = Source(
        SourceId("new"), SourceKind.NATIVE, key_sha256_of(NEW_KEY), lots=((lot_id, LotId(lot_id)),), trusted=trusted
    )
    await world.register.put_sources([source])


async def quality_of(world: IngestWorld, lot_id: LotId = MALL) -> LotQuality:
    """Give how a lot stands."""
    (found,) = [one for one in (await world.quality.city()).lots if one.lot_id == lot_id]
    return found


async def shown_doubt(world: IngestWorld, lot_id: LotId = MALL) -> Doubt | None:
    """Give why everyone sees that a lot is not believed, once the copier has looked."""
    await world.copying.look()
    report = await world.seen(lot_id)
    assert report is not None
    return report.doubt


async def live_a_day(world: IngestWorld, frees: Sequence[int], lot_id: str, key: str) -> None:
    """Let a lot report now and then, and the assessor look, each hour of a day and a little more."""
    for hour in range(26):
        at, free = world.clock.now().isoformat(), frees[hour % len(frees)]
        said = observation(lot_id=lot_id, observed_at=at, capacity=None, open=None, free=free)
        assert (await world.observe(said, key=key)).status_code == 200
        world.step(3_600)
        await world.assessor.look()
        await world.assessor.tell()
        world.step(1)


async def test_the_first_report_of_a_new_source_offers_nothing() -> None:
    """Proves that nobody is sent to a lot that is unknown, not even between its first report and the first look."""
    async with ingest() as world:
        await register_new(world)
        assert results(await world.observe(observation(lot_id="new", capacity=60, open=None, free=9), key=NEW_KEY)) == [
            ("applied", None)
        ]
        assert await shown_doubt(world, LotId("new")) is Doubt.PROBATION


async def test_a_source_earns_trust_by_a_day_of_good_reports() -> None:
    """Proves that probation ends by itself, for the source and its lot, and that readers see it."""
    async with ingest() as world:
        await register_new(world)
        await live_a_day(world, [9, 12, 20, 14], "new", NEW_KEY)
        trusts = (await world.quality.city()).trusts
        assert trusts[SourceId("new"), None].state is TrustState.LIVE
        assert trusts[SourceId("new"), LotId("new")].state is TrustState.LIVE
        assert await shown_doubt(world, LotId("new")) is None


async def test_a_source_that_sends_nonsense_stays_on_probation() -> None:
    """Proves that a day of reports is not enough: they must be believed."""
    async with ingest() as world:
        await register_new(world)
        await live_a_day(world, [9, 999, 12], "new", NEW_KEY)
        assert (await world.quality.city()).trusts[SourceId("new"), None].state is TrustState.PROBATION
        assert await shown_doubt(world, LotId("new")) is Doubt.PROBATION


async def test_a_trusted_source_that_sends_only_nonsense_is_suspended() -> None:
    """Proves that trust is lost by rules alone, with the evidence, and without refusing what is still said."""
    async with ingest() as world:
        await live_a_day(world, [118], "mall", "malls.a-secret-that-only-the-malls-know")
        await live_a_day(world, [999], "mall", "malls.a-secret-that-only-the-malls-know")
        trust = (await world.quality.city()).trusts[MALLS, MALL]
        assert (trust.state, trust.reason) == (TrustState.SUSPENDED, "bad_reports")
        assert await shown_doubt(world) is Doubt.SUSPENDED
        assert (await world.observe(observation(observed_at=world.clock.now().isoformat()))).status_code == 200


async def test_a_stuck_counter_is_found_and_offers_nothing() -> None:
    """Proves the path of a finding: from the record, through the look, to what everyone sees."""
    async with ingest() as world:
        for hour in range(8 * 24):
            at = NOW - (8 * 24 - hour) * HOUR
            free = 200 if hour >= 7 * 24 else 100 + (7 * hour) % 90
            await world.journal.record([Judged(Observation(MALL, at, MALLS, capacity=300, free=free))])
        await world.assessor.look()
        await world.assessor.tell()
        found = await quality_of(world)
        assert [finding.dirt for finding in found.findings if finding.dirt == "stuck"] == ["stuck"]
        assert found.doubt == "stuck"
        assert await shown_doubt(world) is Doubt.STUCK


async def test_a_person_s_word_in_the_registry_reaches_readers() -> None:
    """Proves that what was decided elsewhere is shown when the assessor looks around."""
    async with ingest() as world:
        await world.observe(observation())
        await world.quality.suspend(MALLS, MALL, said_by="li", reason="lies")
        await world.assessor.tell()
        assert await shown_doubt(world) is Doubt.SUSPENDED
        await world.quality.release(MALLS, MALL, said_by="li", reason="mended", pinned=False)
        await world.assessor.tell()
        assert await shown_doubt(world) is None


async def test_a_source_suspended_by_hand_is_refused() -> None:
    """Proves that the act closes the door at once, as a registration does."""
    async with ingest() as world:
        assert (await world.observe(observation())).status_code == 200
        await world.quality.suspend(MALLS, None, said_by="li", reason="lies")
        world.monotonic_s += 3
        answer = await world.observe(observation())
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


async def sign(world: IngestWorld, sign: Sign, lot_id: LotId | None = MALL) -> None:
    """Let a link show life, or its end."""
    await world.notes.signs([Heartbeat(MALLS, world.clock.now(), lot_id, sign)])


async def test_a_lost_link_doubts_its_lots_at_once_and_life_brings_them_back() -> None:
    """Proves that a broker's last word is enough: nobody is sent to a lot whose barrier was heard to die."""
    async with ingest() as world:
        await world.observe(observation())
        world.step(10)
        await sign(world, Sign.COMMS_LOST)
        assert await shown_doubt(world) is Doubt.COMMS_LOST
        world.step(10)
        await sign(world, Sign.COMMS_RESTORED)
        assert await shown_doubt(world) is None


async def test_what_is_told_late_changes_nothing_that_the_record_says() -> None:
    """Proves that a replica that looked before another did can't take a doubt back: telling only shows."""
    async with ingest() as world:
        await world.observe(observation())
        world.step(10)
        await sign(world, Sign.COMMS_LOST)
        await world.notes._doubts.tell({MALL: None})
        assert (await world.journal.reports())[MALL].doubt is Doubt.COMMS_LOST
        assert await shown_doubt(world) is Doubt.COMMS_LOST


async def test_a_doubt_that_could_not_be_shown_is_shown_later() -> None:
    """Proves that it is enough that the record has it, though the live state is away when it is told."""
    async with ingest() as world:
        await world.observe(observation())
        assert await shown_doubt(world) is None
        world.step(10)
        world.live.away = True
        await sign(world, Sign.COMMS_LOST)
        world.live.away = False
        assert await shown_doubt(world) is Doubt.COMMS_LOST


async def test_three_missed_heartbeats_lose_a_link() -> None:
    """Proves the slow way too: a link that used to show life and stopped is found by the next look."""
    async with ingest() as world:
        await world.observe(observation())
        for _ in range(4):
            world.step(30)
            await sign(world, Sign.HEARTBEAT)
        await world.notes.write()
        world.step(91)
        await world.assessor.look()
        await world.assessor.tell()
        assert await shown_doubt(world) is Doubt.COMMS_LOST


async def test_signs_are_kept_while_the_record_is_away() -> None:
    """Proves that heartbeats gathered during a failure are written afterwards, and the end of a link is refused."""
    async with ingest() as world:
        failing = FailingBook(world)
        await sign(world, Sign.HEARTBEAT)
        failing.fail = True
        with pytest.raises(StoreAway):
            await world.notes.write()
        with pytest.raises(StoreAway):
            await sign(world, Sign.COMMS_LOST)
        failing.fail = False
        await world.notes.write()
        (link,) = (await world.quality.city()).links
        assert (link.last_at, link.lost_since) == (NOW, NOW)


class FailingBook:
    """Makes the world's book fail as a lost server would."""

    def __init__(self, world: IngestWorld) -> None:
        self.fail = False
        self._noted = world.quality.note_signs
        world.notes._book = self  # type: ignore[assignment]

    async def note_signs(self, heard: Sequence[Heartbeat]) -> object:
        """Note, or fail."""
        if self.fail:
            raise StoreAway
        return await self._noted(heard)

    async def note_strangers(self, heard: object) -> None:
        """Nobody is strange here."""


async def test_lots_that_nobody_registered_are_noted_whatever_way_they_came() -> None:
    """Proves that codes wait for a person with how often they were said, and that junk is named so."""
    async with ingest() as world:
        for _ in range(3):
            await world.observe(observation(lot_id="2002"))
        reading = CountReading("null", world.clock.now(), free=3)
        intake = world.intake
        await intake.take(MALLS, [reading], way=Way.PUSH)
        world.notes.stranger(MALLS, "9.9", name="商埸", place=Point(30.2553, 120.1583))
        await world.notes.write()
        found = {one.code: one for one in (await world.quality.city()).strangers}
        assert {code: (one.dirt.value, one.times) for code, one in found.items()} == {
            "2002": ("unknown_lot", 3),
            "null": ("junk_id", 1),
            "9.9": ("renamed_lot", 1),
        }
        assert found["9.9"].like in {MALL, EMPORIUM}


async def test_a_lot_registered_meanwhile_is_not_listed() -> None:
    """Proves that the pending list holds only what is pending."""
    async with ingest() as world:
        world.notes.stranger(MALLS, "1001")
        await world.notes.write()
        assert list((await world.quality.city()).strangers) == []


async def test_what_is_noted_is_bounded() -> None:
    """Proves that a source that invents codes can't fill this process's memory."""
    async with ingest() as world:
        for number in range(STRANGERS_MOST + 50):
            world.notes.stranger(MALLS, f"x{number}" + "y" * 500)
        assert len(world.notes._strangers) == STRANGERS_MOST
        await world.notes.write()
        assert all(len(one.code) <= 200 for one in (await world.quality.city()).strangers)


async def test_the_end_of_a_link_is_heard_however_many_others_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that the bound is on heartbeats only: what was acknowledged as lost is not forgotten."""
    monkeypatch.setattr(noting, "SIGNS_MOST", 1)
    async with ingest() as world:
        await world.observe(observation())
        world.step(10)
        await sign(world, Sign.HEARTBEAT, EMPORIUM)
        await sign(world, Sign.HEARTBEAT, MALL)
        assert list(world.notes._signs) == [(MALLS, EMPORIUM)]
        await sign(world, Sign.COMMS_LOST, MALL)
        assert await shown_doubt(world) is Doubt.COMMS_LOST


async def test_the_city_is_counted_where_it_is_assessed() -> None:
    """Proves the metrics an operator watches: coverage, trust, doubts, findings, strangers."""
    async with ingest() as world:
        await world.observe(observation())
        await register_new(world)
        world.notes.stranger(MALLS, "2002")
        await world.notes.write()
        await world.assessor.look()
        assert await world.metric('bowei_ingest_lots{coverage="registered"}') == 4
        assert await world.metric('bowei_ingest_lots{coverage="fresh"}') == 1
        assert await world.metric('bowei_ingest_lots_by_trust{state="probation"}') == 1
        assert await world.metric('bowei_ingest_lots_doubted{doubt="probation"}') == 1
        assert await world.metric("bowei_ingest_lots_pending") == 1
        assert await world.metric("bowei_ingest_assessed_timestamp_seconds") == NOW.timestamp()


async def test_a_reading_of_life_finds_its_lot() -> None:
    """Proves that a heartbeat of any feed is kept for the lot it is of, or for the whole link."""
    async with ingest() as world:
        await world.intake.take(
            MALLS, [LifeReading("1001", Sign.HEARTBEAT), LifeReading(None, Sign.HEARTBEAT)], way=Way.MQTT
        )
        await world.notes.write()
        assert {one.lot_id for one in (await world.quality.city()).links} == {MALL, None}
        assert OFFICE not in {one.lot_id for one in (await world.quality.city()).links}
