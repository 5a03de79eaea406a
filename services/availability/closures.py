"""What is closed, and what will be, as areas that a map draws."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from bowei.domain.road_conditions import Closure, Ring
from bowei.observability.instants import Instant
from services.availability.views import TextView


def _ring(ring: Ring) -> list[list[float]]:
    return [[point.lon, point.lat] for point in ring]


class ClosureView(BaseModel):
    """An area whose roads are closed, now or later."""

    id: str
    area: dict[str, Any] = Field(description="A GeoJSON MultiPolygon, WGS-84, longitude first.")
    starts_at: Instant
    ends_at: Instant
    in_force: bool
    reason: TextView

    @classmethod
    def at(cls, closure: Closure, now: datetime) -> "ClosureView":
        """Show a closure; who closed it is the registry's to tell."""
        return cls(
            id=closure.closure_id,
            area={"type": "MultiPolygon", "coordinates": [[_ring(ring) for ring in rings] for rings in closure.area]},
            starts_at=closure.starts_at,
            ends_at=closure.ends_at,
            in_force=closure.in_force(now),
            reason=TextView.of(closure.reason),
        )


class ClosuresView(BaseModel):
    """Every closure that is not over."""

    items: list[ClosureView]
    total: int
