"""Means over seeds with their 95 % intervals, by Student's t: few seeds give wide intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, and how far from it the true one may be; one value alone says nothing of that."""

    mean: float
    half: float

    def text(self, digits: int = 1, unit: str = "") -> str:
        """Write it as in tables, such as `9.6 ± 1.1`."""
        half = f" ± {self.half:,.{digits}f}" if np.isfinite(self.half) else ""
        return f"{self.mean:,.{digits}f}{half}{unit}"

    def times(self, factor: float) -> "Interval":
        """Give the same in another unit, such as percent."""
        return Interval(factor * self.mean, factor * self.half)


def interval(values: Sequence[float]) -> Interval:
    """Give the mean of values that were drawn alike, one for each seed."""
    if len(values) < 2:
        return Interval(float(np.mean(values)), float("inf"))
    error = float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return Interval(float(np.mean(values)), float(student.ppf(0.975, len(values) - 1)) * float(error))


def ratio_interval(values: Sequence[float], against: Sequence[float]) -> Interval:
    """Give the ratio of two means of paired values, by leaving out one pair after the other (jackknife)."""
    these, those = np.asarray(values, float), np.asarray(against, float)
    whole = these.sum() / those.sum()
    if len(these) < 2:
        return Interval(float(whole), float("inf"))
    count = len(these)
    without = (these.sum() - these) / (those.sum() - those)
    error = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    return Interval(float(whole), float(student.ppf(0.975, count - 1)) * float(error))
