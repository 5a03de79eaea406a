"""One browser and one block for all of these tests; what a page does that it must not fails its test."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.block import Block, running_block
from tests.browser.chromium import Seen, chromium, find_chromium


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Where the browser is; without one a test is skipped."""
    found = find_chromium()
    if found is None:
        pytest.skip("there is no chromium here (Debian: apt install chromium fonts-wqy-zenhei)")
    return found


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    """Chromium."""
    async with chromium(chromium_path) as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def standing_block(chromium_path: str) -> AsyncIterator[Block]:  # noqa: ARG001 (skip before servers start)
    """The block that all these tests share."""
    async with running_block() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def block(standing_block: Block) -> AsyncIterator[Block]:
    """A block whose hospital is full and whose mall has 118 spaces free."""
    await standing_block.fill()
    await standing_block.shown()
    yield standing_block
    standing_block.speak()


@pytest_asyncio.fixture(loop_scope="session")
async def seen(browser: Browser, block: Block) -> AsyncIterator[Seen]:
    """What pages did that nobody may see: it must be nothing."""
    kept = Seen(block.url)
    yield kept
    for context in browser.contexts:
        await context.close()
    assert kept.complaints == []
    assert kept.outside == []
