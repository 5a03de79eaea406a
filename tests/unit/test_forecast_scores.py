"""What forecasts were worth, beside what anybody could have said."""

import math

import numpy as np
import pytest

from bowei.domain.forecast_scores import Method, Regime, Scored, Scores
from bowei.domain.foreseeing import Outcome


def outcome(
    *, free: list[float], truth: list[float], chance: list[float], last_week: list[float] | None = None
) -> Outcome:
    """Give what became of forecasts for one lot after the other, half an hour ahead."""
    lots = len(free)
    return Outcome(
        issued_s=0,
        horizon=2,
        rows=np.arange(lots),
        free_then=np.array(free),
        last_week=np.array(last_week or [np.nan] * lots),
        chance=np.array(chance),
        mean=np.array(free) + 1,
        truth=np.array(truth),
        bins=np.zeros(lots, dtype=np.uint8),
        turns=np.zeros(lots, dtype=np.uint8),
    )


def of(scored: list[Scored], method: Method, regime: Regime) -> Scored:
    """Give one score of several."""
    (one,) = (one for one in scored if (one.method, one.regime) == (method, regime))
    return one


def test_a_forecast_is_scored_by_what_came_true() -> None:
    """Squared error and logarithm of the chance, and how many spaces the mean was off."""
    scored = Scores().score(outcome(free=[2, 0], truth=[5, 0], chance=[0.8, 0.3]), 1800, 2)
    ours = of(scored, Method.BOWEI, Regime.NEAR_FULL)

    assert (ours.horizon, ours.cases) == (2, 2)
    assert ours.brier == pytest.approx(0.2**2 + 0.3**2)
    assert ours.log_loss == pytest.approx(-math.log(0.8) - math.log(0.7))
    assert ours.error == pytest.approx(2 + 1)


def test_cases_far_from_full_are_apart() -> None:
    """Sixteen free were not near full when it was forecast."""
    scored = Scores().score(outcome(free=[16, 15], truth=[0, 0], chance=[0.9, 0.9]), 1800, 2)

    assert of(scored, Method.BOWEI, Regime.NEAR_FULL).cases == 1
    assert of(scored, Method.BOWEI, Regime.ALL).cases == 2


def test_the_last_value_begins_at_98_in_100_and_learns_what_it_is_worth() -> None:
    """A lot whose only space is always gone half an hour later: at last nobody bets on it any more."""
    scores = Scores()
    first = of(scores.score(outcome(free=[1], truth=[0], chance=[0.5]), 1800, 1), Method.LAST_VALUE, Regime.NEAR_FULL)
    for step in range(1, 200):
        scored = scores.score(outcome(free=[1], truth=[0], chance=[0.5]), 1800 + 300 * step, 1)
    last = of(scored, Method.LAST_VALUE, Regime.NEAR_FULL)

    assert first.brier == pytest.approx(0.98**2)
    assert last.brier < 0.1**2
    assert last.error == 1


def test_the_same_time_last_week_says_nothing_in_the_first_week() -> None:
    """It is scored only where there was a count a week before."""
    scored = Scores().score(outcome(free=[3, 3], truth=[3, 3], chance=[0.9, 0.9], last_week=[np.nan, 7]), 1800, 2)
    week = of(scored, Method.LAST_WEEK, Regime.ALL)

    assert week.cases == 1
    assert week.error == 4


def test_old_cases_fade() -> None:
    """What was learned a year ago hardly counts against the prior: the last value is believed again."""
    scores = Scores()
    for step in range(200):
        scores.score(outcome(free=[1], truth=[0], chance=[0.5]), 300 * step, 1)
    chances = scores.chances(outcome(free=[1], truth=[1], chance=[0.5]), 2 * 366 * 86_400, 1)

    assert chances[Method.LAST_VALUE][0] > 0.9
