"""Lags are shown as a histogram of prometheus_client's own is."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from services.ingest.lags import Lags

BOUNDS = (0.1, 1.0, 10.0, 3600.0)
VALUES = [0.0, 0.1, 0.11, 1.0, 2.5, 9.9, 10.0, 3600.0, 3600.5, 1e9]


def shown(registry: CollectorRegistry) -> list[str]:
    """Give the lines that a scrape reads, but when it was created: nobody asks."""
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


def test_a_scrape_reads_the_same_as_of_a_histogram() -> None:
    """At a bound is below it, and what is above all is counted too."""
    one_by_one, at_once = CollectorRegistry(), CollectorRegistry()
    histogram = Histogram("lag_seconds", "How late?", buckets=BOUNDS, registry=one_by_one)
    lags = Lags("lag_seconds", "How late?", BOUNDS, at_once)
    for value in VALUES:
        histogram.observe(value)
    lags.observe_all(VALUES[:4])
    lags.observe_all(VALUES[4:])
    assert shown(at_once) == shown(one_by_one)


def test_before_the_first_one_there_are_none() -> None:
    """A scrape right after the start is no failure."""
    registry = CollectorRegistry()
    lags = Lags("lag_seconds", "How late?", BOUNDS, registry)
    lags.observe_all([])
    assert 'lag_seconds_bucket{le="+Inf"} 0.0' in shown(registry)
