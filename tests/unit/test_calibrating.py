"""What came of chances: rates that follow it, lean on others while they are young, fade, and never fall with z."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from bowei.domain.calibrating import BINS, EDGES, HALF_LIFE_S, TURNS, Calibration, Cases, bins_of
from bowei.domain.forecasting import KNOTS

FULL, SURE = 2, 9
"""The bin of a full, restless lot, and that of one with plenty."""


def calibration(lots: int = 2) -> Calibration:
    """Give one that saw nothing yet."""
    return Calibration(np.zeros((lots, BINS, 2), dtype=np.float32))


def cases(row: int, place: int, came: bool, times: int = 1, turn: int = 1) -> Cases:
    """Give as many cases of one lot and bin."""
    return Cases(
        np.full(times, row),
        np.full(times, place, dtype=np.uint8),
        np.full(times, turn, dtype=np.uint8),
        np.full(times, came),
    )


def test_before_anything_came_true_the_law_is_told() -> None:
    """Of every lot and turn, but nothing is quite sure."""
    told = calibration().rates()

    assert told.shape == (2, TURNS, BINS)
    assert told[0, 0] == pytest.approx(np.clip(ndtr(KNOTS), 0.002, 0.998))


def test_each_knot_lies_in_its_bin() -> None:
    """And no bin has two."""
    assert bins_of(np.array(KNOTS)).tolist() == list(range(BINS))
    assert len(EDGES) == BINS - 1


def test_what_came_true_of_one_lot_is_told_of_it_first_and_of_others_less() -> None:
    """Sixty times a full lot had no space."""
    one = calibration()
    before = one.rates()[:, 1, FULL]
    for _ in range(60):
        one.learn(cases(0, FULL, came=False))
    after = one.rates()[:, 1, FULL]

    assert after[0] < 0.15
    assert after[0] < after[1] < before[1] - 0.1


def test_a_turn_is_told_apart_where_it_differs() -> None:
    """Full lots that usually empty had a space, those that fill had none."""
    one = calibration()
    for _ in range(60):
        one.learn(cases(0, FULL, came=True, turn=2))
        one.learn(cases(1, FULL, came=False, turn=0))
    usual = one.usual()[:, FULL]

    assert usual[0] < 0.2
    assert usual[2] > 0.8


def test_what_came_true_fades() -> None:
    """After one half-life it counts for half, after many for nothing."""
    one = calibration()
    for _ in range(200):
        one.learn(cases(0, FULL, came=False))
    fresh = one.rates()[0, 1, FULL]
    one.fade(HALF_LIFE_S)
    assert one.city[0, FULL, 0] == pytest.approx(100)
    one.fade(20 * HALF_LIFE_S)

    assert one.rates()[0, 1, FULL] == pytest.approx(ndtr(KNOTS[FULL]), abs=0.01)
    assert fresh < 0.15


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, BINS - 1), st.booleans(), st.integers(1, 50), st.integers(0, 2)),
        max_size=40,
    )
)
def test_whatever_came_true_no_rate_falls_as_z_grows(told: list[tuple[int, int, bool, int, int]]) -> None:
    """More free spaces are never told to be less sure, and every rate is a chance."""
    one = calibration()
    one.learn(cases(0, SURE, came=False, times=200))
    for row, place, came, times, turn in told:
        one.learn(cases(row, place, came, times, turn))
    rates = one.rates()

    assert (np.diff(rates, axis=-1) >= 0).all()
    assert ((rates > 0) & (rates < 1)).all()
