"""What the gate book promises, kept by every store: the newest word of each gate holds, for a while, and is noted."""

from datetime import timedelta

import pytest

from bowei.domain.acts import Act
from bowei.domain.gate import GateWord
from bowei.domain.lots import HospitalId
from bowei.records.registering import UnknownReference
from tests.contract.block import FIRST, MONDAY_9H, SECOND, Block
from tests.contract.stores import Stores

ACT = Act("gate:first", "say_queue", "/v1/hospitals/first/gate/queue", "done")
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def block(stores: Stores) -> Block:
    """Give a block whose hospitals are registered."""
    made = Block(stores)
    await made.settle_in()
    return made


async def test_the_newest_word_of_each_gate_holds(block: Block) -> None:
    """A queue and a pause are two words: neither undoes the other, nor another gate's."""
    gates = block.stores.gates
    assert list(await gates.words()) == []
    assert await gates.say_queue(FIRST, 12, ACT) == MONDAY_9H
    assert await gates.pause(FIRST, 30 * MINUTE, ACT) == MONDAY_9H + 30 * MINUTE
    await block.step_to(MONDAY_9H + MINUTE)
    await gates.say_queue(FIRST, 9, ACT)
    await gates.say_queue(SECOND, 0, ACT)
    assert list(await gates.words()) == [
        GateWord(FIRST, 9, MONDAY_9H + MINUTE, MONDAY_9H + 30 * MINUTE),
        GateWord(SECOND, 0, MONDAY_9H + MINUTE),
    ]


async def test_a_word_that_is_over_is_not_given(block: Block) -> None:
    """A queue says nothing after a quarter of an hour; a pause ends at its last instant, or when it is ended."""
    gates = block.stores.gates
    await gates.say_queue(FIRST, 12, ACT)
    await gates.pause(FIRST, 30 * MINUTE, ACT)
    await gates.pause(SECOND, 30 * MINUTE, ACT)
    await block.step_to(MONDAY_9H + 15 * MINUTE)
    await gates.resume(SECOND, ACT)
    assert list(await gates.words()) == [GateWord(FIRST, paused_until=MONDAY_9H + 30 * MINUTE)]
    await block.step_to(MONDAY_9H + 30 * MINUTE)
    assert list(await gates.words()) == []


async def test_who_never_paused_may_resume(block: Block) -> None:
    """Nothing changes; the queue stays."""
    await block.stores.gates.resume(SECOND, ACT)
    await block.stores.gates.say_queue(FIRST, 3, ACT)
    await block.stores.gates.resume(FIRST, ACT)
    assert list(await block.stores.gates.words()) == [GateWord(FIRST, 3, MONDAY_9H)]


async def test_every_word_is_noted_in_the_audit(block: Block) -> None:
    """In order, with who said it; of a word that could not be kept nothing is noted."""
    gates = block.stores.gates
    with pytest.raises(UnknownReference):
        await gates.say_queue(HospitalId("none"), 1, ACT)
    with pytest.raises(UnknownReference):
        await gates.pause(HospitalId("none"), MINUTE, ACT)
    await gates.say_queue(FIRST, 1, ACT)
    paused = Act("gate:first", "pause_diversions", "/v1/hospitals/first/gate/pause", "done", "r-1", b"\x01" * 32)
    await gates.pause(FIRST, MINUTE, paused)
    resumed = Act("gate:first", "resume_diversions", "/v1/hospitals/first/gate/pause", "done")
    await gates.resume(FIRST, resumed)
    assert [entry.act for entry in await block.stores.audit.entries(0)] == [ACT, paused, resumed]
