"""The operator's page in a real browser, with the services running: pause, who is coming, what a month brought."""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.accessible import violations
from tests.browser.acting import opened
from tests.browser.chromium import WALL
from tests.browser.desk import PARTY, SECRET, Desk, desk_at
from tests.system.routing_city import FIRST, MALL, OFFICE, Site, prepared_site

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def site(chromium_path: str) -> Iterator[Site]:  # noqa: ARG001 (skip before a ledger is made)
    """Give the servers' places."""
    with prepared_site() as prepared:
        yield prepared


@pytest_asyncio.fixture(loop_scope="session")
async def desk(site: Site, browser: Browser) -> AsyncIterator[Desk]:
    """Give it, and see that pages did nothing that nobody may see."""
    async with desk_at(site) as running:
        yield running
        for context in browser.contexts:
            await context.close()
        assert running.seen.complaints == []
        assert running.seen.outside == []


async def _driver_asks(desk: Desk) -> dict[str, object]:
    (driver,) = await desk.acting.city.drivers(1)
    driver.diversion_id = f"trip-{datetime.now(UTC).timestamp()}"
    async with desk.acting.city.client() as client:
        answer = await driver.puts(client, hospital_id=FIRST)
    said: dict[str, object] = answer.json()
    return said


async def test_an_operator_sees_who_is_coming_and_pauses_the_lot(browser: Browser, desk: Desk) -> None:
    """By code; paused with a second tap; nobody is sent there then, and again after one tap."""
    page = await desk.opened(browser)
    card = page.locator(f'[data-lot="{MALL}"]')
    assert await page.locator(".lot").count() == 1
    said = await _driver_asks(desk)
    code = str(said["hold"]["code"])  # type: ignore[index]
    await expect(card.locator(".coming .code")).to_have_text(f"{code[:4]} {code[4:]}", timeout=10_000)
    await expect(card.locator(".facts")).to_contain_text("1held", timeout=10_000)
    await card.get_by_role("button", name="Pause sharing").click()
    await expect(card.get_by_role("button")).to_have_text(re.compile("Really pause"))
    assert await desk.acting.states() == ["held"]
    await card.get_by_role("button").click()
    await expect(card.locator('p[role="status"]')).to_have_text("Paused: no car is sent here.")
    assert (await _driver_asks(desk))["lot"]["lot_id"] == OFFICE  # type: ignore[index]
    assert await violations(page) == []
    await card.get_by_role("button", name="Share again").click()
    await expect(card.locator('p[role="status"]')).to_have_text("Sharing.")


async def test_the_month_is_shown_and_saved(browser: Browser, desk: Desk, tmp_path: Path) -> None:
    """In the page's language; the file has what the page has; a month of nothing says so."""
    await _driver_asks(desk)
    page = await desk.opened(browser, viewport=WALL)
    row = page.locator(".report tbody tr")
    await expect(row.locator(".held")).to_have_text("1")
    await expect(row.locator("th")).to_have_text(f"Lot {MALL}")
    async with page.expect_download() as saving:
        await page.get_by_role("button", name="Save as CSV").click()
    file = tmp_path / "report.csv"
    await (await saving.value).save_as(file)
    assert f"{MALL},停车场{MALL},{FIRST}" in file.read_text("utf-8-sig")
    assert await violations(page) == []
    await page.get_by_role("button", name="The month before").click()
    await expect(page.locator(".card").last).to_contain_text("No space was held in this month.")
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("停车场经营方")


async def test_a_wrong_secret_opens_nothing_and_none_is_kept(browser: Browser, desk: Desk) -> None:
    """It is said; and a window that is loaded again asks again."""
    page = await opened(browser, desk.seen, f"{desk.acting.pages}/operator?lang=en")
    await page.get_by_label("Party").fill(PARTY)
    await page.get_by_label("Secret").fill("wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_have_text("This party and secret do not fit.")
    desk.seen.complaints.clear()  # the browser notes that it was answered 401
    page = await desk.opened(browser)
    kept = await page.evaluate("JSON.stringify([sessionStorage, localStorage, document.cookie, location.href])")
    assert SECRET not in kept
    await page.reload()
    await expect(page.get_by_label("Secret")).to_be_visible()
    signed_in = await opened(browser, desk.seen, f"{desk.acting.pages}/operator?lang=en#party={PARTY}&secret={SECRET}")
    await expect(signed_in.locator(f'[data-lot="{MALL}"]')).to_be_visible()
    assert SECRET not in signed_in.url
