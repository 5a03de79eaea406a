"""Noting: what is said beside reports. Signs of life, and lots that nobody registered.

Neither is worth a commit of its own each time: they are gathered, each link's and each lot's into one, and written
every few seconds; a process that dies forgets at most that. The end of a link is written at once: nobody should be sent
to a lot whose barrier was heard to die.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from bowei.domain.clock import Clock
from bowei.domain.heartbeats import Heartbeat, Sign
from bowei.domain.lots import LotId, SourceId
from bowei.domain.places import Point
from bowei.domain.strangers import LONGEST_NAME, KnownLot, Stranger, named
from bowei.records.failures import StoreFailure
from bowei.records.quality import QualityBook, Reconciliation
from services.ingest.measures import Measures
from services.ingest.sources import Registered, Sources

WRITE_EVERY_S = 5.0
SIGNS_MOST, STRANGERS_MOST = 20_000, 2_000
"""Links and lots that are gathered between two writings; what is beyond waits for the next time it is said. The end of
a link, or its return, is none of these: it is said once, and written at once."""
_BEATS_MOST = 5
"""Of one link in one writing: enough to tell a habit."""

_log = logging.getLogger(__name__)


class TellsDoubts(Protocol):
    """Shows to readers that nothing of a lot is offered, and why, or (None) that it is again."""

    async def tell(self, doubts: Mapping[LotId, str | None]) -> None:
        """Have it shown; a lot that never reported has nothing to show. Raises StoreFailure."""
        ...


class Notes:
    """Gathers and writes. Run `run` as a task."""

    def __init__(
        self, book: QualityBook, doubts: TellsDoubts, sources: Sources, clock: Clock, measures: Measures
    ) -> None:
        self._book = book
        self._doubts = doubts
        self._sources = sources
        self._clock = clock
        self._measures = measures
        self._signs: dict[tuple[SourceId, LotId | None], list[Heartbeat]] = {}
        self._strangers: dict[tuple[SourceId, str], Stranger] = {}

    async def signs(self, heard: Sequence[Heartbeat]) -> None:
        """Note signs of life, and of its end.

        Raises:
            StoreFailure: the end of a link could not be written; it may be said again.
        """
        for one in heard:
            self._gather(one)
        if any(one.sign is not Sign.HEARTBEAT for one in heard):
            await self._write_signs()

    def stranger(self, source_id: SourceId, code: str, *, name: str | None = None, place: Point | None = None) -> None:
        """Note a lot that a registered source names and nobody registered."""
        now = self._clock.now()
        code, name = code[:LONGEST_NAME], None if name is None else name[:LONGEST_NAME]
        was = self._strangers.get((source_id, code))
        if was is not None:
            self._strangers[source_id, code] = replace(
                was, last_heard_at=now, times=was.times + 1, name=name or was.name, place=place or was.place
            )
        elif len(self._strangers) < STRANGERS_MOST:
            self._strangers[source_id, code] = Stranger(source_id, code, now, now, name=name, place=place)

    async def reconcile(self, said: Reconciliation) -> None:
        """Keep what a lot counted of its whole day. Raises StoreFailure."""
        await self._book.reconcile(said)

    async def run(self) -> None:
        """Write what was gathered, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                await self.write()
            except StoreFailure as failure:
                _log.warning("notes_not_written", extra={"cause": type(failure).__name__})

    async def write(self) -> None:
        """Write what was gathered.

        Raises:
            StoreFailure: it is kept for the next time.
        """
        await self._write_signs()
        gathered, self._strangers = self._strangers, {}
        if not gathered:
            return
        try:
            registered = await self._sources.registered()
            await self._book.note_strangers(_named(gathered.values(), registered))
        except StoreFailure:
            self._strangers = gathered | self._strangers
            raise

    def _gather(self, one: Heartbeat) -> None:
        key = (one.source_id, one.lot_id)
        if one.sign is Sign.HEARTBEAT and key not in self._signs and len(self._signs) >= SIGNS_MOST:
            return
        kept = self._signs.setdefault(key, [])
        if one.sign is Sign.HEARTBEAT and sum(sign.sign is Sign.HEARTBEAT for sign in kept) >= _BEATS_MOST:
            kept[:] = [*kept[1:], one]
        else:
            kept.append(one)

    async def _write_signs(self) -> None:
        gathered, self._signs = self._signs, {}
        if not gathered:
            return
        try:
            changed = await self._book.note_signs([sign for signs in gathered.values() for sign in signs])
        except StoreFailure:
            for key, signs in gathered.items():
                self._signs[key] = signs + self._signs.get(key, [])
            raise
        if changed:
            await self._doubts.tell(changed)


def _named(gathered: Iterable[Stranger], registered: Registered) -> list[Stranger]:
    """Name each, and leave out those that were registered meanwhile."""
    known: dict[SourceId, list[KnownLot]] = {}
    found = []
    for one in gathered:
        reporter = registered.by_id.get(one.source_id)
        if reporter is None or registered.find_lot(reporter, one.code) is not None:
            continue
        if one.source_id not in known:
            known[one.source_id] = _lots_of(one.source_id, registered)
        dirt, like = named(one, known)
        found.append(replace(one, dirt=dirt, like=like))
    return found


def _lots_of(source_id: SourceId, registered: Registered) -> list[KnownLot]:
    lots = []
    for code, lot_id in registered.by_id[source_id].source.lots:
        lot = registered.directory.lots.get(lot_id)
        if lot is not None:
            lots.append(KnownLot(lot_id, (code, lot.name.zh, lot.name.en), lot.location))
    return lots
