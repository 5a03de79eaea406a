"""The twin of forecasts."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import numpy as np
from typing_extensions import override

from bowei.domain.foreseeing import Counted, learnable
from bowei.domain.lots import LotId
from bowei.records.forecasts import ForecastBook, HourMeans
from bowei.records.history import Hour
from bowei.records.in_memory.world import InMemoryRecords


class InMemoryForecastBook(ForecastBook):
    """Forecasts in memory; `hours` are what is summed up."""

    def __init__(self, records: InMemoryRecords, hours: Mapping[tuple[datetime, LotId], Hour] | None = None) -> None:
        self._records = records
        self._hours = {} if hours is None else hours
        self._lots: dict[LotId, bytes] = {}
        self._city: bytes | None = None

    @override
    async def counted(self) -> Counted:
        lots = [self._records.lots[lot_id] for lot_id in sorted(self._records.lots)]
        free, observed_s = np.full(len(lots), np.nan), np.full(len(lots), np.nan)
        for row, lot in enumerate(lots):
            report = self._records.reports.get(lot.lot_id)
            count = None if report is None else learnable(report.within(lot.capacity), self._records.now)
            if report is not None and count is not None:
                free[row], observed_s[row] = count, report.observed_at.timestamp()
        return Counted(
            lot_ids=tuple(lot.lot_id for lot in lots),
            zones=tuple(lot.timezone for lot in lots),
            capacities=np.array([lot.capacity for lot in lots], dtype=float),
            free=free,
            observed_s=observed_s,
        )

    @override
    async def hours_of(self, day: date) -> Sequence[HourMeans]:
        found: dict[datetime, dict[LotId, float]] = {}
        for (hour, lot_id), summed in self._hours.items():
            if hour.date() == day and summed.free_mean is not None:
                found.setdefault(hour, {})[lot_id] = summed.free_mean
        return [HourMeans(hour, list(found[hour]), list(found[hour].values())) for hour in sorted(found)]

    @override
    async def kept_lots(self, lot_ids: Sequence[LotId]) -> Mapping[LotId, bytes]:
        return {lot_id: self._lots[lot_id] for lot_id in lot_ids if lot_id in self._lots}

    @override
    async def kept_city(self) -> bytes | None:
        return self._city

    @override
    async def keep(self, lots: Mapping[LotId, bytes], city: bytes) -> None:
        self._lots |= {lot_id: learned for lot_id, learned in lots.items() if lot_id in self._records.lots}
        self._city = city
