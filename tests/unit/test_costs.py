"""What a lot costs, part by part."""

import dataclasses
import itertools
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowei.domain.choice_rules import USUAL_RULES
from bowei.domain.costs import failure_s, fee_s, fill_penalty_s, relative_load, walking_s
from bowei.domain.tariffs import Tariff

counts = st.integers(0, 300)
chances = st.floats(0, 1)
hours = st.integers(0, 60 * 72).map(lambda minutes: timedelta(minutes=minutes))


def test_drivers_are_spread_before_a_lot_is_tight() -> None:
    """A lot that is filling costs more, so that a farther empty one wins; the penalty grows faster at the end."""
    steps = [fill_penalty_s(used, 10) for used in range(11)]
    assert steps[0] == 0.0
    assert steps[10] == pytest.approx(USUAL_RULES.fill_penalty_s)
    rises = [after - before for before, after in itertools.pairwise(steps)]
    assert rises == sorted(rises)
    assert fill_penalty_s(12, 10) == fill_penalty_s(0, 0) == pytest.approx(USUAL_RULES.fill_penalty_s)


@given(counts, counts, counts)
def test_a_fuller_pool_never_costs_less(used: int, more: int, lent: int) -> None:
    """And what it costs is never below nothing, nor above the whole penalty."""
    assert 0.0 <= fill_penalty_s(used, lent) <= fill_penalty_s(used + more, lent) <= USUAL_RULES.fill_penalty_s + 1e-9


@given(chances, chances)
def test_a_less_certain_space_never_costs_less(one: float, other: float) -> None:
    """A certain space costs nothing more, a hopeless one what a failed arrival costs."""
    surer, riskier = max(one, other), min(one, other)
    assert 0.0 <= failure_s(surer) <= failure_s(riskier) <= USUAL_RULES.failed_arrival_s


def test_an_even_chance_costs_half_a_failed_arrival() -> None:
    """480 s is what finding no space costs."""
    assert failure_s(0.5) == pytest.approx(240.0)


def test_a_walk_weighs_more_for_a_slow_walker() -> None:
    """Two and a half times, the middle of what the trials found."""
    assert walking_s(100.0) == 100.0
    assert walking_s(100.0, USUAL_RULES.slow_walk_weight) == 250.0


def test_a_yuan_is_worth_a_minute() -> None:
    """By the usual value of time, sixty an hour."""
    assert fee_s(1.0) == pytest.approx(60.0)
    assert fee_s(10.0, 30.0) == pytest.approx(1_200.0)


def test_load_is_the_share_of_what_is_lent() -> None:
    """A pool that lends nothing is loaded without end, so that it comes last."""
    assert (relative_load(3, 12), relative_load(0, 0)) == (0.25, float("inf"))


TARIFF = Tariff(Decimal(8), free_minutes=30, day_cap=Decimal(40))


@pytest.mark.parametrize(
    ("stay", "fee"),
    [
        (timedelta(minutes=30), "0"),
        (timedelta(minutes=30, seconds=1), "8"),
        (timedelta(minutes=90), "8"),
        (timedelta(minutes=91), "16"),
        (timedelta(hours=9), "40"),
        (timedelta(hours=24, minutes=30), "40"),
        (timedelta(hours=24, minutes=31), "48"),
        (timedelta(hours=48, minutes=30), "80"),
    ],
)
def test_a_tariff_counts_started_hours_after_the_free_minutes_up_to_the_days_cap(stay: timedelta, fee: str) -> None:
    """Eight an hour, half an hour free, forty a day."""
    assert TARIFF.fee(stay) == Decimal(fee)


@given(hours, hours, st.sampled_from([TARIFF, dataclasses.replace(TARIFF, day_cap=None), Tariff(Decimal(0))]))
def test_a_longer_stay_never_costs_less(stay: timedelta, longer: timedelta, tariff: Tariff) -> None:
    """Else somebody would be told to stay longer."""
    assert tariff.fee(stay) <= tariff.fee(stay + longer)
