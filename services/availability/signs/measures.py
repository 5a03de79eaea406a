"""What is measured of each sign, by its id in the signs file."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class SignMeasures:
    """One set of metrics for each sign."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.reached = Gauge(
            "bowei_availability_sign_reached",
            "Did the sign take what it was last sent? 0: it is away, and shows what it was told before.",
            ("sign",),
            registry=registry,
        )
        self.sent = Counter(
            "bowei_availability_sign_sent_total",
            "How often was the sign told what to show, by whether it could be sent?",
            ("sign", "result"),
            registry=registry,
        )
        self.dark = Gauge(
            "bowei_availability_sign_dark",
            "Does the sign show no number because nothing is known of its lot?",
            ("sign",),
            registry=registry,
        )
