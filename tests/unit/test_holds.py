"""How long a hold lasts, and which states still keep a space."""

from datetime import timedelta

import pytest

from bowei.domain.holds import HoldState, lifetime

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(("eta_min", "lasts_min"), [(0, 5), (2, 5), (4, 8), (10, 17), (18, 29), (19, 30), (120, 30)])
def test_a_hold_lasts_one_and_a_half_times_the_way_and_two_minutes_more(eta_min: int, lasts_min: int) -> None:
    """Between five minutes and half an hour, whatever the way."""
    assert lifetime(eta_min * MINUTE) == lasts_min * MINUTE


def test_only_held_and_arrived_holds_keep_a_space() -> None:
    """Every other state is an end."""
    assert {state for state in HoldState if state.live} == {HoldState.HELD, HoldState.ARRIVED}
