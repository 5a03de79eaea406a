"""This service's metrics."""

import math
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class Measures:
    """What availability measures beside its HTTP side."""

    def __init__(
        self, registry: CollectorRegistry, *, copy_age_s: Callable[[], float | None], streams: Callable[[], int]
    ) -> None:
        age = Gauge(
            "bowei_availability_mirror_age_seconds",
            "For how long has the copy of the live state not been known to be current? +Inf before it was ever read.",
            registry=registry,
        )
        age.set_function(lambda: _age(copy_age_s()))
        open_streams = Gauge("bowei_availability_streams", "How many streams are open?", registry=registry)
        open_streams.set_function(streams)
        self.streams_refused = Counter(
            "bowei_availability_streams_refused_total",
            "How many streams were refused because too many were open?",
            registry=registry,
        )
        self.events = Counter(
            "bowei_availability_stream_events_total", "How many events were sent to streams?", registry=registry
        )


def _age(age_s: float | None) -> float:
    return math.inf if age_s is None else age_s
