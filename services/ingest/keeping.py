"""Keeping: one process of all makes days for reports, sums up hours, forgets what is too old, and writes finished days.

It holds an advisory lock, so there is one. All is done by the database's clock, in pieces that may be stopped at any
point: what one keeper left, the next one does.
"""

import logging
import time
from dataclasses import dataclass

from bowei.records.dead_letters import DeadLetters
from bowei.records.history import KeepsHistory
from bowei.records.leading import HandsOutLead, Leads
from services.ingest.history_files import HistoryFiles
from services.ingest.history_measures import HistoryMeasures
from services.ingest.leading import AGAIN_S, whenever_leading

KEEP_EVERY_S = 30.0
_PIECES_MOST = 500
"""Of one round: a keeper that is far behind looks around now and then."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days what is kept: reports and passages, sums by the hour, dead letters."""

    days: int = 400
    hourly_days: int = 1_830
    letter_days: int = 14


class Keeper:
    """Keeps history for as long as it has the right to. Run `run` as a task."""

    def __init__(
        self,
        leadership: HandsOutLead,
        history: KeepsHistory,
        letters: DeadLetters,
        measures: HistoryMeasures,
        retention: Retention,
        *,
        keep_every_s: float = KEEP_EVERY_S,
        files: HistoryFiles | None = None,
    ) -> None:
        """`files`: None where no history files are wanted."""
        self._leadership = leadership
        self._history = history
        self._letters = letters
        self._measures = measures
        self._retention = retention
        self._keep_every_s = keep_every_s
        self._files = files

    async def run(self) -> None:
        """Keep until cancelled."""
        await whenever_leading(
            self._leadership,
            self._keep_on,
            gauge=self._measures.keeping,
            stopped=self._measures.stopped,
            began="keeping_began",
            failed="history_not_kept",
            again_s=min(AGAIN_S, self._keep_every_s),
        )

    async def _keep_on(self, leading: Leads) -> None:
        while not leading.lost():
            await self.keep(leading)
            await leading.wait(self._keep_every_s)

    async def keep(self, leading: Leads) -> None:
        """Do one round: what is due now, and at most so many pieces of it.

        Raises:
            StoreFailure: the rest is done by the next round.
        """
        made = await self._history.make_days()
        await self._history.note_hours()
        for _ in range(_PIECES_MOST):
            rolled_up = await self._history.roll_up()
            self._measures.rolled_up.inc(rolled_up)
            if not rolled_up or leading.lost():
                break
        for _ in range(_PIECES_MOST):
            if leading.lost() or not await self._forget():
                break
        if self._files is not None:
            await self._files.write(leading.lost)
        self._measures.shown(await self._history.state())
        self._measures.letters_waiting.set(await self._letters.count())
        self._measures.kept_at.set(time.time())
        if made:
            _log.info("days_made", extra={"days": made})

    async def _forget(self) -> bool:
        kept = self._retention
        forgotten = await self._history.forget(days=kept.days, hourly_days=kept.hourly_days)
        self._measures.forgot(forgotten)
        letters = await self._letters.forget(days=kept.letter_days)
        self._measures.letters_dropped("age", letters)
        if forgotten.days:
            _log.info("days_forgotten", extra={"days": forgotten.days})
        return forgotten.anything or letters > 0
