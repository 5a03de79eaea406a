"""Foreseeing: one process of all learns from every lot's believed counts each five minutes, and shows what it foresees.

It holds an advisory lock, so there is one. What it learned is kept a part at a time, each lot once an hour: whoever
takes over goes on from there, and has lost at most an hour of it. At the very first start it learns what is usual from
the hours that are summed up.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta

import numpy as np

from bowei.domain.clock import Clock
from bowei.domain.forecast_scores import Scored, Scores
from bowei.domain.forecasting import STEP
from bowei.domain.foreseeing import CityForecast, CityForeseen, Counted
from bowei.domain.lots import LotId
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.showing import ShowsForecasts
from bowei.records.forecasts import LOTS_AT_ONCE, ForecastBook
from bowei.records.leading import HandsOutLead, Leads
from services.ingest.forecast_measures import ForecastMeasures
from services.ingest.leading import AGAIN_S, whenever_leading

LEARNS_FROM = timedelta(days=28)
"""At the first start: four weeks of hours, some seconds of a large city."""
KEPT_IN_PARTS = 12
"""A part of the lots at each step: all of them in an hour."""
_STEP_S = int(STEP.total_seconds())
TICK_S = 1.0
"""How often it looks whether the next five minutes have begun: of a demo they pass in seconds."""

_log = logging.getLogger(__name__)


class Foreseer:
    """Foresees for as long as it has the right to. Run `run` as a task."""

    def __init__(
        self,
        leadership: HandsOutLead,
        book: ForecastBook,
        live: ShowsForecasts,
        clock: Clock,
        measures: ForecastMeasures,
        *,
        tick_s: float = TICK_S,
    ) -> None:
        self._leadership = leadership
        self._book = book
        self._live = live
        self._clock = clock
        self._measures = measures
        self._tick_s = tick_s
        self._city = CityForecast()
        self._scores = Scores()
        self._stepped_s = 0

    async def run(self) -> None:
        """Foresee until cancelled."""
        await whenever_leading(
            self._leadership,
            self._lead,
            gauge=self._measures.foreseeing,
            stopped=self._measures.stopped,
            began="foreseeing_began",
            failed="not_foreseen",
            again_s=min(AGAIN_S, 5 * self._tick_s),
        )

    async def _lead(self, leading: Leads) -> None:
        await self.recall()
        while not leading.lost():
            if self._due_s() != self._stepped_s:
                await self.step()
            await leading.wait(self._tick_s)

    async def recall(self) -> None:
        """Take up what was kept; where nothing was, learn from the hours of the last weeks.

        Raises:
            StoreFailure: nothing is known yet.
        """
        counted = await self._book.counted()
        city = CityForecast(await self._book.kept_city())
        kept: dict[LotId, bytes] = {}
        for start in range(0, len(counted.lot_ids), LOTS_AT_ONCE):
            kept |= await self._book.kept_lots(counted.lot_ids[start : start + LOTS_AT_ONCE])
        await asyncio.to_thread(city.seat, counted.lot_ids, counted.zones, kept)
        if not kept and counted.lot_ids:
            await self._learn_hours(city)
        self._city, self._scores, self._stepped_s = city, Scores(), 0
        _log.info("forecasts_recalled", extra={"lots": len(counted.lot_ids), "kept": len(kept)})

    async def step(self) -> None:
        """Learn from the counts of now, show what is foreseen, and keep a part of what is known.

        Raises:
            StoreFailure: nothing was learned, or it was not kept; the next step does it.
        """
        at_s = self._due_s()
        began_s = time.monotonic()
        counted = await self._book.counted()
        # Reports go on meanwhile: of a large city this takes longer than an answer may.
        foreseen, scored = await asyncio.to_thread(self._foresee, at_s, counted)
        self._stepped_s = at_s
        self._measures.foresaw(foreseen.at, scored)
        try:
            await self._live.show_forecasts(foreseen)
        except LiveStateAway as away:
            _log.warning("forecasts_not_shown", extra={"cause": str(away)})
        rows = np.arange(len(counted.lot_ids), dtype=np.intp)
        part = rows[rows % KEPT_IN_PARTS == at_s // _STEP_S % KEPT_IN_PARTS]
        await self._book.keep(self._city.kept_lots(part), self._city.kept_city())
        self._measures.step_seconds.observe(time.monotonic() - began_s)

    def _due_s(self) -> int:
        return int(self._clock.now().timestamp()) // _STEP_S * _STEP_S

    def _foresee(self, at_s: int, counted: Counted) -> tuple[CityForeseen, list[Scored]]:
        scored = [
            one
            for outcome in self._city.step(at_s, counted)
            for one in self._scores.score(outcome, at_s, len(counted.lot_ids))
        ]
        return self._city.foreseen(), scored

    async def _learn_hours(self, city: CityForecast) -> None:
        today = self._clock.now().astimezone(UTC).date()
        for days in range(LEARNS_FROM.days, -1, -1):
            for hour in await self._book.hours_of(today - timedelta(days=days)):
                middle: datetime = hour.hour + timedelta(minutes=30)
                await asyncio.to_thread(city.learn_hours, hour.lot_ids, int(middle.timestamp()), np.array(hour.free))
