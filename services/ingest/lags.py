"""Lags: a histogram to which a whole batch is added at once; prometheus_client's own takes a lock for each value."""

import bisect
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override


class Lags(Collector):
    """How many values were at most as large as each bound; of one event loop, as everything that counts here."""

    def __init__(self, name: str, question: str, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._question = question
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe_all(self, values: Iterable[float]) -> None:
        """Count values."""
        for value in values:
            self._counts[bisect.bisect_left(self._bounds, value)] += 1
            self._sum += value

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """Name the metric."""
        return [HistogramMetricFamily(self._name, self._question)]

    @override
    def collect(self) -> Iterable[HistogramMetricFamily]:
        below, buckets = 0, []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            below += count
            buckets.append((bound, below))
        return [HistogramMetricFamily(self._name, self._question, buckets=buckets, sum_value=self._sum)]
