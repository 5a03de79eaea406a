"""The chance of a free space at the time of arrival."""

from datetime import timedelta

import pytest

from bowei.domain.forecasting import LEAST_VOLATILITY, Foreseen, chance_of_space


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
