"""This service's metrics."""

from collections import Counter as Counts
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge

from bowei.domain.heartbeats import Sign
from bowei.domain.lots import SourceId
from bowei.domain.observations import Verdict
from services.ingest.admitting import Admission
from services.ingest.forecast_measures import ForecastMeasures
from services.ingest.history_measures import HistoryMeasures
from services.ingest.lags import Lags
from services.ingest.mqtt.measures import MqttMeasures
from services.ingest.pulling.measures import PullMeasures
from services.ingest.quality_measures import QualityMeasures

_LAG_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0, 3600.0)
_MOST_SOURCES = 1_000
"""Registered sources are few; the bound is for the day when they are not."""


class Way(StrEnum):
    """By which protocol a report came in."""

    NATIVE = "native"
    CITYBRAIN = "citybrain"
    PARKAPI = "parkapi"
    PUSH = "push"
    """A push in the sender's own shape, read by a field map."""
    DATEX2 = "datex2"
    """A DATEX II publication that was sent to us."""
    MQTT = "mqtt"
    LORAWAN = "lorawan"
    PULL = "pull"


class Measures:
    """What ingest measures; labels come from closed sets, or are bounded."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.history = HistoryMeasures(registry)
        self.quality = QualityMeasures(registry)
        self.forecasts = ForecastMeasures(registry)
        self._observations = Counter(
            "bowei_ingest_observations_total",
            "How many observations came in, and what became of them?",
            ("way", "result"),
            registry=registry,
        )
        self._passages = Counter(
            "bowei_ingest_passages_total",
            "How many passages came in, and what became of them?",
            ("way", "result"),
            registry=registry,
        )
        self._doubts = Counter(
            "bowei_ingest_doubts_total",
            "How many observations and passages were rejected or quarantined, and why?",
            ("way", "code"),
            registry=registry,
        )
        self._dirt = Counter(
            "bowei_ingest_dirt_total",
            "How many observations had which dirt, believed or not?",
            ("way", "dirt"),
            registry=registry,
        )
        self._uploads_refused = Counter(
            "bowei_ingest_citybrain_refused_total",
            "How many City Brain uploads were refused as a whole, and why?",
            ("code",),
            registry=registry,
        )
        self._pushes_refused = Counter(
            "bowei_ingest_pushes_refused_total",
            "How many pushes in a sender's own shape were refused as a whole, and why?",
            ("code",),
            registry=registry,
        )
        self._lag = Lags(
            "bowei_ingest_lag_seconds",
            "How long after it was observed was a report received?",
            _LAG_BUCKETS_S,
            registry,
        )
        self.clock_skew = Gauge(
            "bowei_clock_skew_seconds",
            "How far does this process's clock run ahead of the ledger's? Measured at each look at /metrics.",
            registry=registry,
        )
        self._last_heard = Gauge(
            "bowei_ingest_source_last_heard_timestamp_seconds",
            "When was each source last heard, seconds since 1970 by Bowei's clock?",
            ("source",),
            registry=registry,
        )
        self._signs = Counter(
            "bowei_ingest_link_signs_total",
            "How many heartbeats, losses and returns of links came in?",
            ("sign",),
            registry=registry,
        )
        self.pulling = PullMeasures(registry)
        self._in_flight = Gauge(
            "bowei_ingest_in_flight_bytes", "How much of what was sent is being taken in now?", registry=registry
        )
        self._sources_shown: set[SourceId] = set()
        self.mqtt = MqttMeasures(registry)
        self.show_failures = Counter(
            "bowei_ingest_show_failures_total",
            "How often could recorded reports not be shown in the live state? They are copied later.",
            registry=registry,
        )
        self.unrecorded = Counter(
            "bowei_ingest_unrecorded_total",
            "How many believed observations could not be recorded, so that the sender must repeat them?",
            registry=registry,
        )
        self.copies = Counter(
            "bowei_ingest_copies_total",
            "How often were all reports copied to the live state, by whether it worked?",
            ("result",),
            registry=registry,
        )

    def admission(self, admission: Admission) -> Admission:
        """Show how much is under way."""
        self._in_flight.set_function(lambda: admission.held_bytes)
        return admission

    def observed(self, way: Way, verdict: Verdict, observed_at: datetime | None, received_at: datetime) -> None:
        """Count one observation; `observed_at` is None where it could not be read."""
        self._observations.labels(way, verdict.outcome).inc()
        self._doubt(way, verdict)
        for dirt in verdict.belief.dirt if verdict.belief is not None else ():
            self._dirt.labels(way, dirt).inc()
        if observed_at is not None:
            self._lag.observe_all([max(0.0, (received_at - observed_at).total_seconds())])

    def observed_all(
        self, way: Way, verdicts: Sequence[Verdict], observed: Sequence[datetime], received_at: datetime
    ) -> None:
        """Count observations that were received together, and could all be read."""
        # An enum's hash and `value` are calls into Python; `_value_` is what they give.
        for outcome, count in Counts([one.outcome._value_ for one in verdicts]).items():
            self._observations.labels(way, outcome).inc(count)
        for code, count in Counts([one.code for one in verdicts if one.code is not None]).items():
            self._doubts.labels(way, code).inc(count)
        for dirt, count in Counts(
            [dirt for one in verdicts if one.belief is not None for dirt in one.belief.dirt]
        ).items():
            self._dirt.labels(way, dirt).inc(count)
        self._lag.observe_all([max(0.0, (received_at - observed_at).total_seconds()) for observed_at in observed])

    def passed(self, way: Way, verdict: Verdict) -> None:
        """Count one passage."""
        self._passages.labels(way, verdict.outcome).inc()
        self._doubt(way, verdict)

    def signed(self, sign: Sign) -> None:
        """Count one sign of life, or of its end."""
        self._signs.labels(sign).inc()

    def upload_refused(self, code: str) -> None:
        """Count a City Brain upload that was refused as a whole; `code` is one of our own."""
        self._uploads_refused.labels(code).inc()

    def push_refused(self, code: str) -> None:
        """Count a push that was refused as a whole; `code` is one of our own."""
        self._pushes_refused.labels(code).inc()

    def heard(self, source_id: SourceId, at: datetime) -> None:
        """Note that a source was heard."""
        if source_id not in self._sources_shown:
            if len(self._sources_shown) >= _MOST_SOURCES:
                return
            self._sources_shown.add(source_id)
        self._last_heard.labels(source_id).set(at.timestamp())

    def _doubt(self, way: Way, verdict: Verdict) -> None:
        if verdict.code is not None:
            self._doubts.labels(way, verdict.code).inc()
