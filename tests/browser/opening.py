"""Opening a board, and reading what stands on it as a person would."""

from typing import Any

from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.block import Block
from tests.browser.chromium import WALL, Seen, context_of


async def open_board(
    browser: Browser, block: Block, seen: Seen, query: str = "", *, at: str | None = None, **options: Any
) -> Page:
    """Open the hospital's board, or another address, and wait until it shows lots."""
    context = await context_of(browser, **({"viewport": WALL, "timezone_id": "Asia/Shanghai"} | options))
    page = await context.new_page()
    seen.watch(page)
    await page.goto((at or block.board) + query)
    await expect(page.locator("[data-lot]").first).to_be_visible()
    return page


def line(page: Page, lot_id: str) -> Locator:
    """Give a lot's line."""
    return page.locator(f'[data-lot="{lot_id}"]')


def number(page: Page, lot_id: str) -> Locator:
    """Give what stands in large on a lot's line."""
    return line(page, lot_id).locator(".big")
