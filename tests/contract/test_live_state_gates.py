"""What everyone may rely on of gates' words in the live state, in memory and in Redis in every form alike."""

import asyncio
from datetime import timedelta

from bowei.domain.gate import GateWord
from bowei.domain.lots import HospitalId
from bowei.livestate.reading import Change
from tests.contract.full_directory import NINE
from tests.contract.test_live_state import Room, form, next_news, room

__all__ = ["form", "room"]

WORDS = (
    GateWord(HospitalId("first"), 12, NINE, NINE + timedelta(minutes=30)),
    GateWord(HospitalId("市一"), paused_until=NINE),
)


async def test_words_are_shown_whole_in_the_place_of_what_was(room: Room) -> None:
    """Every field survives; that nobody says anything is not that nothing is known."""
    assert await room.live_state.gate_words() is None
    for shown in (WORDS, WORDS[1:], ()):
        await room.live_state.show_gate_words(shown)
        assert tuple(await room.live_state.gate_words() or ()) == shown
    assert await room.live_state.gate_words() is not None
    await room.flush()
    assert await room.live_state.gate_words() is None


async def test_readers_hear_of_words(room: Room) -> None:
    """Of each, and of nothing else."""
    async with room.live_state.changes() as news, asyncio.timeout(10):
        for words in (WORDS, ()):
            await room.live_state.show_gate_words(words)
            assert await next_news(news) == Change(gates=True)
