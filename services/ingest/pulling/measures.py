"""What pulling measures. A feed is named by its source; labels come from the feeds file and from closed sets."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_DURATION_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0, 120.0)


class PullMeasures:
    """Counts pulls, and shows which feeds are down. Only the process that pulls shows anything of single feeds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.feeds = Gauge(
            "bowei_ingest_pull_feeds",
            "How many feeds does the feeds file ask to pull?",
            registry=registry,
        )
        self.pulling = Gauge(
            "bowei_ingest_pulling",
            "Is this the process that pulls? One of all should.",
            registry=registry,
        )
        self._pulls = Counter(
            "bowei_ingest_pulls_total",
            "How many pulls were made, and what did they bring?",
            ("feed", "result"),
            registry=registry,
        )
        self._success_at = Gauge(
            "bowei_ingest_pull_success_timestamp_seconds",
            "When did a pull of each feed last succeed, seconds since 1970 by Bowei's clock?",
            ("feed",),
            registry=registry,
        )
        self._down = Gauge(
            "bowei_ingest_pull_down",
            "Has a feed failed several times in a row?",
            ("feed",),
            registry=registry,
        )
        self._duration = Histogram(
            "bowei_ingest_pull_seconds",
            "How long does a pull take, from the first wait for the host to what was taken in?",
            buckets=_DURATION_BUCKETS_S,
            registry=registry,
        )

    def pulled(self, feed: str, result: str, *, took_s: float) -> None:
        """Count one pull; `result` is read, unchanged, store_away or a Failure."""
        self._pulls.labels(feed, result).inc()
        self._duration.observe(took_s)

    def succeeded(self, feed: str, at: datetime) -> None:
        """Note that a feed is well."""
        self._success_at.labels(feed).set(at.timestamp())
        self._down.labels(feed).set(0)

    def failed(self, feed: str, *, down: bool) -> None:
        """Note that a feed failed, and whether it is down by now."""
        self._down.labels(feed).set(down)

    def stopped(self) -> None:
        """Say nothing of single feeds any more: another process knows better."""
        self.pulling.set(0)
        self._success_at.clear()
        self._down.clear()
