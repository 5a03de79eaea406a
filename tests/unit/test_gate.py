"""The gate's state: it says full when it is, and does not flicker."""

import pytest

from bowei.domain.gate import GateState, next_gate_state
from bowei.domain.lots import GateThresholds
from bowei.domain.observations import Bound

THRESHOLDS = GateThresholds(filling_at=12, full_at=0, leave_full_at=3, leave_filling_at=18)
OPEN, FILLING, FULL, DIVERTING, UNKNOWN = GateState


def shown(previous: GateState, free: int | None, *, can_divert: bool = False) -> GateState:
    """Give the gate's next state."""
    return next_gate_state(previous, free, THRESHOLDS, can_divert=can_divert)


@pytest.mark.parametrize(
    ("previous", "free", "state"),
    [
        (OPEN, 13, OPEN),
        (OPEN, 12, FILLING),
        (OPEN, 1, FILLING),
        (OPEN, 0, FULL),
        (FILLING, 17, FILLING),
        (FILLING, 18, OPEN),
        (FILLING, 0, FULL),
        (FULL, 2, FULL),
        (FULL, 3, FILLING),
        (FULL, 17, FILLING),
        (FULL, 18, OPEN),
        (DIVERTING, 2, FULL),
        (DIVERTING, 3, FILLING),
        (UNKNOWN, 2, FILLING),
        (UNKNOWN, 13, OPEN),
    ],
)
def test_the_gate_takes_more_free_spaces_to_leave_a_state_than_to_enter_it(
    previous: GateState, free: int, state: GateState
) -> None:
    """One car in or out at a threshold does not flip the sign."""
    assert shown(previous, free) is state


@pytest.mark.parametrize("previous", list(GateState))
def test_a_gate_without_a_believable_count_shows_neither_open_nor_full(previous: GateState) -> None:
    """Unknown is a state of its own."""
    assert shown(previous, None, can_divert=True) is UNKNOWN


def test_a_full_gate_diverts_as_soon_as_another_lot_has_a_space() -> None:
    """Diverting is full with a way out; a gate that is not full diverts nobody."""
    assert shown(OPEN, 0, can_divert=True) is DIVERTING
    assert shown(FULL, 2, can_divert=True) is DIVERTING
    assert shown(DIVERTING, 0, can_divert=False) is FULL
    assert shown(OPEN, 12, can_divert=True) is FILLING


def test_a_sign_does_not_flicker_while_cars_come_and_go_at_the_edge() -> None:
    """A lot that swings between none and two free is full all the time."""
    state, changes = OPEN, 0
    for free in (0, 1, 2, 1, 0, 2, 0, 1):
        changes += shown(state, free) is not state
        state = shown(state, free)
    assert (state, changes) == (FULL, 1)


@pytest.mark.parametrize("previous", list(GateState))
@pytest.mark.parametrize(
    ("free", "bound", "state"),
    [
        (30, Bound.AT_LEAST, OPEN),
        (12, Bound.AT_LEAST, FILLING),
        (1, Bound.AT_LEAST, FILLING),
        (30, Bound.AT_MOST, FILLING),
        (9, Bound.AT_MOST, FILLING),
        (0, Bound.AT_MOST, FULL),
    ],
)
def test_a_bound_proves_what_it_proves_and_no_more(
    previous: GateState, free: int, bound: Bound, state: GateState
) -> None:
    """Never full is "one or more", and never open "thirty at most"."""
    assert next_gate_state(previous, free, THRESHOLDS, can_divert=False, bound=bound) is state


def test_at_most_none_diverts() -> None:
    """It is full, exactly."""
    assert next_gate_state(OPEN, 0, THRESHOLDS, can_divert=True, bound=Bound.AT_MOST) is DIVERTING
