"""Receiving: judge, record, show, and only then answer.

judge ──rejected──▶ answered, not kept
  │
record (commit) ──store away──▶ shown if believed, and refused with 503: the sender repeats, nothing is lost
  │
show ──live state away──▶ acknowledged all the same; the copier shows all of the record again
  │
acknowledge
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bowei.domain.believing import NOTHING_LEARNED, Claim, Known, LotFacts, claimed, judge
from bowei.domain.clock import Clock
from bowei.domain.heartbeats import Heartbeat, Sign
from bowei.domain.lots import LotId
from bowei.domain.observations import FUTURE_TOLERANCE, Observation, Outcome, Passage, PassageKind, Verdict
from bowei.domain.offering import Report
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.showing import ShowsReports
from bowei.records.failures import OutcomeUnknown, StoreAway, StoreFailure
from bowei.records.reporting import Judged, Recorded, ReportJournal
from services.ingest.measures import Measures, Way
from services.ingest.showing import ShowingTogether, keep_newest

SHOW_PAUSE_S = 1.0
"""After the live state failed to answer, nobody waits for it again for so long; the copier makes up for it."""
REMEMBER_PAUSE_S = 1.0
"""The same of the record, which is read once for what lots said last."""

_PASSAGES_AT_ONCE = 4
_STALE, _REJECTED = Outcome.STALE, Outcome.REJECTED
"""After all else the newest report is shown. A duplicate's first attempt may have been committed and cut off before.
With a report that is not believed, the last good one is shown again, and says why it still stands."""

_log = logging.getLogger(__name__)


class Receiving:
    """Takes in what was read and found well-formed, whatever protocol brought it.

    Every method raises StoreAway, OutcomeUnknown or Overloaded; then nothing was acknowledged, and all of it may be
    sent again.
    """

    def __init__(
        self,
        journal: ReportJournal,
        live: ShowsReports,
        clock: Clock,
        measures: Measures,
        *,
        copy_again: Callable[[], None],
        facts_of: Callable[[LotId], LotFacts] = lambda _lot_id: NOTHING_LEARNED,
        note_signs: Callable[[Sequence[Heartbeat]], Awaitable[None]] | None = None,
    ) -> None:
        """`facts_of` gives what was learned of a lot, or declared; `note_signs` keeps signs of life."""
        self._journal = journal
        self._showing = ShowingTogether(live)
        self._clock = clock
        self._measures = measures
        self._copy_again = copy_again
        self._facts_of = facts_of
        self._note_signs = note_signs
        self._last: dict[LotId, Report] | None = None
        """Each lot's last believed report, as far as this process knows: read once, then kept up by what it records.
        A hint; the record decides what is newer."""
        self._claims: dict[LotId, Claim] = {}
        self._show_again_at = self._remember_again_at = float("-inf")

    async def observations(
        self, said: Sequence[Observation], *, capacity_of: Callable[[LotId], int], way: Way
    ) -> list[Verdict]:
        """Take in observations, in the order given; one verdict each. `capacity_of` gives the registered capacity."""
        now = await self._now([one.observed_at for one in said])
        await self._remember()
        last, verdicts, kept = self._last or {}, [], []
        for one in said:
            facts = self._facts_of(one.lot_id)
            known = Known(capacity_of(one.lot_id), now, facts, last.get(one.lot_id), self._claims.get(one.lot_id))
            verdicts.append(verdict := judge(one, known))
            if verdict.outcome is not _REJECTED:
                if (claim := claimed(one, known.claim, now)) is not None:
                    self._claims[one.lot_id] = claim
                kept.append(Judged(one, verdict.code, verdict.belief, facts.doubt))
        if kept:
            recorded = iter(await self._record(kept))
            verdicts = [one if one.outcome is _REJECTED else _became(one, next(recorded)) for one in verdicts]
        self._measures.observed_all(way, verdicts, [one.observed_at for one in said], now)
        return verdicts

    async def passages(self, passed: Sequence[Passage], *, moves_count: bool, way: Way) -> list[Verdict]:
        """Take in passages; those of one lot in the order given. `moves_count`: see ReportJournal."""
        latest = await self._now(one.passed_at for one in passed) + FUTURE_TOLERANCE
        verdicts = [
            Verdict(Outcome.REJECTED, "future_time") if one.passed_at > latest else Verdict(Outcome.APPLIED)
            for one in passed
        ]
        by_lot: dict[LotId, list[int]] = {}
        for place, one in enumerate(passed):
            if verdicts[place].believed:
                by_lot.setdefault(one.lot_id, []).append(place)
        recorded = await self._record_passages(passed, list(by_lot.values()), moves_count=moves_count)
        await self._show_recorded(recorded.values())
        for place, became in recorded.items():
            verdicts[place] = Verdict(became.outcome)
        for verdict in verdicts:
            self._measures.passed(way, verdict)
        return verdicts

    async def present(self) -> datetime:
        """Give the present instant by the ledger's clock; while it can't be asked, by this process' own."""
        try:
            return await self._journal.now()
        except StoreFailure:
            return self._clock.now()

    async def passage_ids(
        self, lot_id: LotId, kind: PassageKind, since: datetime, until: datetime, *, most: int
    ) -> Sequence[str]:
        """Give the ids of a lot's recorded passages in one direction with since <= passed_at < until."""
        return await self._journal.passage_ids(lot_id, kind, since, until, most=most)

    async def heartbeats(self, heard: Sequence[Heartbeat]) -> None:
        """Take in signs of life, and of its end."""
        for one in heard:
            self._measures.signed(one.sign)
            if one.sign is not Sign.COMMS_LOST:
                self._measures.heard(one.source_id, self._clock.now())
        if heard and self._note_signs is not None:
            await self._note_signs(heard)

    async def _now(self, said_at: Iterable[datetime]) -> datetime:
        """Give the present instant; where something seems to come from the future, by the ledger's clock.

        This process' own may be behind, and a true report must not be turned away for it.
        """
        now = self._clock.now()
        return await self._journal.now() if max(said_at, default=now) > now + FUTURE_TOLERANCE else now

    async def _remember(self) -> None:
        if self._last is not None or time.monotonic() < self._remember_again_at:
            return
        # Whoever comes meanwhile is judged without it, as everyone is while the record is away.
        self._remember_again_at = time.monotonic() + REMEMBER_PAUSE_S
        try:
            self._last = dict(await self._journal.reports())
        except StoreFailure as failure:
            _log.warning("reports_not_remembered", extra={"cause": type(failure).__name__})

    async def _record(self, judged: Sequence[Judged]) -> Sequence[Recorded]:
        try:
            recorded = await self._journal.record(judged)
        except (StoreAway, OutcomeUnknown):
            await self._show_unrecorded([one for one in judged if one.code is None])
            raise
        await self._show_recorded(recorded)
        return recorded

    async def _record_passages(
        self, passed: Sequence[Passage], groups: Sequence[Sequence[int]], *, moves_count: bool
    ) -> dict[int, Recorded]:
        """Record passages by lot, a few lots at a time; give what became of each by its place."""
        room = asyncio.Semaphore(_PASSAGES_AT_ONCE)

        async def record_lot(places: Sequence[int]) -> dict[int, Recorded]:
            async with room:
                return {
                    place: await self._journal.record_passage(passed[place], moves_count=moves_count)
                    for place in places
                }

        done = await asyncio.gather(*(record_lot(places) for places in groups), return_exceptions=True)
        recorded: dict[int, Recorded] = {}
        for one in done:
            if isinstance(one, BaseException):
                raise one
            recorded |= one
        return recorded

    async def _show_recorded(self, recorded: Iterable[Recorded]) -> None:
        newest: dict[LotId, Report] = {}
        for one in recorded:
            if one.report is None or one.outcome is _STALE:
                continue
            keep_newest(newest, one.lot_id, one.report)
        if self._last is not None:
            for lot_id, report in newest.items():
                keep_newest(self._last, lot_id, report)
        await self._show(newest)

    async def _show_unrecorded(self, believed: Sequence[Judged]) -> None:
        now = self._clock.now()
        newest: dict[LotId, Report] = {}
        for one in believed:
            lot_id = one.observation.lot_id
            keep_newest(newest, lot_id, _unrecorded(one, (self._last or {}).get(lot_id), now))
        self._measures.unrecorded.inc(len(believed))
        await self._show(newest)

    async def _show(self, reports: Mapping[LotId, Report]) -> None:
        if not reports:
            return
        if time.monotonic() < self._show_again_at:
            self._missed_showing()
            return
        try:
            await self._showing.show(reports)
        except LiveStateAway as away:
            self._show_again_at = time.monotonic() + SHOW_PAUSE_S
            self._missed_showing()
            _log.warning("reports_not_shown", extra={"lots": len(reports), "cause": str(away)})

    def _missed_showing(self) -> None:
        self._measures.show_failures.inc()
        self._copy_again()


def _became(verdict: Verdict, recorded: Recorded) -> Verdict:
    return verdict if recorded.outcome is verdict.outcome else replace(verdict, outcome=recorded.outcome)


def _unrecorded(judged: Judged, last: Report | None, now: datetime) -> Report:
    """Give the report that the record would have, as far as it can be known without it."""
    taken = judged.taken
    report = Report(
        observed_at=taken.observed_at,
        received_at=now,
        seq=taken.seq or 0,
        free=taken.free,
        open=taken.open,
        capacity=taken.capacity,
        state=taken.state,
        free_by_class=taken.free_by_class,
        queue_vehicles=taken.queue_vehicles,
        bound=taken.bound,
        dirt=taken.dirt,
        doubt=judged.doubt,
    )
    if last is None:
        return report
    return replace(report, usual_gap=last.usual_gap, revision=last.revision)
