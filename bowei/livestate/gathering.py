"""Gathering: news that comes while the last is being looked up is looked up together, each lot once.

So a reader that is slower than the news does less for each, and is never further behind than one look.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from bowei.domain.lots import LotId
from bowei.livestate.reading import Change

_CANCEL_AGAIN_S = 0.2


class _Pile:
    """What came since the last take: at most every lot once."""

    def __init__(self) -> None:
        self._lots: set[LotId] = set()
        self._rest = Change()
        self._there = asyncio.Event()
        self._failure: Exception | None = None

    async def fill(self, news: AsyncIterator[Change]) -> None:
        """Put all that comes on the pile; note what ended it."""
        try:
            async for change in news:
                self._lots |= change.lots
                self._rest |= replace(change, lots=frozenset())
                self._there.set()
        except Exception as failure:  # noqa: BLE001 (whatever it was, whoever takes hears of it)
            self._failure = failure
            self._there.set()

    async def taken(self) -> AsyncIterator[Change]:
        """Give what is there whenever something is; raise what ended the news."""
        while True:
            await self._there.wait()
            self._there.clear()
            if self._failure is not None:
                raise self._failure
            change = replace(self._rest, lots=frozenset(self._lots))
            self._lots, self._rest = set(), Change()
            yield change


@asynccontextmanager
async def gathered(news: AsyncIterator[Change]) -> AsyncIterator[AsyncIterator[Change]]:
    """Give the news, several at once where the reader was busy."""
    pile = _Pile()
    filling = asyncio.create_task(pile.fill(news))
    try:
        yield pile.taken()
    finally:
        # Again and again: in Python 3.11 a cancellation that meets the end of a wait may be lost.
        while not filling.done():
            filling.cancel()
            await asyncio.wait({filling}, timeout=_CANCEL_AGAIN_S)
