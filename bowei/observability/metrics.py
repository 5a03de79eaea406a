"""Metrics of one process: a registry of its own, and the rate, errors and duration of what it answers.

One process per container, so there is no multiprocess mode. Labels come from short closed sets: the route's template,
never a raw path, never an id. What is refused before a route was found (no such address, a bad body) is `unmatched`.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, PlatformCollector
from prometheus_client import ProcessCollector as _ProcessCollector

SEMCONV_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Upper bounds in seconds, as OpenTelemetry's HTTP conventions advise."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """What every HTTP process measures; a service registers its own metrics in `registry`."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        _ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._durations = Histogram(
            "http_server_request_duration_seconds",
            "Time from a request's first byte to the end of its answer, seconds.",
            ("method", "route", "status"),
            buckets=SEMCONV_BUCKETS_S,
            registry=self.registry,
        )
        self.active_requests = Gauge(
            "http_server_active_requests",
            "Requests being answered now, open streams among them.",
            registry=self.registry,
        )
        self._problems = Counter(
            "bowei_http_problems_total",
            "Requests refused, by problem code.",
            ("route", "code"),
            registry=self.registry,
        )
        self.dependency_up = Gauge(
            "bowei_dependency_up",
            "1 if the dependency answered its last probe, else 0.",
            ("dependency",),
            registry=self.registry,
        )
        about = Gauge("bowei_service_info", "1; the label names the service.", ("service",), registry=self.registry)
        about.labels(service).set(1)

    def answered(self, *, method: str, route: str, status: int, problem: str | None, seconds: float) -> None:
        """Count one answer; `route` is a template, `problem` the code of a refusal."""
        shown = method if method in _METHODS else "OTHER"
        self._durations.labels(shown, route, str(status)).observe(seconds)
        if problem is not None:
            self._problems.labels(route, problem).inc()
