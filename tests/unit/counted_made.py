"""Counts that a test makes up, for as many lots as it names."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from bowei.domain.foreseeing import CityForecast, Counted, Outcome
from bowei.domain.lots import LotId

MONDAY_S = 1_767_571_200
"""Monday 5 January 2026, midnight UTC."""
STEP_S = 300
DAY_S = 86_400


def counted(
    free: Sequence[float | None],
    observed_s: float | Sequence[float],
    *,
    capacity: float = 100.0,
    zone: str = "UTC",
) -> Counted:
    """Count lots a, b, c, …; None: no count, or none that is believed."""
    said = np.array([np.nan if one is None else one for one in free], dtype=float)
    return Counted(
        lot_ids=tuple(LotId(chr(ord("a") + place)) for place in range(len(free))),
        zones=(zone,) * len(free),
        capacities=np.full(len(free), capacity),
        free=said,
        observed_s=np.where(np.isnan(said), np.nan, np.broadcast_to(np.asarray(observed_s, dtype=float), said.shape)),
    )


def lived(
    city: CityForecast,
    days: Iterable[float],
    count: Callable[[int], Sequence[float | None]],
    *,
    gap_s: int = STEP_S,
    zone: str = "UTC",
) -> list[Outcome]:
    """Let a city live from one day after that Monday to another; `count` gives what is free at an instant."""
    first, last = days
    outcomes = []
    for at_s in range(MONDAY_S + int(first * DAY_S), MONDAY_S + int(last * DAY_S), STEP_S):
        observed_s = at_s - at_s % gap_s
        outcomes += city.step(at_s, counted(count(observed_s), observed_s, zone=zone))
    return outcomes
