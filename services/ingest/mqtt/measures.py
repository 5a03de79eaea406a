"""What is measured of each broker's feed."""

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge


class Result(StrEnum):
    """What became of a message."""

    TAKEN = "taken"
    REFUSED = "refused"
    """Some of it could not be read, or is not this feed's to say. It is acknowledged: it would never be better."""
    FAILED = "failed"
    """It broke the reading of it, which is a mistake of ours. It is acknowledged, so that the line goes on."""
    DROPPED = "dropped"
    """It came with QoS 0, and could not be recorded while it was of now."""


class MqttMeasures:
    """One set of metrics for each feed, by its source."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connected = Gauge(
            "bowei_ingest_mqtt_connected",
            "Is the feed's broker connected, and subscribed to?",
            ("source",),
            registry=registry,
        )
        self._connects = Counter(
            "bowei_ingest_mqtt_connects_total",
            "How often was the feed's broker connected to, by whether it worked?",
            ("source", "result"),
            registry=registry,
        )
        self._messages = Counter(
            "bowei_ingest_mqtt_messages_total",
            "How many messages of the feed came in, and what became of them?",
            ("source", "result"),
            registry=registry,
        )
        self.unacknowledged = Gauge(
            "bowei_ingest_mqtt_unacknowledged",
            "How many messages of the feed wait for their commit?",
            ("source",),
            registry=registry,
        )

    def connects(self, source: str, *, worked: bool) -> None:
        """Count an attempt to connect."""
        self._connects.labels(source, "connected" if worked else "failed").inc()

    def counted(self, source: str, result: Result) -> None:
        """Count one message."""
        self._messages.labels(source, result).inc()
