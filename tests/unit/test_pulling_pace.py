"""When a feed is asked, and when again: at its interval, more rarely while it fails, and never all at once."""

import asyncio
from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from services.ingest.pulling.failures import Failure, PullFailed
from services.ingest.pulling.pacing import (
    DOWN_AFTER,
    FIRST_WITHIN_S,
    LONGEST_BACK_OFF_S,
    LONGEST_RETRY_AFTER_S,
    Budget,
    HostGates,
    Pace,
)


def test_a_thousand_feeds_do_not_begin_together() -> None:
    """After a start they spread over a minute, or over their interval where that is shorter."""
    draws = Random(7).random  # noqa: S311 (no secret)
    begun = Counter(int(Pace(300, draws).first()) for _ in range(1_000))
    assert max(begun) < FIRST_WITHIN_S
    assert max(begun.values()) < 40
    assert len(begun) > 50
    assert max(Pace(5, draws).first() for _ in range(100)) < 5


def test_a_feed_is_asked_at_its_interval_give_or_take() -> None:
    """A tenth at most, so that feeds of one interval drift apart."""
    waits = [Pace(60, draws).after_success() for draws in (lambda: 0.3, lambda: 0.0, lambda: 1.0)]
    assert all(54 <= wait <= 66 for wait in waits)
    assert len({round(wait, 3) for wait in waits}) == 3


def test_a_feed_that_fails_is_asked_more_and_more_rarely_and_then_as_before() -> None:
    """Twice as long each time, up to a quarter of an hour; one success, and all is well."""
    pace = Pace(60, lambda: 0.5)
    assert [pace.after_failure() for _ in range(6)] == [60, 120, 240, 480, LONGEST_BACK_OFF_S, LONGEST_BACK_OFF_S]
    assert pace.after_success() == 60
    assert pace.after_failure() == 60


def test_a_feed_with_a_long_interval_is_not_asked_more_often_because_it_fails() -> None:
    """Once an hour stays once an hour."""
    pace = Pace(3_600, lambda: 0.5)
    assert [pace.after_failure() for _ in range(3)] == [3_600] * 3


def test_what_a_server_asks_for_is_kept_but_not_for_ever() -> None:
    """Retry-After is waited for; a month is not."""
    pace = Pace(60, lambda: 0.0)
    assert pace.after_failure(retry_after_s=500) == 500
    assert pace.after_failure(retry_after_s=1) >= 60
    assert pace.after_failure(retry_after_s=1e9) == LONGEST_RETRY_AFTER_S


def test_a_feed_is_down_once_it_failed_several_times_in_a_row() -> None:
    """One failure wakes nobody."""
    pace = Pace(60)
    states = []
    for _ in range(DOWN_AFTER):
        states.append(pace.down)
        pace.after_failure()
    assert states == [False] * DOWN_AFTER
    assert pace.down
    pace.after_success()
    assert not pace.down


def test_our_own_store_being_away_is_not_held_against_a_feed() -> None:
    """It is asked at its pace, and is not down."""
    pace = Pace(60, lambda: 0.5)
    assert [pace.after_store_failure() for _ in range(5)] == [60] * 5
    assert not pace.failing


def test_a_budget_is_of_any_minute() -> None:
    """It says when there is room again, and then there is."""
    now = [0.0]
    budget = Budget(2, lambda: now[0])
    budget.take()
    now[0] = 40.0
    budget.take()
    with pytest.raises(PullFailed) as failed:
        budget.take()
    assert (failed.value.failure, failed.value.retry_after_s) == (Failure.OVER_BUDGET, 20.0)
    now[0] = 60.0
    budget.take()
    with pytest.raises(PullFailed):
        budget.take()


async def test_two_requests_to_one_host_do_not_begin_together() -> None:
    """There is a pause between them; another host waits for neither."""
    loop = asyncio.get_running_loop()
    gates = HostGates(at_once=5, spacing_s=0.05, monotonic=loop.time)
    begun: list[tuple[str, float]] = []

    async def ask(host: str) -> None:
        async with gates.through(host):
            begun.append((host, loop.time()))

    await asyncio.gather(*(ask("busy.example") for _ in range(4)), ask("other.example"))
    busy = sorted(at for host, at in begun if host == "busy.example")
    assert all(later - earlier >= 0.049 for earlier, later in pairwise(busy))
    assert [host for host, _ in begun][:2] == ["busy.example", "other.example"]
