"""What is known of lots now: from the mirror of the live state, or from the ledger where the mirror is not current.

A hint only: the ledger decides again under its locks.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bowei.domain.choosing import LotNow
from bowei.domain.directory import Directory
from bowei.domain.gate import GateWord
from bowei.domain.lots import HospitalId, LotId
from bowei.domain.offering import NOTHING_PROMISED
from bowei.livestate.mirror import CURRENT_FOR_S, LiveMirror
from bowei.records.failures import StoreFailure
from bowei.records.gate_book import GateBook
from bowei.records.holding import HoldBook
from bowei.records.registering import Register
from bowei.records.reporting import ReportJournal

_LEDGER_READ_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Known:
    """A snapshot of what is known."""

    directory: Directory
    lots: Mapping[LotId, LotNow]
    words: Mapping[HospitalId, GateWord]
    """What gates' staff said last."""
    source: str
    """`mirror`, `ledger`, their `_stale` forms where neither store answers, or `nothing` where none ever has."""


class Hints:
    """Gives the best snapshot there is."""

    def __init__(
        self,
        mirror: LiveMirror,
        book: HoldBook,
        journal: ReportJournal,
        register: Register,
        gates: GateBook,
        *,
        silent: Callable[[], frozenset[LotId]] = frozenset,
    ) -> None:
        """`silent`: the lots whose barriers do not answer. They count as lots without a link."""
        self._silent = silent
        self._without: tuple[Directory, frozenset[LotId], Directory] | None = None
        self._mirror = mirror
        self._book = book
        self._journal = journal
        self._register = register
        self._gates = gates
        self._from_ledger: Known | None = None
        self._from_ledger_at = 0.0
        self._asked_at = -_LEDGER_READ_EVERY_S
        self._asking = asyncio.Lock()

    async def known(self) -> Known:
        """Give what is known now; never fails, but may be old, or nothing (`source` says so)."""
        known = await self._known()
        return replace(known, directory=self.as_answered(known.directory))

    def as_answered(self, directory: Directory) -> Directory:
        """Give the directory in which silent barriers are not linked.

        The same object for the same question: ways to its lots were found already.
        """
        silent = self._silent()
        if not silent:
            return directory
        if self._without is None or self._without[0] is not directory or self._without[1] != silent:
            self._without = directory, silent, directory.without_links(silent)
        return self._without[2]

    async def _known(self) -> Known:
        if self._mirror.is_current():
            return self._mirrored("mirror")
        async with self._asking:  # whoever waits here shares the reading of the one before
            if not self._mirror.is_current() and time.monotonic() - self._asked_at >= _LEDGER_READ_EVERY_S:
                await self._ask_ledger()
        return self._youngest()

    def _youngest(self) -> Known:
        mirror_age_s, ledger_age_s = self._mirror.age_s, time.monotonic() - self._from_ledger_at
        if self._from_ledger is not None and (mirror_age_s is None or ledger_age_s < mirror_age_s):
            current = ledger_age_s <= CURRENT_FOR_S
            found = self._from_ledger
            return found if current else replace(found, source="ledger_stale")
        if mirror_age_s is None:
            return Known(Directory.empty(), {}, {}, "nothing")
        return self._mirrored("mirror" if self._mirror.is_current() else "mirror_stale")

    def _mirrored(self, source: str) -> Known:
        return Known(self._mirror.directory, self._mirror.lots, self._mirror.gate_words, source)

    async def _ask_ledger(self) -> None:
        try:
            directory = await self._newest_directory()
            reports = await self._journal.reports()
            promises = (await self._book.promised(None)).promises
            words = {word.hospital_id: word for word in await self._gates.words()}
        except StoreFailure:
            return
        finally:
            self._asked_at = time.monotonic()
        lots = {
            lot_id: LotNow(
                reports.get(lot_id), promises.get(lot_id, NOTHING_PROMISED), self._mirror.lot(lot_id).foreseen
            )
            for lot_id in directory.lots
        }
        self._from_ledger, self._from_ledger_at = Known(directory, lots, words, "ledger"), time.monotonic()

    async def _newest_directory(self) -> Directory:
        """Give the register's directory; one that is known in the same version is not read again.

        A large city's takes a second to read; and by the same object, ways to its lots were found already.
        """
        version = await self._register.directory_version()
        known = [] if self._from_ledger is None else [self._from_ledger.directory]
        if self._mirror.age_s is not None:
            known.append(self._mirror.directory)
        return next((one for one in known if one.version == version), None) or await self._register.directory()
