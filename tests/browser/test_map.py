"""The city map in a real browser: a list that can be narrowed, a drawing of the same, both languages, by keyboard."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from bowei.domain.lots import Name
from bowei.domain.offering import LotPromise
from bowei.domain.places import Point
from bowei.domain.road_conditions import Closure, RoadConditions
from tests.browser.accessible import violations
from tests.browser.block import BANK, DARK, IN77, KIOSK, TOWER, YARD, Block
from tests.browser.chromium import PHONE, WALL, Seen, context_of
from tests.service.availability_block import FIRST, MALL, OWN

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _open(
    browser: Browser, block: Block, seen: Seen, query: str = "?lang=en", *, clock: bool = False, **options: Any
) -> Page:
    context = await context_of(browser, **({"viewport": WALL, "timezone_id": "Asia/Shanghai"} | options))
    page = await context.new_page()
    seen.watch(page)
    if clock:
        await page.clock.install()
    await page.goto(block.map + query)
    await expect(page.locator("tbody tr")).to_have_count(8)
    return page


def _free(page: Page, lot_id: str) -> Locator:
    return page.locator(f'tr[data-lot="{lot_id}"] .free')


def _listed(page: Page) -> Locator:
    return page.locator("tbody tr")


async def test_list_and_drawing_say_what_the_api_says(browser: Browser, block: Block, seen: Seen) -> None:
    """Each lot in both, in the same words; the gate's sentence; the streets of the road file."""
    page = await _open(browser, block, seen)
    expected = {
        OWN: "FULL", MALL: "118", IN77: "30+", BANK: "7", TOWER: "FULL", YARD: "CLOSED", KIOSK: "2", DARK: "--",
    }  # fmt: skip
    for lot_id, said in expected.items():
        await expect(_free(page, lot_id)).to_have_text(said)
        await expect(page.locator(f'.drawing [data-lot="{lot_id}"] text')).to_have_text(said)
    gate = (await block.service.client.get(f"/v1/hospitals/{FIRST}/gate")).json()
    await expect(page.locator(".gate .says")).to_have_text(gate["text"]["en"])
    await expect(page.locator(".street").first).to_be_attached()
    await block.report(MALL, 91)
    await expect(_free(page, MALL)).to_have_text("91", timeout=10_000)


async def test_what_is_closed_is_drawn_and_said_and_what_is_held_is_listed(
    browser: Browser, block: Block, seen: Seen
) -> None:
    """An area in force in words and in the drawing, with its end; a lot's holds beside its free spaces."""
    now = datetime.now(UTC)
    ring = tuple(Point(30.256 + north, 120.160 + east) for north, east in ((0, 0), (0, 0.002), (0.002, 0.002), (0, 0)))
    closure = Closure("marathon", ((ring,),), now, now + timedelta(hours=1), Name("马拉松", "Marathon"), "交警")
    await block.live_state.show_promises({MALL: LotPromise(held=4, version=2)})
    await block.live_state.show_roads(RoadConditions(1, closures=(closure,)))
    try:
        page = await _open(browser, block, seen)
        await expect(page.locator(".closure.now")).to_contain_text("Marathon")
        await expect(page.locator(".closure.now")).to_contain_text("closed until")
        await expect(page.locator('.drawing [data-closure="marathon"]')).to_be_attached()
        await expect(page.locator(f'tr[data-lot="{MALL}"] .held')).to_have_text("4")
        assert await violations(page) == []
    finally:
        await block.live_state.show_roads(RoadConditions(2))
        await block.live_state.show_promises({MALL: LotPromise(version=3)})


async def test_the_list_is_narrowed_by_keyboard_alone(browser: Browser, block: Block, seen: Seen) -> None:
    """Tab to each field, type or choose; a lot's name leads to its board."""
    page = await _open(browser, block, seen)
    for _ in range(3):
        await page.keyboard.press("Tab")
    await expect(page.get_by_label("Name")).to_be_focused()
    await page.keyboard.type("湖滨")
    await expect(_listed(page)).to_have_count(1)
    await expect(page.locator("caption")).to_have_text("1 of 8 car parks")
    await expect(page.locator(".drawing [data-lot]")).to_have_count(1)
    await page.get_by_label("Name").clear()
    await page.keyboard.press("Tab")
    await page.keyboard.type("With")
    await expect(_listed(page)).to_have_count(4)
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_label("Shares with")).to_have_value(FIRST)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/board/*")
    await expect(page.locator("[data-lot]")).to_be_visible()


async def test_the_language_changes_at_once_and_keeps_what_was_chosen(
    browser: Browser, block: Block, seen: Seen
) -> None:
    """The button says its language in that language; the filter stays."""
    page = await _open(browser, block, seen)
    await page.get_by_label("State").select_option("full")
    await expect(_listed(page)).to_have_count(2)
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("城市停车")
    await expect(_listed(page)).to_have_count(2)
    await expect(_free(page, TOWER)).to_have_text("满")
    assert await page.evaluate("document.documentElement.lang") == "zh-Hans"
    await expect(page.get_by_role("button", name="English")).to_be_focused()


async def test_the_map_says_that_its_numbers_are_old_and_drops_them(browser: Browser, block: Block, seen: Seen) -> None:
    """As boards do; and it comes back by itself."""
    page = await _open(browser, block, seen, clock=True)
    block.silence()
    await page.clock.fast_forward(10_000)
    await expect(page.get_by_role("status")).to_contain_text("No contact. Numbers are from")
    await page.clock.fast_forward(60_000)
    await expect(page.get_by_role("status")).to_have_text("No contact. No numbers for now")
    for lot_id in (MALL, OWN):
        await expect(_free(page, lot_id)).to_have_text("--")
        await expect(page.locator(f'.drawing [data-lot="{lot_id}"] text')).to_have_text("--")
    block.speak()
    await page.clock.fast_forward(6_000)
    await expect(_free(page, MALL)).to_have_text("118")
    await expect(page.get_by_role("status")).to_be_empty()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [WALL, PHONE], ids=["wall", "phone"])
async def test_the_map_has_no_barrier(
    browser: Browser, block: Block, seen: Seen, theme: str, size: ViewportSize
) -> None:
    """In both dresses, wide and narrow; and nothing stands beyond the edge of a telephone."""
    page = await _open(browser, block, seen, f"?lang=zh&theme={theme}", viewport=size)
    assert await violations(page) == []
    assert await page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


async def test_the_map_says_of_which_lots_the_data_can_be_relied_on(browser: Browser, block: Block, seen: Seen) -> None:
    """All lots are counted, whatever is listed; those with trouble can be listed alone, each with what is wrong."""
    page = await _open(browser, block, seen)
    lots = (await block.service.client.get("/v1/lots")).json()["items"]
    silent = [lot["id"] for lot in lots if lot["freshness"] == "expired"]
    assert silent
    await expect(page.locator(".health")).to_contain_text(f"{len(silent)} silent")
    await page.get_by_label("State").select_option("trouble")
    troubled = [lot["id"] for lot in lots if lot["freshness"] in ("expired", "stale") or lot["faults"]]
    await expect(_listed(page)).to_have_count(len(troubled))
    assert len(troubled) < len(lots)
    await expect(page.locator(f'tr[data-lot="{silent[0]}"] .age')).to_contain_text("⚠ silent")
    await expect(page.locator(".health")).to_contain_text(f"{len(lots) - len(troubled)} current")
