"""The world of the policy bench: ten hospitals, fifty lots around them, and the requests of four hours.

What is given: 10 hospitals and 50 lots of 8 to 59 shared spaces in 5 x 5 km, Poisson requests for 4 h, lognormal stays
of 2 h, drives of 1.4 x the air line at 6 m/s, walks of 1.3 x the air line at 1.2 m/s up to 25 min, and 40 min for who
finds nothing. What is chosen here, with its reason, stands at each constant.

A city (where things are) and a day (who asks when) are drawn from seeds of their own, so that prices may be learned on
another day of the same city.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

SIDE_M = 5_000.0
HOSPITALS, LOTS = 10, 50
FEWEST_SPACES, MOST_SPACES = 8, 59
DAY_S = 4 * 3600.0

DRIVE_DETOUR, DRIVE_SPEED_M_S = 1.4, 6.0
WALK_DETOUR, WALK_SPEED_M_S = 1.3, 1.2
LONGEST_WALK_S = 25 * 60.0
FAILING_S = 40 * 60.0
"""What it costs to be sent home: more than any lot that anybody may be sent to."""

ASKS_FROM_M, ASKS_TO_M = 500.0, 1_500.0
"""Drivers ask on the way, this far from the hospital: 500 m is late, 1.5 km early, and earlier gains nothing."""

REFUSED_S = 120.0
"""To find out at the barrier that a lot is full, turn round, and look up the next: finding a space takes 2 to 3 min."""

STAY_MEAN_S = 2 * 3600.0
STAY_SIGMA = 0.5
"""Of the stay's logarithm: two stays of three last between 1.1 and 2.9 hours."""
STAY_MEDIAN_S = STAY_MEAN_S * float(np.exp(-(STAY_SIGMA**2) / 2))


@dataclass(frozen=True, eq=False)
class City:
    """Where hospitals and lots are: what any policy may know beforehand."""

    hospitals_m: Floats
    """(hospitals, 2)"""
    lots_m: Floats
    """(lots, 2)"""
    spaces: Ints
    """(lots,): how many each lends."""

    @cached_property
    def walk_s(self) -> Floats:
        """(hospitals, lots): the walk from each lot; infinite beyond the limit."""
        walk = _apart_m(self.hospitals_m, self.lots_m) * WALK_DETOUR / WALK_SPEED_M_S
        return np.where(walk <= LONGEST_WALK_S, walk, np.inf)

    def drive_s(self, places_m: Floats) -> Floats:
        """(places, lots): the drive from each place to each lot."""
        return _apart_m(places_m, self.lots_m) * DRIVE_DETOUR / DRIVE_SPEED_M_S


@dataclass(frozen=True, eq=False)
class Day:
    """Who asks: one row for each request, in order of time."""

    city: City
    asked_at_s: Floats
    hospital: Ints
    origin_m: Floats
    stay_s: Floats

    def __len__(self) -> int:
        return len(self.asked_at_s)

    @cached_property
    def drive_s(self) -> Floats:
        """(requests, lots): the drive from where it asks."""
        return self.city.drive_s(self.origin_m)

    @cached_property
    def cost_s(self) -> Floats:
        """(requests, lots): drive and walk; infinite where nobody is sent, because it is no better than failing."""
        cost = self.drive_s + self.city.walk_s[self.hospital]
        return np.where(cost < FAILING_S, cost, np.inf)


def make_city(seed: int) -> City:
    """Draw a city: hospitals and lots uniform in the square, as many spaces as they come."""
    draw = np.random.default_rng([seed, 0])
    return City(
        hospitals_m=draw.uniform(0, SIDE_M, (HOSPITALS, 2)),
        lots_m=draw.uniform(0, SIDE_M, (LOTS, 2)),
        spaces=draw.integers(FEWEST_SPACES, MOST_SPACES + 1, LOTS),
    )


def make_day(city: City, seed: int, requests_per_h: float, *, shifting: bool = False) -> Day:
    """Draw a day in a city on which each hospital is asked for equally often.

    `shifting`: in the first two hours every second hospital is asked for three times as often as the others, and
    then it is the others: who has learned or forecast a mix is wrong, and who measures it is late.
    """
    draw = np.random.default_rng([seed, 1])
    count = draw.poisson(requests_per_h * DAY_S / 3600)
    asked_at_s = np.sort(draw.uniform(0, DAY_S, count))
    hospital = draw.integers(len(city.hospitals_m), size=count)
    if shifting:
        busy = (asked_at_s < DAY_S / 2).astype(np.int64)
        moved = (hospital % 2 != busy) & (draw.uniform(size=count) < 0.5)
        hospital = np.where(moved, hospital ^ 1, hospital)
    bearing, away_m = draw.uniform(0, 2 * np.pi, count), draw.uniform(ASKS_FROM_M, ASKS_TO_M, count)
    offset_m = np.column_stack((np.cos(bearing), np.sin(bearing))) * away_m[:, None]
    return Day(
        city=city,
        asked_at_s=asked_at_s,
        hospital=hospital,
        origin_m=city.hospitals_m[hospital] + offset_m,
        stay_s=draw.lognormal(np.log(STAY_MEDIAN_S), STAY_SIGMA, count),
    )


def _apart_m(these_m: Floats, those_m: Floats) -> Floats:
    apart: Floats = np.linalg.norm(these_m[:, None, :] - those_m[None, :, :], axis=2)
    return apart
