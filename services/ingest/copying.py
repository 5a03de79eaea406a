"""Copying: shows all of the record's newest reports again whenever the live state may have lost some.

That is at start, when the server's mark is gone or is of another server (flushed, restarted, failed over, restored),
and when a report could be recorded and not shown. A copy replaces nothing newer, so copying once too often is harmless.
"""

import asyncio
import logging
import random
from collections.abc import Callable

from bowei.livestate.failures import LiveStateAway
from bowei.livestate.showing import ShowsReports
from bowei.records.failures import StoreFailure
from bowei.records.reporting import ReportJournal
from services.ingest.measures import Measures

LOOK_EVERY_S = 1.0
LONGEST_WAIT_S = 4.0
"""Between attempts, however long the stores stay away: service is to be back within 5 s of them."""
_ONE_COPY_S = 30.0

_log = logging.getLogger(__name__)


class Copying:
    """Keeps the live state's copy of reports whole, until it is cancelled."""

    def __init__(
        self,
        journal: ReportJournal,
        live: ShowsReports,
        measures: Measures,
        *,
        look_every_s: float = LOOK_EVERY_S,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._journal = journal
        self._live = live
        self._measures = measures
        self._look_every_s = look_every_s
        self._jitter = jitter
        self._incomplete = True

    def copy_again(self) -> None:
        """Say that something was not shown: the next look copies everything."""
        self._incomplete = True

    async def run(self) -> None:
        """Look, copy where needed, wait; for ever. A failure doubles the wait, up to `LONGEST_WAIT_S`."""
        failures = 0
        while True:
            try:
                async with asyncio.timeout(_ONE_COPY_S):
                    await self.look()
                failures = 0
            except (StoreFailure, LiveStateAway, TimeoutError) as failure:
                failures += 1
                self._measures.copies.labels("failed").inc()
                if failures == 1:
                    _log.warning("copy_failed", extra={"cause": type(failure).__name__})
            # Jitter, so that several processes that lost the same server don't come back at once.
            wait_s = min(self._look_every_s * 2 ** min(failures, 8), LONGEST_WAIT_S)
            await asyncio.sleep(wait_s * (0.5 + self._jitter() / 2))

    async def look(self) -> None:
        """Copy all reports if the live state may lack some.

        Raises:
            StoreFailure, LiveStateAway: it could not be done; the next look tries again.
        """
        # Asked in any case: while the live state is away nothing is read from the record for it.
        copied = await self._live.reports_copied()
        if copied and not self._incomplete:
            return
        # Cleared first: what can't be shown from here on may be missing in what is read now.
        self._incomplete = False
        try:
            reports = await self._journal.reports()
            await self._live.copy_reports(reports)
        except BaseException:
            self._incomplete = True
            raise
        self._measures.copies.labels("done").inc()
        _log.info("reports_copied", extra={"lots": len(reports)})
