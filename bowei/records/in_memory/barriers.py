"""The twin of what barriers are told and answer."""

import dataclasses
from collections.abc import Collection, Sequence
from datetime import timedelta

from typing_extensions import override

from bowei.domain.holds import HoldState
from bowei.domain.lots import LotId
from bowei.records.barriers import BarrierBook, BarrierCommand, CommandKind
from bowei.records.holding import Decision, Outcome
from bowei.records.in_memory.world import InMemoryRecords, KeptStep

_KINDS = {
    "held": CommandKind.AUTHORISE,
    "extended": CommandKind.AUTHORISE,
    "released": CommandKind.REVOKE,
    "expired": CommandKind.REVOKE,
    "revoked": CommandKind.REVOKE,
}
_TOLD_FOR = timedelta(hours=1)


class InMemoryBarrierBook(BarrierBook):
    """Barriers in memory."""

    def __init__(self, records: InMemoryRecords) -> None:
        self._records = records

    @override
    async def commands(self, lot_ids: Collection[LotId]) -> Sequence[BarrierCommand]:
        world = self._records
        steps = [step for step in world.steps if self._of(step, lot_ids) and self._to_be_told(step)]
        return [_command(step, self._records) for step in steps if step.serial not in world.barrier_answers]

    @override
    async def answer(
        self, lot_id: LotId, command_id: int, *, accepted: bool, reason: str | None
    ) -> tuple[CommandKind, Decision] | None:
        world = self._records
        step = next((step for step in world.steps if step.serial == command_id), None)
        if step is None or not self._of(step, [lot_id]):
            return None
        kept, kind = world.hold_of(step), _KINDS[step.state]
        world.barrier_answers[command_id] = accepted
        if kind is CommandKind.AUTHORISE and kept.hold.state is HoldState.HELD and kept.hold.barred is accepted:
            kept.hold = dataclasses.replace(kept.hold, barred=not accepted)
            if not accepted:
                world.note_step(kept, "barred")
        return kind, Decision(Outcome.REPEATED, kept.hold, kept.answer)

    def _of(self, step: KeptStep, lot_ids: Collection[LotId]) -> bool:
        hold = self._records.hold_of(step).hold
        return step.state in _KINDS and hold.lot_id in lot_ids and hold.expires_at > self._records.now - _TOLD_FOR

    def _to_be_told(self, step: KeptStep) -> bool:
        hold = self._records.hold_of(step).hold
        if _KINDS[step.state] is CommandKind.REVOKE:
            return hold.arrived_at is None
        return hold.state is HoldState.HELD


def _command(step: KeptStep, world: InMemoryRecords) -> BarrierCommand:
    kept = world.hold_of(step)
    return BarrierCommand(
        command_id=step.serial,
        kind=_KINDS[step.state],
        diversion_id=step.diversion_id,
        ordinal=step.ordinal,
        lot_id=kept.hold.lot_id,
        space_class=kept.hold.space_class,
        given_at=step.at,
        valid_from=kept.hold.placed_at,
        valid_until=kept.hold.expires_at,
        code=kept.hold.code,
        plate_hash=kept.plate_hash,
    )
