"""The ledger's twin."""

import dataclasses
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from typing_extensions import override

from bowei.domain.calendars import LocalTime
from bowei.domain.holds import Hold, HoldState
from bowei.domain.lots import DriverId, LotId
from bowei.domain.offering import NO_POOL, LotPromise, offered, pool_key
from bowei.records.holding import (
    Candidate,
    Decision,
    HoldBook,
    HoldSteps,
    Json,
    LiveHold,
    Outcome,
    PlaceRequest,
    PromiseChanges,
    StepsCursor,
    Swept,
)
from bowei.records.in_memory.world import InMemoryRecords, KeptHold


class InMemoryHoldBook(HoldBook):
    """The ledger in memory."""

    def __init__(self, records: InMemoryRecords) -> None:
        self._records = records

    @override
    async def place(self, request: PlaceRequest) -> Decision:
        world = self._records
        self._do_due_around(request)
        if holds := world.diversions.get(request.diversion_id):
            if holds[0].hold.driver_id != request.driver_id:
                return Decision(Outcome.UNKNOWN_DIVERSION)
            if holds[0].request_hash != request.request_hash:
                return Decision(Outcome.ID_REUSED)
            return _told(Outcome.REPEATED, holds[-1])
        if request.diversion_id in world.given_up:
            own = world.given_up[request.diversion_id] == request.driver_id
            return Decision(Outcome.GIVEN_UP if own else Outcome.UNKNOWN_DIVERSION)
        return self._grant(request)

    def _do_due_around(self, request: PlaceRequest) -> None:
        """Do what is due on the candidates' lots, on the lot of the driver's hold, and on that of the diversion's."""
        world = self._records
        lots = world.lots_of([candidate.agreement_id for candidate in request.candidates])
        own, newest = world.held_of_driver(request.driver_id), world.newest(request.diversion_id, None)
        lots |= {kept.hold.lot_id for kept in (own, newest) if kept is not None and kept.live}
        world.do_due(lots)

    def _grant(self, request: PlaceRequest) -> Decision:
        world = self._records
        if (own := world.held_of_driver(request.driver_id)) is not None:
            return _told(Outcome.DRIVER_HAS_HOLD, own)
        holds = world.diversions.get(request.diversion_id, [])
        for candidate in request.candidates:
            if (room := self._offered(candidate)) > 0 and self._lasts(candidate):
                hold = Hold(
                    diversion_id=request.diversion_id,
                    ordinal=len(holds) + 1,
                    driver_id=request.driver_id,
                    hospital_id=request.hospital_id,
                    lot_id=world.agreements[candidate.agreement_id].lot_id,
                    agreement_id=candidate.agreement_id,
                    space_class=candidate.space_class,
                    state=HoldState.HELD,
                    placed_at=world.now,
                    expires_at=world.now + candidate.lifetime,
                    code=holds[-1].hold.code if holds else f"{secrets.randbelow(10**8):08d}",
                )
                answer = {**request.answer, "offered_before": room}
                kept = KeptHold(hold, request.request_hash, answer, request.plate_hash)
                world.diversions[request.diversion_id] = [*holds, kept]
                world.changed_promise(hold.lot_id)
                world.note_step(kept, "held")
                return _told(Outcome.GRANTED, kept)
        return Decision(Outcome.NONE)

    def _offered(self, candidate: Candidate) -> int:
        world = self._records
        agreement = world.agreements.get(candidate.agreement_id)
        if agreement is None:
            return 0
        lot, report = world.lots[agreement.lot_id], world.reports.get(agreement.lot_id)
        if lot.paused or report is None or report.free is None or not report.believed_at(world.now):
            return 0
        promise = world.promise(lot.lot_id)
        return offered(
            # The registered capacity bounds the count: it may have been lowered since the lot reported.
            dataclasses.replace(report, free=min(report.free, lot.capacity)),
            promise,
            promise.pools.get(pool_key(agreement.agreement_id, candidate.space_class), NO_POOL),
            lent=agreement.lent_at(world.now, LocalTime.of(lot, world.calendars)).get(candidate.space_class, 0),
            margin=max(agreement.margin, candidate.margin),
            space_class=candidate.space_class,
        )

    def _lasts(self, candidate: Candidate) -> bool:
        """Say whether the car is out again in time."""
        world = self._records
        agreement = world.agreements.get(candidate.agreement_id)
        if agreement is None or candidate.gone_after is None:
            return True
        local = LocalTime.of(world.lots[agreement.lot_id], world.calendars)
        out_by = agreement.out_by(world.now, local, candidate.space_class)
        gone_at = (world.now + candidate.gone_after).astimezone(local.zone).replace(tzinfo=None)
        return out_by is None or gone_at <= out_by

    @override
    async def find(self, diversion_id: str, driver_id: DriverId | None) -> Decision:
        world = self._records
        if (kept := world.newest(diversion_id, driver_id)) is not None:
            hold = kept.hold
            if hold.state is HoldState.HELD and hold.expires_at <= world.now:
                hold = dataclasses.replace(hold, state=HoldState.EXPIRED)
            return Decision(Outcome.REPEATED, hold, kept.answer)
        if diversion_id in world.given_up and driver_id in (None, world.given_up[diversion_id]):
            return Decision(Outcome.GIVEN_UP)
        return Decision(Outcome.UNKNOWN_DIVERSION)

    @override
    async def release(self, diversion_id: str, driver_id: DriverId) -> Decision:
        world = self._records
        kept = self._opened(diversion_id, driver_id)
        if kept is None:
            if diversion_id in world.diversions:
                return Decision(Outcome.UNKNOWN_DIVERSION)
            world.given_up.setdefault(diversion_id, driver_id)
            world.given_up_at.setdefault(diversion_id, world.now)
            return Decision(Outcome.GIVEN_UP)
        if kept.live:
            world.end(kept, HoldState.RELEASED, "given_up")
        return _told(Outcome.RELEASED if kept.hold.state is HoldState.RELEASED else Outcome.HOLD_OVER, kept)

    @override
    async def extend(self, diversion_id: str, driver_id: DriverId, longer: timedelta) -> Decision:
        kept = self._opened(diversion_id, driver_id)
        if kept is None:
            return Decision(Outcome.UNKNOWN_DIVERSION)
        if kept.hold.state is not HoldState.HELD:
            return _told(Outcome.HOLD_OVER, kept)
        if kept.extended_by is None:
            kept.extended_by = longer
            kept.hold = dataclasses.replace(kept.hold, extended=True, expires_at=kept.hold.expires_at + longer)
            self._records.note_step(kept, "extended")
        return _told(Outcome.EXTENDED if kept.extended_by == longer else Outcome.ALREADY_EXTENDED, kept)

    @override
    async def arrive(self, diversion_id: str, driver_id: DriverId, of_ordinal: int | None = None) -> Decision:
        return self.arrive_at(diversion_id, driver_id, self._records.now, of_ordinal)

    def arrive_at(
        self, diversion_id: str, driver_id: DriverId | None, arrived_at: datetime, of_ordinal: int | None = None
    ) -> Decision:
        """Let the car of a held hold arrive; a passage names the instant."""
        kept = self._opened(diversion_id, driver_id)
        if kept is None:
            return Decision(Outcome.UNKNOWN_DIVERSION)
        if of_ordinal not in (None, kept.hold.ordinal):
            return _told(Outcome.HOLD_OVER, kept)
        if kept.hold.state is HoldState.HELD:
            arrived_at = min(arrived_at, self._records.now)
            kept.hold = dataclasses.replace(kept.hold, state=HoldState.ARRIVED, arrived_at=arrived_at)
            self._records.note_step(kept, "arrived")
        arrived = kept.hold.state in (HoldState.ARRIVED, HoldState.SETTLED)
        return _told(Outcome.ARRIVED if arrived else Outcome.HOLD_OVER, kept)

    @override
    async def leave(self, diversion_id: str, driver_id: DriverId) -> Decision:
        return self.leave_as(diversion_id, driver_id)

    def leave_as(self, diversion_id: str, driver_id: DriverId | None) -> Decision:
        """Let the car of an arrived hold, or of a stay, leave; a passage asks for no driver."""
        world = self._records
        kept = self._opened(diversion_id, driver_id)
        if kept is None:
            return Decision(Outcome.UNKNOWN_DIVERSION)
        if kept.hold.state is HoldState.ARRIVED:
            world.end(kept, HoldState.SETTLED, "left")
        if kept.hold.state is not HoldState.SETTLED:
            return _told(Outcome.HOLD_OVER, kept)
        if kept.staying:
            world.end_stay(kept)
        return _told(Outcome.LEFT, kept)

    @override
    async def replace(
        self,
        diversion_id: str,
        driver_id: DriverId,
        ordinal: int,
        *,
        ends_as: HoldState,
        reason: str,
        candidates: Sequence[Candidate],
        answer: Json,
    ) -> Decision:
        kept = self._records.newest(diversion_id, driver_id)
        if kept is None or kept.hold.ordinal < ordinal:
            return Decision(Outcome.UNKNOWN_DIVERSION)
        self._records.do_due([kept.hold.lot_id])
        if kept.hold.ordinal > ordinal or (kept.hold.state is ends_as and kept.hold.reason == reason):
            return _told(Outcome.REPEATED, kept)
        if not kept.live:
            return _told(Outcome.HOLD_OVER, kept)
        self._records.end(kept, ends_as, reason)
        request = PlaceRequest(
            diversion_id,
            driver_id,
            kept.request_hash,
            kept.hold.hospital_id,
            tuple(candidates),
            answer,
            kept.plate_hash,
        )
        self._do_due_around(request)
        outcome = self._grant(request).outcome
        return _told(outcome, self._records.diversions[diversion_id][-1])

    @override
    async def move(
        self,
        diversion_id: str,
        driver_id: DriverId,
        ordinal: int,
        *,
        reason: str,
        candidates: Sequence[Candidate],
        answer: Json,
    ) -> Decision:
        world = self._records
        kept = world.newest(diversion_id, driver_id)
        if kept is not None and kept.hold.ordinal == ordinal and kept.hold.state is not HoldState.HELD:
            return _told(Outcome.HOLD_OVER, kept)
        before = (dict(world.promise_versions), world.last_promise_version, len(world.steps))
        kept_before = [dataclasses.replace(one) for one in world.every_hold()]
        moved = await self.replace(
            diversion_id,
            driver_id,
            ordinal,
            ends_as=HoldState.REVOKED,
            reason=reason,
            candidates=candidates,
            answer=answer,
        )
        if moved.outcome not in (Outcome.NONE, Outcome.DRIVER_HAS_HOLD):
            return moved
        # It granted nothing: nothing has happened.
        world.promise_versions, world.last_promise_version = before[:2]
        del world.steps[before[2] :]
        for one in kept_before:
            world.diversions[one.hold.diversion_id][one.hold.ordinal - 1] = one
        return _told(Outcome.NONE, world.diversions[diversion_id][-1])

    @override
    async def arrive_by_code(self, lot_id: LotId, code: str) -> Decision:
        shown = [kept for kept in self._records.holds_on(lot_id) if kept.hold.code == code]
        live = [kept for kept in shown if kept.live]
        settled = sorted(
            (kept for kept in shown if kept.hold.state is HoldState.SETTLED), key=lambda kept: kept.hold.placed_at
        )
        found = live or settled[-1:]
        if len(found) != 1:
            return Decision(Outcome.UNKNOWN_DIVERSION)
        return self.arrive_at(found[0].hold.diversion_id, None, self._records.now)

    @override
    async def live_on(self, lot_ids: Collection[LotId]) -> Sequence[LiveHold]:
        return [_live(hold) for hold in self._live_on(lot_ids)]

    @override
    async def barred_on(self, lot_ids: Collection[LotId]) -> Sequence[LiveHold]:
        live = self._live_on(lot_ids)
        return [_live(hold) for hold in live if hold.barred and hold.state is HoldState.HELD]

    def _live_on(self, lot_ids: Collection[LotId]) -> list[Hold]:
        world = self._records
        live = [kept.hold for lot_id in set(lot_ids) for kept in world.holds_on(lot_id) if kept.live]
        live = [hold for hold in live if hold.state is HoldState.ARRIVED or hold.expires_at > world.now]
        live.sort(key=lambda hold: hold.diversion_id)
        live.sort(key=lambda hold: hold.placed_at, reverse=True)
        return live

    @override
    async def steps(self, cursor: StepsCursor | None) -> HoldSteps:
        world = self._records
        taken = [] if cursor is None else world.steps[cursor.since :]
        lots = [(step.diversion_id, world.hold_of(step).hold.lot_id) for step in taken]
        return HoldSteps(list(dict.fromkeys(lots)), StepsCursor(len(world.steps)))

    def _opened(self, diversion_id: str, driver_id: DriverId | None) -> KeptHold | None:
        """Give the diversion's newest hold with what is due on its lot done."""
        kept = self._records.newest(diversion_id, driver_id)
        if kept is not None:
            self._records.do_due([kept.hold.lot_id])
        return kept

    @override
    async def sweep(self) -> Swept:
        world = self._records
        swept = world.do_due(world.lots)
        overlong = [
            kept
            for kept in world.every_hold()
            if kept.staying
            and kept.hold.arrived_at is not None
            and kept.hold.arrived_at + world.agreements[kept.hold.agreement_id].max_stay <= world.now
        ]
        for kept in overlong:
            world.end_stay(kept)
        return dataclasses.replace(swept, overlong=len(overlong))

    @override
    async def promised(self, cursor: int | None) -> PromiseChanges:
        world = self._records
        changed = [lot_id for lot_id, version in world.promise_versions.items() if version > (cursor or 0)]
        return PromiseChanges({lot_id: world.promise(lot_id) for lot_id in changed}, world.last_promise_version)

    @override
    async def ever_promised(self) -> Mapping[LotId, LotPromise]:
        promised = {kept.hold.lot_id for kept in self._records.every_hold()}
        return {lot_id: self._records.promise(lot_id) for lot_id in promised}

    @override
    async def broken_promises(self) -> Sequence[tuple[str, str]]:
        world = self._records
        held = [kept.hold.driver_id for kept in world.every_hold() if kept.hold.state is HoldState.HELD]
        broken = [
            ("held_above_capacity", str(lot_id))
            for lot_id, lot in world.lots.items()
            if world.promise(lot_id).held > lot.capacity
        ]
        return broken + [("two_holds_of_one_driver", str(one)) for one in set(held) if held.count(one) > 1]

    @override
    async def server_identity(self) -> str:
        return f"memory.{id(self._records)}"

    @override
    async def now(self) -> datetime:
        return self._records.now


def _live(hold: Hold) -> LiveHold:
    return LiveHold(hold.diversion_id, hold.ordinal, hold.driver_id, hold.lot_id, hold.state)


def _told(outcome: Outcome, kept: KeptHold) -> Decision:
    return Decision(outcome, kept.hold, kept.answer)
