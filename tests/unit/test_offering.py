"""How many spaces may be promised: each limit by itself, and the smallest of them all."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bowei.domain.dirt import Doubt
from bowei.domain.freshness import Freshness
from bowei.domain.lots import SpaceClass
from bowei.domain.observations import Bound, LotState
from bowei.domain.offering import NO_POOL, NOTHING_PROMISED, LotPromise, PoolPromise, Report, offered, pool_key

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
STANDARD, EV = SpaceClass.STANDARD, SpaceClass.EV


def report(**said: Any) -> Report:
    """Give a report of twenty free spaces, unless it said otherwise."""
    return Report(observed_at=NOON, received_at=NOON, **{"free": 20, **said})


def offer(
    said: Report,
    promise: LotPromise = NOTHING_PROMISED,
    pool: PoolPromise = NO_POOL,
    *,
    lent: int = 15,
    margin: int = 0,
    space_class: SpaceClass = STANDARD,
) -> int:
    """Give what is offered of fifteen lent spaces, unless it is another number."""
    return offered(said, promise, pool, lent=lent, margin=margin, space_class=space_class)


def test_what_is_lent_limits_what_is_offered() -> None:
    """Spaces that no agreement lends are nobody's to promise."""
    assert offer(report()) == 15
    assert offer(report(), pool=PoolPromise(held=3, stays=4)) == 8


def test_what_is_seen_free_limits_what_is_offered() -> None:
    """Everything held on the lot, by whichever hospital, and the margin are kept back."""
    assert offer(report(free=10), LotPromise(held=4), margin=2) == 4


def test_the_open_spaces_limit_what_is_offered_only_where_they_are_reported() -> None:
    """Diverted cars count against the open spaces until they leave."""
    assert offer(report(open=9), LotPromise(held=2, stays=3)) == 4
    assert offer(report(), LotPromise(held=2, stays=3)) == 15


def test_a_class_that_is_counted_by_itself_is_limited_by_its_count() -> None:
    """What any hospital holds of the class is taken off; other classes are not."""
    promise = LotPromise(
        held=6,
        pools={
            pool_key("a", EV): PoolPromise(held=1),
            pool_key("b", EV): PoolPromise(held=2),
            pool_key("b", STANDARD): PoolPromise(held=3),
        },
    )
    said = report(free_by_class={EV: 4})
    assert offer(said, promise, PoolPromise(held=1), space_class=EV) == 1
    assert offer(said, promise) == 14


def test_no_less_than_nothing_is_offered() -> None:
    """A lot that promised more than it now has offers none."""
    assert offer(report(free=1), LotPromise(held=5)) == 0


@pytest.mark.parametrize("said", [report(free=None), *[report(state=state) for state in LotState if state != "open"]])
def test_a_lot_that_is_not_open_or_does_not_know_offers_nothing(said: Report) -> None:
    """Unknown is not the last count, and closed is not empty."""
    assert offer(said) == 0


def test_a_report_is_believed_as_long_as_its_age_is_not_expired() -> None:
    """Belief and freshness end at the same instant."""
    said = report(usual_gap=timedelta(minutes=5))
    last = NOON + timedelta(minutes=30)
    assert (said.believed_at(last), said.freshness_at(last)) == (True, Freshness.STALE)
    after = last + timedelta(microseconds=1)
    assert (said.believed_at(after), said.freshness_at(after)) == (False, Freshness.EXPIRED)


def test_only_a_number_that_there_are_at_least_is_offered() -> None:
    """None may be "at most five", nothing is said by "at least none", and a doubted count is no count."""
    assert offer(report(free=5, bound=Bound.AT_LEAST)) == 5
    assert offer(report(free=5, bound=Bound.AT_MOST)) == 0
    assert offer(report(free=5, doubt=Doubt.SUSPENDED)) == 0
    assert report(free=0, bound=Bound.AT_LEAST).countable is None


def test_counts_are_cut_to_the_register() -> None:
    """All of them, and what is within is left as it was."""
    said = report(free=20, open=25, capacity=30, free_by_class={EV: 11})
    assert said.within(30) is said
    cut = said.within(10)
    assert (cut.free, cut.open, cut.capacity, dict(cut.free_by_class)) == (10, 10, 10, {EV: 10})
    assert report(free=None).within(0).free is None
