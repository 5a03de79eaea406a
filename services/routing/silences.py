"""Linked barriers that do not answer, whichever way they are told: their drivers may find them shut."""

import asyncio
import logging
from collections import Counter
from datetime import timedelta

from bowei.domain.clock import Clock
from bowei.livestate.mirror import LiveMirror
from bowei.records.barriers import BarrierBook, CommandKind
from bowei.records.failures import StoreFailure
from services.routing.measures import Measures

_log = logging.getLogger(__name__)

ANSWERS_WITHIN = timedelta(minutes=3)
"""By MQTT all six tries are over by then, and a long poll was asked again six times."""
_LOOK_EVERY_S = 10.0


class Silences:
    """Counts what has no answer. Run `run` as a task in one process of all."""

    def __init__(self, commands: BarrierBook, mirror: LiveMirror, clock: Clock, measures: Measures) -> None:
        self._commands = commands
        self._mirror = mirror
        self._clock = clock
        self._measures = measures

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
        """Count the commands to let a car in that have waited too long for an answer. Raises StoreFailure."""
        linked = [lot.lot_id for lot in self._mirror.directory.lots.values() if lot.barrier_link]
        before = self._clock.now() - ANSWERS_WITHIN
        silent = Counter(
            command.lot_id
            for command in await self._commands.commands(linked)
            if command.kind is CommandKind.AUTHORISE and command.given_at < before
        )
        self._measures.barrier_unanswered.set(silent.total())
        for lot_id, count in silent.items():
            _log.warning("barrier_does_not_answer", extra={"lot_id": lot_id, "commands": count})
