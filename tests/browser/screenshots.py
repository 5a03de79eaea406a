"""Takes pictures of the pages, to look at and for the docs: `python -m tests.browser.screenshots FOLDER`.

They are material for people. No test compares them.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.browser.block import Block, running_block
from tests.browser.chromium import PHONE, WALL, chromium, context_of, find_chromium
from tests.browser.opening import number
from tests.service.availability_block import MALL

_PILLAR: ViewportSize = {"width": 1080, "height": 1920}
_BOARDS: dict[str, tuple[ViewportSize, str]] = {
    "board-wall-dark": (WALL, ""),
    "board-wall-light": (WALL, "&theme=light"),
    "board-wall-zh": (WALL, "&lang=zh"),
    "board-wall-en": (WALL, "&lang=en"),
    "board-phone-dark": (PHONE, ""),
    "board-phone-light": (PHONE, "&theme=light"),
    "board-pillar": (_PILLAR, ""),
}
_DESK: ViewportSize = {"width": 1280, "height": 800}
_MAPS: dict[str, tuple[ViewportSize, str]] = {
    "map-desk-light": (_DESK, "?lang=zh&theme=light"),
    "map-desk-dark": (_DESK, "?lang=en&theme=dark"),
    "map-phone": (PHONE, "?lang=zh&theme=light"),
}
_WIDEST, _HIGHEST = 640, 850
"""Pixels of a picture, so that it weighs little in a repository."""


async def _page(browser: Browser, size: ViewportSize) -> Page:
    scale: dict[str, Any] = {"device_scale_factor": min(1.0, _WIDEST / size["width"], _HIGHEST / size["height"])}
    context = await context_of(browser, viewport=size, timezone_id="Asia/Shanghai", **scale)
    page = await context.new_page()
    await page.clock.install()
    return page


async def _open(browser: Browser, block: Block, size: ViewportSize, query: str) -> Page:
    page = await _page(browser, size)
    await page.goto(block.board + query)
    await expect(number(page, MALL)).to_have_text("118")
    return page


async def take(folder: Path, program: str) -> None:
    """Take all pictures."""
    async with running_block() as block, chromium(program) as browser:
        for name, (size, query) in _BOARDS.items():
            page = await _open(browser, block, size, query)
            await page.screenshot(path=folder / f"{name}.png")
            await page.context.close()
        for name, (size, query) in _MAPS.items():
            page = await _page(browser, size)
            await page.goto(block.map + query)
            await expect(page.locator("tbody tr")).to_have_count(8)
            await expect(page.locator(".street").first).to_be_attached()
            await page.screenshot(path=folder / f"{name}.png")
            await page.context.close()
        page = await _open(browser, block, WALL, "")
        block.silence()
        try:
            await page.clock.fast_forward(10_000)
            await expect(page.get_by_role("status")).not_to_be_empty()
            await page.screenshot(path=folder / "board-stale.png")
            await page.clock.fast_forward(60_000)
            await expect(number(page, MALL)).to_have_text("--")
            await page.screenshot(path=folder / "board-lost.png")
        finally:
            block.speak()


def main() -> None:
    """Take the pictures into the folder that is named."""
    program = find_chromium()
    if len(sys.argv) != 2 or program is None:
        sys.exit("python -m tests.browser.screenshots FOLDER; it needs chromium (Debian: apt install chromium)")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(folder, program))


if __name__ == "__main__":
    main()
