"""Asking axe what on a page stands in somebody's way, by the rules of WCAG 2.2 AA."""

from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

_RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


async def violations(page: Page) -> list[str]:
    """Give each rule that is broken, with the element that breaks it."""
    found: Any = (await Axe().run(page, options=_RULES)).response
    return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]
