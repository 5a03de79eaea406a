"""The twin of quality: the book and the desk on what the world remembers, with the domain's own rules."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from typing_extensions import override

from bowei.domain.assessing import LOOKS_BACK, Series
from bowei.domain.dirt import Dirt, Doubt
from bowei.domain.drifting import DAYS_LOOKED_AT
from bowei.domain.heartbeats import LOST_AFTER, Heartbeat, Sign
from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import Outcome
from bowei.domain.strangers import Stranger
from bowei.domain.trust import Trust, TrustState, doubt_of, release_by_hand, suspend_by_hand
from bowei.records.in_memory.series import clock_of, days_of, hours_of, newest_source, received_since
from bowei.records.in_memory.world import InMemoryRecords, KeptLink
from bowei.records.quality import (
    EVENTS_MOST,
    HABIT_HEARTBEATS,
    STRANGERS_MOST,
    Assessment,
    CityQuality,
    EventKind,
    Key,
    LinkQuality,
    LotFlags,
    LotQuality,
    QualityBook,
    QualityDesk,
    QualityEvent,
    Reconciliation,
    Watched,
    changes_of_findings,
    changes_of_trust,
    enrolled_trusts,
    kept_since,
    may_follow,
    suggested_capacity,
)
from bowei.records.registering import Source, UnknownReference

_LOOKED_AT_MOST = timedelta(days=1)
_FIRST_GAP = timedelta(seconds=60)
_NOT_BY_COUNTING = frozenset({Doubt.PROBATION, Doubt.SUSPENDED, Doubt.COMMS_LOST})


def enrol(world: InMemoryRecords, sources: Sequence[Source]) -> None:
    """Let sources that were put begin where they must, and take an operator's word on those that are known."""
    ids = {source.source_id for source in sources}
    before = {key: trust for key, trust in world.trusts.items() if key[0] in ids}
    after: dict[Key, Trust] = {}
    for source in sources:
        after |= enrolled_trusts(source, before, world.now)
        kept = {lot_id for _, lot_id in source.lots}
        for key in [key for key in before if key[0] == source.source_id and key[1] is not None and key[1] not in kept]:
            del world.trusts[key]
        for name in (name for pair in source.lots for name in pair):
            world.strangers.pop((source.source_id, name), None)
    world.trusts |= after
    world.quality_events += changes_of_trust(before, after, world.now, said_by="registry")
    lots = {lot_id for _, lot_id in before if lot_id is not None}
    renew_doubts(world, lots | {lot_id for source in sources for _, lot_id in source.lots})


def renew_doubts(world: InMemoryRecords, lot_ids: Iterable[LotId]) -> dict[LotId, str | None]:
    """Renew what follows for lots; give those whose doubt changed, and to what."""
    changed: dict[LotId, str | None] = {}
    for lot_id in sorted(set(lot_ids) & world.lots.keys()):
        quality = world.quality_of(lot_id)
        pairs = [source for source in world.sources.values() if any(lot == lot_id for _, lot in source.lots)]
        heeded = [source for source in pairs if not source.suspended] or pairs
        trusts = [
            trust
            for source in heeded
            for key in ((source.source_id, None), (source.source_id, lot_id))
            if (trust := world.trusts.get(key)) is not None
        ]
        became = doubt_of(
            [trust.state for trust in trusts],
            link_lost=any(_link_lost(world, source.source_id, lot_id) for source in pairs),
            vouched=any(trust.pinned and trust.state is TrustState.LIVE for trust in trusts),
            finding=quality.finding_doubt,
        )
        if became != quality.doubt:
            world.quality_events.append(
                QualityEvent(world.now, EventKind.DOUBT, lot_id=lot_id, was=quality.doubt, became=became)
            )
            quality.doubt, quality.doubt_since = became, None if became is None else world.now
            changed[lot_id] = became
        if lot_id in changed or _missed(world, lot_id):
            world.doubt(lot_id, world.known_doubt(lot_id))
    return changed


def _missed(world: InMemoryRecords, lot_id: LotId) -> bool:
    """Say whether a lot's report missed a doubt, or its end; what a count by hand ended is left alone."""
    report, known = world.reports.get(lot_id), world.known_doubt(lot_id)
    return report is not None and report.doubt is not known and not _NOT_BY_COUNTING.isdisjoint({report.doubt, known})


def _link_lost(world: InMemoryRecords, source_id: SourceId, lot_id: LotId) -> bool:
    report = world.reports.get(lot_id)
    if report is None or newest_source(world, lot_id) != source_id:
        return False
    links = [world.links.get((source_id, None)), world.links.get((source_id, lot_id))]
    return any(
        link is not None and link.lost_since is not None and report.received_at <= link.lost_since for link in links
    )


class InMemoryQuality(QualityBook, QualityDesk):
    """Quality in memory."""

    def __init__(self, records: InMemoryRecords) -> None:
        self._records = records

    @override
    async def due(self, *, every: timedelta, most: int) -> Sequence[LotId]:
        world = self._records
        waiting = []
        for lot_id in world.lots:
            looked_at = world.quality_of(lot_id).assessed_at
            if looked_at is None or looked_at <= world.now - every:
                waiting.append((looked_at is not None, looked_at or world.now, lot_id))
        return [lot_id for _, _, lot_id in sorted(waiting)[:most]]

    @override
    async def watch(self, lot_ids: Sequence[LotId]) -> Mapping[LotId, Watched]:
        return {lot_id: self._watch(lot_id) for lot_id in lot_ids if lot_id in self._records.lots}

    def _watch(self, lot_id: LotId) -> Watched:
        world = self._records
        lot, report, quality = world.lots[lot_id], world.reports.get(lot_id), world.quality_of(lot_id)
        looked_at = max(quality.assessed_at or world.now - _LOOKED_AT_MOST, world.now - _LOOKED_AT_MOST)
        heard: dict[SourceId, tuple[int, int]] = {}
        for kept in received_since(world, lot_id, looked_at):
            good, bad = heard.get(kept.observation.source_id, (0, 0))
            is_bad = kept.outcome is Outcome.QUARANTINED
            heard[kept.observation.source_id] = (good + (not is_bad), bad + is_bad)
        return Watched(
            series=Series(
                capacity=lot.capacity,
                timezone=lot.timezone,
                hours=hours_of(world, lot_id, world.now - LOOKS_BACK),
                days=days_of(world, lot_id, DAYS_LOOKED_AT),
                clock=clock_of(world, lot_id),
                last_at=None if report is None else report.observed_at,
                usual_gap=_FIRST_GAP if report is None else report.usual_gap,
            ),
            heard=heard,
            trusts={source_id: trust for (source_id, of_lot), trust in world.trusts.items() if of_lot == lot_id},
            findings=quality.findings,
        )

    @override
    async def assess(self, assessments: Sequence[Assessment]) -> Mapping[LotId, str | None]:
        world = self._records
        known = [one for one in assessments if one.lot_id in world.lots]
        for one in known:
            quality = world.quality_of(one.lot_id)
            findings = kept_since(one.findings, quality.findings)
            world.quality_events += changes_of_findings(one, quality.findings, world.now)
            dirt = {finding.dirt for finding in findings}
            quality.findings, quality.finding_doubt, quality.assessed_at = findings, one.finding_doubt, world.now
            quality.frozen_clock, quality.binary_count = Dirt.FROZEN_CLOCK in dirt, Dirt.BINARY_COUNT in dirt
            quality.suggested_capacity = suggested_capacity(findings)
        self._keep_judged({(source_id, one.lot_id): trust for one in known for source_id, trust in one.trusts.items()})
        return renew_doubts(world, [one.lot_id for one in known])

    @override
    async def source_trusts(self) -> Mapping[SourceId, tuple[Trust, datetime | None]]:
        world = self._records
        return {
            source_id: (trust, self._heard_at(source_id))
            for (source_id, lot_id), trust in world.trusts.items()
            if lot_id is None
        }

    def _heard_at(self, source_id: SourceId) -> datetime | None:
        world = self._records
        lots = {lot_id for _, lot_id in world.sources[source_id].lots}
        return max(
            (
                report.received_at
                for lot_id, report in world.reports.items()
                if lot_id in lots and newest_source(world, lot_id) == source_id
            ),
            default=None,
        )

    @override
    async def judge_sources(self, trusts: Mapping[SourceId, Trust]) -> Mapping[LotId, str | None]:
        world = self._records
        self._keep_judged({(source_id, None): trust for source_id, trust in trusts.items()})
        return renew_doubts(
            world, [lot_id for one in trusts if one in world.sources for _, lot_id in world.sources[one].lots]
        )

    def _keep_judged(self, trusts: Mapping[Key, Trust]) -> None:
        world = self._records
        before = {key: world.trusts[key] for key in trusts if key in world.trusts}
        after = {key: trusts[key] for key, was in before.items() if may_follow(was, trusts[key])}
        world.trusts |= after
        world.quality_events += changes_of_trust(before, after, world.now)

    @override
    async def note_signs(self, heard: Sequence[Heartbeat]) -> Mapping[LotId, str | None]:
        world = self._records
        touched: set[LotId] = set()
        for one in sorted(heard, key=lambda sign: sign.at):
            if one.source_id not in world.sources:
                continue
            key, at = (one.source_id, one.lot_id), min(one.at, world.now)
            link = world.links.setdefault(key, KeptLink(at))
            if at < link.last_at:
                continue
            link.times += one.sign is Sign.HEARTBEAT and one.habit
            lost = one.sign is Sign.COMMS_LOST
            if not lost:
                link.last_at = at
            if lost is (link.lost_since is None):
                touched |= self._turn(key, link, at if lost else None, {})
        return renew_doubts(world, touched)

    @override
    async def watch_links(self) -> Mapping[LotId, str | None]:
        world = self._records
        touched: set[LotId] = set()
        for key, link in world.links.items():
            source_id, lot_id = key
            lots = {lot for _, lot in world.sources[source_id].lots if lot_id in (None, lot)}
            heard = [
                world.reports[lot].received_at
                for lot in lots
                if lot in world.reports and newest_source(world, lot) == source_id
            ]
            last_at = max([link.last_at, *heard])
            evidence = {"silent_s": int((world.now - last_at).total_seconds())}
            if link.lost_since is None:
                if link.times >= HABIT_HEARTBEATS and last_at < world.now - LOST_AFTER:
                    touched |= self._turn(key, link, last_at, evidence)
            elif last_at > link.lost_since:
                touched |= self._turn(key, link, None, evidence)
        return renew_doubts(world, touched)

    def _turn(self, key: Key, link: KeptLink, lost_since: datetime | None, evidence: Mapping[str, int]) -> set[LotId]:
        world, (source_id, lot_id) = self._records, key
        link.lost_since = lost_since
        was, became = ("lost", "up") if lost_since is None else ("up", "lost")
        world.quality_events.append(
            QualityEvent(world.now, EventKind.LINK, source_id, lot_id, was, became, evidence=evidence)
        )
        return {lot for _, lot in world.sources[source_id].lots if lot_id in (None, lot)}

    @override
    async def flags(self) -> Mapping[LotId, LotFlags]:
        return {
            lot_id: LotFlags(one.frozen_clock, one.binary_count, one.doubt)
            for lot_id, one in self._records.qualities.items()
            if one.frozen_clock or one.binary_count or one.doubt is not None
        }

    @override
    async def note_strangers(self, heard: Sequence[Stranger]) -> None:
        world = self._records
        for one in heard:
            if one.source_id not in world.sources:
                continue
            was = world.strangers.get((one.source_id, one.code))
            world.strangers[one.source_id, one.code] = one if was is None else _heard_again(was, one)
        for source_id in {one.source_id for one in heard}:
            of_source = [one for one in world.strangers.values() if one.source_id == source_id]
            of_source.sort(key=lambda one: (-one.last_heard_at.timestamp(), one.code))
            for one in of_source[STRANGERS_MOST:]:
                del world.strangers[source_id, one.code]

    @override
    async def forget(self, *, days: int, most: int) -> int:
        world, kept_from = self._records, self._records.now - timedelta(days=days)
        old = [event for event in world.quality_events if event.said_by is None and event.at < kept_from][:most]
        world.quality_events[:] = [event for event in world.quality_events if not any(event is one for one in old)]
        return len(old)

    @override
    async def reconcile(self, said: Reconciliation) -> None:
        if said.lot_id in self._records.lots:
            self._records.reconciliations[said.lot_id, said.day] = said

    @override
    async def city(self) -> CityQuality:
        world = self._records
        return CityQuality(
            at=world.now,
            lots=[self._lot(lot_id) for lot_id in sorted(world.lots)],
            trusts=dict(world.trusts),
            links=[
                LinkQuality(source_id, lot_id, link.last_at, link.lost_since)
                for (source_id, lot_id), link in sorted(
                    world.links.items(), key=lambda one: (one[0][0], one[0][1] or "")
                )
            ],
            strangers=sorted(world.strangers.values(), key=lambda one: (one.source_id, -one.times, one.code)),
        )

    def _lot(self, lot_id: LotId) -> LotQuality:
        world = self._records
        report, quality = world.reports.get(lot_id), world.quality_of(lot_id)
        reporters = {
            source.source_id for source in world.sources.values() if any(lot == lot_id for _, lot in source.lots)
        }
        return LotQuality(
            lot_id=lot_id,
            source_ids=tuple(sorted(reporters)),
            observed_at=None if report is None else report.observed_at,
            received_at=None if report is None else report.received_at,
            usual_gap=None if report is None else report.usual_gap,
            assessed_at=quality.assessed_at,
            findings=quality.findings,
            doubt=quality.doubt,
            doubt_since=quality.doubt_since,
            frozen_clock=quality.frozen_clock,
            binary_count=quality.binary_count,
            suggested_capacity=quality.suggested_capacity,
        )

    @override
    async def events(
        self, *, source_id: SourceId | None = None, lot_id: LotId | None = None, most: int = EVENTS_MOST
    ) -> Sequence[QualityEvent]:
        found = [
            event
            for event in reversed(self._records.quality_events)
            if source_id in (None, event.source_id) and lot_id in (None, event.lot_id)
        ]
        return found[: min(most, EVENTS_MOST)]

    @override
    async def suspend(self, source_id: SourceId, lot_id: LotId | None, *, said_by: str, reason: str) -> None:
        self._take_word((source_id, lot_id), suspend_by_hand, said_by, reason, suspended=True)

    @override
    async def release(
        self, source_id: SourceId, lot_id: LotId | None, *, said_by: str, reason: str, pinned: bool
    ) -> None:
        def released(trust: Trust, now: datetime) -> Trust:
            return release_by_hand(trust, now, pinned=pinned)

        self._take_word((source_id, lot_id), released, said_by, reason, suspended=False)

    def _take_word(
        self, key: Key, act: Callable[[Trust, datetime], Trust], said_by: str, reason: str, *, suspended: bool
    ) -> None:
        world, (source_id, lot_id) = self._records, key
        if key not in world.trusts:
            raise UnknownReference("unknown_lot" if source_id in world.sources else "unknown_source")
        before, after = {key: world.trusts[key]}, {key: act(world.trusts[key], world.now)}
        world.trusts |= after
        world.quality_events += changes_of_trust(before, after, world.now, said_by=said_by, reason=reason)
        if lot_id is None:
            world.sources[source_id] = dataclasses.replace(world.sources[source_id], suspended=suspended)
            world.directory_version += 1
        lots = [lot for _, lot in world.sources[source_id].lots] if lot_id is None else [lot_id]
        renew_doubts(world, lots)

    @override
    async def forget_stranger(self, source_id: SourceId, code: str) -> None:
        if self._records.strangers.pop((source_id, code), None) is None:
            raise UnknownReference("unknown_lot")


def _heard_again(was: Stranger, now: Stranger) -> Stranger:
    return dataclasses.replace(
        now,
        name=now.name or was.name,
        place=now.place or was.place,
        first_heard_at=min(was.first_heard_at, now.first_heard_at),
        last_heard_at=max(was.last_heard_at, now.last_heard_at),
        times=was.times + now.times,
    )
