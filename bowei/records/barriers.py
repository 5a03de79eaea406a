"""The port to lots' barriers: what each is told of the holds on its lot, and what it answers.

Commands are not kept: they are the steps of holds, read as what they mean to a barrier. So a barrier can't be told of a
hold that is not there, nor not be told of one that is. Answers are kept.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bowei.domain.lots import LotId, SpaceClass
from bowei.records.holding import Decision


class CommandKind(StrEnum):
    """What a barrier is told."""

    AUTHORISE = "authorise"
    """Let this car in, from - until."""
    REVOKE = "revoke"
    """Don't let it in any more."""


@dataclass(frozen=True, slots=True)
class BarrierCommand:
    """One command to the barrier of a lot. Ids of one lot grow in the order in which they are to be obeyed."""

    command_id: int
    kind: CommandKind
    diversion_id: str
    ordinal: int
    lot_id: LotId
    space_class: SpaceClass
    given_at: datetime
    valid_from: datetime
    valid_until: datetime
    code: str | None = field(default=None, repr=False)
    plate_hash: bytes | None = field(default=None, repr=False)


class BarrierBook(Protocol):
    """Gives commands, and keeps answers. Every method raises StoreAway or OutcomeUnknown (repeat the same call)."""

    async def commands(self, lot_ids: Collection[LotId]) -> Sequence[BarrierCommand]:
        """List what the barriers of some lots were told and have not answered, oldest first.

        To let a car in is not said any more once its hold is over; nothing is said for longer than an hour after.
        """
        ...

    async def answer(
        self, lot_id: LotId, command_id: int, *, accepted: bool, reason: str | None
    ) -> tuple[CommandKind, Decision] | None:
        """Keep a barrier's answer, and give what it answered to and the hold as it stands.

        None: the lot has no such command, or not any more. Of several answers the last one counts. A barrier that
        refuses to let a car in makes the hold `barred`, until it answers otherwise.
        """
        ...
