"""What is measured of quality, by the one process that assesses."""

import math
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from bowei.domain.dirt import Dirt
from bowei.domain.freshness import Freshness
from bowei.domain.trust import DOUBTS, TrustState
from bowei.records.summing_up import Summary

_DOUBTS = (*DOUBTS.values(), Dirt.COMMS_LOST.value, TrustState.PROBATION.value, TrustState.SUSPENDED.value)


class QualityMeasures:
    """Gauges that only the assessor sets; elsewhere, and when it stops, they are not numbers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.assessing = Gauge(
            "bowei_ingest_assessing",
            "Is this the process that assesses lots? The sum over processes is 1.",
            registry=registry,
        )
        self._assessed_at = Gauge(
            "bowei_ingest_assessed_timestamp_seconds",
            "When did the assessor look last, seconds since 1970 by Bowei's clock?",
            registry=registry,
        )
        self._lots = Gauge(
            "bowei_ingest_lots",
            "How many lots are registered, ever reported, and are fresh, ageing, stale or expired?",
            ("coverage",),
            registry=registry,
        )
        self._trust = Gauge(
            "bowei_ingest_lots_by_trust", "How many lots are trusted how far?", ("state",), registry=registry
        )
        self._doubts = Gauge(
            "bowei_ingest_lots_doubted", "Of how many lots is nothing offered, and why?", ("doubt",), registry=registry
        )
        self._findings = Gauge(
            "bowei_ingest_findings", "With how many lots is what wrong?", ("dirt",), registry=registry
        )
        self._links_lost = Gauge(
            "bowei_ingest_links_lost", "How many links that used to show life are lost?", registry=registry
        )
        self._pending = Gauge(
            "bowei_ingest_lots_pending", "How many lots do sources name that nobody registered?", registry=registry
        )
        self.stopped()

    def show(self, at: datetime, found: Summary) -> None:
        """Show how everything stands."""
        self._assessed_at.set(at.timestamp())
        self._lots.labels("registered").set(found.registered)
        self._lots.labels("reporting").set(found.reporting)
        for fresh in Freshness:
            self._lots.labels(fresh).set(found.by_freshness.get(fresh, 0))
        for state in TrustState:
            self._trust.labels(state).set(found.by_trust.get(state, 0))
        for doubt in _DOUBTS:
            self._doubts.labels(doubt).set(found.by_doubt.get(doubt, 0))
        for dirt in Dirt:
            self._findings.labels(dirt).set(found.by_finding.get(dirt, 0))
        self._links_lost.set(found.links_lost)
        self._pending.set(found.pending)

    def stopped(self) -> None:
        """Show nothing: another process assesses, or none."""
        self.assessing.set(0)
        for gauge in (self._lots, self._trust, self._doubts, self._findings):
            gauge.clear()
        for single in (self._assessed_at, self._links_lost, self._pending):
            single.set(math.nan)
