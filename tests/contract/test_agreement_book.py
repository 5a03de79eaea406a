"""What the agreement book promises, kept by every store: versions proposed, accepted, in force, and never edited."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import asyncpg
import pytest

from bowei.domain.agreement_versions import VersionState
from bowei.domain.agreements import Agreement, AgreementId
from bowei.domain.lots import SpaceClass
from bowei.domain.parties import PartyId, Side
from bowei.records.agreement_book import AlreadyDecided
from bowei.records.registering import StillInUse, UnknownReference
from tests.contract.block import FIRST, MALL, MALL_FIRST, MONDAY_9H, OFFICE, Block, lending, on
from tests.contract.stores import Stores

MALLS, HOSPITAL, STREET = PartyId("malls"), PartyId("first-hospital"), PartyId("hubin")
NEW = AgreementId("new")
TUESDAY = date(2026, 3, 3)
ACCEPTED, DECLINED, WITHDRAWN, PROPOSED = (
    VersionState.ACCEPTED,
    VersionState.DECLINED,
    VersionState.WITHDRAWN,
    VersionState.PROPOSED,
)


def terms(spaces: int, agreement_id: AgreementId = MALL_FIRST, **other: object) -> Agreement:
    """Write what the mall lends to the first hospital."""
    return lending(agreement_id, MALL, FIRST, spaces, **other)


async def lent(block: Block, agreement_id: AgreementId = MALL_FIRST) -> int | None:
    """Give how many standard spaces are lent as the register has it now."""
    agreement = (await block.register.directory()).find_agreement(agreement_id)
    return None if agreement is None else agreement.windows[0].spaces


async def test_what_one_side_proposes_holds_when_the_other_accepts(block: Block) -> None:
    """Until then nothing changes; what is decided is decided, by whom and when."""
    book = block.stores.agreements
    proposed = await book.propose(terms(30), Side.LOT, MALLS)
    assert (proposed.number, proposed.state, proposed.proposed_by, proposed.proposed_at) == (
        1,
        PROPOSED,
        MALLS,
        MONDAY_9H,
    )
    assert await lent(block) == 40
    assert list(await book.pending()) == [proposed]
    accepted = await book.decide(MALL_FIRST, 1, ACCEPTED, HOSPITAL)
    assert (accepted.state, accepted.decided_by, accepted.decided_at) == (ACCEPTED, HOSPITAL, MONDAY_9H)
    assert accepted.agreement == terms(30)
    assert await lent(block) == 30
    assert list(await book.pending()) == []
    assert list(await book.versions(MALL_FIRST)) == [accepted]


async def test_a_new_agreement_begins_with_its_first_version(block: Block) -> None:
    """It is there when it is accepted, and says itself from when it lends."""
    book = block.stores.agreements
    await book.propose(terms(5, NEW, valid_from=TUESDAY), Side.HOSPITAL, HOSPITAL)
    assert await lent(block, NEW) is None
    await book.decide(NEW, 1, ACCEPTED, MALLS)
    assert await lent(block, NEW) == 5


async def test_who_coordinates_both_sides_needs_nobody_elses_word(block: Block) -> None:
    """It is accepted as it is proposed."""
    version = await block.stores.agreements.propose(terms(20), Side.BOTH, STREET)
    assert (version.state, version.decided_by) == (ACCEPTED, STREET)
    assert await lent(block) == 20


async def test_a_version_comes_in_force_on_its_first_day_by_the_lots_calendar(block: Block) -> None:
    """Until then the one before holds; of several that are due the newest does, and an older one never comes back."""
    book = block.stores.agreements
    for spaces, day in ((10, 5), (20, 3), (25, 3)):
        await book.propose(terms(spaces, valid_from=date(2026, 3, day)), Side.BOTH, STREET)
    assert await lent(block) == 40
    assert list(await book.bring_in_force()) == []
    await block.step_to(MONDAY_9H.replace(hour=15, minute=59))
    assert list(await book.bring_in_force()) == []
    await block.step_to(MONDAY_9H.replace(hour=16, minute=0))
    assert list(await book.bring_in_force()) == [MALL_FIRST]
    assert await lent(block) == 25
    assert list(await book.bring_in_force()) == []
    await block.step_to(MONDAY_9H + timedelta(days=4))
    assert list(await book.bring_in_force()) == []
    assert await lent(block) == 25


async def test_what_is_declined_or_withdrawn_never_holds(block: Block) -> None:
    """And can't be accepted any more; the same word again is no mistake."""
    book = block.stores.agreements
    await book.propose(terms(1), Side.LOT, MALLS)
    await book.propose(terms(2), Side.LOT, MALLS)
    for number, decision in ((1, DECLINED), (2, WITHDRAWN)):
        decided = await book.decide(MALL_FIRST, number, decision, HOSPITAL)
        assert await book.decide(MALL_FIRST, number, decision, STREET) == decided
        with pytest.raises(AlreadyDecided):
            await book.decide(MALL_FIRST, number, ACCEPTED, HOSPITAL)
    assert await lent(block) == 40
    with pytest.raises(UnknownReference):
        await book.decide(MALL_FIRST, 3, ACCEPTED, HOSPITAL)
    with pytest.raises(UnknownReference):
        await book.decide(NEW, 1, ACCEPTED, HOSPITAL)


async def test_proposing_the_same_again_is_one_proposal(block: Block) -> None:
    """A lost answer is asked for again; by the other side it is another one, and after a decision too."""
    book = block.stores.agreements
    numbers = [(await book.propose(terms(7), side, MALLS)).number for side in (Side.LOT, Side.LOT, Side.HOSPITAL)]
    assert numbers == [1, 1, 2]
    await book.decide(MALL_FIRST, 2, DECLINED, MALLS)
    assert (await book.propose(terms(7), Side.HOSPITAL, HOSPITAL)).number == 3
    many = await asyncio.gather(*(book.propose(terms(8), Side.LOT, MALLS) for _ in range(5)))
    assert {one.number for one in many} == {4}


async def test_versions_are_of_one_lot_and_one_hospital(block: Block) -> None:
    """Counts of what is held go on from version to version; and both are to be registered."""
    book = block.stores.agreements
    with pytest.raises(StillInUse):
        await book.propose(replace(terms(5), lot_id=OFFICE), Side.BOTH, STREET)
    with pytest.raises(UnknownReference):
        await book.propose(replace(terms(5, NEW), lot_id=type(MALL)("nowhere")), Side.BOTH, STREET)
    with pytest.raises(UnknownReference):
        await book.propose(replace(terms(5, NEW), hospital_id=type(FIRST)("nowhere")), Side.BOTH, STREET)
    assert list(await book.versions(NEW)) == []


async def test_an_agreement_that_was_ended_does_not_come_back_by_what_waited(block: Block) -> None:
    """Neither on its day nor by the other side's word; whoever wants it again sets it anew, and what was stays."""
    book = block.stores.agreements
    await book.propose(terms(5, NEW), Side.BOTH, STREET)
    await book.propose(terms(6, NEW), Side.LOT, MALLS)
    await book.propose(terms(7, NEW, valid_from=TUESDAY), Side.BOTH, STREET)
    await block.register.remove_agreement(NEW)
    assert list(await book.pending()) == []
    with pytest.raises(UnknownReference):
        await book.decide(NEW, 2, ACCEPTED, HOSPITAL)
    await block.step_to(MONDAY_9H + timedelta(days=2))
    assert list(await book.bring_in_force()) == []
    assert await lent(block, NEW) is None
    await book.propose(terms(8, NEW), Side.BOTH, STREET)
    assert await lent(block, NEW) == 8
    assert [one.agreement.windows[0].spaces for one in await book.versions(NEW)] == [5, 8]


async def test_holds_outlast_a_version_that_lends_less(block: Block) -> None:
    """What was promised stays promised; only new ones are stopped. A pause goes on too."""
    for driver in ("a", "b", "c"):
        await block.ask(driver, on(MALL_FIRST))
    await block.stores.agreements.propose(terms(2), Side.BOTH, STREET)
    assert await block.held() == 3
    assert (await block.ask("d", on(MALL_FIRST))).hold is None
    await block.register.put_agreements([replace(terms(2), paused=True)])
    await block.stores.agreements.propose(terms(40), Side.BOTH, STREET)
    agreement = (await block.register.directory()).find_agreement(MALL_FIRST)
    assert agreement is not None
    assert (agreement.paused, agreement.windows[0].spaces) == (True, 40)
    assert agreement.windows[0].space_class is SpaceClass.STANDARD


async def test_postgres_refuses_to_edit_a_version(postgres_room: tuple[Stores, asyncpg.Pool]) -> None:
    """Whoever tries: neither what it says nor what became of it."""
    stores, pool = postgres_room
    block = Block(stores)
    await block.settle_in()
    await stores.agreements.propose(terms(5), Side.BOTH, STREET)
    for change in ("document = '{}'", "state = 'declined'", "proposed_by = 'other'", "decided_at = now()"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(f"UPDATE bowei.agreement_version SET {change}")  # noqa: S608 (of this test)
