"""Leading: of all processes one pulls, so that every feed is asked once however many replicas run.

The right is an advisory lock in Postgres. A leader whose ledger is away goes on pulling, since nobody else can have
taken the right, and boards stay alive by it; it stops once it hears that another process leads.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack

from bowei.observability.background import in_background
from bowei.records.failures import StoreFailure
from bowei.records.leading import HandsOutLead, Leads, Post
from services.ingest.pulling.feed_pulling import FeedPulling
from services.ingest.pulling.measures import PullMeasures

PULLER = Post(lock_key=0x70756C6C6572, name="puller")  # "puller"
LOOK_EVERY_S = 2.0
"""How soon a process notices that it lost the right, or that it is free."""

_log = logging.getLogger(__name__)


class Pulling:
    """Pulls all feeds for as long as it has the right to. Run `run` as a task."""

    def __init__(
        self,
        leadership: HandsOutLead,
        feeds: Sequence[FeedPulling],
        measures: PullMeasures,
        *,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._leadership = leadership
        self._feeds = feeds
        self._measures = measures
        self._look_every_s = look_every_s
        measures.feeds.set(len(feeds))

    async def run(self) -> None:
        """Pull until cancelled."""
        while True:
            leading = await self._wait_for_lead()
            async with AsyncExitStack() as stack:
                stack.callback(self._measures.stopped)
                self._measures.pulling.set(1)
                _log.info("pulling_began", extra={"feeds": len(self._feeds)})
                for feed in self._feeds:
                    await stack.enter_async_context(in_background(feed.run))
                await self._hold_on(leading)
            _log.info("pulling_ended")

    async def _wait_for_lead(self) -> Leads:
        away = False
        while True:
            try:
                leading = await self._leadership.try_lead()
            except StoreFailure as failure:
                if not away:
                    _log.warning("ledger_away", extra={"why": str(failure)})
                away, leading = True, None
            if leading is not None:
                return leading
            await self._pause()

    async def _hold_on(self, leading: Leads) -> None:
        """Return once another process leads."""
        while True:
            try:
                while not leading.lost():
                    await leading.wait(self._look_every_s)
            finally:
                await leading.give_up()
            again = await self._take_again()
            if again is None:
                return
            leading = again

    async def _take_again(self) -> Leads | None:
        while True:
            try:
                return await self._leadership.try_lead()
            except StoreFailure:
                await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(self._look_every_s * random.uniform(0.5, 1.5))  # noqa: S311 (jitter, not a secret)
