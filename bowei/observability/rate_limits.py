"""Rate limits: how often one caller may ask, so that nobody can take the city's spaces or fill the ledger.

A token bucket for each caller, in this process alone; with several processes the limit is that of one times their
number. Callers that were quiet longest are forgotten first.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from bowei.domain.problems import Refused

_MOST_CALLERS = 50_000


class RateLimit:
    """Lets each caller ask `per_minute` times a minute, all of them at once if need be."""

    def __init__(
        self, *, per_minute: int, most_callers: int = _MOST_CALLERS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = float(per_minute)
        self._per_s = per_minute / 60
        self._most_callers = most_callers
        self._monotonic = monotonic
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Count one request of a caller.

        Raises:
            Refused: too_many_requests, with when to come back.
        """
        now = self._monotonic()
        left, counted_at = self._left.get(caller, (self._most, now))
        left = min(self._most, left + (now - counted_at) * self._per_s)
        allowed = left >= 1
        self._left[caller] = (left - 1 if allowed else left, now)
        self._left.move_to_end(caller)
        if len(self._left) > self._most_callers:
            self._left.popitem(last=False)
        if not allowed:
            raise Refused("too_many_requests", retry_after_s=(1 - left) / self._per_s)

    def give_back(self, caller: str) -> None:
        """Count a request that was taken no longer: it was not of the kind that is limited."""
        if (kept := self._left.get(caller)) is not None:
            left, counted_at = kept
            self._left[caller] = min(self._most, left + 1), counted_at
