"""One caller may ask so often and no more, and harms only itself."""

import pytest

from bowei.domain.problems import Refused
from bowei.observability.rate_limits import RateLimit


class Watch:
    """A stopwatch that moves only when told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """Give the time, in seconds."""
        return self.seconds


def taken(limit: RateLimit, caller: str, attempts: int) -> int:
    """Let a caller ask so many times, and give how often it was let pass."""
    passed = 0
    for _ in range(attempts):
        try:
            limit.take(caller)
        except Refused as refused:
            assert refused.code == "too_many_requests"  # noqa: PT017
        else:
            passed += 1
    return passed


def test_a_caller_may_ask_at_once_what_it_may_ask_in_a_minute() -> None:
    """A burst is no crime; what comes after it waits."""
    assert taken(RateLimit(per_minute=60, monotonic=Watch()), "a", 100) == 60


def test_what_was_used_comes_back_with_time_and_never_more_than_the_limit() -> None:
    """One a second at sixty a minute; an hour's silence saves up nothing."""
    watch = Watch()
    limit = RateLimit(per_minute=60, monotonic=watch)
    taken(limit, "a", 60)
    watch.seconds = 10.0
    assert taken(limit, "a", 60) == 10
    watch.seconds = 3_600.0
    assert taken(limit, "a", 100) == 60


def test_a_refused_caller_is_told_when_to_come_back_and_then_let_pass() -> None:
    """Asking too early costs nothing more."""
    watch = Watch()
    limit = RateLimit(per_minute=6, monotonic=watch)
    taken(limit, "a", 20)
    with pytest.raises(Refused) as refused:
        limit.take("a")
    assert refused.value.retry_after_s == pytest.approx(10.0)
    watch.seconds = 10.0
    assert taken(limit, "a", 2) == 1


def test_what_is_given_back_was_not_taken_and_is_never_more_than_the_limit() -> None:
    """A request that is not of the limited kind after all costs its caller nothing, and nobody else anything."""
    limit = RateLimit(per_minute=5, monotonic=Watch())
    assert taken(limit, "a", 5) == 5
    limit.give_back("a")
    assert taken(limit, "a", 5) == 1
    for _ in range(9):
        limit.give_back("a")
    limit.give_back("nobody")
    assert taken(limit, "a", 9) == 5


def test_one_caller_takes_nothing_from_another() -> None:
    """Each has a share of its own."""
    limit = RateLimit(per_minute=5, monotonic=Watch())
    taken(limit, "wild", 100)
    assert taken(limit, "calm", 5) == 5


def test_a_million_callers_take_no_more_room_than_the_table_has() -> None:
    """Who was quiet longest is forgotten first; who asks all the time is not."""
    limit = RateLimit(per_minute=2, most_callers=10, monotonic=Watch())
    taken(limit, "busy", 2)
    for number in range(1_000):
        limit.take(f"caller-{number}")
        assert taken(limit, "busy", 1) == 0
    assert len(limit._left) == 10
