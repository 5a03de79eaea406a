"""Pacing: how often a feed is asked, and how many questions one host gets at once. Nobody is asked in a herd."""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.ingest.pulling.failures import Failure, PullFailed

FIRST_WITHIN_S = 60.0
"""All feeds begin within so long of a start, each at a moment of its own."""
LONGEST_BACK_OFF_S = 900.0
"""A feed that is down is tried as often at least, unless it asks for more or its own interval is longer."""
LONGEST_RETRY_AFTER_S = 6 * 3_600.0
STORE_AGAIN_S = 60.0
DOWN_AFTER = 3
"""So many failures in a row are no accident."""
_JITTER = 0.1

Draws = Callable[[], float]
"""Gives a number from 0 to 1."""


class Pace:
    """When a feed is asked next. Every method gives seconds."""

    def __init__(self, every_s: float, draws: Draws = random.random) -> None:
        self._every_s = every_s
        self._draws = draws
        self._failures = 0

    @property
    def down(self) -> bool:
        """Say whether it failed so often that somebody should look."""
        return self._failures >= DOWN_AFTER

    @property
    def failing(self) -> bool:
        """Say whether the last attempt failed."""
        return self._failures > 0

    def first(self) -> float:
        """Wait before the first time."""
        return self._draws() * min(self._every_s, FIRST_WITHIN_S)

    def after_success(self) -> float:
        """Wait after something was read, or nothing was new."""
        self._failures = 0
        return self._jittered(self._every_s)

    def after_failure(self, retry_after_s: float | None = None) -> float:
        """Wait after a failure: twice as long each time, and never shorter than they ask for."""
        self._failures += 1
        longest_s = max(self._every_s, LONGEST_BACK_OFF_S)
        wait_s = self._jittered(min(self._every_s * 2.0 ** min(self._failures - 1, 16), longest_s))
        return max(wait_s, min(retry_after_s or 0.0, LONGEST_RETRY_AFTER_S) * (1 + _JITTER * self._draws()))

    def after_store_failure(self) -> float:
        """Wait while we ourselves could not take in what was read; that is not the feed's fault."""
        return self._jittered(min(self._every_s, STORE_AGAIN_S))

    def _jittered(self, wait_s: float) -> float:
        return wait_s * (1 - _JITTER + 2 * _JITTER * self._draws())


class Budget:
    """At most so many requests in any minute."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._taken_at: deque[float] = deque(maxlen=per_minute)

    def take(self) -> None:
        """Take one request.

        Raises:
            PullFailed: there is none left; it says when there will be one.
        """
        now = self._monotonic()
        if len(self._taken_at) == self._per_minute and (left_s := 60.0 - (now - self._taken_at[0])) > 0:
            detail = f"more than {self._per_minute} requests in a minute"
            raise PullFailed(Failure.OVER_BUDGET, detail, retry_after_s=left_s)
        self._taken_at.append(now)


@dataclass(slots=True)
class _Gate:
    at_once: asyncio.Semaphore
    spacing: asyncio.Lock = field(default_factory=asyncio.Lock)
    begun_at: float = float("-inf")


class HostGates:
    """Few requests at once to one host, and a pause between the starts of two, whatever the feeds are."""

    def __init__(
        self, *, at_once: int = 2, spacing_s: float = 0.5, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._at_once = at_once
        self._spacing_s = spacing_s
        self._monotonic = monotonic
        self._gates: dict[str, _Gate] = {}

    @asynccontextmanager
    async def through(self, host: str) -> AsyncIterator[None]:
        """Wait until the host may be asked; it counts as asked for as long as the context lasts."""
        gate = self._gates.setdefault(host, _Gate(asyncio.Semaphore(self._at_once)))
        async with gate.at_once:
            async with gate.spacing:
                left_s = gate.begun_at + self._spacing_s - self._monotonic()
                if left_s > 0:
                    await asyncio.sleep(left_s)
                gate.begun_at = self._monotonic()
            yield
