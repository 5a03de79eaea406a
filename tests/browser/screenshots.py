"""Takes pictures of the pages, to look at and for the docs: `python -m tests.browser.screenshots FOLDER`.

They are material for people. No test compares them.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, ViewportSize, expect

from bowei.domain.observations import LotState
from tests.browser.acting import GATE_KEY, acting_on
from tests.browser.block import Block, running_block
from tests.browser.chromium import PHONE, WALL, chromium, context_of, find_chromium
from tests.browser.desk import PARTY, SECRET, desk_at
from tests.browser.opening import number
from tests.service.availability_block import FIRST, MALL
from tests.system.routing_city import MALL as ROUTED_MALL
from tests.system.routing_city import Site, prepared_site

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
_DRESSES: dict[str, tuple[ViewportSize, str]] = {
    "phone-zh-light": (PHONE, "lang=zh&theme=light"),
    "phone-en-dark": (PHONE, "lang=en&theme=dark"),
    "wall-zh-dark": (WALL, "lang=zh&theme=dark"),
    "wall-en-light": (WALL, "lang=en&theme=light"),
}
"""Each page in both sizes, both languages, both colours."""
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
        for dress, (size, query) in _DRESSES.items():
            page = await _page(browser, size)
            await page.goto(f"{block.map}?{query}")
            await expect(page.locator("tbody tr")).to_have_count(8)
            await expect(page.locator(".street").first).to_be_attached()
            await page.screenshot(path=folder / f"map-{dress}.png")
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


async def take_acting(folder: Path, program: str, site: Site) -> None:
    """Take the pictures of the pages on which people act."""
    async with acting_on(site) as acting, chromium(program) as browser:

        async def page_at(address: str, size: ViewportSize = PHONE) -> Page:
            page = await _page(browser, size)
            await page.goto(address)
            return page

        go = f"{acting.pages}/go?h={FIRST}"
        page = await page_at(f"{go}&lang=zh&theme=light")
        await expect(page.get_by_role("button", name="为我找车位")).to_be_visible()
        await page.screenshot(path=folder / "go-choose.png")
        for dress, (size, query) in _DRESSES.items():
            held = await page_at(f"{go}&{query}", size)
            await held.locator("button.main").click()
            await expect(held.get_by_role("timer")).to_be_visible()
            await held.screenshot(path=folder / f"go-{dress}.png")
            gate = await page_at(f"{acting.pages}/gate/{FIRST}?{query}#key={GATE_KEY}", size)
            await gate.locator("button.main").click()
            await gate.locator(".car.held .acts button").first.click()
            await expect(gate.get_by_role("img")).to_be_visible()
            await gate.screenshot(path=folder / f"gate-{dress}.png")
        moved = await page_at(f"{go}&lang=en&theme=light")
        await moved.locator("button.main").click()
        await expect(moved.get_by_role("timer")).to_be_visible()
        await acting.city.report(ROUTED_MALL, 30, state=LotState.CLOSED)
        await expect(moved.get_by_role("alert")).not_to_be_empty()
        await moved.screenshot(path=folder / "go-moved.png")


async def take_desk(folder: Path, program: str, site: Site) -> None:
    """Take the pictures of an operator's page, with a car on the way."""
    async with desk_at(site) as desk, chromium(program) as browser:
        (driver,) = await desk.acting.city.drivers(1)
        async with desk.acting.city.client() as client:
            await driver.puts(client)
        for dress, (size, query) in _DRESSES.items():
            page = await _page(browser, size)
            await page.goto(f"{desk.acting.pages}/operator?{query}#party={PARTY}&secret={SECRET}")
            await expect(page.locator(".coming .code")).to_be_visible()
            await expect(page.locator(".report tbody tr")).to_be_visible()
            await page.screenshot(path=folder / f"operator-{dress}.png")


def main() -> None:
    """Take the pictures into the folder that is named."""
    program = find_chromium()
    if len(sys.argv) != 2 or program is None:
        sys.exit("python -m tests.browser.screenshots FOLDER; it needs chromium (Debian: apt install chromium)")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(folder, program))
    with prepared_site() as site:
        asyncio.run(take_acting(folder, program, site))
        asyncio.run(take_desk(folder, program, site))


if __name__ == "__main__":
    main()
