"""Pulling one feed, again and again: whatever it does, it is asked at its pace, and what it says is taken in."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from bowei.domain.clock import Clock
from bowei.domain.heartbeats import Sign
from bowei.domain.lots import SourceId
from bowei.domain.observations import Verdict
from bowei.domain.problems import Refused
from bowei.records.failures import StoreFailure
from services.ingest.intake import Intake
from services.ingest.measures import Way
from services.ingest.pulling.by_url import Pulled
from services.ingest.pulling.failures import Failure, PullFailed
from services.ingest.pulling.measures import PullMeasures
from services.ingest.pulling.pacing import Pace
from services.ingest.readings import CarReading, CountReading, LifeReading, Reading
from services.ingest.sources import Sources

_BATCH = 500
"""As many as a lot's own batch may have: a city of 20,000 lots is no one transaction."""
_OF_THE_SOURCE = frozenset({"unknown_source", "not_allowed"})

_log = logging.getLogger(__name__)


class Pulls(Protocol):
    """One way to pull a feed."""

    async def pull(self) -> Pulled:
        """Ask the feed. Raises PullFailed, or Refused where what came can't be read."""
        ...

    def taken(self, pulled: Pulled) -> None:
        """Note that what was pulled is on record."""
        ...


class FeedPulling:
    """Pulls one feed. Run `run` as a task. `only_of` knows the lots that are taken; None: all are, to be judged."""

    def __init__(
        self,
        name: str,
        source_id: SourceId,
        pulls: Pulls,
        pace: Pace,
        intake: Intake,
        clock: Clock,
        measures: PullMeasures,
        *,
        lot_prefix: str | None = None,
        only_of: Sources | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._source_id = source_id
        self._pulls = pulls
        self._pace = pace
        self._intake = intake
        self._clock = clock
        self._measures = measures
        self._lot_prefix = lot_prefix
        self._only_of = only_of
        self._sleep = sleep

    async def run(self) -> None:
        """Pull until cancelled."""
        await self._sleep(self._pace.first())
        while True:
            await self._sleep(await self.once())

    async def once(self) -> float:
        """Pull once; give how long to wait before the next time."""
        began = time.monotonic()
        try:
            result = await self._pull()
        except PullFailed as failed:
            result, wait_s = failed.failure.value, self._failed(failed)
        except StoreFailure as away:
            _log.warning("pull_not_recorded", extra={"feed": self.name, "cause": type(away).__name__})
            result, wait_s = "store_away", self._pace.after_store_failure()
        except Exception as error:  # noqa: BLE001 (one feed's defect must not stop the others)
            _log.exception("pull_broke", extra={"feed": self.name})
            result, wait_s = Failure.INTERNAL.value, self._failed(PullFailed(Failure.INTERNAL, type(error).__name__))
        else:
            wait_s = self._succeeded(result)
        self._measures.pulled(self.name, result, took_s=time.monotonic() - began)
        return wait_s

    async def _pull(self) -> str:
        try:
            pulled = await self._pulls.pull()
        except Refused as refused:
            said = ", ".join(f"{error.field} {error.code}".strip() for error in refused.errors[:3])
            raise PullFailed(Failure.UNREADABLE, ": ".join(filter(None, (refused.code, said)))) from refused
        readings = [self._named(reading) for reading in pulled.readings]
        verdicts: list[Verdict] = []
        for batch in _batches([*await self._wanted(readings), LifeReading(None, Sign.HEARTBEAT, habit=False)]):
            verdicts += await self._intake.take(self._source_id, batch, way=Way.PULL)
        self._check(readings, verdicts, pulled)
        self._pulls.taken(pulled)
        return "unchanged" if pulled.unchanged else "read"

    def _check(self, readings: Sequence[Reading], verdicts: Sequence[Verdict], pulled: Pulled) -> None:
        if all(verdict.code in _OF_THE_SOURCE for verdict in verdicts):
            raise PullFailed(Failure.SOURCE_REFUSED, str(verdicts[0].code))
        if not pulled.unchanged and not any(isinstance(one, CountReading | CarReading) for one in readings):
            raise PullFailed(Failure.NOTHING_READ, f"{len(readings)} items, and none of them a count")

    async def _wanted(self, readings: Sequence[Reading]) -> Sequence[Reading]:
        if self._only_of is None:
            return readings
        registered = await self._only_of.registered()
        reporter = registered.by_id.get(self._source_id)
        return [
            reading
            for reading in readings
            if reporter is not None and reading.lot_code is not None and registered.find_lot(reporter, reading.lot_code)
        ]

    def _named(self, reading: Reading) -> Reading:
        if self._lot_prefix is None or reading.lot_code is None:
            return reading
        return replace(reading, lot_code=self._lot_prefix + reading.lot_code)

    def _succeeded(self, result: str) -> float:
        if self._pace.failing:
            _log.info("pull_recovered", extra={"feed": self.name, "result": result})
        self._measures.succeeded(self.name, self._clock.now())
        return self._pace.after_success()

    def _failed(self, failed: PullFailed) -> float:
        was_failing, was_down = self._pace.failing, self._pace.down
        wait_s = self._pace.after_failure(failed.retry_after_s)
        self._measures.failed(self.name, down=self._pace.down)
        said = {"feed": self.name, "cause": failed.failure.value, "detail": failed.detail, "retry_in_s": round(wait_s)}
        if self._pace.down and not was_down:
            _log.error("pull_down", extra=said)
        elif not was_failing:
            _log.warning("pull_failed", extra=said)
        return wait_s


def _batches(readings: Sequence[Reading]) -> Iterator[Sequence[Reading]]:
    return (readings[start : start + _BATCH] for start in range(0, len(readings), _BATCH))
