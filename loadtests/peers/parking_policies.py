"""Other ways to send drivers to lots, each as good as it can be, for `bowei evaluate policies --peers`.

What is known today (nearest by air; nearest shown free), what ride hailing does (batches, matched at least cost), and
what operations research proposes (prices from a linear programme: of the forecast flow, and of another day in
hindsight). Each may be tuned over the values that `families` gives; which one is best is found for each load on seeds
that are not scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array, csr_array, vstack
from scipy.special import ndtr

from services.local.evaluate.policies.bound import Bound, bound
from services.local.evaluate.policies.linear import least_cost
from services.local.evaluate.policies.policy import Asking, Policy, View
from services.local.evaluate.policies.world import (
    ASKS_FROM_M,
    ASKS_TO_M,
    DAY_S,
    DRIVE_DETOUR,
    DRIVE_SPEED_M_S,
    FAILING_S,
    STAY_MEDIAN_S,
    STAY_SIGMA,
    City,
    Flags,
    Floats,
    make_day,
)

_PERIOD_S = 20 * 60.0
_PERIODS = int(DAY_S / _PERIOD_S)
"""Of the fluid programme: twelve periods, some 1,200 variables."""

_OTHER_DAYS = 900_000
"""Days from whose hindsight prices are learned have seeds from here on: nobody is scored on them."""


def families(requests_per_h: float) -> dict[str, list[Policy]]:
    """Give each peer by its name, with all the values that it may be tuned to."""
    return {
        "nearest by air, no counts": [NearestByAir()],
        "nearest shown free, counts 300 s old": [NearestShownFree(300.0, least) for least in (1, 2, 3, 5)],
        "nearest shown free, counts 60 s old": [NearestShownFree(60.0, least) for least in (1, 2, 3)],
        **{f"batches of {window_s:g} s, matched, held": [Matched(window_s)] for window_s in (0.05, 1.0, 5.0, 30.0)},
        **{
            f"fluid prices, forecast x {factor:g}": [
                FluidPrices(requests_per_h * factor, damping) for damping in (0.2, 0.4, 0.6, 0.8, 1.0)
            ]
            for factor in (0.8, 1.0, 1.2)
        },
        "prices of another day in hindsight": [
            LearnedPrices(requests_per_h, damping) for damping in (0.4, 0.6, 0.8, 1.0)
        ],
    }


def _cheapest(score_s: Floats, may: Flags) -> int | None:
    score_s = np.where(may, score_s, np.inf)
    lot = int(score_s.argmin())
    return lot if np.isfinite(score_s[lot]) else None


@dataclass
class NearestByAir:
    """Who knows no counts: the lot nearest to the hospital by air, and if it is full the next nearest."""

    name: str = "as it is"
    holds: bool = False
    feed_age_s: float = 0.0
    window_s: float = 0.0
    walk_s: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    def begin(self, city: City) -> None:
        """Look at the map."""
        self.walk_s = city.walk_s

    def choose(self, asking: Sequence[Asking], view: View) -> Sequence[int | None]:
        """Name the nearest that has not refused yet; what is free is not looked at."""
        del view
        return [_cheapest(self.walk_s[one.hospital], np.isfinite(one.cost_s)) for one in asking]


@dataclass
class NearestShownFree:
    """What apps do: least drive and walk of the lots that showed at least `least` free, and nothing is kept."""

    feed_age_s: float
    least: int
    holds: bool = False
    window_s: float = 0.0

    @property
    def name(self) -> str:
        """Say what it was tuned to."""
        return f"at least {self.least} shown"

    def begin(self, city: City) -> None:
        """Nothing is learned."""

    def choose(self, asking: Sequence[Asking], view: View) -> Sequence[int | None]:
        """Name the cheapest shown free; if none is, the cheapest of all: a driver tries."""
        chosen = []
        for one in asking:
            open_to = np.isfinite(one.cost_s)
            lot = _cheapest(one.cost_s, open_to & (view.free >= self.least))
            chosen.append(lot if lot is not None else _cheapest(one.cost_s, open_to & (view.free > 0)))
        return chosen


@dataclass
class Matched:
    """All who came in a window, matched to free spaces at least cost, and held."""

    window_s: float
    name: str = "as it is"
    holds: bool = True
    feed_age_s: float = 0.0

    def begin(self, city: City) -> None:
        """Nothing is learned."""

    def choose(self, asking: Sequence[Asking], view: View) -> Sequence[int | None]:
        """Match; a lot counts as often as it has room, up to the number who ask."""
        if len(asking) == 1:
            return [_cheapest(asking[0].cost_s, view.free > 0)]
        lots = np.repeat(np.arange(len(view.free)), np.minimum(view.free, len(asking)))
        cost_s = np.array([np.minimum(one.cost_s, FAILING_S)[lots] for one in asking])
        home_s = np.full((len(asking), len(asking)), FAILING_S)
        rows, columns = linear_sum_assignment(np.hstack((cost_s, home_s)))
        chosen: list[int | None] = [None] * len(asking)
        for row, column in zip(rows, columns, strict=True):
            if column < len(lots) and cost_s[row, column] < FAILING_S:
                chosen[row] = int(lots[column])
        return chosen


@dataclass
class FluidPrices:
    """Greedy with prices: duals of a flow of `forecast_per_h` requests, equal at all hospitals, through the day.

    A space taken in a period is still taken later with the chance that the stay lasts; its price is the sum of what
    spaces are worth in those periods, times `damping`.
    """

    forecast_per_h: float
    damping: float
    holds: bool = True
    feed_age_s: float = 0.0
    window_s: float = 0.0
    price_s: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def name(self) -> str:
        """Say what it was tuned to."""
        return f"damped x {self.damping:g}"

    def begin(self, city: City) -> None:
        """Solve the flow."""
        self.price_s = self.damping * _fluid_price_s(city, self.forecast_per_h)

    def choose(self, asking: Sequence[Asking], view: View) -> Sequence[int | None]:
        """Name the lot of least cost and price that has room."""
        period = min(int(view.now_s / _PERIOD_S), _PERIODS - 1)
        return [_cheapest(one.cost_s + self.price_s[:, period], view.free > 0) for one in asking]


@dataclass
class LearnedPrices:
    """Greedy with prices: what spaces turned out to be worth on another day of the same city and demand."""

    requests_per_h: float
    damping: float
    other_day: int = _OTHER_DAYS
    holds: bool = True
    feed_age_s: float = 0.0
    window_s: float = 0.0
    grid_s: Floats = field(default_factory=lambda: np.zeros(0))
    price_s: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def name(self) -> str:
        """Say what it was tuned to."""
        return f"damped x {self.damping:g}"

    def begin(self, city: City) -> None:
        """Solve the other day in hindsight."""
        learned = _other_day(city, self.other_day, self.requests_per_h)
        self.grid_s, self.price_s = learned.grid_s, learned.price_s

    def choose(self, asking: Sequence[Asking], view: View) -> Sequence[int | None]:
        """Name the lot of least cost and price that has room."""
        price_s = self.damping * (self.price_s @ _still_there(self.grid_s - view.now_s))
        return [_cheapest(one.cost_s + price_s, view.free > 0) for one in asking]


@lru_cache(maxsize=16)
def _other_day(city: City, seed: int, requests_per_h: float) -> Bound:
    return bound(make_day(city, seed, requests_per_h))


def _still_there(later_s: Floats) -> Floats:
    """Give the chance that a car that comes now is still there `later_s` from now; 0 for what is past."""
    ahead_s = np.maximum(later_s, 1e-9)
    stays: Floats = ndtr((np.log(STAY_MEDIAN_S) - np.log(ahead_s)) / STAY_SIGMA)
    return np.where(later_s > 0, stays, 0.0)


@lru_cache(maxsize=16)
def _fluid_price_s(city: City, requests_per_h: float) -> Floats:
    """Give (lots, periods): what a space taken in a period is worth, in seconds."""
    bearings = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ring_m = (ASKS_FROM_M + ASKS_TO_M) / 2 * np.column_stack((np.cos(bearings), np.sin(bearings)))
    apart_m = np.linalg.norm(
        city.hospitals_m[:, None, None] + ring_m[None, :, None] - city.lots_m[None, None, :], axis=3
    )
    cost_s = apart_m.mean(axis=1) * DRIVE_DETOUR / DRIVE_SPEED_M_S + city.walk_s
    hospital, lot = np.nonzero(cost_s < FAILING_S)
    pairs, periods, lots = len(hospital), _PERIODS, len(city.spaces)
    later, earlier = np.meshgrid(np.arange(float(periods)), np.arange(float(periods)), indexing="ij")
    stays = np.where(later >= earlier, _still_there((later - earlier + 0.5) * _PERIOD_S), 0.0)
    variables = np.arange(pairs * periods)
    pair, start = variables // periods, variables % periods
    demand = coo_array(
        (np.ones(len(variables)), (hospital[pair] * periods + start, variables)),
        (len(city.hospitals_m) * periods, len(variables)),
    )
    at = np.tile(np.arange(periods), len(variables))
    of = np.repeat(variables, periods)
    room = coo_array((stays[at, start[of]], (lot[pair[of]] * periods + at, of)), (lots * periods, len(variables)))
    share = requests_per_h * _PERIOD_S / 3600 / len(city.hospitals_m)
    solved = least_cost(
        cost_s[hospital, lot][pair] - FAILING_S,
        csr_array(vstack((room.tocsr(), demand.tocsr()))),
        np.concatenate((np.repeat(city.spaces, periods), np.full(demand.shape[0], share))),
    )
    worth_s: Floats = solved.prices[: lots * periods].reshape(lots, periods)
    price_s: Floats = worth_s @ stays
    return price_s
