"""The port that tells the time.

There is one clock, the ledger's; a process asks it through this port, so that a demo or a replay can run on its own
time and a test can step it.
"""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the present instant."""

    def now(self) -> datetime:
        """Give the present instant, aware, in UTC."""
        ...


class SteppedClock:
    """A clock that moves only when told: the in-memory twin, for tests and replays."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:  # noqa: D102 (the port says it)
        return self._now

    def step_to(self, instant: datetime) -> None:
        """Move to `instant`; going back is a mistake of the caller and is refused with ValueError."""
        if instant < self._now:
            raise ValueError(f"the clock is at {self._now.isoformat()} and can't go back to {instant.isoformat()}")
        self._now = instant
