"""Pages for everyone: WCAG 2.2 AA by axe, in every dress and size, also while the numbers are old."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.accessible import violations
from tests.browser.block import Block
from tests.browser.chromium import SIZES, Seen
from tests.browser.opening import number, open_board
from tests.service.availability_block import MALL

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", SIZES)
async def test_a_board_has_no_barrier(browser: Browser, block: Block, seen: Seen, theme: str, size: str) -> None:
    """With numbers, with the banner of silence, and without numbers."""
    page = await open_board(browser, block, seen, f"&theme={theme}&rows=9", viewport=SIZES[size])
    assert await violations(page) == []
    await page.clock.install()
    block.silence()
    await page.clock.fast_forward(10_000)
    await expect(page.get_by_role("status")).not_to_be_empty()
    assert await violations(page) == []
    await page.clock.fast_forward(60_000)
    await expect(number(page, MALL)).to_have_text("--")
    assert await violations(page) == []
    block.speak()
