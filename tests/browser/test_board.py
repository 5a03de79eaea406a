"""The board in a real browser: the same numbers as everywhere, in words and arrows that need no colour."""

import pytest
from playwright.async_api import Browser, Route, expect

from bowei.domain.observations import LotState
from tests.browser.block import BANK, DARK, IN77, KIOSK, TOWER, YARD, Block
from tests.browser.chromium import PHONE, WALL, Seen, context_of
from tests.browser.opening import line, number, open_board
from tests.service.availability_block import MALL, OWN

pytestmark = pytest.mark.asyncio(loop_scope="session")

_SIZES = {
    "wall": WALL,
    "phone": PHONE,
    "television": {"width": 1280, "height": 720},
    "pillar": {"width": 1080, "height": 1920},
    "ribbon": {"width": 1920, "height": 540},
}


def _said(lot: dict[str, object]) -> str:
    """Say a lot of the API as a board must say it."""
    if lot["level"] in {"full", "closed", "unknown"}:
        return {"full": "满", "closed": "关闭", "unknown": "--"}[str(lot["level"])]
    return f"{lot['free']}{'+' if lot.get('free_bound') == 'at_least' else ''}"


async def test_every_lot_has_the_number_that_the_api_has(browser: Browser, block: Block, seen: Seen) -> None:
    """Counts, "30 or more", full, closed and unknown: a board and an app that differ are both wrong."""
    page = await open_board(browser, block, seen, "&rows=9")
    lots = (await block.service.client.get("/v1/lots")).json()["items"]
    for lot in lots:
        await expect(number(page, lot["id"])).to_have_text(_said(lot))
    assert {lot["id"]: _said(lot) for lot in lots} == {
        OWN: "满", MALL: "118", IN77: "30+", BANK: "7", TOWER: "满", YARD: "关闭", KIOSK: "2", DARK: "--",
    }  # fmt: skip


async def test_a_report_changes_the_number_where_it_stands(browser: Browser, block: Block, seen: Seen) -> None:
    """No reload, no flicker: the element stays and its text is another."""
    page = await open_board(browser, block, seen)
    mall = await number(page, MALL).element_handle()
    assert mall is not None
    await block.report(MALL, 90)
    await expect(number(page, MALL)).to_have_text("90")
    assert await mall.text_content() == "90"
    await block.report(MALL, 0)
    await expect(line(page, MALL).locator(".count")).to_have_text("满FULL")
    await block.report(MALL, 90, state=LotState.CLOSED)
    await expect(line(page, MALL).locator(".count")).to_have_text("关闭CLOSED")


async def test_the_next_car_is_told_where_to_go_by_more_than_colour(browser: Browser, block: Block, seen: Seen) -> None:
    """The line of the lot that the gate names is marked in words; a lot that fills hands the mark on."""
    page = await open_board(browser, block, seen)
    await expect(line(page, MALL).locator(".here")).to_have_text("请往这里 GO HERE")
    await expect(page.locator(".here")).to_have_count(1)
    await block.report(MALL, 0)
    await expect(line(page, MALL).locator(".here")).to_have_count(0)
    await expect(page.locator(".here")).to_have_count(1)


async def test_arrows_turn_with_the_board_and_obey_who_hung_it(browser: Browser, block: Block, seen: Seen) -> None:
    """The mall lies south-west of the gate: ahead to the right for those who look south."""
    page = await open_board(browser, block, seen)
    await expect(line(page, MALL).get_by_label("右前方 ahead to the right")).to_be_visible()
    page = await open_board(browser, block, seen, at=f"{block.url}/board/first-hospital?arrows={MALL}=left")
    await expect(line(page, MALL).get_by_label("左转 left")).to_be_visible()
    await expect(page.locator("svg.arrow")).to_have_count(1)


@pytest.mark.parametrize(
    ("lang", "there", "not_there"),
    [
        ("zh", ("工联CC", "空位", "步行", "满"), ("Gonglian", "FREE", "walk", "FULL")),
        ("en", ("Gonglian CC", "FREE", "walk", "FULL"), ("工联", "空位", "步行", "满")),
        ("both", ("工联CC", "Gonglian CC", "空位", "FREE", "步行", "walk"), ()),
    ],
)
async def test_a_board_speaks_one_language_or_both(
    browser: Browser, block: Block, seen: Seen, lang: str, there: tuple[str, ...], not_there: tuple[str, ...]
) -> None:
    """Together by default; alone where the address says so."""
    page = await open_board(browser, block, seen, f"&lang={lang}")
    shown = await page.locator("main").inner_text()
    assert [word for word in there if word not in shown] == []
    assert [word for word in not_there if word in shown] == []
    assert await page.evaluate("document.documentElement.lang") == ("en" if lang == "en" else "zh-Hans")


@pytest.mark.parametrize("size", _SIZES)
async def test_nothing_is_cut_off_and_nothing_scrolls(browser: Browser, block: Block, seen: Seen, size: str) -> None:
    """From a telephone to a wall: each name and number stands within its line, each line within the screen."""
    page = await open_board(browser, block, seen, viewport=_SIZES[size])
    cut = await page.evaluate(
        """() => Array.from(document.querySelectorAll("[data-lot]")).flatMap((row) => {
            const room = row.getBoundingClientRect();
            return Array.from(row.querySelectorAll(".name, .count, .arrow")).filter((part) => {
                const box = part.getBoundingClientRect();
                return box.top < room.top - 1 || box.bottom > room.bottom + 1 || box.right > innerWidth + 1
                    || part.scrollWidth > part.clientWidth + 1 || room.bottom > innerHeight + 1;
            }).map((part) => row.dataset.lot + " " + part.className);
        })"""
    )
    assert cut == []
    assert await page.evaluate("document.scrollingElement.scrollHeight <= innerHeight")


async def test_a_lot_and_a_block_have_boards_too(browser: Browser, block: Block, seen: Seen) -> None:
    """One lot takes the whole screen; a block puts first what can be used."""
    page = await open_board(browser, block, seen, at=f"{block.url}/board/{MALL}")
    await expect(number(page, MALL)).to_have_text("118")
    assert (await number(page, MALL).bounding_box() or {"height": 0})["height"] > WALL["height"] / 4
    page = await open_board(browser, block, seen, at=f"{block.url}/board/hubin?rows=4")
    await expect(page.locator("[data-lot]")).to_have_count(4)
    shown = await page.locator("[data-lot]").evaluate_all("rows => rows.map(row => row.dataset.lot)")
    assert set(shown) == {MALL, IN77, BANK, KIOSK}


async def test_a_wrong_address_is_said_in_plain_words(browser: Browser, block: Block, seen: Seen) -> None:
    """Who hangs a board and mistypes its id reads so on the board."""
    page = await (await context_of(browser)).new_page()
    seen.watch(page)
    await page.goto(f"{block.url}/board/nowhere")
    await expect(page.get_by_role("status")).to_contain_text("没有编号为 nowhere 的诱导屏")
    await page.goto(f"{block.url}/board/first-hospital?facing=up")
    await expect(page.get_by_role("status")).to_contain_text("The board's address has a mistake")


async def _without_prefix(route: Route) -> None:
    """Hand a request on as a proxy does that serves Bowei below /city."""
    await route.continue_(url=route.request.url.replace("/city/", "/"))


async def test_pages_work_below_a_path_of_a_proxy(browser: Browser, block: Block, seen: Seen) -> None:
    """Every address of a page is relative: files, the API, the stream."""
    page = await (await context_of(browser, viewport=WALL)).new_page()
    seen.watch(page)
    await page.route("**/city/**", _without_prefix)
    await page.goto(f"{block.url}/city/board/first-hospital")
    await expect(number(page, MALL)).to_have_text("118")
    await block.report(MALL, 95)
    await expect(number(page, MALL)).to_have_text("95")
    await page.goto(f"{block.url}/city/map")
    await page.get_by_role("link", name="工联CC").or_(page.get_by_role("link", name="Gonglian CC")).first.click()
    await page.wait_for_url("**/city/board/gonglian-cc")
    await expect(number(page, MALL)).to_have_text("95")
