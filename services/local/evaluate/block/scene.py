"""The block: a hospital of 127 spaces, seven lots that lend, and everyone who comes from 07:00 on.

The hospital is the anchor case: 127 spaces, 85 % taken at 07:00, 110 cars an hour for three hours and then 50 for one,
stays of two hours, from 60 places 1.2 to 3.5 km away. Seven lots stand 0.3 to 1.42 km off by air, lend 20 to 60
spaces, and four have customers of their own who know nothing of holds. A lot has room for its own customers' usual
number and for what it lends; they may take any space.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from services.local.evaluate.policies.world import Floats, Ints

HOSPITAL = -1
"""In the place of a lot's number: the hospital's own lot."""

SPACES = 127
TAKEN_AT_START = 0.85
DEMAND_PER_H = (110.0, 110.0, 110.0, 50.0)
"""In each hour from 07:00 on; then nobody comes, and the day goes on until everyone is parked."""
ORIGINS = 60
FROM_M, TO_M = 1_200.0, 3_500.0

LOTS_AWAY_M = (300.0, 420.0, 560.0, 700.0, 900.0, 1_150.0, 1_420.0)
LENT = (40, 30, 60, 20, 50, 40, 60)
OWN_PER_H = (20.0, 15.0, 15.0, 0.0, 6.0, 0.0, 0.0)

DRIVE_DETOUR, DRIVE_SPEED_M_S = 1.4, 6.0
WALK_DETOUR, WALK_SPEED_M_S = 1.3, 1.2
STAY_MEAN_S, STAY_SIGMA = 2 * 3600.0, 0.5
OWN_STAY_MEAN_S = 1.5 * 3600.0
PACE_SIGMA = 0.35
"""Of the logarithm of how long a drive takes against what was expected."""

ASKS_BEFORE_M = 1_500.0
"""A driver with the app asks this far before the hospital, by road; earlier gains nothing, 500 m is late."""
REFUSED_S = 120.0
"""To find out that a lot is full, turn round and look up the next."""
OWN_PATIENCE_S = 600.0
"""So long a lot's own customer waits at its entrance before driving home."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is different from day to day but for the seed."""

    name: str = "base"
    with_app: float = 1.0
    """Share of drivers who ask; the others go to the gate and wait, as they always did."""
    feed_age_s: float = 60.0
    """How old counts are when they are seen."""
    no_shows: float = 0.0
    """Share of those with the app who never come, nor say so."""
    lost_from_s: float | None = None
    """From when, for half an hour, nothing is heard of the nearest lot."""


CASES = (
    Case(),
    Case("70 % with the app", with_app=0.7),
    Case("40 % with the app", with_app=0.4),
    Case("10 % with the app", with_app=0.1),
    Case("counts 0 s old", feed_age_s=0.0),
    Case("counts 300 s old", feed_age_s=300.0),
    Case("10 % no-shows", no_shows=0.1),
    Case("30 % no-shows", no_shows=0.3),
    Case("nearest lot unheard 08:00-08:30", lost_from_s=3_600.0),
)
LOST_FOR_S = 1_800.0


@dataclass(frozen=True, eq=False)
class Morning:
    """Everyone who comes on a day. Times in seconds from 07:00, places in metres from the hospital's gate."""

    lots_m: Floats
    """(lots, 2)"""
    lent: Ints
    spaces: Ints
    """(lots,): what is lent, and room for the lot's own customers."""
    sets_out_s: Floats
    """(visitors,), in order."""
    from_m: Floats
    """(visitors, 2)"""
    stay_s: Floats
    pace: Floats
    """(visitors,): how many times as long as expected a drive takes."""
    has_app: Ints
    comes: Ints
    leaves_first_s: Floats
    """When those leave who are in the hospital's lot at 07:00."""
    own_leave_first: tuple[tuple[int, float], ...]
    """(lot, when) of own customers who are there at 07:00."""
    own: tuple[tuple[float, int, float], ...]
    """(when, lot, stay) of own customers who come."""

    @cached_property
    def walk_s(self) -> Floats:
        """(lots,): from each lot to the hospital's door."""
        walk: Floats = np.linalg.norm(self.lots_m, axis=1) * WALK_DETOUR / WALK_SPEED_M_S
        return walk

    def place_m(self, lot: int) -> Floats:
        """Say where a lot is, or the hospital."""
        return np.zeros(2) if lot == HOSPITAL else self.lots_m[lot]


def drive_m(here_m: Floats, there_m: Floats) -> float:
    """Give the length of a drive."""
    return float(np.hypot(*(there_m - here_m))) * DRIVE_DETOUR


def make_morning(seed: int, case: Case) -> Morning:
    """Draw a day. The same seed brings the same people in every case; what a case changes is drawn apart."""
    draw, apart = np.random.default_rng([seed, 2]), np.random.default_rng([seed, 3])
    bearing = draw.uniform(0, 2 * np.pi, len(LOTS_AWAY_M))
    lots_m = np.column_stack((np.cos(bearing), np.sin(bearing))) * np.array(LOTS_AWAY_M)[:, None]
    around, away_m = draw.uniform(0, 2 * np.pi, ORIGINS), draw.uniform(FROM_M, TO_M, ORIGINS)
    origins_m = np.column_stack((np.cos(around), np.sin(around))) * away_m[:, None]
    hours = [hour * 3600 + draw.uniform(0, 3600, draw.poisson(per_h)) for hour, per_h in enumerate(DEMAND_PER_H)]
    sets_out_s = np.sort(np.concatenate(hours))
    count = len(sets_out_s)
    own_usual = np.array(OWN_PER_H) * OWN_STAY_MEAN_S / 3600
    spaces = np.array(LENT) + np.ceil(own_usual).astype(np.int64)
    own_first = [(lot, at_s) for lot, usual in enumerate(own_usual) for at_s in _leave(draw, int(draw.poisson(usual)))]
    last_s = float(len(DEMAND_PER_H) * 3600 + 3600)
    own = [
        (float(at_s), lot, float(_stays(draw, OWN_STAY_MEAN_S)))
        for lot, per_h in enumerate(OWN_PER_H)
        for at_s in draw.uniform(0, last_s, draw.poisson(per_h * last_s / 3600))
    ]
    return Morning(
        lots_m=lots_m,
        lent=np.array(LENT),
        spaces=spaces,
        sets_out_s=sets_out_s,
        from_m=origins_m[draw.integers(ORIGINS, size=count)],
        stay_s=draw.lognormal(np.log(STAY_MEAN_S) - STAY_SIGMA**2 / 2, STAY_SIGMA, count),
        pace=draw.lognormal(-(PACE_SIGMA**2) / 2, PACE_SIGMA, count),
        leaves_first_s=np.array(_leave(draw, round(SPACES * TAKEN_AT_START))),
        own_leave_first=tuple(own_first),
        own=tuple(sorted(own)),
        has_app=(apart.uniform(size=count) < case.with_app).astype(np.int64),
        comes=(apart.uniform(size=count) >= case.no_shows).astype(np.int64),
    )


def _stays(draw: np.random.Generator, mean_s: float) -> float:
    return float(draw.lognormal(np.log(mean_s) - STAY_SIGMA**2 / 2, STAY_SIGMA))


def _leave(draw: np.random.Generator, count: int) -> list[float]:
    """Draw when cars leave that are there already: a longer stay is more likely to be met, anywhere in it."""
    median_s = STAY_MEAN_S * np.exp(STAY_SIGMA**2 / 2)
    met_s = draw.lognormal(np.log(median_s), STAY_SIGMA, count)
    return [float(left_s) for left_s in met_s * draw.uniform(size=count)]
