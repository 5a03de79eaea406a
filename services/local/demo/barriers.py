"""What a barrier hears of holds, and whom it lets in.

A lot's own customers know nothing of holds, so a linked barrier turns them away before they take a promised space.
It hears of holds late, and Bowei hears of its count late; two rules together make that safe:

1. Free spaces never fall below what it last heard to be held, and the agreement's margin on top.
2. Of what Bowei may meanwhile promise on a count that is old by now, walk-ins take no more than the margin. That is
   what the margin is for: Bowei promises at most `count − margin`, and the count is at most `margin` walk-ins old.
   It does not bind while more is free than is lent at all, or than can be promised before the barrier hears of it.

A lot without a link knows neither, and lets everybody in while there is room.
"""

from collections import deque
from datetime import datetime

_REPORTS_KEPT = 64
_UNHEARD_MOST = 20
"""Holds on one lot that may be promised before its barrier hears of them: a hospital's peak brings 2 cars a minute."""


class Barrier:
    """The barrier of one lot."""

    def __init__(self, *, linked: bool, margin: int) -> None:
        self.linked = linked
        self.held = 0
        """As last heard."""
        self._margin = margin
        self._heard_as_of: datetime | None = None
        self._acknowledged: deque[tuple[datetime, datetime]] = deque(maxlen=_REPORTS_KEPT)
        self._walk_ins: deque[datetime] = deque()

    def hear(self, held: int, as_of: datetime) -> None:
        """Take note of how many spaces are held; every hold promised before `as_of` is among them."""
        self.held = held
        self._heard_as_of = as_of

    def report_acknowledged(self, counted_at: datetime, acknowledged_at: datetime) -> None:
        """Take note that from `acknowledged_at` on Bowei promises by what was counted at `counted_at`, or later."""
        self._acknowledged.append((counted_at, acknowledged_at))

    def admits_walk_in(self, free: int, lent: int) -> bool:
        """Say whether a car without a hold may enter, of `lent` spaces lent at most in the last hour."""
        if free <= 0:
            return False
        if not self.linked:
            return True
        if free <= self.held + self._margin:
            return False
        promised_most = min(lent, self.held + self._margin + _UNHEARD_MOST)
        return free > promised_most or self._uncounted() < self._margin

    def walk_in_entered(self, at: datetime) -> None:
        """Take note of a car without a hold that went in."""
        self._walk_ins.append(at)

    def _uncounted(self) -> int:
        """Count the walk-ins that Bowei may not know of in what it promises."""
        counted_at = self._counted_at()
        if counted_at is None:
            return self._margin
        while self._walk_ins and self._walk_ins[0] <= counted_at:
            self._walk_ins.popleft()
        return len(self._walk_ins)

    def _counted_at(self) -> datetime | None:
        """Give when the oldest count was taken on which a hold may rest that was not heard of."""
        if self._heard_as_of is None:
            return None
        known = [counted for counted, acknowledged in self._acknowledged if acknowledged <= self._heard_as_of]
        return max(known, default=None)
