"""Doubting: what was learned of lots reaches the judging of reports, and readers of the live state.

The record itself refuses holds on a doubted lot in the commit by which it is doubted; here the judging is told, and
the copy that everyone reads.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

from bowei.domain.believing import NOTHING_LEARNED, LotFacts
from bowei.domain.dirt import Doubt
from bowei.domain.lots import LotId
from bowei.records.failures import StoreFailure
from bowei.records.quality import QualityBook

READ_EVERY_S = 5.0

_log = logging.getLogger(__name__)


class Facts:
    """What was learned of every lot, as it was read a moment ago. Run `run` as a task."""

    def __init__(self, book: QualityBook) -> None:
        self._book = book
        self._known: Mapping[LotId, LotFacts] = {}

    def of(self, lot_id: LotId) -> LotFacts:
        """Give what was learned of a lot."""
        return self._known.get(lot_id, NOTHING_LEARNED)

    async def read(self) -> None:
        """Read it again. Raises StoreFailure."""
        flags = await self._book.flags()
        self._known = {
            lot_id: LotFacts(
                binary=one.binary_count,
                frozen_clock=one.frozen_clock,
                doubt=None if one.doubt is None else Doubt(one.doubt),
            )
            for lot_id, one in flags.items()
        }

    async def run(self) -> None:
        """Read it again and again, until cancelled."""
        while True:
            await asyncio.sleep(READ_EVERY_S)
            try:
                await self.read()
            except StoreFailure as failure:
                _log.warning("facts_not_read", extra={"cause": type(failure).__name__})


class ShownDoubts:
    """Shows to readers what the record says is doubted.

    It writes nothing: the record has a doubt since the commit from which it follows, and another process may have
    changed it again since.
    """

    def __init__(self, facts: Facts, *, show_all: Callable[[], None]) -> None:
        self._facts = facts
        self._show_all = show_all

    async def tell(self, doubts: Mapping[LotId, str | None]) -> None:
        """Have it shown, as the record says it by then. Raises StoreFailure."""
        if doubts:
            self._show_all()
        await self._facts.read()
