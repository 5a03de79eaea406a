"""What became of an agreement: its versions, each proposed by one side and accepted by the other, and never edited.

What comes in force is the newest accepted version whose first day has come on the lot's own calendar. Where nothing is
in force yet, the first to be accepted is at once, and says itself from when it lends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from bowei.domain.agreements import Agreement
from bowei.domain.parties import PartyId, Side


class VersionState(StrEnum):
    """What became of a version. Whatever is decided stays so."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    """By whoever proposed it."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an agreement; numbers count from 1."""

    number: int
    agreement: Agreement
    state: VersionState
    side: Side
    """Of whoever proposed it."""
    proposed_by: PartyId
    proposed_at: datetime
    decided_by: PartyId | None = None
    decided_at: datetime | None = None

    def may_decide(self, side: Side, decision: VersionState) -> bool:
        """Say whether who speaks for a side may decide so: the other side accepts or declines, its own withdraws."""
        if side is Side.BOTH:
            return True
        return (side is self.side) is (decision is VersionState.WITHDRAWN)


def due(versions: Sequence[Version], today: date, *, begun: bool) -> Version | None:
    """Give the version that should be in force on a day of the lot's calendar; None: none has to be put there.

    `versions` are in the order of their numbers; `begun` says that something is in force.
    """
    accepted = [version for version in versions if version.state is VersionState.ACCEPTED]
    reached = [one for one in accepted if one.agreement.valid_from is None or one.agreement.valid_from <= today]
    if reached:
        return reached[-1]
    return None if begun else next(iter(accepted), None)
