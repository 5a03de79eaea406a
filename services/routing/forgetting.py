"""Forgetting: one process of all, the follower, forgets who holds were for when their time is over, and proves it.

The proof is a count of what should have been forgotten an hour ago: 0, always, as a metric.
"""

import asyncio
import logging
from datetime import timedelta

from bowei.records.failures import StoreFailure
from bowei.records.forgetting import ForgetsPersons
from services.routing.measures import Measures

_log = logging.getLogger(__name__)

_EVERY_S = 60.0
_PIECES_MOST = 200
"""Of one round: a city that forgets for the first time does it over some rounds."""


class Forgetting:
    """Forgets. Run `run` as a task where this process is the follower."""

    def __init__(
        self, persons: ForgetsPersons, drivers_kept: timedelta, measures: Measures, *, every_s: float = _EVERY_S
    ) -> None:
        self._persons = persons
        self._drivers_kept = drivers_kept
        self._measures = measures
        self._every_s = every_s

    async def run(self) -> None:
        """Forget until cancelled."""
        try:
            while True:
                try:
                    await self.forget()
                except StoreFailure as error:
                    _log.warning("persons_not_forgotten", extra={"why": str(error)})
                await asyncio.sleep(self._every_s)
        finally:
            self._measures.kept_too_long.set(0)

    async def forget(self) -> None:
        """Do one round. Raises StoreFailure: the rest is done by the next."""
        for _ in range(_PIECES_MOST):
            forgotten = await self._persons.forget(self._drivers_kept)
            self._measures.forgotten.labels("plates").inc(forgotten.plates)
            self._measures.forgotten.labels("drivers").inc(forgotten.drivers)
            self._measures.forgotten.labels("leavings").inc(forgotten.leavings)
            if not forgotten.anything:
                break
        self._measures.kept_too_long.set(await self._persons.kept_too_long(self._drivers_kept))
