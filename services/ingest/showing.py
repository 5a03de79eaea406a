"""Showing together: reports that are recorded while others are being shown are shown by the next call, in one.

No timer and no added wait, as with group commit; of a lot only the newest is shown.
"""

import asyncio
from collections.abc import Mapping

from bowei.domain.lots import LotId
from bowei.domain.offering import Report
from bowei.livestate.showing import ShowsReports


class ShowingTogether:
    """Shows reports, one call at a time."""

    def __init__(self, live: ShowsReports) -> None:
        self._live = live
        self._next: dict[LotId, Report] = {}
        self._next_shown: asyncio.Future[None] | None = None
        self._working: asyncio.Task[None] | None = None

    async def show(self, reports: Mapping[LotId, Report]) -> None:
        """Show reports, and return when they are shown.

        Raises:
            LiveStateAway: they are not, or not all.
        """
        if self._next:
            for lot_id, report in reports.items():
                keep_newest(self._next, lot_id, report)
        else:
            self._next.update(reports)
        if self._next_shown is None:
            self._next_shown = asyncio.get_running_loop().create_future()
        shown = self._next_shown
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        # Shielded: whoever leaves must not take the others' showing along.
        await asyncio.shield(shown)

    async def _work(self) -> None:
        while (shown := self._next_shown) is not None:
            reports, self._next, self._next_shown = self._next, {}, None
            try:
                await self._live.show_reports(reports)
            except Exception as error:  # noqa: BLE001 (whatever it was, those who wait must hear of it)
                shown.set_exception(error)
                shown.exception()  # heard, even if all who waited have left
            else:
                shown.set_result(None)


def keep_newest(newest: dict[LotId, Report], lot_id: LotId, report: Report) -> None:
    """Put a report among the newest of each lot, unless there is a newer one."""
    before = newest.get(lot_id)
    if before is None or report.observed_at > before.observed_at or _order(report) >= _order(before):
        newest[lot_id] = report


def _order(report: Report) -> tuple[object, ...]:
    return (report.observed_at, report.seq, report.received_at, report.revision)
