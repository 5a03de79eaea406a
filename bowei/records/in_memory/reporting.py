"""The journal's twin."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from typing_extensions import override

from bowei.domain.dirt import ENDED_BY_COUNTING, Dirt, Doubt
from bowei.domain.freshness import learn_gap
from bowei.domain.holds import HoldState
from bowei.domain.lots import LotId
from bowei.domain.observations import FUTURE_TOLERANCE, Observation, Outcome, Passage, PassageKind
from bowei.domain.offering import Report
from bowei.records.in_memory.holding import InMemoryHoldBook
from bowei.records.in_memory.world import InMemoryRecords, KeptHold, KeptReport
from bowei.records.reporting import Judged, Recorded, ReportJournal

_FIRST_GAP = timedelta(seconds=60)


class InMemoryReportJournal(ReportJournal):
    """The journal in memory."""

    def __init__(self, records: InMemoryRecords) -> None:
        self._records = records
        self._book = InMemoryHoldBook(records)

    @override
    async def record(self, judged: Sequence[Judged]) -> Sequence[Recorded]:
        return [self._record_one(one) for one in judged]

    def _record_one(self, judged: Judged) -> Recorded:
        world = self._records
        judged = _not_ahead(judged, world.now + FUTURE_TOLERANCE)
        said = judged.taken
        last = world.reports.get(said.lot_id)
        outcome = Outcome.QUARANTINED if judged.code is not None else _compare(said, last)
        if outcome is Outcome.APPLIED:
            world.reports[said.lot_id] = self._believed(judged, last)
            if said.free is not None or last is None:
                world.counted_at[said.lot_id] = said.observed_at
        elif judged.code is not None and last is not None and said.observed_at > last.observed_at:
            self._note_refused(said.lot_id, last, Dirt(judged.code))
        if outcome is not Outcome.DUPLICATE:
            world.observations.append((judged, outcome))
            world.history.append(KeptReport(said, outcome, world.now, judged.code, judged.observation.observed_at))
        return Recorded(said.lot_id, outcome, world.reports.get(said.lot_id))

    def _note_refused(self, lot_id: LotId, last: Report, refused: Dirt) -> None:
        if last.refused is not refused:
            noted = dataclasses.replace(last, refused=refused, revision=last.revision + 1)
            self._records.reports[lot_id] = noted

    def _believed(self, judged: Judged, last: Report | None) -> Report:
        said, said_at = judged.taken, judged.observation.observed_at
        usual_gap = _FIRST_GAP
        doubt = judged.doubt or self._records.known_doubt(said.lot_id)
        revision = int(doubt is not None)
        if last is not None:
            doubt, revision = last.doubt, last.revision
            if said.reset and doubt in ENDED_BY_COUNTING:
                doubt, revision = None, revision + 1
            gap = said.observed_at - last.observed_at
            usual_gap = learn_gap(last.usual_gap, gap) if gap else last.usual_gap
        return Report(
            observed_at=said.observed_at,
            received_at=self._records.now,
            seq=said.seq or 0,
            free=said.free,
            open=said.open,
            capacity=said.capacity,
            state=said.state,
            usual_gap=usual_gap,
            free_by_class=dict(said.free_by_class),
            queue_vehicles=said.queue_vehicles,
            bound=said.bound,
            dirt=said.dirt,
            doubt=doubt,
            revision=revision,
            said_at=None if said_at == said.observed_at else said_at,
        )

    @override
    async def record_passage(self, passage: Passage, *, moves_count: bool) -> Recorded:
        world, lot_id = self._records, passage.lot_id
        key = (lot_id, passage.passage_id, passage.kind)
        if key in world.passages:
            return Recorded(lot_id, Outcome.DUPLICATE, world.reports.get(lot_id))
        world.passages[key] = passage.passed_at
        world.passages_received[key] = world.now
        counted_at = world.counted_at.get(lot_id)
        stale = counted_at is not None and passage.passed_at <= counted_at
        moved = moves_count and not stale and self._move_count(passage)
        if passage.plate_hashes and passage.kind is PassageKind.ENTER:
            self._let_arrive(passage, moved=moved)
        elif passage.plate_hashes:
            self._let_leave(passage)
        return Recorded(lot_id, Outcome.STALE if stale else Outcome.APPLIED, world.reports.get(lot_id))

    def _move_count(self, passage: Passage) -> bool:
        world = self._records
        last = world.reports.get(passage.lot_id)
        if last is None or last.free is None:
            return False
        capacity = last.capacity if last.capacity is not None else world.lots[passage.lot_id].capacity
        if passage.kind is PassageKind.ENTER:
            free = max(last.free - 1, 0)
        else:
            free = last.free if Dirt.OVERFLOW in last.dirt else min(last.free + 1, capacity)
        world.reports[passage.lot_id] = dataclasses.replace(
            last,
            free=free,
            said_at=last.said_at or last.observed_at,
            observed_at=max(last.observed_at, passage.passed_at),
            received_at=world.now,
        )
        return True

    def _let_arrive(self, passage: Passage, *, moved: bool) -> None:
        world = self._records
        for kept in self._named(passage):
            if kept.live and kept.hold.placed_at <= passage.passed_at:
                self._book.arrive_at(kept.hold.diversion_id, None, passage.passed_at)
                by_class = world.reports[passage.lot_id].free_by_class
                if moved and kept.hold.state is HoldState.ARRIVED and kept.hold.space_class not in by_class:
                    world.end(kept, HoldState.SETTLED, "passage")
                return

    def _let_leave(self, passage: Passage) -> None:
        for kept in self._named(passage):
            arrived_at = kept.hold.arrived_at
            here = kept.staying or kept.hold.state is HoldState.ARRIVED
            if here and arrived_at is not None and arrived_at <= passage.passed_at:
                self._book.leave_as(kept.hold.diversion_id, None)
                return

    def _named(self, passage: Passage) -> list[KeptHold]:
        """Give the lot's holds whose plate passed, earliest placed first."""
        named = [kept for kept in self._records.holds_on(passage.lot_id) if kept.plate_hash in passage.plate_hashes]
        return sorted(named, key=lambda kept: (kept.hold.placed_at, kept.hold.diversion_id))

    @override
    async def passage_ids(
        self, lot_id: LotId, kind: PassageKind, since: datetime, until: datetime, *, most: int
    ) -> Sequence[str]:
        passed = sorted(
            (passed_at, passage_id)
            for (passed_lot, passage_id, passed_kind), passed_at in self._records.passages.items()
            if (passed_lot, passed_kind) == (lot_id, kind) and since <= passed_at < until
        )
        return [passage_id for _, passage_id in passed[:most]]

    @override
    async def set_doubt(self, lot_id: LotId, doubt: Doubt | None) -> Report | None:
        return self._records.doubt(lot_id, doubt)

    @override
    async def reports(self) -> Mapping[LotId, Report]:
        return dict(self._records.reports)

    @override
    async def now(self) -> datetime:
        return self._records.now


def _not_ahead(judged: Judged, latest: datetime) -> Judged:
    """Take what lies further in the future for the latest instant that a report may be of."""
    taken = judged.taken
    if taken.observed_at <= latest:
        return judged
    return dataclasses.replace(judged, belief=dataclasses.replace(taken, observed_at=latest))


def _compare(said: Observation, last: Report | None) -> Outcome:
    """Say what becomes of a report that may be believed, next to the last one."""
    if last is None or said.order > (last.observed_at, last.seq):
        return Outcome.APPLIED
    if said.order < (last.observed_at, last.seq):
        return Outcome.STALE
    same = (said.capacity, said.open, said.free, said.bound, said.state, dict(said.free_by_class)) == (
        last.capacity,
        last.open,
        last.free,
        last.bound,
        last.state,
        dict(last.free_by_class),
    )
    return Outcome.DUPLICATE if same or last.seq != 0 else Outcome.APPLIED
