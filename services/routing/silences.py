"""Linked barriers that do not answer, whichever way they are told: their drivers may find them shut.

While one is silent its lot counts as one without a link: its drivers are guided, not guaranteed, and are told so.
"""

import asyncio
import logging
from collections import Counter
from datetime import timedelta

from bowei.domain.clock import Clock
from bowei.domain.lots import LotId
from bowei.livestate.mirror import LiveMirror
from bowei.records.barriers import BarrierBook, CommandKind
from bowei.records.failures import StoreFailure
from services.routing.measures import Measures

_log = logging.getLogger(__name__)

ANSWERS_WITHIN = timedelta(minutes=3)
"""By MQTT all six tries are over by then, and a long poll was asked again six times."""
_LOOK_EVERY_S = 10.0


class Silences:
    """Knows whose barriers have not answered. Run `run` as a task in every process."""

    def __init__(self, commands: BarrierBook, mirror: LiveMirror, clock: Clock, measures: Measures) -> None:
        self._commands = commands
        self._mirror = mirror
        self._clock = clock
        self._measures = measures
        self._lots: frozenset[LotId] = frozenset()

    @property
    def lots(self) -> frozenset[LotId]:
        """Lots with a command that waits too long for an answer. Empty before the first look."""
        return self._lots

    async def run(self) -> None:
        """Look until cancelled."""
        await self._mirror.wait_loaded(_LOOK_EVERY_S)
        try:
            while True:
                try:
                    await self.look()
                except StoreFailure as error:
                    _log.warning("barriers_not_looked_at", extra={"why": str(error)})
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            self._measures.barrier_unanswered.set(0)

    async def look(self) -> None:
        """Look for commands that have waited too long, and count those to let a car in. Raises StoreFailure.

        One to forget a car makes a lot silent too: it is waited for an hour longer than the hold, so that a barrier
        that let its holds run out unheard is not believed again for the next driver.
        """
        linked = [lot.lot_id for lot in self._mirror.directory.lots.values() if lot.barrier_link]
        before = self._clock.now() - ANSWERS_WITHIN
        waiting = [command for command in await self._commands.commands(linked) if command.given_at < before]
        shut_out = Counter(command.lot_id for command in waiting if command.kind is CommandKind.AUTHORISE)
        self._measures.barrier_unanswered.set(shut_out.total())
        silent = frozenset(command.lot_id for command in waiting)
        for lot_id in silent - self._lots:
            _log.warning("barrier_does_not_answer", extra={"lot_id": lot_id, "commands": shut_out[lot_id]})
        for lot_id in self._lots - silent:
            _log.info("barrier_answers_again", extra={"lot_id": lot_id})
        self._lots = silent
