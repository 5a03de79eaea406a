"""News that comes while a reader is busy is read together, and its end is not missed."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bowei.domain.lots import LotId
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.gathering import gathered
from bowei.livestate.reading import Change

A, B, C = LotId("a"), LotId("b"), LotId("c")


class News:
    """News that a test tells; None ends them with a loss."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[Change | None] = asyncio.Queue()

    async def every(self) -> AsyncIterator[Change]:
        """Give each piece of news."""
        while (change := await self.told.get()) is not None:
            yield change
        raise LiveStateAway("lost")

    async def tell(self, *changes: Change | None) -> None:
        """Tell some, and let them arrive."""
        for change in changes:
            self.told.put_nowait(change)
        for _ in range(3 * len(changes) + 3):
            await asyncio.sleep(0)


async def test_what_came_meanwhile_is_one_piece_of_news_with_each_lot_once() -> None:
    """A reader that was busy looks up each lot once, however often it changed."""
    news = News()
    async with gathered(news.every()) as changes:
        await news.tell(Change(frozenset({A})))
        assert await anext(changes) == Change(frozenset({A}))
        await news.tell(Change(frozenset({A, B})), Change(frozenset({B, C})), Change(directory=True))
        assert await anext(changes) == Change(frozenset({A, B, C}), directory=True)
        await news.tell(Change(foreseen=True), Change(frozenset({A})))
        assert await anext(changes) == Change(frozenset({A}), foreseen=True)
        await news.tell(Change())
        assert await anext(changes) == Change()


@pytest.mark.parametrize("kind", [field.name for field in dataclasses.fields(Change) if field.name != "lots"])
async def test_news_of_every_kind_outlasts_what_came_with_it(kind: str) -> None:
    """Whatever news there is, none is forgotten over another, and none is told twice."""
    told: dict[str, Any] = {kind: True}
    news = News()
    async with gathered(news.every()) as changes:
        await news.tell(Change(**told), Change(frozenset({A})), Change())
        assert await anext(changes) == Change(frozenset({A}), **told)
        await news.tell(Change())
        assert await anext(changes) == Change()


async def test_the_end_of_the_news_is_heard() -> None:
    """A lost connection ends the reading, so that the reader begins anew."""
    news = News()
    async with gathered(news.every()) as changes:
        await news.tell(Change(frozenset({A})), None)
        with pytest.raises(LiveStateAway):
            await anext(changes)
