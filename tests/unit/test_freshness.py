"""How old is too old, by how often a source reports."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowei.domain.freshness import Freshness, believed_for, freshness, learn_gap, turns_at

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("usual_gap", "ends"),
    [
        (10 * SECOND, (60 * SECOND, 180 * SECOND, 600 * SECOND)),
        (100 * SECOND, (100 * SECOND, 300 * SECOND, 600 * SECOND)),
        (5 * MINUTE, (5 * MINUTE, 15 * MINUTE, 30 * MINUTE)),
    ],
)
def test_a_report_ages_by_its_sources_own_cadence(usual_gap: timedelta, ends: tuple[timedelta, ...]) -> None:
    """Fresh, ageing and stale end at 1, 3 and 6 usual gaps, but not before 60, 180 and 600 s; the end is within."""
    states = list(Freshness)
    for end, state, later in zip(ends, states, states[1:], strict=False):
        assert freshness(end, usual_gap) is state
        assert freshness(end + timedelta(microseconds=1), usual_gap) is later
    assert believed_for(usual_gap) == ends[-1]


def test_a_report_from_a_clock_that_runs_ahead_is_fresh() -> None:
    """A negative age is no age."""
    assert freshness(-5 * SECOND, MINUTE) is Freshness.FRESH


def test_the_usual_gap_comes_to_what_the_source_does() -> None:
    """After a few dozen reports at a new cadence the usual gap is that cadence, up or down."""
    for cadence in (10 * SECOND, 30 * MINUTE):
        usual_gap = MINUTE
        for _ in range(40):
            usual_gap = learn_gap(usual_gap, cadence)
        assert abs(usual_gap - cadence) < SECOND


@pytest.mark.parametrize(
    ("usual_gap", "gap", "learned"),
    [
        (60 * SECOND, 110 * SECOND, 70 * SECOND),
        (60 * SECOND, 10 * HOUR, 96 * SECOND),
        (10 * SECOND, 10 * HOUR, 56 * SECOND),
        (3 * HOUR, 24 * HOUR, 3.6 * HOUR),
    ],
)
def test_one_long_silence_teaches_little(usual_gap: timedelta, gap: timedelta, learned: timedelta) -> None:
    """A gap counts for at most four usual ones (of a minute at least) and six hours, a fifth of the way."""
    assert learn_gap(usual_gap, gap) == learned


@given(
    age=st.timedeltas(timedelta(seconds=-60), timedelta(days=2)),
    usual_gap=st.timedeltas(timedelta(seconds=1), timedelta(hours=6)),
)
def test_what_is_said_of_an_age_holds_exactly_until_it_turns(age: timedelta, usual_gap: timedelta) -> None:
    """Who draws a lot again only when its report turns misses no turn, and draws none for nothing."""
    turn = turns_at(age, usual_gap)
    if turn is None:
        assert freshness(age, usual_gap) is freshness(timedelta(days=9_999), usual_gap)
        return
    assert freshness(turn, usual_gap) is freshness(age, usual_gap)
    assert freshness(turn + timedelta(microseconds=1), usual_gap) is not freshness(age, usual_gap)
