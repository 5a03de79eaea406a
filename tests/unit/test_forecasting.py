"""The chance of a free space at the time of arrival."""

from datetime import UTC, datetime, timedelta

import pytest

from bowei.domain.forecasting import COURSE_POINTS, KNOTS, LEAST_VOLATILITY, Foreseen, chance_of_space

NOON = datetime(2026, 1, 7, 12, tzinfo=UTC)
FILLING = tuple(100.0 - 5 * place for place in range(COURSE_POINTS))
"""By five spaces in each quarter of an hour."""
RATES = tuple(tuple(start + 0.05 * place for place in range(len(KNOTS))) for start in (0.1, 0.2, 0.3))
"""Of a lot that fills, stays, empties."""


@pytest.mark.parametrize("volatility", [LEAST_VOLATILITY, 1.0, 4.0])
def test_a_full_lot_is_more_likely_to_stay_full(volatility: float) -> None:
    """With none free the chance is below one half, however far ahead."""
    assert all(chance_of_space(0, volatility, timedelta(minutes=m)) < 0.5 for m in (0, 5, 60))


@pytest.mark.parametrize("volatility", [LEAST_VOLATILITY, 1.0, 4.0])
def test_more_free_spaces_are_surer(volatility: float) -> None:
    """The chance grows with what is free, and stays a chance."""
    chances = [Foreseen(volatility).chance(free, timedelta(minutes=10)) for free in range(-3, 40)]

    assert chances == sorted(chances)
    assert 0 <= chances[0] < 0.5 < chances[-1] <= 1


@pytest.mark.parametrize("volatility", [LEAST_VOLATILITY, 1.0, 4.0])
def test_a_longer_way_is_less_sure(volatility: float) -> None:
    """A space that is free now is less sure to be there the longer the driver needs."""
    chances = [chance_of_space(3, volatility, timedelta(minutes=m)) for m in (1, 5, 15, 60)]

    assert chances == sorted(chances, reverse=True)


def test_the_law_is_the_one_that_is_stated() -> None:
    """Three free, one space of restlessness in 5 minutes, 5 minutes ahead: Φ(2.5)."""
    assert chance_of_space(3, 1.0, timedelta(minutes=5)) == pytest.approx(0.99379, abs=1e-5)


def test_what_came_of_chances_is_read_where_it_is_known() -> None:
    """Three free, one space of restlessness, five minutes: z is 2.5, between the knots at 2 and 3.2."""
    foreseen = Foreseen(1.0, rates=RATES)

    assert foreseen.chance(3, timedelta(minutes=5)) == pytest.approx(0.2 + 0.05 * (7 + 0.5 / 1.2))
    assert foreseen.chance(1000, timedelta(minutes=5)) == pytest.approx(0.2 + 0.05 * 9)
    assert foreseen.chance(-1000, timedelta(minutes=5)) == pytest.approx(0.2)


def test_a_lot_without_a_space_is_not_read_as_nearly_one_with_a_space() -> None:
    """However restless it is: what is known of lots with a space says nothing of it."""
    foreseen = Foreseen(100.0, rates=RATES)

    assert foreseen.chance(0, timedelta(hours=1)) == pytest.approx(0.2 + 0.05 * 3)
    assert foreseen.chance(1, timedelta(hours=1)) == pytest.approx(0.2 + 0.05 * 4)


@pytest.mark.parametrize(("course", "start"), [(FILLING, 0.1), (FILLING[::-1], 0.3), ((70.0,) * COURSE_POINTS, 0.2)])
def test_what_usually_happens_says_which_rates_are_read(course: tuple[float, ...], start: float) -> None:
    """A lot that fills, one that empties, and one that stays as it is."""
    foreseen = Foreseen(1.0, NOON, course, RATES)

    assert foreseen.chance(1000, timedelta(minutes=30)) == pytest.approx(start + 0.05 * 9)


def test_the_mean_follows_the_course_from_the_count_on() -> None:
    """Five fewer every quarter of an hour; between points a straight line; beyond the last nothing changes."""
    foreseen = Foreseen(1.0, NOON, FILLING)

    assert foreseen.mean(40, timedelta(minutes=15), 300) == pytest.approx(35)
    assert foreseen.mean(40, timedelta(minutes=20), 300, NOON - timedelta(minutes=5)) == pytest.approx(40 - 20 / 3)
    assert foreseen.mean(40, timedelta(hours=9), 300) == pytest.approx(40 - 30)
    assert foreseen.mean(3, timedelta(hours=1), 300) == 0
    assert Foreseen(1.0, NOON, FILLING[::-1]).mean(290, timedelta(hours=1), 300) == 300


def test_of_a_lot_without_a_course_the_last_count_is_expected() -> None:
    """Nothing is known to be usual."""
    assert Foreseen(1.0).mean(7, timedelta(hours=1), 300) == 7
