"""Keeps the roads that are driven on as the city says they are, for as long as a process serves.

conditions of another version ──▶ weigh (on a thread; drives go on over the roads before) ──▶ take
the next of them begins or ends ─▶ the same, by the clock that it is given
"""

import asyncio
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from bowei.domain.clock import Clock
from bowei.domain.road_conditions import FREE_ROADS, RoadConditions
from bowei.roads.travel_times import TakesConditions, WeighedRoads

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0
"""How often the clock is looked at; a change of conditions is told at once."""


_TURN_S = 0.0005
"""How long the thread that works keeps the interpreter once the loop wants it: Python's 5 ms add up in a request."""


@contextmanager
def _short_turns() -> Iterator[None]:
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)


class SaysRoads(Protocol):
    """Says how the roads are."""

    @property
    def roads(self) -> RoadConditions:
        """Give what is said of the roads."""
        ...

    async def wait_roads(self, version: int, timeout_s: float) -> bool:
        """Wait until they are of another version; False where they stayed in time."""
        ...


class WatchesRoads(Protocol):
    """Is told of each change."""

    def took(self, weighed: WeighedRoads, took_s: float) -> None:
        """Note roads that are driven on from now on, and how long they took to be worked out."""
        ...


class RoadsKeeper:
    """Keeps `travel_times` up with what `source` says. Run `run` as a task, on the loop that drives."""

    def __init__(
        self, travel_times: TakesConditions, source: SaysRoads, clock: Clock, watcher: WatchesRoads | None = None
    ) -> None:
        self._travel_times = travel_times
        self._source = source
        self._clock = clock
        self._watcher = watcher
        self._taken: WeighedRoads | None = None
        self._tried = FREE_ROADS.version
        self._changed = asyncio.Event()

    async def wait_change(self, serial: int, timeout_s: float) -> bool:
        """Wait until the roads differ from those of `TakesConditions.roads_serial`; False where they stayed in time."""
        if self._travel_times.roads_serial != serial:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Keep up until cancelled."""
        while True:
            await self._source.wait_roads(self._tried, _LOOK_EVERY_S)
            if self._source.roads.version != self._tried or self._turned():
                await self._renew()

    def _turned(self) -> bool:
        turns_at = None if self._taken is None else self._taken.turns_at
        return turns_at is not None and self._clock.now() >= turns_at

    async def _renew(self) -> None:
        conditions, began_s = self._source.roads, time.monotonic()
        self._tried = conditions.version
        try:
            with _short_turns():
                weighed = await asyncio.to_thread(self._travel_times.weigh, conditions, self._clock.now())
        except Exception:  # noqa: BLE001 (whatever it is: drivers go on)
            # Drivers are better guided over the roads before than not at all.
            _log.exception("roads_not_weighed", extra={"version": conditions.version})
            return
        self._travel_times.take(weighed)
        self._taken = weighed
        took_s = time.monotonic() - began_s
        if self._watcher is not None:
            self._watcher.took(weighed, took_s)
        _log.info(
            "roads_changed",
            extra={
                "version": weighed.version,
                "slowed": weighed.slowed,
                "closed": weighed.closed,
                "took_s": round(took_s, 3),
            },
        )
        self._changed.set()
        self._changed = asyncio.Event()
