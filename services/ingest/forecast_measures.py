"""What is measured of forecasts, by the one process that foresees."""

import math
from collections.abc import Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from bowei.domain.forecast_scores import Scored
from bowei.domain.foreseeing import HORIZONS

_STEP_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_OF_CASES = ("method", "minutes", "regime")
_MINUTES = tuple(str(int(horizon.total_seconds()) // 60) for horizon in HORIZONS)


class ForecastMeasures:
    """Sums of scores: a mean over any time is the increase of a sum by the increase of the cases."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.foreseeing = Gauge(
            "bowei_ingest_foreseeing",
            "Is this the process that foresees? The sum over processes is 1.",
            registry=registry,
        )
        self._foreseen_at = Gauge(
            "bowei_ingest_foreseen_timestamp_seconds",
            "When was last foreseen, seconds since 1970 by Bowei's clock?",
            registry=registry,
        )
        self.step_seconds = Histogram(
            "bowei_ingest_foreseeing_seconds",
            "How long does it take to learn from all counts, and to foresee anew?",
            buckets=_STEP_BUCKETS_S,
            registry=registry,
        )
        self._cases = Counter(
            "bowei_ingest_forecast_cases_total",
            "How many forecasts came to their time and were scored?",
            _OF_CASES,
            registry=registry,
        )
        self._brier = Counter(
            "bowei_ingest_forecast_brier_total",
            "What is the sum of squared errors of the chance that at least one space is free?",
            _OF_CASES,
            registry=registry,
        )
        self._log_loss = Counter(
            "bowei_ingest_forecast_log_loss_total",
            "What is the sum of logarithmic losses of the same chance, in nats?",
            _OF_CASES,
            registry=registry,
        )
        self._error = Counter(
            "bowei_ingest_forecast_error_spaces_total",
            "What is the sum of absolute errors of the mean, in spaces?",
            _OF_CASES,
            registry=registry,
        )
        self.stopped()

    def foresaw(self, at: datetime, scored: Iterable[Scored]) -> None:
        """Note a step, and what came true at it."""
        self._foreseen_at.set(at.timestamp())
        for one in scored:
            labels = (one.method, _MINUTES[one.horizon], one.regime)
            self._cases.labels(*labels).inc(one.cases)
            self._brier.labels(*labels).inc(one.brier)
            self._log_loss.labels(*labels).inc(one.log_loss)
            self._error.labels(*labels).inc(one.error)

    def stopped(self) -> None:
        """Say that this process foresees no more; what it scored stays counted."""
        self.foreseeing.set(0)
        self._foreseen_at.set(math.nan)
