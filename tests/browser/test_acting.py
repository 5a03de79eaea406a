"""A driver's page and a gate's console in a real browser, with the services running: the whole story of a diversion."""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize, expect

from bowei.domain.observations import LotState
from tests.browser.accessible import violations
from tests.browser.acting import GATE_KEY, Acting, acting_on, opened
from tests.browser.chromium import PHONE, WALL, Seen
from tests.system.routing_city import FIRST, MALL, OFFICE, OWN, Site, prepared_site

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def site(chromium_path: str) -> Iterator[Site]:  # noqa: ARG001 (skip before a ledger is made)
    """Give the servers' places."""
    with prepared_site() as prepared:
        yield prepared


@pytest_asyncio.fixture(loop_scope="session")
async def acting(site: Site) -> AsyncIterator[Acting]:
    """Give the services, with nothing promised yet."""
    async with acting_on(site) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def seen(browser: Browser, acting: Acting) -> AsyncIterator[Seen]:
    """What pages did that nobody may see: it must be nothing."""
    kept = Seen(acting.pages, acting.routing)
    yield kept
    for context in browser.contexts:
        await context.close()
    assert kept.complaints == []
    assert kept.outside == []


async def _held(page: Page) -> None:
    await page.get_by_role("button", name="Find me a space").click()
    await expect(page.get_by_role("timer")).to_be_visible()


async def _signed_in(browser: Browser, seen: Seen, acting: Acting) -> Page:
    page = await opened(browser, seen, acting.gate)
    await page.get_by_label("The gate's key").fill(GATE_KEY)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("button", name="Divert a car")).to_be_visible()
    return page


async def test_the_whole_story_of_a_diversion(browser: Browser, acting: Acting, seen: Seen) -> None:
    """Board, console and driver's page name the same lot; the lot closes, the driver is moved, arrives and leaves."""
    board = await opened(browser, seen, f"{acting.pages}/board/{FIRST}?lang=en", viewport=WALL)
    await expect(board.locator(f'.next[data-lot="{MALL}"]')).to_be_visible()
    gate = await _signed_in(browser, seen, acting)
    await expect(gate.locator(".next h2")).to_have_text(f"Lot {MALL}")
    driver = await opened(browser, seen, acting.go)
    await _held(driver)
    await expect(driver.locator("h2.lot")).to_have_text(f"Lot {MALL}")
    await expect(driver.get_by_role("timer")).to_have_text(re.compile(r"^\d+:\d\d$"))
    await expect(driver.get_by_role("link", name="Navigate: Amap")).to_have_attribute("href", re.compile("amap"))
    code = await driver.locator(".facts .code").text_content()
    await acting.city.report(MALL, 30, state=LotState.CLOSED)
    await expect(driver.get_by_role("alert")).to_contain_text(f"You are moved: drive to Lot {OFFICE}")
    await expect(driver.locator("h2.lot")).to_have_text(f"Lot {OFFICE}")
    await expect(driver.locator(".facts .code")).to_have_text(code or "")
    await expect(board.locator(f'.next[data-lot="{OFFICE}"]')).to_be_visible()
    await expect(gate.locator(".next h2")).to_have_text(f"Lot {OFFICE}")
    assert await acting.states() == ["held", "revoked"]
    await driver.get_by_role("button", name="I am in the car park").click()
    await expect(driver.locator(".card").first).to_contain_text("You have arrived")
    await driver.get_by_role("button", name="I have left").click()
    await expect(driver.get_by_role("button", name="Ask for a space again")).to_be_visible()
    assert "held" not in await acting.states()


async def test_a_driver_extends_gives_up_and_finds_it_again_after_a_reload(
    browser: Browser, acting: Acting, seen: Seen
) -> None:
    """What is held stays held over a closed page; it is given up with a second tap, and then asked for anew."""
    page = await opened(browser, seen, acting.go)
    await _held(page)
    await page.get_by_role("button", name="Keep it 15 minutes longer").click()
    await expect(page.get_by_role("button", name="Keep it 15 minutes longer")).to_be_hidden()
    code = await page.locator(".facts .code").text_content()
    await page.reload()
    await expect(page.locator(".facts .code")).to_have_text(code or "")
    assert await acting.states() == ["held"]
    give_up = page.locator("button.danger")
    await give_up.click()
    await expect(give_up).to_have_text("Really give it up? Tap again")
    assert await acting.states() == ["held"]
    await give_up.click()
    await expect(page.get_by_role("button", name="Find me a space")).to_be_visible()
    assert await acting.states() == ["released"]


async def test_a_driver_without_a_space_on_arrival_is_sent_to_another_lot(
    browser: Browser, acting: Acting, seen: Seen
) -> None:
    """One tap, and the answer names the replacement."""
    page = await opened(browser, seen, acting.go)
    await _held(page)
    await page.get_by_role("button", name="There was no space").click()
    await expect(page.locator("h2.lot")).to_have_text(f"Lot {OFFICE}")
    await expect(page.get_by_role("alert")).to_contain_text("You are moved")


async def test_without_a_network_the_driver_is_told_and_what_was_tapped_is_done_later(
    browser: Browser, acting: Acting, seen: Seen
) -> None:
    """The space stays on the screen, for it is kept; nothing is said to be done that is not."""
    page = await opened(browser, seen, acting.go)
    await _held(page)
    await page.context.set_offline(True)
    await expect(page.get_by_role("status")).to_contain_text("No contact. Your space is kept all the same")
    await page.get_by_role("button", name="I am in the car park").click()
    await expect(page.get_by_role("alert")).to_contain_text("Not done yet")
    await expect(page.get_by_role("timer")).to_be_visible()
    assert await acting.states() == ["held"]
    await page.context.set_offline(False)
    await expect(page.locator(".card").first).to_contain_text("You have arrived")
    await expect(page.get_by_role("status")).to_be_empty()
    assert await acting.states() == ["arrived"]


async def test_one_key_diverts_a_car_and_shows_its_slip(browser: Browser, acting: Acting, seen: Seen) -> None:
    """By keyboard alone: D, then S for the slip, whose QR leads to the driver's page; U gives the space up again."""
    page = await _signed_in(browser, seen, acting)
    await page.locator("body").focus()
    await page.keyboard.press("d")
    await expect(page.locator(".car.held .lot")).to_have_text(f"Lot {MALL}")
    await page.keyboard.press("s")
    slip = page.get_by_role("img", name=re.compile("Slip of the car with the code"))
    await expect(slip).to_be_visible()
    assert await slip.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    assert await acting.states() == ["held"]
    await page.keyboard.press("u")
    await expect(page.locator(".car.undone")).to_have_text("Given up")
    await _until_states(acting, page, ["released"])


async def _until_states(acting: Acting, page: Page, expected: list[str]) -> None:
    for _ in range(100):
        if await acting.states() == expected:
            return
        await page.wait_for_timeout(50)
    assert await acting.states() == expected


async def test_a_tap_without_a_network_is_one_car_and_not_held_before_it_is(
    browser: Browser, acting: Acting, seen: Seen
) -> None:
    """It says so, tries again by itself, and however often it was sent it is one hold."""
    page = await _signed_in(browser, seen, acting)
    await page.context.set_offline(True)
    await page.get_by_label("Plate (not needed)").fill("浙A12345")
    await page.get_by_role("button", name="Divert a car").click()
    await expect(page.locator(".car.sending .lot")).to_have_text("Not yet: no answer. Trying again …")
    assert await acting.states() == []
    kept = await page.evaluate("JSON.stringify([sessionStorage, localStorage])")
    assert "A12345" not in kept
    await page.context.set_offline(False)
    await expect(page.locator(".car.held .lot")).to_have_text(f"Lot {MALL}")
    assert await acting.states() == ["held"]


async def test_an_answer_that_was_lost_is_not_a_second_car(browser: Browser, acting: Acting, seen: Seen) -> None:
    """The request arrives, its answer does not: the same id again finds the same hold."""
    page = await _signed_in(browser, seen, acting)
    lost = 0

    async def lose(route) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 (Playwright's own)
        nonlocal lost
        if lost == 0 and route.request.method == "POST":
            lost += 1
            await route.fetch()
            await route.abort()
        else:
            await route.continue_()

    await page.route(f"{acting.routing}/v1/hospitals/*/diversions", lose)
    await page.get_by_role("button", name="Divert a car").click()
    await expect(page.locator(".car.held .lot")).to_have_text(f"Lot {MALL}")
    assert lost == 1
    assert await acting.states() == ["held"]


async def test_a_slips_link_opens_the_diversion_and_leaves_no_token_in_the_address(
    browser: Browser, acting: Acting, seen: Seen
) -> None:
    """A driver without the app scans it, sees the space, and may pass the address on without giving it away."""
    async with acting.city.client() as client:
        answer = await client.post(
            f"/v1/hospitals/{FIRST}/diversions",
            json={"diversion_id": "gate-of-a-test-0001"},
            headers={"Authorization": f"Bearer {GATE_KEY}"},
        )
    token = answer.json()["driver_token"]
    page = await opened(browser, seen, f"{acting.pages}/go?lang=en#d=gate-of-a-test-0001&token={token}")
    await expect(page.locator("h2.lot")).to_have_text(f"Lot {MALL}")
    await expect(page.get_by_role("timer")).to_be_visible()
    assert "token" not in page.url


async def test_the_console_opens_only_by_the_gates_key(browser: Browser, acting: Acting, seen: Seen) -> None:
    """A wrong key is said to be wrong; the right one is forgotten on signing out; the gate itself everybody may see."""
    page = await opened(browser, seen, acting.gate)
    await expect(page.locator(".next h2")).to_have_text(f"Lot {MALL}")
    await page.get_by_label("The gate's key").fill("not.the-key")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_have_text("This key does not open this gate.")
    await page.get_by_label("The gate's key").fill(GATE_KEY)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("The gate's key")).to_be_visible()
    assert GATE_KEY not in await page.evaluate("JSON.stringify([sessionStorage, localStorage])")


async def test_the_console_says_within_ten_seconds_that_its_numbers_are_old(
    browser: Browser, acting: Acting, seen: Seen
) -> None:
    """Availability is killed: a banner within 10 s, no other number meanwhile; back, it is right within 5 s."""
    page = await opened(browser, seen, acting.gate)
    board = await opened(browser, seen, f"{acting.pages}/board/{FIRST}?lang=en", viewport=WALL)
    await expect(page.locator(".counts .number").first).to_have_text("0")
    await expect(board.locator(f'[data-lot="{MALL}"] .big')).to_have_text("30")
    await acting.kill_availability()
    for one in (page, board):
        await expect(one.get_by_role("status").first).to_contain_text("No contact", timeout=10_000)
    await expect(page.locator(".counts .number").first).to_have_text("0")
    await expect(board.locator(f'[data-lot="{MALL}"] .big')).to_have_text("30")
    await acting.city.report(OWN, 5)
    await acting.city.report(MALL, 21)
    await acting.start_availability()
    await expect(page.locator(".counts .number").first).to_have_text("5", timeout=5_000)
    await expect(board.locator(f'[data-lot="{MALL}"] .big')).to_have_text("21", timeout=5_000)
    for one in (page, board):
        await expect(one.get_by_role("status").first).to_be_empty()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [WALL, PHONE], ids=["wall", "phone"])
async def test_pages_that_act_have_no_barrier(
    browser: Browser, acting: Acting, seen: Seen, theme: str, size: ViewportSize
) -> None:
    """In both dresses and in Chinese; large type too; nothing stands beyond the edge of a telephone."""
    driver = await opened(browser, seen, f"{acting.pages}/go?h={FIRST}&lang=zh&theme={theme}", viewport=size)
    await driver.get_by_role("button", name="大字").click()
    await expect(driver.get_by_role("button", name="为我找车位")).to_be_visible()
    assert await violations(driver) == []
    await driver.get_by_role("button", name="为我找车位").click()
    await expect(driver.get_by_role("timer")).to_be_visible()
    gate = await opened(
        browser, seen, f"{acting.pages}/gate/{FIRST}?lang=zh&theme={theme}#key={GATE_KEY}", viewport=size
    )
    await gate.get_by_role("button", name="送一辆车").click()
    await gate.get_by_role("button", name="二维码单据").click()
    await expect(gate.get_by_role("img")).to_be_visible()
    for page in (driver, gate):
        assert await violations(page) == []
        assert await page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert GATE_KEY not in gate.url


async def test_the_staff_counts_the_queue_and_pauses_diversions(browser: Browser, acting: Acting, seen: Seen) -> None:
    """By keyboard or a tap; everybody who looks at the gate sees it, and drivers are told why there is no space."""
    page = await _signed_in(browser, seen, acting)
    await page.locator("body").focus()
    await page.keyboard.press("q")
    await expect(page.get_by_label("Cars waiting now")).to_be_focused()
    await page.keyboard.type("14")
    await page.keyboard.press("Enter")
    await expect(page.locator(".words")).to_contain_text("14 reported; shown until")
    other = await opened(browser, seen, acting.gate)
    for one in (page, other):
        await expect(one.locator(".counts .number").nth(1)).to_have_text("14")
        await expect(one.locator(".counted")).to_contain_text("counted at")
    await page.get_by_role("button", name="15 min").click()
    for one in (page, other):
        await expect(one.locator(".next h2")).to_contain_text("Diversions paused until")
        await expect(one.locator(".card .state")).to_have_text("Full")
    assert await violations(page) == []
    driver = await opened(browser, seen, acting.go)
    await driver.get_by_role("button", name="Find me a space").click()
    await expect(driver.locator("#page")).to_contain_text("sends nobody elsewhere for now")
    await page.get_by_role("button", name="Resume").click()
    await expect(page.locator(".next h2")).to_have_text(f"Lot {MALL}")


async def test_a_pause_is_not_said_to_be_kept_before_it_is(browser: Browser, acting: Acting, seen: Seen) -> None:
    """Without a network the console says that it is not done yet; it goes on trying, and what was tapped last holds."""
    page = await _signed_in(browser, seen, acting)
    await page.context.set_offline(True)
    await page.get_by_role("button", name="15 min").click()
    await expect(page.locator(".words")).to_contain_text("Not yet: no answer. Trying again …")
    await expect(page.get_by_role("button", name="Resume")).to_be_hidden()
    await page.get_by_role("button", name="60 min").click()
    await page.context.set_offline(False)
    await expect(page.get_by_role("button", name="Resume")).to_be_visible()
    # The console knows from routing's answer; everybody else hears of it a moment later.
    assert acting.service is not None
    gate = await acting.service.gate_that(lambda gate: "paused_until" in gate)
    left = datetime.fromisoformat(gate["paused_until"]) - datetime.now(UTC)
    assert timedelta(minutes=50) < left < timedelta(minutes=61)
