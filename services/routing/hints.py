"""What is known of lots now: from the mirror of the live state, or from the ledger where the mirror is not current.

A hint only: the ledger decides again under its locks.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bowei.domain.choosing import LotNow
from bowei.domain.directory import Directory
from bowei.domain.lots import LotId
from bowei.domain.offering import NOTHING_PROMISED
from bowei.livestate.mirror import LiveMirror
from bowei.records.failures import StoreFailure
from bowei.records.holding import HoldBook
from bowei.records.registering import Register
from bowei.records.reporting import ReportJournal

MIRROR_CURRENT_S = 3.0
"""The mirror hears a sign of life every second; three missed ones and the ledger is asked instead."""

_LEDGER_READ_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Known:
    """A snapshot of what is known."""

    directory: Directory
    lots: Mapping[LotId, LotNow]
    source: str
    """`mirror`, `ledger`, or `mirror_stale` where neither store answers."""


class Hints:
    """Gives the best snapshot there is."""

    def __init__(self, mirror: LiveMirror, book: HoldBook, journal: ReportJournal, register: Register) -> None:
        self._mirror = mirror
        self._book = book
        self._journal = journal
        self._register = register
        self._from_ledger: Known | None = None
        self._read_at = -_LEDGER_READ_EVERY_S
        self._reading = asyncio.Lock()

    async def known(self) -> Known:
        """Give what is known now; never fails, but may be old (`source` says so)."""
        age_s = self._mirror.age_s
        if age_s is not None and age_s <= MIRROR_CURRENT_S:
            return Known(self._mirror.directory, self._mirror.lots, "mirror")
        async with self._reading:  # whoever waits here shares the read of the one before
            if time.monotonic() - self._read_at >= _LEDGER_READ_EVERY_S:
                self._from_ledger = await self._read_ledger()
                self._read_at = time.monotonic()
        return self._from_ledger or Known(self._mirror.directory, self._mirror.lots, "mirror_stale")

    async def _read_ledger(self) -> Known | None:
        try:
            directory = await self._register.directory()
            reports = await self._journal.reports()
            promises = (await self._book.promised(None)).promises
        except StoreFailure:
            return None
        lots = {
            lot_id: LotNow(reports.get(lot_id), promises.get(lot_id, NOTHING_PROMISED)) for lot_id in directory.lots
        }
        return Known(directory, lots, "ledger")
