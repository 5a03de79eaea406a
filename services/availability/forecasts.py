"""What is foreseen of one lot, as people read it: at each horizon the spaces expected, and the chance of one."""

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from bowei.domain.forecasting import Foreseen
from bowei.domain.foreseeing import HORIZONS
from bowei.domain.observations import LotState
from services.availability import examples
from services.availability.lots import LotStatus

FORESEEN_FOR = timedelta(hours=1)
"""What was foreseen longer ago than this is no forecast."""


class ForecastView(BaseModel):
    """What is foreseen of a lot."""

    model_config = ConfigDict(json_schema_extra={"examples": [*examples.FORECAST]})

    in_s: int = Field(description="From now: 300, 900, 1800 or 3600.")
    free: float = Field(description="How many spaces are expected to be free: 0 to `capacity`.")
    p_free: float = Field(
        description="The chance that the lot will count at least one free space. Holds are not in it: see `held`."
    )

    @classmethod
    def all_of(cls, status: LotStatus, foreseen: Foreseen, now: datetime) -> "list[ForecastView] | None":
        """Foresee a lot from `now` on; None where no exact count of it is known, or nobody foresees."""
        free, counted_at = status.free, status.observed_at
        counted = status.state is LotState.OPEN and status.bound is None
        told = foreseen.at is not None and abs(now - foreseen.at) <= FORESEEN_FOR
        if not counted or not told or free is None or counted_at is None:
            return None
        age = max(timedelta(0), now - counted_at)
        return [
            cls(
                in_s=int(horizon.total_seconds()),
                free=round(foreseen.mean(free, age + horizon, status.capacity, counted_at), 1),
                p_free=round(foreseen.chance(free, age + horizon, counted_at), 3),
            )
            for horizon in HORIZONS
        ]
