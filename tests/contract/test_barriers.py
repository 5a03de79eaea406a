"""What barriers are told of holds and what they answer, kept by every store."""

from bowei.domain.holds import HoldState
from bowei.records.barriers import BarrierCommand, CommandKind
from tests.contract.block import MALL, MALL_FIRST, OFFICE, OFFICE_FIRST, PLATE, TEN_MINUTES, Block, on


async def _told(block: Block) -> list[BarrierCommand]:
    return list(await block.stores.barriers.commands([MALL]))


async def test_a_barrier_is_told_to_let_a_held_car_in(block: Block) -> None:
    """Shows that it gets the plate's hash and the code, from when until when, and of its own lot only."""
    hold = (await block.ask("ann", plate_hash=PLATE)).hold
    await block.ask("bob", on(OFFICE_FIRST))
    (command,) = await _told(block)
    assert hold is not None
    assert (command.kind, command.lot_id, command.code, command.plate_hash) == (
        CommandKind.AUTHORISE,
        MALL,
        hold.code,
        PLATE,
    )
    assert (command.valid_from, command.valid_until) == (block.now, block.now + TEN_MINUTES)
    assert len(await block.stores.barriers.commands([MALL, OFFICE])) == 2


async def test_an_extended_hold_is_told_anew_with_its_new_end(block: Block) -> None:
    """Shows that a later command has the greater id, and that both say the end as it is now."""
    await block.ask("ann")
    await block.extend("ann", minutes=5)
    first, second = await _told(block)
    assert first.command_id < second.command_id
    assert second.valid_until - block.now == TEN_MINUTES * 1.5


async def test_a_hold_that_ends_without_its_car_is_revoked(block: Block) -> None:
    """Shows it for one that is given up, one that is moved and one that runs out; what is over is not let in."""
    for driver in ("ann", "bob", "cid"):
        await block.ask(driver)
    await block.release("ann")
    await block.move("bob", on(OFFICE_FIRST))
    assert [one.kind for one in await _told(block)] == [
        CommandKind.AUTHORISE,
        CommandKind.REVOKE,
        CommandKind.REVOKE,
    ]
    await block.pass_time(minutes=10)
    await block.book.sweep()
    assert [one.kind for one in await _told(block)] == [CommandKind.REVOKE] * 3
    await block.pass_time(minutes=61)
    assert await _told(block) == []


async def test_a_car_that_is_in_needs_no_command(block: Block) -> None:
    """Shows that an arrival takes the command back and gives none, also when the space is given up afterwards."""
    await block.ask("ann")
    await block.arrive("ann")
    assert await _told(block) == []
    await block.release("ann")
    assert await _told(block) == []


async def test_what_was_answered_is_not_told_again(block: Block) -> None:
    """Shows that an answer is kept, may be repeated, and is this lot's alone."""
    await block.ask("ann")
    (command,) = await _told(block)
    barriers = block.stores.barriers
    assert await barriers.answer(OFFICE, command.command_id, accepted=True, reason=None) is None
    assert await barriers.answer(MALL, command.command_id + 1_000, accepted=True, reason=None) is None
    for _ in range(2):
        answered = await barriers.answer(MALL, command.command_id, accepted=True, reason=None)
        assert answered is not None
        kind, decision = answered
        assert kind is CommandKind.AUTHORISE
        assert decision.hold is not None
        assert not decision.hold.barred
    assert await _told(block) == []


async def test_a_barrier_that_refuses_a_car_bars_its_hold(block: Block) -> None:
    """Shows that the refusal is news, is seen in the hold, and that a later word takes it back."""
    await block.ask("ann")
    (command,) = await _told(block)
    cursor = (await block.book.steps(None)).cursor
    answered = await block.stores.barriers.answer(MALL, command.command_id, accepted=False, reason="full")
    assert answered is not None
    assert ("diversion-of-ann", MALL) in (await block.book.steps(cursor)).taken
    for decision in (answered[1], await block.find("ann")):
        assert decision.hold is not None
        assert (decision.hold.barred, decision.hold.state) == (True, HoldState.HELD)
    await block.ask("bob")
    assert [one.driver_id for one in await block.book.barred_on([MALL, OFFICE])] == ["ann"]
    await block.stores.barriers.answer(MALL, command.command_id, accepted=True, reason=None)
    found = (await block.find("ann")).hold
    assert found is not None
    assert not found.barred


async def test_a_refusal_of_what_is_over_bars_nothing(block: Block) -> None:
    """Shows that an answer to a command that came too late is kept and changes no hold."""
    await block.ask("ann", on(MALL_FIRST))
    (command,) = await _told(block)
    await block.release("ann")
    answered = await block.stores.barriers.answer(MALL, command.command_id, accepted=False, reason=None)
    assert answered is not None
    hold = answered[1].hold
    assert hold is not None
    assert (hold.state, hold.barred) == (HoldState.RELEASED, False)
    (revoke,) = await _told(block)
    answered = await block.stores.barriers.answer(MALL, revoke.command_id, accepted=False, reason=None)
    assert answered is not None
    assert answered[0] is CommandKind.REVOKE
