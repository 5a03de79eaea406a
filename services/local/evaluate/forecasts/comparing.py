"""Comparing: the scores of each method on the same cases, with intervals by resampling whole days.

The cases of a day hang together (one full afternoon is many cases), so days are drawn, not cases.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bowei.domain.forecast_scores import Method
from bowei.domain.foreseeing import HORIZONS
from services.local.evaluate.forecasts.measuring import Cases, Measured

DRAWS = 2_000
_SEED = 5
MEASURES = ("brier", "log_loss", "error")


class Slice(StrEnum):
    """Which cases are compared."""

    NEAR_FULL = "near_full"
    """With 15 free or fewer when it was forecast."""
    NEAR_FULL_BOTH = "near_full_both"
    """… of lots that then had a space, and that had none, each in `BOTH_SHARE` of these cases at least: a counter that
    always says full is foreseen by anybody."""
    ALL = "all"


BOTH_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Compared:
    """One measure of one recording, horizon and slice: each method's mean, and how much less ours is."""

    recording: str
    minutes: int
    slice: Slice
    measure: str
    """`brier`, `log_loss`, or `error`: the mean absolute error in spaces."""
    cases: int
    days: int
    means: dict[Method, float]
    """Of the methods that said anything; `last_week` and ours beside it on the cases where there was a count then."""
    less: dict[Method, tuple[float, float, float]]
    """The other's mean less ours, and its 95 % interval: above 0, ours is better."""


def compare(measured: Measured) -> Iterator[Compared]:
    """Compare the methods by everything that is measured."""
    cases = measured.cases
    for place, horizon in enumerate(HORIZONS):
        for which in Slice:
            of = _cases_of(which, cases, cases.horizon == place)
            if not of.any():
                continue
            for measure in MEASURES:
                yield _compared(measured.name, int(horizon.total_seconds()) // 60, which, measure, cases, of)


def _compared(name: str, minutes: int, which: Slice, measure: str, cases: Cases, of: NDArray[np.bool_]) -> Compared:
    losses = {method: _losses(cases, method, measure)[of] for method in Method}
    days = cases.day[of]
    means, less = {Method.BOWEI: float(losses[Method.BOWEI].mean())}, {}
    for method in (Method.LAST_VALUE, Method.LAST_WEEK):
        said = np.isfinite(losses[method])
        if said.any():
            means[method] = float(losses[method][said].mean())
            less[method] = _interval((losses[method] - losses[Method.BOWEI])[said], days[said])
    return Compared(name, minutes, which, measure, int(of.sum()), len(np.unique(days)), means, less)


def _cases_of(which: Slice, cases: Cases, of: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if which is Slice.ALL:
        return of
    of = of & cases.near_full
    if which is Slice.NEAR_FULL or not of.any():
        return of
    rows = cases.row[of]
    had_space = np.bincount(rows, weights=cases.truth[of] >= 1) / np.maximum(np.bincount(rows), 1)
    both = (had_space >= BOTH_SHARE) & (had_space <= 1 - BOTH_SHARE)
    return of & np.isin(cases.row, np.flatnonzero(both))


def _losses(cases: Cases, method: Method, measure: str) -> NDArray[np.float64]:
    if measure == "error":
        return np.abs(cases.mean[method] - cases.truth)
    chance, came = cases.chance[method], cases.truth >= 1
    if measure == "brier":
        return (chance - came) ** 2
    return -np.log(np.where(came, chance, 1 - chance))


def _interval(differences: NDArray[np.float64], days: NDArray[np.intp]) -> tuple[float, float, float]:
    """Give the mean of differences, and the 95 % interval of drawing as many days again with replacement."""
    _, of_day = np.unique(days, return_inverse=True)
    sums, counts = np.bincount(of_day, weights=differences), np.bincount(of_day)
    drawn = np.random.default_rng(_SEED).integers(len(sums), size=(DRAWS, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(differences.mean()), float(low), float(high)


def reliability(measured: Measured, minutes: int, edges: NDArray[np.float64]) -> list[tuple[float, float, int]]:
    """Give for each bin of our chances near full: the mean chance, how often there was a space, of how many cases."""
    cases = measured.cases
    place = [int(horizon.total_seconds()) // 60 for horizon in HORIZONS].index(minutes)
    of = (cases.horizon == place) & cases.near_full
    chance, came = cases.chance[Method.BOWEI][of], cases.truth[of] >= 1
    bins = np.digitize(chance, edges)
    return [
        (float(chance[bins == one].mean()), float(came[bins == one].mean()), int((bins == one).sum()))
        for one in np.unique(bins)
    ]
