"""What a board does when nobody speaks to it: it says so, then shows no number, and comes back by itself.

The page's clock is moved on where a person would wait.
"""

from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.block import Block
from tests.browser.chromium import WALL, Seen, context_of
from tests.browser.opening import number, open_board
from tests.service.availability_block import MALL, OWN

pytestmark = pytest.mark.asyncio(loop_scope="session")

_STALE = "连接中断，以下为"
_LOST = "连接中断，暂无数字"


async def _open_with_clock(browser: Browser, block: Block, seen: Seen, begins_at: datetime | None = None) -> Page:
    context = await context_of(browser, viewport=WALL, timezone_id="Asia/Shanghai")
    page = await context.new_page()
    seen.watch(page)
    await page.clock.install(time=begins_at)
    await page.goto(block.board)
    await expect(number(page, MALL)).to_have_text("118")
    return page


async def test_silence_is_said_within_ten_seconds_and_leaves_no_number_after_a_minute(
    browser: Browser, block: Block, seen: Seen
) -> None:
    """The network breaks without a word; when it mends, the number of now is there and the banner is gone."""
    page = await _open_with_clock(browser, block, seen)
    await expect(page.get_by_role("status")).to_be_empty()
    block.silence()
    await page.clock.fast_forward(10_000)
    await expect(page.get_by_role("status")).to_contain_text(_STALE)
    await expect(page.get_by_role("status")).to_contain_text("No contact. Numbers are from")
    await expect(number(page, MALL)).to_have_text("118")
    await page.clock.fast_forward(51_000)
    await expect(page.get_by_role("status")).to_contain_text(_LOST)
    await expect(number(page, MALL)).to_have_text("--")
    await expect(number(page, OWN)).to_have_text("--")
    await expect(page.locator(".here")).to_have_count(0)  # nobody is sent anywhere on old news
    await block.report(MALL, 77)
    block.speak()
    await expect(number(page, MALL)).to_have_text("77")
    await expect(page.get_by_role("status")).to_be_empty()


async def test_a_killed_service_is_noticed_and_found_again(browser: Browser, block: Block, seen: Seen) -> None:
    """In real time, as a person sees it: banner within ten seconds, back within five of its return."""
    page = await open_board(browser, block, seen)
    await block.kill()
    await expect(page.get_by_role("status")).to_contain_text(_STALE, timeout=10_000)
    await block.report(MALL, 66)
    await block.start()
    await expect(number(page, MALL)).to_have_text("66", timeout=5_000)
    await expect(page.get_by_role("status")).to_be_empty()


async def test_a_night_without_network_ends_with_a_fresh_page(browser: Browser, block: Block, seen: Seen) -> None:
    """It is not loaded anew while nobody answers, which would leave an error page until somebody comes."""
    evening = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)  # 23:00 in Hangzhou
    page = await _open_with_clock(browser, block, seen, evening)
    await page.evaluate("window.loadedInTheEvening = true")
    await page.context.set_offline(True)
    block.silence()
    await page.clock.fast_forward("05:10:00")
    await page.clock.run_for(60_000)
    await expect(number(page, MALL)).to_have_text("--")
    assert await page.evaluate("window.loadedInTheEvening === true")
    block.speak()
    await page.context.set_offline(False)
    async with page.expect_navigation():
        await page.clock.run_for(31_000)
    await expect(number(page, MALL)).to_have_text("118")
    assert await page.evaluate("window.loadedInTheEvening === undefined")
    await page.evaluate("window.loadedAtNight = true")
    await page.clock.run_for(120_000)
    await block.report(MALL, 111)
    await expect(number(page, MALL)).to_have_text("111")
    assert await page.evaluate("window.loadedAtNight === true"), "once a night is enough"


async def test_a_browser_without_event_streams_asks(browser: Browser, block: Block, seen: Seen) -> None:
    """Some television sets have none."""
    context = await context_of(browser, viewport=WALL)
    page = await context.new_page()
    seen.watch(page)
    await page.add_init_script("delete window.EventSource")
    await page.goto(block.board)
    await expect(number(page, MALL)).to_have_text("118")
    await block.report(MALL, 55)
    await expect(number(page, MALL)).to_have_text("55")


async def _keep_back(route: Route) -> None:
    """Neither answer nor refuse."""


async def test_where_streams_are_kept_back_the_board_asks(browser: Browser, block: Block, seen: Seen) -> None:
    """A proxy that hands no event on leaves a board that asks every two seconds."""
    context = await context_of(browser, viewport=WALL)
    page = await context.new_page()
    seen.watch(page)
    await page.clock.install()
    await page.route("**/stream?*", _keep_back)
    await page.goto(block.board)
    for free in (117, 116):
        await block.report(MALL, free)
        await page.clock.fast_forward(8_500)
        await expect(number(page, MALL)).to_have_text(str(free))
    await block.report(MALL, 44)
    await expect(number(page, MALL)).to_have_text("44")
