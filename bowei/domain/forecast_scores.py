"""Scores: what forecasts were worth, beside what anybody could have said without them.

Two others forecast the same cases: *last value* says that nothing changes, *last week* that it is as it was a
week before. Their chances are as well tuned as ours: the rate at which there was a space, after they said so or not,
for each horizon, for lots near full and others, all lots together and then each lot's own; they follow as ours do.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bowei.domain.calibrating import HALF_LIFE_S, LEAST_CHANCE, OF_ALL, OF_LAW
from bowei.domain.foreseeing import HORIZONS, Outcome
from bowei.domain.usual_weeks import Floats

NEAR_FULL = 15
"""Free spaces when it was forecast, or fewer: where a chance decides."""


class Method(StrEnum):
    """Who forecast."""

    BOWEI = "bowei"
    LAST_VALUE = "last_value"
    LAST_WEEK = "last_week"


class Regime(StrEnum):
    """Of which cases."""

    NEAR_FULL = "near_full"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of one method for one horizon: of how many cases, and the sum of each over them."""

    method: Method
    horizon: int
    """Its place in `HORIZONS`."""
    regime: Regime
    cases: int
    brier: float
    """Squared error of the chance that at least one space is free."""
    log_loss: float
    """Of the same chance; nats."""
    error: float
    """Absolute error of the number of free spaces."""


class Scores:
    """Scores outcomes in the order in which they come."""

    def __init__(self) -> None:
        self._baselines = {method: _Baseline() for method in (Method.LAST_VALUE, Method.LAST_WEEK)}

    def score(self, outcome: Outcome, at_s: int, lots: int) -> list[Scored]:
        """Score what one method after the other said of the same cases; `lots`: how many rows there are."""
        scored = []
        for method, said, chance in self._chances(outcome, at_s, lots):
            known = np.isfinite(said)
            near = known & (outcome.free_then <= NEAR_FULL)
            for regime, cases in ((Regime.NEAR_FULL, near), (Regime.ALL, known)):
                if cases.any():
                    scored.append(_score(method, regime, outcome, cases, said, chance))
        self.learn(outcome)
        return scored

    def chances(self, outcome: Outcome, at_s: int, lots: int) -> dict[Method, Floats]:
        """Give each method's chances of the same cases; not numbers where it could say nothing."""
        return {method: chance for method, _, chance in self._chances(outcome, at_s, lots)}

    def learn(self, outcome: Outcome) -> None:
        """Let the others learn what their word is worth; `score` does it by itself."""
        for method, said in ((Method.LAST_VALUE, outcome.free_then), (Method.LAST_WEEK, outcome.last_week)):
            self._baselines[method].learn(outcome, said)

    def _chances(self, outcome: Outcome, at_s: int, lots: int) -> list[tuple[Method, Floats, Floats]]:
        said = {Method.LAST_VALUE: outcome.free_then, Method.LAST_WEEK: outcome.last_week}
        others = [
            (method, said[method], one.chance(outcome, said[method], at_s, lots))
            for method, one in self._baselines.items()
        ]
        return [(Method.BOWEI, outcome.mean, outcome.chance), *others]


class _Baseline:
    """The chance of a space after a method said that there is one, or that there is none."""

    def __init__(self) -> None:
        self._city = np.zeros((len(HORIZONS), 2, 2, 2))
        self._lots = np.zeros((0, len(HORIZONS), 2, 2, 2), dtype=np.float32)
        self._at_s: int | None = None

    def chance(self, outcome: Outcome, said: Floats, at_s: int, lots: int) -> Floats:
        self._follow(at_s, lots)
        near, free = _cells(outcome, said)
        city = self._city[outcome.horizon, near, free]
        of_lot = self._lots[outcome.rows, outcome.horizon, near, free]
        # What nobody has seen yet: 0.98 and 0.02.
        of_city = (city[:, 1] + OF_LAW * np.where(free == 1, 0.98, 0.02)) / (city[:, 0] + OF_LAW)
        chance = np.clip((of_lot[:, 1] + OF_ALL * of_city) / (of_lot[:, 0] + OF_ALL), LEAST_CHANCE, 1 - LEAST_CHANCE)
        return np.where(np.isfinite(said), chance, np.nan)

    def learn(self, outcome: Outcome, said: Floats) -> None:
        known = np.isfinite(said)
        near, free = _cells(outcome, said)
        one = np.stack([np.ones(len(said)), outcome.truth >= 1], axis=-1)[known]
        np.add.at(self._city[outcome.horizon], (near[known], free[known]), one)
        np.add.at(self._lots[:, outcome.horizon], (outcome.rows[known], near[known], free[known]), one)

    def _follow(self, at_s: int, lots: int) -> None:
        if len(self._lots) != lots:
            self._lots = np.zeros((lots, *self._city.shape), dtype=np.float32)
        if self._at_s is not None and at_s > self._at_s:
            share = 0.5 ** ((at_s - self._at_s) / HALF_LIFE_S)
            self._city *= share
            self._lots *= np.float32(share)
        self._at_s = at_s


def _cells(outcome: Outcome, said: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    near = (outcome.free_then <= NEAR_FULL).astype(np.intp)
    return near, (np.nan_to_num(said) >= 1).astype(np.intp)


def _score(
    method: Method, regime: Regime, outcome: Outcome, cases: NDArray[np.bool_], said: Floats, chance: Floats
) -> Scored:
    truth, chances = outcome.truth[cases], chance[cases]
    came = truth >= 1
    return Scored(
        method=method,
        horizon=outcome.horizon,
        regime=regime,
        cases=int(cases.sum()),
        brier=float(((chances - came) ** 2).sum()),
        log_loss=float(-np.log(np.where(came, chances, 1 - chances)).sum()),
        error=float(np.abs(said[cases] - truth).sum()),
    )
