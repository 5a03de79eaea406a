"""What the ledger promises, kept by every store: placing, repeating, and the ends of a hold."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from bowei.domain.holds import HoldState
from bowei.domain.lots import DriverId, LotId
from bowei.records.holding import Decision, Outcome
from tests.contract.block import (
    FIRST,
    MALL,
    MALL_FIRST,
    OFFICE,
    OFFICE_FIRST,
    TEN_MINUTES,
    Block,
    a_lot,
    a_request,
    drivers,
    on,
)

INSTANT = timedelta(microseconds=1)
THIEF = DriverId("thief")


async def test_a_driver_gets_a_space_on_the_first_candidate_that_has_room(block: Block) -> None:
    """Shows that a grant names its lot, its times and its reason, and is counted on lot and pool."""
    decision = await block.ask("ann", on(OFFICE_FIRST), on(MALL_FIRST))
    hold = decision.hold
    assert decision.outcome is Outcome.GRANTED
    assert hold is not None
    assert (hold.lot_id, hold.agreement_id, hold.hospital_id) == (OFFICE, OFFICE_FIRST, FIRST)
    assert (hold.state, hold.ordinal, hold.extended, hold.ended_at) == (HoldState.HELD, 1, False, None)
    assert (hold.placed_at, hold.expires_at) == (block.now, block.now + TEN_MINUTES)
    assert decision.answer == {"why": "asked by ann", "offered_before": 5}
    promise = await block.promise(OFFICE)
    assert (promise.held, promise.stays, promise.pools["office-first/standard"].held) == (1, 0, 1)


async def test_a_driver_is_sent_to_the_next_candidate_when_the_first_is_full(block: Block) -> None:
    """Shows that candidates are tried in the order given."""
    await block.granted_to(drivers(5), on(OFFICE_FIRST))
    decision = await block.ask("ann", on(OFFICE_FIRST), on(MALL_FIRST))
    assert decision.hold is not None
    assert decision.hold.lot_id == MALL


async def test_the_last_space_goes_to_whoever_asks_first(block: Block) -> None:
    """Shows that nobody is promised a space that is promised already, and that a refusal leaves no trace."""
    await block.report(MALL, free=1, seq=1)
    assert await block.granted_to(["ann", "bob"]) == ["ann"]
    assert (await block.ask("cid")).hold is None
    assert (await block.find("cid")).outcome is Outcome.UNKNOWN_DIVERSION
    assert await block.held() == 1


async def test_a_refused_driver_may_ask_again_under_the_same_id(block: Block) -> None:
    """Shows that refusals are not remembered."""
    await block.report(MALL, free=0, seq=1)
    assert (await block.ask("ann")).outcome is Outcome.NONE
    await block.report(MALL, free=1, seq=2)
    assert (await block.ask("ann")).outcome is Outcome.GRANTED


async def test_a_request_without_candidates_gets_nothing(block: Block) -> None:
    """Shows that an empty ranking is answered like a full city."""
    request = a_request("ann")
    nowhere = type(request)(
        request.diversion_id, request.driver_id, request.request_hash, request.hospital_id, candidates=()
    )
    assert (await block.book.place(nowhere)).outcome is Outcome.NONE


async def test_drivers_who_ask_at_once_share_what_is_left_and_no_more(block: Block) -> None:
    """Shows that a shared commit grants each space once, and answers everyone."""
    await block.report(MALL, free=10, seq=1)
    decisions = await asyncio.gather(*[block.ask(driver) for driver in drivers(30)])
    assert Counter(decision.outcome for decision in decisions) == {Outcome.GRANTED: 10, Outcome.NONE: 20}
    assert await block.held() == 10


async def test_a_driver_with_a_hold_is_told_of_it_and_gets_no_second(block: Block) -> None:
    """Shows that one driver keeps one space, whatever id the second request has."""
    first = await block.ask("ann")
    second = await block.ask("ann", diversion_id="another-diversion")
    assert second.outcome is Outcome.DRIVER_HAS_HOLD
    assert second.hold == first.hold
    assert await block.held() == 1


async def test_a_driver_who_has_arrived_may_ask_again(block: Block) -> None:
    """Shows that only a held hold bars the next, so that the same driver can be diverted twice a day."""
    await block.ask("ann")
    await block.arrive("ann")
    assert (await block.ask("ann", diversion_id="another-diversion")).outcome is Outcome.GRANTED
    assert await block.held() == 2


async def test_a_driver_whose_hold_ran_out_elsewhere_may_ask_again(block: Block) -> None:
    """Shows that a due hold bars nothing, even if nobody has asked about its lot since."""
    await block.ask("ann", on(OFFICE_FIRST))
    await block.pass_time(minutes=10)
    assert (await block.ask("ann", on(MALL_FIRST), diversion_id="another-diversion")).outcome is Outcome.GRANTED
    assert await block.held(OFFICE) == 0


async def test_a_repeated_request_gets_the_same_hold_again(block: Block) -> None:
    """Shows that a client that lost the answer asks again and holds one space, not two."""
    first = await block.ask("ann")
    await block.pass_time(minutes=1)
    again = await block.ask("ann")
    assert again.outcome is Outcome.REPEATED
    assert (again.hold, again.answer) == (first.hold, first.answer)
    assert await block.held() == 1


async def test_a_repeat_is_answered_even_when_nothing_is_left(block: Block) -> None:
    """Shows that a repeat does not compete for a space."""
    await block.report(MALL, free=1, seq=1)
    await block.ask("ann")
    assert (await block.ask("ann")).outcome is Outcome.REPEATED


async def test_a_repeat_after_the_end_tells_of_the_ended_hold(block: Block) -> None:
    """Shows that an id grants once: after the hold ran out, the id shows that and grants no other."""
    await block.ask("ann")
    await block.pass_time(minutes=10)
    again = await block.ask("ann")
    assert again.outcome is Outcome.REPEATED
    assert again.hold is not None
    assert again.hold.state is HoldState.EXPIRED


async def test_an_id_with_another_body_is_refused(block: Block) -> None:
    """Shows that a reused id neither grants nor shows the first hold."""
    await block.ask("ann")
    reused = await block.ask("ann", body=b"other")
    assert (reused.outcome, reused.hold) == (Outcome.ID_REUSED, None)


async def test_a_thief_with_the_id_learns_nothing_and_changes_nothing(block: Block) -> None:
    """Shows that every call looks up the diversion together with its driver."""
    granted = await block.ask("ann")
    stolen = "diversion-of-ann"
    answers = [
        await block.book.place(a_request("thief", diversion_id=stolen)),
        await block.book.find(stolen, THIEF),
        await block.book.release(stolen, THIEF),
        await block.book.extend(stolen, THIEF, TEN_MINUTES),
        await block.book.arrive(stolen, THIEF),
        await block.book.leave(stolen, THIEF),
        await block.book.replace(
            stolen, THIEF, 1, ends_as=HoldState.REVOKED, reason="x", candidates=[on(OFFICE_FIRST)], answer={}
        ),
    ]
    assert {(answer.outcome, answer.hold) for answer in answers} == {(Outcome.UNKNOWN_DIVERSION, None)}
    assert (await block.find("ann")).hold == granted.hold


async def test_an_unknown_id_is_unknown_to_every_call(block: Block) -> None:
    """Shows the same answer for an id that was never used."""
    answers = [
        await block.find("ann"),
        await block.extend("ann", minutes=5),
        await block.arrive("ann"),
        await block.leave("ann"),
        await block.replace("ann", on(MALL_FIRST)),
    ]
    assert {answer.outcome for answer in answers} == {Outcome.UNKNOWN_DIVERSION}


async def test_staff_find_a_diversion_without_naming_its_driver(block: Block) -> None:
    """Shows that no driver given means: whoever asks may."""
    granted = await block.ask("ann")
    assert (await block.book.find("diversion-of-ann", None)).hold == granted.hold


@pytest.mark.parametrize(("off", "state"), [(-INSTANT, "held"), (timedelta(), "expired"), (INSTANT, "expired")])
async def test_a_hold_is_over_at_the_very_instant_it_expires(block: Block, off: timedelta, state: str) -> None:
    """Shows the edge of expiry to the microsecond, for the driver who looks and for the next who asks."""
    await block.report(MALL, free=1, seq=1)
    await block.ask("ann")
    await block.step_to(block.now + TEN_MINUTES + off)
    await block.report(MALL, free=1)
    assert await block.state("ann") == state
    assert (await block.ask("bob")).outcome is (Outcome.NONE if state == "held" else Outcome.GRANTED)


@pytest.mark.parametrize("act", ["arrive", "extend", "release", "leave", "replace"])
async def test_nothing_brings_an_expired_hold_back(block: Block, act: str) -> None:
    """Shows that whoever is late by no time at all is told that the hold is over, and how it ended."""
    await block.ask("ann")
    await block.pass_time(minutes=10)
    acts: dict[str, Callable[[str], Awaitable[Decision]]] = {
        "arrive": block.arrive,
        "extend": lambda driver: block.extend(driver, minutes=5),
        "release": block.release,
        "leave": block.leave,
        "replace": lambda driver: block.replace(driver, on(MALL_FIRST)),
    }
    late = await acts[act]("ann")
    assert late.outcome is Outcome.HOLD_OVER
    assert late.hold is not None
    assert (late.hold.state, late.hold.reason, late.hold.ended_at) == (HoldState.EXPIRED, "not_arrived", block.now)


async def test_a_hold_is_extended_once(block: Block) -> None:
    """Shows that the same wish again changes nothing, and that a second wish is refused."""
    granted = await block.ask("ann")
    assert granted.hold is not None
    longer = await block.extend("ann", minutes=5)
    assert longer.outcome is Outcome.EXTENDED
    assert longer.hold is not None
    assert longer.hold.extended
    assert longer.hold.expires_at == granted.hold.expires_at + timedelta(minutes=5)
    again = await block.extend("ann", minutes=5)
    assert (again.outcome, again.hold) == (Outcome.EXTENDED, longer.hold)
    more = await block.extend("ann", minutes=6)
    assert (more.outcome, more.hold) == (Outcome.ALREADY_EXTENDED, longer.hold)


async def test_an_extended_hold_runs_out_at_its_new_instant(block: Block) -> None:
    """Shows that the extension moves the edge, and that the old edge means nothing any more."""
    await block.ask("ann")
    await block.extend("ann", minutes=5)
    await block.pass_time(minutes=10)
    assert await block.state("ann") == HoldState.HELD
    await block.pass_time(minutes=5)
    assert await block.state("ann") == HoldState.EXPIRED


async def test_a_space_given_up_is_free_for_the_next_at_once(block: Block) -> None:
    """Shows that a release gives the space back, and that saying it twice changes nothing."""
    await block.report(MALL, free=1, seq=1)
    await block.ask("ann")
    given = await block.release("ann")
    assert given.outcome is Outcome.RELEASED
    assert given.hold is not None
    assert (given.hold.state, given.hold.reason, given.hold.ended_at) == (HoldState.RELEASED, "given_up", block.now)
    assert (await block.ask("bob")).outcome is Outcome.GRANTED
    assert (await block.release("ann")) == given
    assert await block.held() == 1


async def test_a_late_request_under_an_id_given_up_grants_nothing(block: Block) -> None:
    """Shows the tombstone: a driver who gave up before the answer came gets no ghost hold."""
    assert (await block.release("ann")).outcome is Outcome.GIVEN_UP
    assert (await block.release("ann")).outcome is Outcome.GIVEN_UP
    assert (await block.find("ann")).outcome is Outcome.GIVEN_UP
    assert (await block.ask("ann")).outcome is Outcome.GIVEN_UP
    stolen = await block.book.place(a_request("thief", diversion_id="diversion-of-ann"))
    assert stolen.outcome is Outcome.UNKNOWN_DIVERSION
    assert await block.held() == 0


async def test_a_driver_who_gave_up_may_ask_under_a_new_id(block: Block) -> None:
    """Shows that the tombstone bars the id, not the driver."""
    await block.release("ann")
    assert (await block.ask("ann", diversion_id="another-diversion")).outcome is Outcome.GRANTED


async def test_the_ledger_tells_its_own_time(block: Block) -> None:
    """Shows that everyone can ask the one clock: who promises, and who records."""
    await block.pass_time(seconds=7)
    assert await block.book.now() == block.now
    assert await block.journal.now() == block.now


async def test_the_ledger_keeps_its_identity(block: Block) -> None:
    """Shows that a follower sees a new identity only when the history is another."""
    before = await block.book.server_identity()
    await block.ask("ann")
    assert await block.book.server_identity() == before


async def test_a_follower_that_takes_every_change_knows_what_is_promised(block: Block) -> None:
    """Shows that going on from a cursor misses no change, and that versions grow."""
    copy = await block.book.promised(None)
    assert set(copy.promises) == {"mall", "office", "own"}
    known, cursor = dict(copy.promises), copy.cursor
    for act in (block.ask, block.release):
        await act("ann")
        changes = await block.book.promised(cursor)
        assert changes.promises[MALL].version > known[MALL].version
        known |= changes.promises
        cursor = changes.cursor
    assert known == (await block.book.promised(None)).promises


async def test_a_follower_is_given_every_lot_of_a_city(block: Block) -> None:
    """However many there are: they are read some at a time."""
    many = {LotId(f"lot-{number}") for number in range(1_001)}
    await block.register.put_lots([a_lot(lot_id, 10) for lot_id in sorted(many)])
    assert set((await block.book.promised(None)).promises) == many | {"mall", "office", "own"}


async def test_lots_that_were_ever_promised_on_are_known_from_those_that_were_not(block: Block) -> None:
    """As they are now, also where what was held has ended."""
    await block.register.put_lots([a_lot(LotId("elsewhere"), 10)])
    assert await block.book.ever_promised() == {}
    await block.ask("ann")
    assert (await block.book.ever_promised())[MALL].held == 1
    await block.release("ann")
    ever = await block.book.ever_promised()
    assert ever == {MALL: (await block.book.promised(None)).promises[MALL]}
    assert ever[MALL].held == 0


async def test_a_sweep_does_what_is_due_on_lots_that_nobody_asks_about(block: Block) -> None:
    """Shows that the sweep counts what it ended, and finds nothing the second time."""
    await block.ask("ann")
    await block.ask("bob", on(OFFICE_FIRST))
    await block.ask("cid")
    await block.arrive("cid")
    await block.pass_time(minutes=10)
    await block.report(MALL, free=49)
    swept = await block.book.sweep()
    assert (swept.expired, swept.settled, swept.overlong) == (2, 1, 0)
    again = await block.book.sweep()
    assert (again.expired, again.settled, again.overlong) == (0, 0, 0)
    assert (await block.promise()).stays == 1
