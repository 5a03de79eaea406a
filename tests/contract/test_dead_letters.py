"""What dead letters promise, kept by every store: bounded for each source, the same letter once, delivered once."""

import asyncio
from datetime import timedelta

from bowei.domain.lots import SourceId
from bowei.records.dead_letters import LARGEST_PAYLOAD_BYTES
from tests.contract.block import MONDAY_9H, Block
from tests.contract.stores import MOST_LETTERS

MALLS, OFFICE = SourceId("malls"), SourceId("office")


async def keep(block: Block, payload: bytes, source_id: SourceId = MALLS, reason: str = "unknown_lot") -> int:
    """Keep a letter about lot 17."""
    return await block.stores.letters.keep(source_id, "mqtt", reason, payload, "17")


async def waiting(block: Block, source_id: SourceId | None = None, reason: str | None = None) -> list[bytes]:
    """Give what the letters say that wait."""
    return [one.payload for one in await block.stores.letters.waiting(source_id=source_id, reason=reason)]


async def test_a_letter_is_given_back_as_it_was_kept(block: Block) -> None:
    """Shows who sent it, by which way, why it waits, when it came, and every byte of it."""
    await block.pass_time(minutes=1)
    payload = bytes(range(256))
    assert await block.stores.letters.keep(MALLS, "mqtt", "bad_value", payload, None) == 0
    assert await keep(block, b"2") == 0
    first, second = await block.stores.letters.waiting()
    assert (first.source_id, first.way, first.reason, first.lot_code) == (MALLS, "mqtt", "bad_value", None)
    assert (first.payload, first.received_at, first.tries) == (payload, block.now, 0)
    assert (second.lot_code, second.payload) == ("17", b"2")
    assert await block.stores.letters.count() == 2


async def test_the_same_letter_is_kept_once(block: Block) -> None:
    """Shows that a retained message, or a sender that repeats, fills nothing; other senders and ways are others."""
    for _ in range(3):
        await keep(block, b"same")
    await keep(block, b"same", OFFICE)
    await block.stores.letters.keep(MALLS, "push", "unknown_lot", b"same", "17")
    assert await waiting(block) == [b"same"] * 3


async def test_of_a_source_that_sends_too_many_the_oldest_go(block: Block) -> None:
    """Shows that a source which storms loses its own old letters, and nobody else's."""
    await keep(block, b"quiet", OFFICE)
    gone = [await keep(block, str(number).encode()) for number in range(MOST_LETTERS + 3)]
    assert sum(gone) == 3
    assert await waiting(block, MALLS) == [str(number).encode() for number in range(3, MOST_LETTERS + 3)]
    assert await waiting(block, OFFICE) == [b"quiet"]


async def test_a_storm_of_letters_at_once_is_bounded_too(block: Block) -> None:
    """Shows that the bound holds for letters that are kept by one commit, and that each is counted that went."""
    gone = await asyncio.gather(*(keep(block, str(number).encode()) for number in range(60)))
    assert sum(gone) == 60 - MOST_LETTERS
    assert await block.stores.letters.count() == MOST_LETTERS


async def test_a_letter_that_is_too_large_is_not_kept(block: Block) -> None:
    """Shows that nobody fills the record with a few large letters; the largest that is allowed is kept whole."""
    assert await keep(block, b"x" * (LARGEST_PAYLOAD_BYTES + 1)) == 1
    assert await keep(block, b"x" * LARGEST_PAYLOAD_BYTES) == 0
    assert [len(payload) for payload in await waiting(block)] == [LARGEST_PAYLOAD_BYTES]


async def test_letters_are_chosen_by_source_and_reason(block: Block) -> None:
    """Shows what redelivery can be narrowed to."""
    await keep(block, b"1")
    await keep(block, b"2", reason="bad_value")
    await keep(block, b"3", OFFICE)
    assert await waiting(block, MALLS) == [b"1", b"2"]
    assert await waiting(block, reason="unknown_lot") == [b"1", b"3"]
    assert await waiting(block, MALLS, "bad_value") == [b"2"]
    first, *others = await block.stores.letters.waiting(most=1)
    assert others == []
    assert [one.payload for one in await block.stores.letters.waiting(after=first.letter_id)] == [b"2", b"3"]


async def test_a_delivered_letter_waits_no_more_and_does_not_come_again(block: Block) -> None:
    """Shows that each try is counted, and that a repeat of what was delivered is not a new letter."""
    await keep(block, b"1")
    await keep(block, b"2")
    first, _ = await block.stores.letters.waiting()
    await block.stores.letters.tried(first.letter_id, redelivered=False)
    assert [one.tries for one in await block.stores.letters.waiting()] == [1, 0]
    await block.stores.letters.tried(first.letter_id, redelivered=True)
    await keep(block, b"1")
    assert await waiting(block) == [b"2"]
    assert await block.stores.letters.count() == 1


async def test_old_letters_are_forgotten_delivered_or_not(block: Block) -> None:
    """Shows that nothing waits for ever."""
    await keep(block, b"1")
    await keep(block, b"2")
    first, _ = await block.stores.letters.waiting()
    await block.stores.letters.tried(first.letter_id, redelivered=True)
    await block.step_to(MONDAY_9H + timedelta(days=14))
    await keep(block, b"3")
    assert await block.stores.letters.forget(days=14) == 0
    await block.pass_time(seconds=1)
    assert await block.stores.letters.forget(days=14) == 2
    assert await waiting(block) == [b"3"]
