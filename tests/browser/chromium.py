"""Debian's Chromium, driven by Playwright; whatever a page does that it must not is kept, and fails the test."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, Request, ViewportSize, async_playwright

_START_WITHIN_MS = 30_000
PATIENCE_MS = 10_000

WALL: ViewportSize = {"width": 1920, "height": 1080}
PHONE: ViewportSize = {"width": 390, "height": 844}
SIZES = {"wall": WALL, "phone": PHONE}


def find_chromium() -> str | None:
    """Give the path of the browser, if there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass
class Seen:
    """What pages did that nobody may see."""

    url: str
    also: str = ""
    """Another address that pages may ask: routing's."""
    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Keep errors, refusals of the content policy (which are errors too), and requests to other hosts."""
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", lambda line: self._keep(line.type, line.text))
        page.on("request", self._look)

    def _keep(self, kind: str, words: str) -> None:
        # The network is cut on purpose by many tests; that is said to be an error too.
        if kind == "error" and "net::" not in words and "Failed to load resource" not in words:
            self.complaints.append(words)

    def _look(self, request: Request) -> None:
        own = {urlsplit(self.url).netloc, urlsplit(self.also).netloc}
        if urlsplit(request.url).netloc not in own and not request.url.startswith("blob:"):
            self.outside.append(request.url)


@asynccontextmanager
async def chromium(program: str) -> AsyncIterator[Browser]:
    """Run the browser until the context ends."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program,
            timeout=_START_WITHIN_MS,
            args=["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])],
        )
        try:
            yield browser
        finally:
            await browser.close()


async def context_of(browser: Browser, **options: Any) -> BrowserContext:
    """Give a fresh profile, which waits no longer than the tests' patience."""
    context = await browser.new_context(**options)
    context.set_default_timeout(PATIENCE_MS)
    return context
