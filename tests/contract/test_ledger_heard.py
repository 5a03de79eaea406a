"""Whoever listens to the real ledger hears of every step when it is taken, not at the next look."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

from bowei.records import postgres_holding
from bowei.records.following import LedgerListening
from tests.contract.block import MALL, MONDAY_9H, OFFICE_FIRST, Block, on
from tests.contract.stores import empty, postgres_stores

_SOON_S = 5.0
_LONG_S = 60.0


@pytest.fixture
async def pool(ledger_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Give a way to the ledger beside the block's own."""
    async with asyncpg.create_pool(ledger_url, min_size=1, max_size=2) as pool:
        yield pool


@pytest.fixture
async def block(ledger_url: str) -> AsyncIterator[Block]:
    """Give the block on real Postgres."""
    async with postgres_stores(ledger_url) as (stores, pool):
        await empty(pool)
        await stores.step_to(MONDAY_9H)
        block = Block(stores)
        await block.settle_in()
        yield block


async def _refuse(block: Block) -> None:
    (command,) = await block.stores.barriers.commands([MALL])
    await block.stores.barriers.answer(MALL, command.command_id, accepted=False, reason=None)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(lambda block: block.ask("bob"), id="held"),
        pytest.param(lambda block: block.extend("ann", minutes=5), id="extended"),
        pytest.param(lambda block: block.arrive("ann"), id="arrived"),
        pytest.param(lambda block: block.move("ann", on(OFFICE_FIRST)), id="moved"),
        pytest.param(lambda block: block.release("ann"), id="released"),
        pytest.param(_refuse, id="barred"),
    ],
)
async def test_a_step_is_heard(block: Block, ledger_url: str, step: Callable[[Block], Awaitable[Any]]) -> None:
    """Shows for each kind of step that it wakes who listens; and that any number may listen at once."""
    await block.ask("ann")
    async with AsyncExitStack() as stack:
        for _ in range(2):
            ear = await LedgerListening(ledger_url).listen()
            stack.push_async_callback(ear.give_up)
        waiting = asyncio.create_task(ear.wait(_LONG_S))
        await step(block)
        await asyncio.wait_for(waiting, _SOON_S)
        assert not ear.lost()


async def test_what_came_to_nothing_is_not_heard(block: Block, ledger_url: str) -> None:
    """Shows that a move that was undone wakes nobody."""
    await block.ask("ann")
    ear = await LedgerListening(ledger_url).listen()
    waiting = asyncio.create_task(ear.wait(_LONG_S))
    await block.move("ann")
    done, _ = await asyncio.wait({waiting}, timeout=0.3)
    assert not done
    waiting.cancel()
    await ear.give_up()


async def test_a_step_is_told_once_however_long_somebody_elses_transaction_lasts(
    block: Block, pool: asyncpg.Pool
) -> None:
    """Shows that a report that runs for an hour does not wake everybody again and again, and that no step is lost."""
    await block.ask("ann")
    cursor = (await block.book.steps(None)).cursor

    async def heard() -> set[str]:
        nonlocal cursor
        news = await block.book.steps(cursor)
        cursor = news.cursor
        return {diversion_id for diversion_id, _ in news.taken}

    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.fetch("SELECT * FROM bowei.release('diversion-of-ann', 'ann')")
        await heard()
        await block.ask("bob", on(OFFICE_FIRST))
        assert await heard() == {"diversion-of-bob"}
        assert await heard() == set()
        await block.extend("bob", minutes=5)
        assert await heard() == {"diversion-of-bob"}
        await transaction.commit()
    assert await heard() == {"diversion-of-ann"}
    assert await heard() == set()


async def test_more_steps_than_are_read_at_once_may_concern_everybody(
    block: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that it is said when some were left out, and that it goes on as before once there are fewer."""
    monkeypatch.setattr(postgres_holding, "_MOST_STEPS", 2)
    news = await block.book.steps(None)
    for driver in ("ann", "bob", "cid"):
        await block.ask(driver)
    news = await block.book.steps(news.cursor)
    assert news.left_out
    await block.ask("dan")
    news = await block.book.steps(news.cursor)
    assert not news.left_out
    assert {diversion_id for diversion_id, _ in news.taken} == {"diversion-of-dan"}
