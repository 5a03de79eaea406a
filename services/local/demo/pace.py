"""The shown clock, and waiting by it: sixty shown seconds may pass in one real one."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from bowei.domain.clock import Clock


class Pace:
    """Tells the shown time and waits for it. `speed` is how many shown seconds pass in a real one."""

    def __init__(self, clock: Clock, speed: float) -> None:
        self._clock = clock
        self.speed = speed

    def now(self) -> datetime:
        """Give the shown instant, aware, in UTC."""
        return self._clock.now()

    def real_s(self, shown: timedelta) -> float:
        """Give how many real seconds a shown span takes."""
        return max(0.0, shown.total_seconds() / self.speed)

    def shown(self, real_s: float) -> timedelta:
        """Give the shown span that passes in `real_s` real seconds."""
        return timedelta(seconds=real_s * self.speed)

    async def sleep(self, shown: timedelta) -> None:
        """Wait for a shown span."""
        await asyncio.sleep(self.real_s(shown))

    async def until(self, at: datetime) -> None:
        """Wait for a shown instant; returns at once when it has passed."""
        await asyncio.sleep(self.real_s(at - self.now()))

    def call_at(self, at: datetime, callback: Callable[[], None]) -> None:
        """Call `callback` at a shown instant."""
        asyncio.get_running_loop().call_later(self.real_s(at - self.now()), callback)
