"""From an observation's arrival to the changed number on a board in a real browser, while the demo lives around it.

python -m loadtests board    it takes a minute, and needs chromium

A lot of the bench's own reports four times a second, one space more each time; the page notes when its number changed.
A report is timed from just before it is sent, so the way in is counted too. One that was overtaken on its way, which a
board may do, counts until the newer one stands there.
"""

import asyncio
import bisect
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from playwright.async_api import Page

from loadtests.account import Row
from loadtests.driving import in_ms
from loadtests.sending import quantile
from services.local.data_folder import throwaway_data_folder
from services.local.demo.living import connected, new_life
from services.local.demo.pace import Pace
from services.local.demo.scene import load_scene
from services.local.demo.secrets_folder import citybrain_key, public_pem, read_secret, secret_files
from services.local.demo.starting import City, running_city
from tests.browser.chromium import WALL, chromium, context_of, find_chromium

REPORTS = 240
EVERY_S = 0.25
_LONGEST_LAG_S = 1.0
_SPEED = 60.0
_FIRST_FREE = 1_000
_LOT = "bench"
_SETTLE_S = 10.0
_LAST_WITHIN_S = 5.0
_NAME = {"zh": "示例", "en": "Example"}
_PLACE = {"lat": 30.2560, "lon": 120.1610, "datum": "wgs84"}
_CITYBRAIN_SOURCES = ("citybrain-in77", "citybrain-example")
_WATCH = """() => {
    const number = document.querySelector(".big");
    window.seen = [];
    new MutationObserver(() => {
        window.seen.push([Number(number.textContent), performance.timeOrigin + performance.now()]);
    }).observe(number, { characterData: true, childList: true, subtree: true });
}"""


@dataclass
class _Run:
    """When each number was sent, and when it was seen."""

    sent_s: dict[int, float] = field(default_factory=dict)
    seen: list[tuple[int, float]] = field(default_factory=list)

    def lags_s(self) -> list[float]:
        """Give how long each took, sorted; one that never stood there counts as infinite."""
        numbers = [number for number, _ in self.seen]
        lags = []
        for number, sent_s in self.sent_s.items():
            first = bisect.bisect_left(numbers, number)
            lags.append(self.seen[first][1] - sent_s if first < len(self.seen) else float("inf"))
        return sorted(lags)


async def measure() -> list[Row]:
    """Let the demo live, report, and watch the board."""
    program = find_chromium()
    if program is None:
        sys.exit("The board is measured in a browser. Fix: apt install chromium")
    run = _Run()
    async with (
        _living_demo() as (city, token),
        chromium(program) as browser,
        httpx2.AsyncClient(trust_env=False, timeout=5.0) as client,
    ):
        key = await _register(client, city, token)
        await _report(client, city, key, _FIRST_FREE)
        page = await (await context_of(browser, viewport=WALL)).new_page()
        await page.goto(f"{city.urls['availability']}/board/{_LOT}")
        await page.wait_for_selector("[data-shows=count]")
        await asyncio.sleep(_SETTLE_S)
        await page.evaluate(_WATCH)
        await _drive(client, city, key, run)
        run.seen = await _seen(page, _FIRST_FREE + REPORTS)
    lags = run.lags_s()
    print(f"{len(lags)} reports; sent → number on the board: {in_ms(lags)}, longest {lags[-1] * 1000:.0f} ms")
    return [
        Row(
            f"report → number in the browser, p99 of {len(lags)}, demo at {_SPEED:g}×",
            "1 s",
            quantile(lags, 0.99) / _LONGEST_LAG_S,
            1.0,
            (lags[0] / _LONGEST_LAG_S, lags[-1] / _LONGEST_LAG_S),
            lower_is_better=True,
            note=in_ms(lags),
        )
    ]


@asynccontextmanager
async def _living_demo() -> AsyncIterator[tuple[City, str]]:
    """Run the demo's block with its people, and give it with the registry's token."""
    with throwaway_data_folder() as data:
        key = citybrain_key(data)
        scene = load_scene("hangzhou", dict.fromkeys(_CITYBRAIN_SOURCES, public_pem(key)))
        async with AsyncExitStack() as running:
            city = await running.enter_async_context(running_city(data, scene, _SPEED, print))
            urls = (city.urls[name] for name in ("ingest", "routing", "availability"))
            clients = await running.enter_async_context(connected(*urls))
            life = new_life(scene, Pace(city.clock, _SPEED), clients, dict(city.source_keys), key, "1")
            living = asyncio.create_task(life.run())
            try:
                yield city, read_secret(secret_files(data), "BOWEI_ADMIN_TOKEN")
            finally:
                living.cancel()
                await asyncio.gather(living, return_exceptions=True)


async def _register(client: httpx2.AsyncClient, city: City, token: str) -> str:
    """Register the bench's own lot and source; give the source's key."""
    lot = {
        "kind": "public",
        "name": _NAME,
        "timezone": "Asia/Shanghai",
        "capacity": 10 * _FIRST_FREE,
        "location": _PLACE,
        "entrances": [{"entrance_id": "e", "name": _NAME, "location": _PLACE}],
    }
    source = {"kind": "native", "trusted": True, "lots": {_LOT: _LOT}}
    headers = {"Authorization": f"Bearer {token}"}
    registry = city.urls["registry"]
    (await client.put(f"{registry}/v1/lots/{_LOT}", json=lot, headers=headers)).raise_for_status()
    answer = (await client.put(f"{registry}/v1/sources/{_LOT}", json=source, headers=headers)).raise_for_status()
    key = answer.json()["key"]
    assert isinstance(key, str)
    return key


async def _report(client: httpx2.AsyncClient, city: City, key: str, free: int) -> None:
    item = {"lot_id": _LOT, "observed_at": city.clock.now().isoformat(), "seq": free, "free": free}
    answer = await client.post(
        f"{city.urls['ingest']}/v1/observations",
        json={"items": [item]},
        headers={"Authorization": f"Bearer {key}"},
    )
    results: list[dict[str, Any]] = answer.raise_for_status().json()["results"]
    assert results[0]["result"] == "applied", results


async def _drive(client: httpx2.AsyncClient, city: City, key: str, run: _Run) -> None:
    """Report on the beat, whether the last one was answered or not."""
    began_s = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for place in range(1, REPORTS + 1):
            await asyncio.sleep(max(0.0, began_s + place * EVERY_S - time.monotonic()))
            run.sent_s[_FIRST_FREE + place] = time.time()
            group.create_task(_report(client, city, key, _FIRST_FREE + place))


async def _seen(page: Page, last: int) -> list[tuple[int, float]]:
    """Give what the page noted, once the last number stands there or had time enough."""
    deadline_s = time.monotonic() + _LAST_WITHIN_S
    while True:
        noted: Sequence[tuple[int, float]] = await page.evaluate("window.seen")
        if (noted and noted[-1][0] >= last) or time.monotonic() > deadline_s:
            return [(number, at_ms / 1000) for number, at_ms in noted]
        await asyncio.sleep(0.1)
