"""Several hospitals draw on one lot at once: none beyond its share, all together no more than is free, each its floor.

The rule is in docs/agreements.md, "One lot, several hospitals".
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

import pytest

from bowei.domain.agreements import AgreementId
from bowei.domain.lots import HospitalId
from bowei.domain.sharing_reports import Month
from bowei.records.holding import HoldBook, Outcome
from tests.contract.block import MALL, MONDAY_9H, Block, a_hospital, a_request, on
from tests.contract.stores import Stores, empty, postgres_stores

FREE = 50
MARCH = Month(2026, 3)
FITTING: list[Mapping[str, int]] = [{"first": 30, "second": 20}, {"first": 25, "second": 15, "third": 10}]
TOO_MANY: list[Mapping[str, int]] = [{"first": 40, "second": 30}, {"first": 25, "second": 20, "third": 15}]


@pytest.fixture
async def processes(ledger_url: str) -> AsyncIterator[list[Stores]]:
    """Give the same ledger as three processes see it; no test may break a promise."""
    async with AsyncExitStack() as opened:
        first, pool = await opened.enter_async_context(postgres_stores(ledger_url))
        others = [(await opened.enter_async_context(postgres_stores(ledger_url)))[0] for _ in range(2)]
        await empty(pool)
        await first.step_to(MONDAY_9H)
        yield [first, *others]
        assert await first.book.broken_promises() == []


@pytest.fixture
async def block(processes: list[Stores]) -> Block:
    """Give a block with a mall of 50 free spaces and three hospitals."""
    block = Block(processes[0])
    await block.settle_in()
    await block.register.put_hospitals([a_hospital(HospitalId("third"))])
    for hospital in ("first", "second", "third"):
        await share(block, hospital, 0)
    return block


@pytest.fixture
def books(processes: list[Stores]) -> list[HoldBook]:
    """Give each process's own hold book."""
    return [process.book for process in processes]


@pytest.mark.parametrize("shares", FITTING, ids=["two", "three"])
async def test_shares_that_fit_are_had_in_full_whoever_asks_most(
    block: Block, books: list[HoldBook], shares: Mapping[str, int]
) -> None:
    """Shows that nobody is starved where no more is lent than is free: a rush of one takes nothing of the others."""
    await agree(block, shares)
    got = await all_at_once(books, shares, rush="first")
    assert got == shares
    assert await reported(block) == shares


@pytest.mark.parametrize("margin", [0, 4])
@pytest.mark.parametrize("shares", TOO_MANY, ids=["two", "three"])
async def test_shares_beyond_what_is_free_end_between_floor_and_share(
    block: Block, books: list[HoldBook], shares: Mapping[str, int], margin: int
) -> None:
    """Shows that all that may be promised is, and not one more, and that each hospital gets its floor of it."""
    await agree(block, shares, margin)
    got = await all_at_once(books, shares, rush="first")
    assert sum(got.values()) == (await block.promise()).held == FREE - margin
    assert all(floor(shares, hospital, margin) <= got[hospital] <= shares[hospital] for hospital in shares)
    assert await reported(block) == got


@pytest.mark.parametrize("margin", [0, 4])
@pytest.mark.parametrize("shares", TOO_MANY, ids=["two", "three"])
async def test_who_asks_last_of_all_still_gets_the_floor_and_no_more(
    block: Block, books: list[HoldBook], shares: Mapping[str, int], margin: int
) -> None:
    """Shows the worst case, which is what a share is worth: all the others took theirs in full before."""
    for last in shares:
        await agree(block, shares, margin)
        before = {hospital: spaces for hospital, spaces in shares.items() if hospital != last}
        assert await all_at_once(books, before, rush=next(iter(before)), round_name=f"before-{last}") == before
        late = await all_at_once(books, {last: shares[last]}, rush=last, round_name=f"late-{last}")
        assert late[last] == floor(shares, last, margin)
        await block.pass_time(minutes=11)
        await block.report(MALL, free=FREE)


def floor(shares: Mapping[str, int], hospital: str, margin: int) -> int:
    """Give what a hospital can always have of its share: what the others' shares leave of what may be promised."""
    others = sum(spaces for other, spaces in shares.items() if other != hospital)
    return min(shares[hospital], max(0, FREE - margin - others))


async def share(block: Block, hospital: str, spaces: int, margin: int = 0) -> None:
    """Lend so many spaces of the mall to a hospital."""
    await block.lend(AgreementId(f"mall-{hospital}"), spaces, margin=margin)


async def agree(block: Block, shares: Mapping[str, int], margin: int = 0) -> None:
    """Lend the mall's spaces by these shares."""
    for hospital, spaces in shares.items():
        await share(block, hospital, spaces, margin)


async def all_at_once(
    books: list[HoldBook], shares: Mapping[str, int], *, rush: str, round_name: str = "once"
) -> dict[str, int]:
    """Let drivers of every hospital ask at once, each through a process of its own; give how many got a space.

    Each hospital has more drivers than its share, and one comes in a rush: first of all, and with far more.
    """
    order = sorted(shares, key=lambda hospital: hospital != rush)
    asks = [
        (hospital, books[number % len(books)].place(a_request(
            f"{hospital}-{round_name}-{driver}", [on(AgreementId(f"mall-{hospital}"))],
            hospital_id=HospitalId(hospital),
        )))
        for number, hospital in enumerate(order)
        for driver in range(shares[hospital] + (100 if hospital == rush else 5))
    ]  # fmt: skip
    decisions = await asyncio.gather(*[ask for _, ask in asks])
    outcomes = zip((hospital for hospital, _ in asks), decisions, strict=True)
    granted = Counter(hospital for hospital, decision in outcomes if decision.outcome is Outcome.GRANTED)
    return {hospital: granted[hospital] for hospital in shares}


async def reported(block: Block) -> dict[str, int]:
    """Give what the month's report says was held for each hospital."""
    return {str(line.hospital_id): line.held for line in await block.stores.sharing.month(MARCH, [MALL], None)}
