"""Calibrating: what came of chances, kept as rates by z, and read for the next ones.

Three layers, each leaning on the one below while it is young:

    the law Φ(z)  ←  all lots, by z  ←  all lots, by z and by whether they usually fill, stay or empty
                                        + each lot's own surplus over that, by z

Old cases fade with a half-life, so that it follows. A rate never falls as z, and so the free count, grows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from bowei.domain.forecasting import KNOTS, LEAST_VOLATILITY, TURN_AT
from bowei.domain.usual_weeks import Floats, Rows

EDGES = np.array([-1.0, -0.5, -0.25, 0.0, 0.25, 0.75, 1.5, 2.5, 4.0])
"""The borders of the ten bins of z, one around each knot."""
BINS, TURNS = len(KNOTS), 3
HALF_LIFE_S = 60 * 86_400.0
"""In which a case comes to count for half."""
OF_LAW, OF_ALL, OF_LOT = 10.0, 20.0, 10.0
"""How many cases each layer's elder is worth: the law to all lots, all lots to a turn, no surplus to a lot."""
LEAST_CHANCE = 0.002
"""Nothing is ever quite sure: no p below this, none above one minus this."""

_KNOTS = np.array(KNOTS)
_BELOW, _ABOVE = KNOTS[3], KNOTS[4]
_LEAST_DEVIATION = 2 * LEAST_VOLATILITY


@dataclass(frozen=True, slots=True)
class Cases:
    """What was forecast and came true or not: the lots' rows, bins of z, turns, and whether there was a space."""

    rows: Rows
    bins: NDArray[np.uint8]
    turns: NDArray[np.uint8]
    came: NDArray[np.bool_]


class Calibration:
    """Counts of all lots, and of each: `of_lots` has for each lot and bin the cases and their surplus."""

    def __init__(self, of_lots: NDArray[np.float32], city: NDArray[np.float64] | None = None) -> None:
        self.of_lots = of_lots
        self.city = np.zeros((1 + TURNS, BINS, 2)) if city is None else city
        """Cases and how many came, by bin: first of all turns together, then of each."""

    def fade(self, passed_s: float) -> None:
        """Let what was counted count for less."""
        share = 0.5 ** (passed_s / HALF_LIFE_S)
        self.city *= share
        self.of_lots *= np.float32(share)

    def learn(self, cases: Cases) -> None:
        """Count what came of forecasts."""
        came = cases.came.astype(np.float64)
        surplus = came - self.usual()[cases.turns, cases.bins]
        one = np.stack([np.ones_like(came), came], axis=-1)
        np.add.at(self.city[0], cases.bins, one)
        np.add.at(self.city[1:], (cases.turns, cases.bins), one)
        np.add.at(self.of_lots, (cases.rows, cases.bins), np.stack([np.ones_like(came), surplus], axis=-1))

    def usual(self) -> Floats:
        """Give the rates of all lots together, by turn and bin."""
        every, by_turn = self.city[0], self.city[1:]
        of_all = (every[:, 1] + OF_LAW * ndtr(_KNOTS)) / (every[:, 0] + OF_LAW)
        usual: Floats = (by_turn[..., 1] + OF_ALL * of_all) / (by_turn[..., 0] + OF_ALL)
        return usual

    def rates(self) -> Floats:
        """Give each lot's rates by turn and bin, none smaller than one of a smaller z."""
        surplus = self.of_lots[..., 1] / (self.of_lots[..., 0] + OF_LOT)
        rates = np.clip(self.usual()[None] + surplus[:, None, :], LEAST_CHANCE, 1 - LEAST_CHANCE)
        # Halfway between the nearest rising curves above and below.
        above = np.maximum.accumulate(rates, axis=-1)
        below = np.minimum.accumulate(rates[..., ::-1], axis=-1)[..., ::-1]
        rising: Floats = (above + below) / 2
        return rising


def bins_of(z: Floats) -> NDArray[np.uint8]:
    """Give the bin of each z."""
    return np.digitize(z, EDGES).astype(np.uint8)


def turns_of(change: Floats, deviation: Floats) -> NDArray[np.uint8]:
    """Say of each lot whether it usually fills (0), stays (1) or empties (2)."""
    return np.digitize(change / np.maximum(deviation, _LEAST_DEVIATION), (-TURN_AT, TURN_AT)).astype(np.uint8)


def read(rates: Floats, z: Floats) -> Floats:
    """Read a curve for each z, between its knots, as `Foreseen.chance` does for one."""
    z = np.where(z < 0, np.minimum(z, _BELOW), np.maximum(z, _ABOVE))
    left = np.clip(np.searchsorted(_KNOTS, z, side="right") - 1, 0, BINS - 2)
    share = np.clip((z - _KNOTS[left]) / (_KNOTS[left + 1] - _KNOTS[left]), 0.0, 1.0)
    low = np.take_along_axis(rates, left[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(rates, left[..., None] + 1, axis=-1)[..., 0]
    chance: Floats = low + share * (high - low)
    return chance
