"""The port of forecasts: what they are learned from, and what was learned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from bowei.domain.foreseeing import Counted
from bowei.domain.lots import LotId

LOTS_AT_ONCE = 500
"""Of what was kept: 17 kB each."""


@dataclass(frozen=True, slots=True)
class HourMeans:
    """What some lots had free in one hour, on the mean of their reports."""

    hour: datetime
    lot_ids: Sequence[LotId]
    free: Sequence[float]


class ForecastBook(Protocol):
    """Gives counts to learn from, and keeps what was learned. Every method raises StoreAway or OutcomeUnknown."""

    async def counted(self) -> Counted:
        """Give every registered lot, by id, with its newest count if that may teach (`foreseeing.learnable`)."""
        ...

    async def hours_of(self, day: date) -> Sequence[HourMeans]:
        """Give the hours of a day (UTC) that are summed up, oldest first: for the first start."""
        ...

    async def kept_lots(self, lot_ids: Sequence[LotId]) -> Mapping[LotId, bytes]:
        """Give what was kept of some lots, at most `LOTS_AT_ONCE`; one of which nothing was is absent."""
        ...

    async def kept_city(self) -> bytes | None:
        """Give what was kept of all lots together."""
        ...

    async def keep(self, lots: Mapping[LotId, bytes], city: bytes) -> None:
        """Keep what was learned, in one commit; of a lot that is not registered any more nothing is kept."""
        ...
