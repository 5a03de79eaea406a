"""What the hospital's gate shows: its state, where the next car should go, and what its staff said."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bowei.domain.lots import GateThresholds, HospitalId
from bowei.domain.observations import Bound


class GateState(StrEnum):
    """The state of a hospital's own lot as its gate shows it."""

    OPEN = "open"
    FILLING = "filling"
    FULL = "full"
    DIVERTING = "diverting"
    """Full, and another lot has a space to offer."""
    UNKNOWN = "unknown"
    """No report that may be believed: neither open nor full."""


QUEUE_WORD_HOLDS = timedelta(minutes=15)
"""How long a queue that somebody counted is shown: later it is another queue."""
LONGEST_PAUSE = timedelta(hours=4)
"""A pause ends by itself, so that nobody has to remember it."""
MOST_QUEUEING = 500


@dataclass(frozen=True, slots=True)
class GateWord:
    """What the staff at a hospital's gate said: how many cars wait, and that it sends none elsewhere for a while."""

    hospital_id: HospitalId
    queue_vehicles: int | None = None
    queue_said_at: datetime | None = None
    paused_until: datetime | None = None

    def queue_at(self, now: datetime) -> int | None:
        """Give the queue as it was counted, as long as that says something of `now`."""
        said_at = self.queue_said_at
        return self.queue_vehicles if said_at is not None and now < said_at + QUEUE_WORD_HOLDS else None

    def pauses_at(self, now: datetime) -> bool:
        """Say whether no car is sent elsewhere."""
        return self.paused_until is not None and now < self.paused_until


def next_gate_state(
    previous: GateState,
    free: int | None,
    thresholds: GateThresholds,
    *,
    can_divert: bool,
    bound: Bound = Bound.EXACT,
) -> GateState:
    """Give the gate's state from its last one and what is free now.

    Leaving `full` and `filling` takes more free spaces than entering them, so that one car does not flip the sign.
    With a bound only what it proves is said: "at least so many" is never full, "at most so many" never open, and
    what lies between is filling.
    """
    if free is None:
        return GateState.UNKNOWN
    if bound is not Bound.EXACT:
        return _bounded(free, bound, thresholds, can_divert=can_divert)
    was_full = previous in (GateState.FULL, GateState.DIVERTING)
    if free <= thresholds.full_at or (was_full and free < thresholds.leave_full_at):
        return GateState.DIVERTING if can_divert else GateState.FULL
    was_tight = was_full or previous is GateState.FILLING
    if free <= thresholds.filling_at or (was_tight and free < thresholds.leave_filling_at):
        return GateState.FILLING
    return GateState.OPEN


def _bounded(free: int, bound: Bound, thresholds: GateThresholds, *, can_divert: bool) -> GateState:
    if bound is Bound.AT_LEAST:
        return GateState.OPEN if free > thresholds.filling_at else GateState.FILLING
    if free > thresholds.full_at:
        return GateState.FILLING
    return GateState.DIVERTING if can_divert else GateState.FULL
