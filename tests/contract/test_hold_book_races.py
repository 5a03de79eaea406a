"""Two processes on one ledger: whoever is first wins, nobody wins twice, and nobody waits for ever."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from bowei.domain.holds import HoldState
from bowei.domain.lots import DriverId
from bowei.records.connecting import connect, disconnect
from bowei.records.failures import StoreAway
from bowei.records.holding import Decision, HoldBook, Outcome
from bowei.records.postgres_holding import PostgresHoldBook
from tests.contract.block import (
    MALL,
    MALL_FIRST,
    MALL_SECOND,
    MONDAY_9H,
    OFFICE,
    OFFICE_FIRST,
    Block,
    a_lot,
    a_request,
    drivers,
    on,
)
from tests.contract.stores import Stores, empty, postgres_stores


@pytest.fixture
async def processes(ledger_url: str) -> AsyncIterator[list[Stores]]:
    """Give the same ledger as two processes see it, each with connections of its own."""
    async with AsyncExitStack() as opened:
        first, pool = await opened.enter_async_context(postgres_stores(ledger_url))
        second, _ = await opened.enter_async_context(postgres_stores(ledger_url))
        await empty(pool)
        await first.step_to(MONDAY_9H)
        yield [first, second]
        assert await first.book.broken_promises() == []


@pytest.fixture
async def block(processes: list[Stores]) -> Block:
    """Give a block with two hospitals, a mall and an office."""
    block = Block(processes[0])
    await block.settle_in()
    return block


@pytest.fixture
def books(processes: list[Stores]) -> list[HoldBook]:
    """Give each process's own hold book."""
    return [process.book for process in processes]


async def test_two_hundred_drivers_for_fifty_spaces_get_exactly_fifty(block: Block, books: list[HoldBook]) -> None:
    """Shows that each space is promised once, however many ask at once and through whichever process."""
    await block.register.put_lots([a_lot(MALL, 50)])
    for agreement_id in (MALL_FIRST, MALL_SECOND):
        await block.lend(agreement_id, 200)
    decisions = await asyncio.gather(
        *[
            books[number % 2].place(a_request(driver, [on((MALL_FIRST, MALL_SECOND)[number % 3 % 2])]))
            for number, driver in enumerate(drivers(200))
        ]
    )
    assert Counter(decision.outcome for decision in decisions) == {Outcome.GRANTED: 50, Outcome.NONE: 150}
    assert (await block.promise()).held == 50


async def test_eight_drivers_alone_in_eight_processes_get_the_one_space_that_is_left(
    block: Block, ledger_url: str
) -> None:
    """Shows that the lot is locked also for a request that shares its commit with nobody."""
    pool = await connect(ledger_url, most_connections=8, check_durable=False)
    for round_number in range(12):
        await block.report(MALL, free=round_number + 1, seq=round_number + 1)
        decisions = await asyncio.gather(
            *[PostgresHoldBook(pool).place(a_request(f"{driver} of round {round_number}")) for driver in drivers(8)]
        )
        assert Counter(decision.outcome for decision in decisions) == {Outcome.GRANTED: 1, Outcome.NONE: 7}
    await pool.close()


async def test_a_double_tap_through_two_processes_holds_one_space(block: Block, books: list[HoldBook]) -> None:
    """Shows that an id grants once, and that every tap is shown the same hold."""
    for driver in drivers(20):
        decisions = await asyncio.gather(*[book.place(a_request(driver)) for book in books * 2])
        assert Counter(decision.outcome for decision in decisions) == {Outcome.GRANTED: 1, Outcome.REPEATED: 3}
        assert len({decision.hold for decision in decisions}) == 1
    assert await block.held() == 20


async def test_a_driver_who_asks_under_two_ids_at_once_holds_one_space(block: Block, books: list[HoldBook]) -> None:
    """Shows that the rule of one held hold is kept across processes, without an error for anybody."""
    for driver in drivers(20):
        decisions = await asyncio.gather(
            *[book.place(a_request(driver, diversion_id=f"{number}-of-{driver}")) for number, book in enumerate(books)]
        )
        assert Counter(decision.outcome for decision in decisions) == {Outcome.GRANTED: 1, Outcome.DRIVER_HAS_HOLD: 1}
    assert await block.held() == 20


async def test_giving_up_and_asking_at_once_leaves_no_ghost(block: Block, books: list[HoldBook]) -> None:
    """Shows that after a release was answered nothing is held, whichever of the two came first."""
    for driver in drivers(20):
        diversion_id = f"diversion-of-{driver}"
        await asyncio.gather(books[0].place(a_request(driver)), books[1].release(diversion_id, DriverId(driver)))
        assert (await books[0].find(diversion_id, None)).outcome in {Outcome.REPEATED, Outcome.GIVEN_UP}
    assert await block.held() == 0


async def test_replacements_in_opposite_directions_all_end(block: Block, books: list[HoldBook]) -> None:
    """Shows that locks are taken in one order: cars sent from the mall to the office and back never wait in a ring."""
    await block.register.put_lots([a_lot(OFFICE, 50)])
    await block.lend(OFFICE_FIRST, 40)
    await block.report(OFFICE, free=50, seq=1)
    await block.granted_to(drivers(5), on(MALL_FIRST))
    await block.granted_to([f"office-{driver}" for driver in drivers(5)], on(OFFICE_FIRST))

    async def send(book: HoldBook, driver: str, *, to_office: bool) -> Outcome:
        decision = await book.replace(
            f"diversion-of-{driver}",
            DriverId(driver),
            1,
            ends_as=HoldState.REVOKED,
            reason="lot_closed",
            candidates=[on(OFFICE_FIRST if to_office else MALL_FIRST)],
            answer={},
        )
        return decision.outcome

    outcomes = await asyncio.gather(
        *[send(books[0], driver, to_office=True) for driver in drivers(5)],
        *[send(books[1], f"office-{driver}", to_office=False) for driver in drivers(5)],
        *[books[0].place(a_request(f"new-{driver}", [on(OFFICE_FIRST), on(MALL_FIRST)])) for driver in drivers(5)],
        *[block.report(lot_id, free=50, seq=2) for lot_id in (MALL, OFFICE)],
    )
    assert outcomes[:10] == [Outcome.GRANTED] * 10
    assert (await block.held(MALL)) + (await block.held(OFFICE)) == 15


@pytest.mark.usefixtures("block")
async def test_a_lot_that_somebody_keeps_locked_fails_nobody_else(books: list[HoldBook], ledger_url: str) -> None:
    """Shows that one locked row costs its own lot only: others are served, and who has another candidate gets it."""
    pool = await connect(ledger_url, most_connections=1, check_durable=False)
    try:
        async with pool.acquire() as operator, operator.transaction():
            await operator.execute("SELECT FROM bowei.lot_promise WHERE lot_id = $1 FOR UPDATE", MALL)
            asked = (
                a_request("only-mall", [on(MALL_FIRST)]),
                a_request("mall-or-office", [on(MALL_FIRST), on(OFFICE_FIRST)]),
                a_request("only-office", [on(OFFICE_FIRST)]),
            )
            answers = await asyncio.gather(*[books[0].place(one) for one in asked], return_exceptions=True)
            alone = await books[1].place(a_request("alone", [on(MALL_FIRST), on(OFFICE_FIRST)]))
    finally:
        await disconnect(pool)
    locked, other, office = answers
    assert isinstance(locked, StoreAway)
    assert isinstance(other, Decision)
    assert isinstance(office, Decision)
    assert [one.hold.lot_id for one in (other, office, alone) if one.hold] == [OFFICE] * 3
