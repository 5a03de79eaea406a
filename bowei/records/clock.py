"""The ledger's clock, in Python: the same instant that `bowei.now()` gives, without asking for it each time.

In production it is this machine's clock (the database's own is compared with it by `bowei doctor` and a metric). In a
database marked demo it runs scaled, in one marked replay it is stepped by whoever replays.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from bowei.domain.clock import Clock, SteppedClock
from bowei.records.connecting import acquired, translated


class WrongMark(Exception):
    """The database is marked demo or replay, and this is a production start. Point it at a production database."""


class ProductionClock:
    """The machine's clock."""

    def now(self) -> datetime:  # noqa: D102 (the port says it)
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """A clock that started at `origin_shown` when the real time was `origin_real`, and runs `speed` times as fast."""

    origin_real: datetime
    origin_shown: datetime
    speed: float

    def now(self) -> datetime:
        """Give the present instant of the demo."""
        real_s = time.time() - self.origin_real.timestamp()
        return self.origin_shown + timedelta(seconds=real_s * self.speed)


async def open_clock(pool: asyncpg.Pool, *, allow_demo: bool) -> Clock:
    """Give the clock that the database is marked with.

    Raises:
        StoreAway: the database can't be reached.
        WrongMark: the mark is not production and `allow_demo` is not set.
    """
    async with acquired(pool) as connection:
        with translated():
            row = await connection.fetchrow("SELECT * FROM bowei.clock")
    if row is None or row["mark"] == "production":
        return ProductionClock()
    if not allow_demo:
        raise WrongMark
    if row["mark"] == "demo":
        return ScaledClock(row["origin_real"], row["origin_shown"], row["speed"])
    return SteppedClock(row["stepped_at"])


async def mark_demo(pool: asyncpg.Pool, shown_at: datetime, speed: float) -> None:
    """Mark the database as a demo's, whose time is now `shown_at` and runs `speed` times as fast."""
    async with acquired(pool) as connection:
        with translated():
            await connection.execute(
                "UPDATE bowei.clock SET mark = 'demo', origin_real = clock_timestamp(), origin_shown = $1, speed = $2",
                shown_at,
                speed,
            )


async def step_replay(pool: asyncpg.Pool, shown_at: datetime) -> None:
    """Mark the database as a replay's, and set its time to `shown_at`."""
    async with acquired(pool) as connection:
        with translated():
            await connection.execute("UPDATE bowei.clock SET mark = 'replay', stepped_at = $1", shown_at)
