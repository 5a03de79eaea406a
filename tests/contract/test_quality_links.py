"""Beside reports: signs of life of links, and lots that nobody registered, kept by every store in the same way."""

from datetime import timedelta

import pytest

from bowei.domain.dirt import Dirt
from bowei.domain.heartbeats import Heartbeat, Sign
from bowei.domain.lots import LotId, SourceId
from bowei.domain.places import Point
from bowei.domain.strangers import Stranger
from bowei.records.quality import STRANGERS_MOST, Assessment, EventKind
from bowei.records.registering import Source, SourceKind, UnknownReference
from tests.contract.block import MALL, MONDAY_9H, OFFICE, SOURCE, Block
from tests.contract.test_quality import enrol, events_of

NEW = SourceId("new")
MINUTE = timedelta(minutes=1)


async def beat(block: Block, sign: Sign = Sign.HEARTBEAT, lot_id: LotId | None = MALL) -> dict[LotId, str | None]:
    """Let a link show life, or its end."""
    return dict(await block.stores.quality.note_signs([Heartbeat(SOURCE, block.now, lot_id, sign)]))


async def test_a_lost_link_doubts_its_lots_at_once(block: Block) -> None:
    """Shows that a broker's word is enough, for one lot or for all of a source, until life shows again."""
    await enrol(block, MALL, OFFICE)
    await block.pass_time(seconds=30)
    assert await beat(block, Sign.COMMS_LOST) == {MALL: "comms_lost"}
    assert await beat(block, Sign.COMMS_LOST, None) == {OFFICE: "comms_lost"}
    assert await beat(block, Sign.COMMS_RESTORED, None) == {OFFICE: None}
    assert await beat(block) == {MALL: None}
    links = [(one.lot_id, one.was, one.became) for one in await events_of(block, EventKind.LINK)]
    assert links == [(MALL, "up", "lost"), (None, "up", "lost"), (None, "lost", "up"), (MALL, "lost", "up")]


async def test_a_lot_that_reports_after_its_link_was_lost_is_believed_again(block: Block) -> None:
    """Shows that a report is a sign of life too, at the next look at the lot."""
    await enrol(block, MALL)
    await beat(block, Sign.COMMS_LOST)
    await block.pass_time(seconds=10)
    assert await block.stores.quality.assess([Assessment(MALL)]) == {}
    await block.report(MALL, free=44)
    assert await block.stores.quality.assess([Assessment(MALL)]) == {MALL: None}


async def test_three_missed_heartbeats_lose_a_link_that_used_to_send_them(block: Block) -> None:
    """Shows that 90 s of silence are a lost link, not earlier, and that a report brings it back."""
    await enrol(block, MALL)
    for _ in range(3):
        await block.pass_time(seconds=30)
        await beat(block)
    await block.pass_time(seconds=90)
    assert await block.stores.quality.watch_links() == {}
    await block.pass_time(seconds=1)
    assert await block.stores.quality.watch_links() == {MALL: "comms_lost"}
    assert await block.stores.quality.watch_links() == {}
    (link,) = (await block.stores.quality.city()).links
    assert link.lost_since == link.last_at == MONDAY_9H + timedelta(seconds=90)
    await block.report(MALL, free=44)
    assert await block.stores.quality.watch_links() == {MALL: None}


async def test_who_never_sends_heartbeats_or_reports_all_the_same_is_not_lost(block: Block) -> None:
    """Shows that there are no false alarms: two heartbeats are no habit, and a lot that reports is there."""
    await enrol(block, MALL, OFFICE)
    await beat(block)
    await beat(block)
    for _ in range(5):
        await beat(block, lot_id=OFFICE)
    await block.pass_time(minutes=5)
    await block.report(OFFICE, free=3)
    assert await block.stores.quality.watch_links() == {}


async def test_signs_that_come_as_they_please_make_no_habit(block: Block) -> None:
    """Shows that a feed asked every five minutes is not lost in between; but its end, said aloud, is heard."""
    await enrol(block, MALL)
    for _ in range(5):
        await block.pass_time(minutes=5)
        seen = Heartbeat(SOURCE, block.now, None, habit=False)
        assert await block.stores.quality.note_signs([seen, seen]) == {}
        await block.pass_time(minutes=4)
        assert await block.stores.quality.watch_links() == {}
    assert await beat(block, Sign.COMMS_LOST, None) == {MALL: "comms_lost"}
    await block.pass_time(minutes=1)
    assert await block.stores.quality.note_signs([Heartbeat(SOURCE, block.now, None, habit=False)]) == {MALL: None}


async def test_a_sign_from_the_future_is_of_now(block: Block) -> None:
    """Shows that a sender whose clock runs ahead can't be alive in advance, nor deaf to what it says next."""
    await enrol(block, MALL)
    for _ in range(3):
        assert await block.stores.quality.note_signs([Heartbeat(SOURCE, block.now + 9 * MINUTE, MALL)]) == {}
    (link,) = (await block.stores.quality.city()).links
    assert link.last_at == block.now
    await block.pass_time(minutes=2)
    assert await block.stores.quality.watch_links() == {MALL: "comms_lost"}
    assert await beat(block) == {MALL: None}
    assert await beat(block, Sign.COMMS_LOST) == {MALL: "comms_lost"}


async def test_a_sign_that_comes_late_changes_nothing(block: Block) -> None:
    """Shows that a loss that was buffered on its way does not undo the life that was shown since."""
    await enrol(block, MALL)
    await block.pass_time(minutes=1)
    await beat(block)
    late = Heartbeat(SOURCE, MONDAY_9H + timedelta(seconds=30), MALL, Sign.COMMS_LOST)
    assert await block.stores.quality.note_signs([late]) == {}
    (link,) = (await block.stores.quality.city()).links
    assert (link.last_at, link.lost_since) == (block.now, None)


async def test_signs_of_nobody_are_dropped(block: Block) -> None:
    """Shows that a sign of an unregistered source leaves nothing behind."""
    assert await beat(block) == {}
    assert list((await block.stores.quality.city()).links) == []


def a_stranger(code: str, minutes: int = 0, **other: object) -> Stranger:
    """Give a lot that nobody registered."""
    at = MONDAY_9H + minutes * MINUTE
    known: dict[str, object] = {"name": None, "place": None} | other
    return Stranger(SOURCE, code, at, at, **known)  # type: ignore[arg-type]


async def test_strangers_wait_with_all_that_was_said_of_them(block: Block) -> None:
    """Shows that names and places are kept, times are counted, and nobody is listed for an unknown source."""
    await enrol(block, MALL)
    quality = block.stores.quality
    await quality.note_strangers([a_stranger("b", name="迪卡儂", place=Point(30.2, 120.1)), a_stranger("a")])
    await quality.note_strangers(
        [a_stranger("b", 5, dirt=Dirt.RENAMED_LOT, like=MALL), Stranger(NEW, "c", MONDAY_9H, MONDAY_9H)]
    )
    first, second = (await quality.city()).strangers
    assert (first.code, first.times, first.name, first.place) == ("b", 2, "迪卡儂", Point(30.2, 120.1))
    assert (first.first_heard_at, first.last_heard_at) == (MONDAY_9H, MONDAY_9H + 5 * MINUTE)
    assert (first.dirt, first.like, second.code) == (Dirt.RENAMED_LOT, MALL, "a")
    await quality.forget_stranger(SOURCE, "a")
    with pytest.raises(UnknownReference):
        await quality.forget_stranger(SOURCE, "a")
    assert len((await quality.city()).strangers) == 1


async def test_a_stranger_that_is_registered_waits_no_more(block: Block) -> None:
    """Shows that the list holds what is still to be done, by whichever name the source calls it."""
    await enrol(block, MALL)
    await block.stores.quality.note_strangers([a_stranger("a"), a_stranger("P-9"), a_stranger("office")])
    await block.register.put_sources(
        [Source(SOURCE, SourceKind.NATIVE, lots=(("mall", MALL), ("P-9", OFFICE)), trusted=True)]
    )
    assert [one.code for one in (await block.stores.quality.city()).strangers] == ["a"]


async def test_a_source_can_t_fill_the_list_of_strangers(block: Block) -> None:
    """Shows that what was not heard for longest makes room."""
    await enrol(block, MALL)
    many = [a_stranger(f"s{number}", number) for number in range(STRANGERS_MOST + 5)]
    await block.stores.quality.note_strangers(many)
    kept = {one.code for one in (await block.stores.quality.city()).strangers}
    assert len(kept) == STRANGERS_MOST
    assert "s4" not in kept
    assert "s5" in kept
