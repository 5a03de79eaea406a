"""Streams of one diversion: the diversion as it stands, at once and whenever it changes, until it is over.

    event: standing     first, unless Last-Event-ID says that the client has seen it
    event: replaced, extended, arrived, settled, released, expired, revoked, at_risk, safe
                        what became of it; the data is the whole diversion, as GET gives it
    event: turned       of an announced driver: the hospital will be full, ask again with the same id
    event: held         of an announced driver: who asked again has a space

The id of an event says how the diversion stands, not which event of how many it is: who comes back is told what is
different, once, however much happened meanwhile. A long poll waits for the same in another way: by ETag.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable

from fastapi.sse import ServerSentEvent

from bowei.domain.holds import HoldState
from bowei.domain.lots import DriverId
from bowei.domain.problems import Refused
from bowei.records.failures import StoreFailure
from services.routing.diverting import Announced, Diversion, Diverting
from services.routing.measures import Measures
from services.routing.watching import Topic, Watch, Watching, of_danger_to, of_diversion, of_sight_of

_LOOK_EVERY_S = 10.0
"""An expectation moves with time alone, and so does what a stream is told of it. No store is asked."""
_LEDGER_AWAY_S = 3.0
_RETRY_MS = 2_000


def version_of(diversion: Diversion) -> str:
    """Name how a diversion stands; what moves all the time (ages, counts, chances) makes no difference."""
    hold = diversion.decision.hold
    if hold is None:
        expected = diversion.expected
        return "turned" if expected is not None and expected.full else "proceed" if expected is not None else "none"
    longer = ".longer" if hold.extended else ""
    return f"{hold.ordinal}.{hold.state}{longer}" + (f".{diversion.danger}" if diversion.danger is not None else "")


class Streams:
    """Lets drivers wait for what becomes of their diversions."""

    def __init__(
        self, diverting: Diverting, watching: Watching, measures: Measures, write: Callable[[Diversion], str]
    ) -> None:
        self._diverting = diverting
        self._watching = watching
        self._measures = measures
        self._write = write

    async def follow(
        self, diversion: Diversion, driver_id: DriverId, last_event_id: str | None
    ) -> AsyncIterator[ServerSentEvent]:
        """Give the events of one diversion, as it stood a moment ago, until it is over or the process stops."""
        seen: Diversion | None = None
        version = last_event_id
        with self._watching.watch(*_topics_of(diversion)) as watch:
            # What changed between the look before and the watch is seen by looking once more.
            diversion = await self._looked_again(diversion, driver_id, in_ledger=True)
            while True:
                if version_of(diversion) != version:
                    version = version_of(diversion)
                    self._measures.stream_events.inc()
                    yield ServerSentEvent(
                        event=_event_of(seen, diversion), id=version, retry=_RETRY_MS, raw_data=self._write(diversion)
                    )
                seen = diversion
                if _is_over(diversion):
                    return
                diversion = await self._next(diversion, driver_id, watch, _LOOK_EVERY_S)
                if self._watching.closing:
                    return

    async def wait(self, diversion: Diversion, driver_id: DriverId, version: str, wait_s: float) -> Diversion:
        """Wait until a diversion does not stand as `version` says any more, at most `wait_s`, and give it."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        with self._watching.watch(*_topics_of(diversion)) as watch:
            diversion = await self._looked_again(diversion, driver_id, in_ledger=True)
            while version_of(diversion) == version and not _is_over(diversion) and not self._watching.closing:
                left_s = until_s - loop.time()
                if left_s <= 0:
                    break
                diversion = await self._next(diversion, driver_id, watch, min(left_s, _LOOK_EVERY_S))
        return diversion

    async def _next(self, diversion: Diversion, driver_id: DriverId, watch: Watch, wait_s: float) -> Diversion:
        if not await watch.wait(wait_s) and diversion.expected is None:
            return diversion
        looked = await self._looked_again(diversion, driver_id, in_ledger=watch.take_ledger_news())
        self._watching.turn(watch, _topics_of(looked))
        return looked

    async def _looked_again(self, diversion: Diversion, driver_id: DriverId, *, in_ledger: bool) -> Diversion:
        while in_ledger and not self._watching.closing:
            expected = diversion.expected
            announced = None if expected is None else Announced(diversion.hospital_id, expected.arrives_at)
            try:
                return await self._diverting.find(diversion.diversion_id, driver_id, announced)
            except StoreFailure:
                await asyncio.sleep(_LEDGER_AWAY_S * random.uniform(0.5, 1.5))  # noqa: S311 (jitter, not a secret)
            except Refused:
                # It was given up before anything was granted: there is nothing to tell of it any more.
                return diversion
        return await self._diverting.look_again(diversion)


def _topics_of(diversion: Diversion) -> list[Topic]:
    hold = diversion.decision.hold
    topics = [of_diversion(diversion.diversion_id)]
    if hold is not None:
        return [*topics, of_danger_to(hold.lot_id)]
    hospital = diversion.known.directory.hospitals.get(diversion.hospital_id)
    return topics if hospital is None else [*topics, of_sight_of(hospital.lot_id)]


def _is_over(diversion: Diversion) -> bool:
    hold = diversion.decision.hold
    if hold is None:
        return diversion.expected is None
    return not hold.state.live


def _event_of(before: Diversion | None, now: Diversion) -> str:
    if before is None:
        return "standing"
    hold, old = now.decision.hold, before.decision.hold
    if hold is None:
        return "turned" if now.expected is not None and now.expected.full else "proceed"
    if old is None:
        return "held"
    if hold.ordinal > old.ordinal and hold.state is HoldState.HELD:
        return "replaced"
    if hold.state is old.state and hold.extended == old.extended:
        return "safe" if now.danger is None else "at_risk"
    return str(hold.state) if hold.state is not old.state else "extended"
