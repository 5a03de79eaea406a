"""How many spaces are kept back, and for whom."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowei.domain.forecasting import chance_of_space
from bowei.domain.lots import Standing
from bowei.domain.margins import (
    MOST_FOR_REFUSALS,
    REFUSALS_REMEMBERED,
    lawful_margin,
    margin_for_refusals,
    protected_from,
    quantile,
    refusal_rate_after,
)

volatilities = st.floats(0.25, 20)
minutes = st.floats(0, 60).map(lambda number: timedelta(minutes=number))


@pytest.mark.parametrize(
    ("volatility", "ahead", "chance", "margin"),
    [
        (2.0, timedelta(minutes=5), 0.9, 3),
        (2.0, timedelta(minutes=20), 0.9, 6),
        (2.0, timedelta(minutes=5), 0.99, 5),
        (0.0, timedelta(minutes=5), 0.9, 1),
        (2.0, timedelta(), 0.9, 1),
        (2.0, timedelta(minutes=5), 0.5, 0),
    ],
)
def test_the_margin_grows_with_the_root_of_time(
    volatility: float, ahead: timedelta, chance: float, margin: int
) -> None:
    """z·s·√(h / 5 min), rounded up: four times as far ahead is twice as uncertain."""
    assert lawful_margin(quantile(chance), volatility, ahead.total_seconds()) == margin


@given(volatilities, minutes, st.sampled_from([0.9, 0.95, 0.98, 0.99]))
def test_beyond_the_margin_a_space_is_as_sure_as_the_margin_was_asked_to_make_it(
    volatility: float, ahead: timedelta, chance: float
) -> None:
    """Margin and chance are one law: who gets the first space after what is kept back is sure enough of it."""
    margin = lawful_margin(quantile(chance), volatility, ahead.total_seconds())
    assert chance_of_space(margin + 1, volatility, ahead) >= chance - 1e-9


@given(volatilities, volatilities, minutes, minutes)
def test_a_restless_lot_and_a_longer_way_never_keep_less_back(
    volatility: float, more: float, ahead: timedelta, longer: timedelta
) -> None:
    """Monotone in both."""
    z = quantile(0.9)
    margin = lawful_margin(z, volatility, ahead.total_seconds())
    assert 0 <= margin <= lawful_margin(z, volatility + more, (ahead + longer).total_seconds())


@pytest.mark.parametrize(("rate", "margin"), [(0.0, 0), (0.0199, 0), (0.02, 1), (0.05, 2), (0.5, 5), (1.0, 5)])
def test_each_two_percent_of_refusals_keep_one_space_more_back(rate: float, margin: int) -> None:
    """Up to a bound."""
    assert margin_for_refusals(rate) == margin


def test_one_refusal_keeps_a_space_back_until_the_next_car_finds_its_own() -> None:
    """The rate remembers about fifty arrivals."""
    refused = refusal_rate_after(0.0, refused=True)
    assert refused == pytest.approx(1 / REFUSALS_REMEMBERED)
    assert margin_for_refusals(refused) == 1
    assert margin_for_refusals(refusal_rate_after(refused, refused=False)) == 0


@given(st.lists(st.booleans(), max_size=300))
def test_whatever_happened_the_rate_is_a_share_and_the_margin_bounded(refusals: list[bool]) -> None:
    """No history keeps back more than the bound."""
    rate = 0.0
    for refused in refusals:
        rate = refusal_rate_after(rate, refused=refused)
    assert 0.0 <= rate <= 1.0
    assert 0 <= margin_for_refusals(rate) <= MOST_FOR_REFUSALS


PROTECTS = {Standing.DISABLED: 2, Standing.THERAPY: 1, Standing.APPOINTMENT: 4}


@pytest.mark.parametrize(
    ("standing", "protected"),
    [(Standing.DISABLED, 0), (Standing.THERAPY, 2), (Standing.APPOINTMENT, 3), (Standing.VISITOR, 7)],
)
def test_spaces_are_protected_only_from_those_who_stand_after(standing: Standing, protected: int) -> None:
    """Nested: whoever stands first is kept back from nothing, a visitor from all."""
    assert protected_from(standing, PROTECTS) == protected
    assert protected_from(standing, {}) == 0
