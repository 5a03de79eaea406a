"""The follower: one process among all that run copies the ledger to the live state and does the housekeeping.

It holds an advisory lock, so there is one; it is woken by the ledger at each commit that changes a promise, and looks
once a second in any case. Another ledger, another server, or a missing mark means: copy everything again.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from bowei.domain.gate import GateWord
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.showing import ShowsPromises
from bowei.observability.background import in_background
from bowei.records.failures import StoreFailure
from bowei.records.gate_book import GateBook
from bowei.records.holding import HoldBook
from bowei.records.leading import HandsOutLead, Leads
from bowei.records.registering import Register
from bowei.records.road_book import RoadBook
from services.routing.measures import Measures

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0
_SWEEP_EVERY_S = 1.0
_CHECK_PROMISES_EVERY_S = 10.0
_SHOW_ALL_EVERY_S = 30.0
"""What a follower that was frozen wrote late over something newer is mended by then, on lots that stay quiet too."""
_PAUSE_S = 1.0


class Follower:
    """Copies promises, the directory, the roads and gates' words for as long as it has the right to: run `run`."""

    def __init__(
        self,
        leadership: HandsOutLead,
        book: HoldBook,
        register: Register,
        roads: RoadBook,
        gates: GateBook,
        live: ShowsPromises,
        measures: Measures,
        beside: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        """What `beside` does goes on for as long as this process follows: one of all does it."""
        self._leadership = leadership
        self._book = book
        self._register = register
        self._roads = roads
        self._gates = gates
        self._words: Sequence[GateWord] | None = None
        self._live = live
        self._measures = measures
        self._beside = beside
        self._cursor: int | None = None
        self._directory_version = self._roads_version = -1
        self._all_shown_at = self._swept_at = self._checked_at = -math.inf

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                leading = await self._leadership.try_lead()
                if leading is not None:
                    await self._follow(leading)
            except StoreFailure as error:
                _log.warning("ledger_away", extra={"why": str(error)})
            await asyncio.sleep(_PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311 (jitter, not a secret)

    async def _follow(self, leading: Leads) -> None:
        self._cursor = None
        self._measures.following.set(1)
        _log.info("following_began")
        try:
            async with AsyncExitStack() as stack:
                for work in self._beside:
                    await stack.enter_async_context(in_background(work))
                while not leading.lost():
                    await self._housekeep()
                    await self._copy_and_wait(leading)
        finally:
            self._measures.following.set(0)
            await leading.give_up()

    async def _copy_and_wait(self, leading: Leads) -> None:
        try:
            await self._copy()
        except LiveStateAway as error:
            _log.warning("live_state_away", extra={"why": str(error)})
            await asyncio.sleep(_LOOK_EVERY_S)
        else:
            await leading.wait(_LOOK_EVERY_S)

    async def _copy(self) -> None:
        ledger = await self._book.server_identity()
        if self._cursor is None or not await self._live.promises_copied(ledger):
            changes = await self._book.promised(None)
            directory = await self._register.directory()
            await self._live.copy_promises(changes.promises, directory, ledger=ledger)
            await self._show_roads()
            self._words = None
            await self._show_gate_words()
            self._cursor, self._directory_version = changes.cursor, directory.version
            self._all_shown_at = time.monotonic()
            _log.info("ledger_copied", extra={"lots": len(changes.promises)})
            return
        everything = time.monotonic() - self._all_shown_at >= _SHOW_ALL_EVERY_S
        if everything:
            await self._live.show_promises_again(await self._book.ever_promised())
            self._all_shown_at = time.monotonic()
        changes = await self._book.promised(self._cursor)
        if changes.promises:
            await self._live.show_promises(changes.promises)
        self._cursor = changes.cursor
        if await self._register.directory_version() != self._directory_version:
            directory = await self._register.directory()
            await self._live.show_directory(directory)
            self._directory_version = directory.version
        if everything or await self._roads.version() != self._roads_version:
            await self._show_roads()
        if everything:
            self._words = None
        await self._show_gate_words()

    async def _show_gate_words(self) -> None:
        # Few and short: whether they changed is seen by reading them.
        words = await self._gates.words()
        if words != self._words:
            await self._live.show_gate_words(words)
            self._words = words

    async def _show_roads(self) -> None:
        conditions = await self._roads.conditions()
        await self._live.show_roads(conditions)
        self._roads_version = conditions.version

    async def _housekeep(self) -> None:
        """Sweep and check at their own pace: a busy ledger wakes the follower twenty times a second."""
        if time.monotonic() - self._swept_at >= _SWEEP_EVERY_S:
            swept = await self._book.sweep()
            self._swept_at = time.monotonic()
            self._measures.swept.labels("expired").inc(swept.expired)
            self._measures.swept.labels("settled").inc(swept.settled)
            self._measures.swept.labels("overlong").inc(swept.overlong)
        if time.monotonic() - self._checked_at >= _CHECK_PROMISES_EVERY_S:
            self._checked_at = time.monotonic()
            await self._check_promises()

    async def _check_promises(self) -> None:
        try:
            broken = await self._book.broken_promises()
        except StoreFailure as error:
            # It reads much and may take too long on a busy ledger; following goes on without it.
            _log.warning("promises_not_checked", extra={"why": str(error)})
            return
        self._measures.broken_promises.set(len(broken))
        for kind, subject in broken:
            _log.error("promise_broken", extra={"kind": kind, "subject": subject})
