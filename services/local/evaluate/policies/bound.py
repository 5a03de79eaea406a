"""What no policy can beat: a linear programme that knows the whole day beforehand.

One variable for each request and lot that it may be sent to, one row for each request (it parks once or fails), and
for each lot one row at each instant of a grid (no more cars than spaces). It is relaxed, so the true regret of every
policy is smaller than its gap to it:

- a request may be split over lots;
- a lot is looked at every `GRID_S` only: in between it may be over its spaces;
- a space is taken from the arrival on, by a drive without a detour: hindsight needs no holds.

A driver who is refused, or waits for a batch, arrives later than that; for such policies it is a bound but for that
shift.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack

from services.local.evaluate.policies.linear import least_cost
from services.local.evaluate.policies.world import FAILING_S, Day, Floats, Ints

GRID_S = 900.0


@dataclass(frozen=True)
class Bound:
    """The optimum in hindsight: its mean cost, the share that it fails, and what a space was worth."""

    mean_cost_s: float
    failed: float
    grid_s: Floats
    """(instants,)"""
    price_s: Floats
    """(lots, instants): what one more space at that instant would have saved, in seconds."""


def bound(day: Day, grid_s: float = GRID_S) -> Bound:
    """Solve the day in hindsight.

    Raises:
        RuntimeError: the solver found no optimum.
    """
    cost_s, spaces = day.cost_s, day.city.spaces
    request, lot = np.nonzero(np.isfinite(cost_s))
    from_s = day.asked_at_s[request] + day.drive_s[request, lot]
    grid = np.arange(grid_s, max(grid_s, float((from_s + day.stay_s[request]).max(initial=0.0))), grid_s)
    first = np.searchsorted(grid, from_s, side="left")
    beyond = np.searchsorted(grid, from_s + day.stay_s[request], side="left")
    variable, instant = _ranges(first, beyond)
    cell = lot[variable] * len(grid) + instant
    once = coo_array((np.ones(len(request)), (request, np.arange(len(request)))), (len(day), len(request)))
    room = coo_array((np.ones(len(cell)), (cell, variable)), (len(spaces) * len(grid), len(request)))
    rooms = np.repeat(spaces, len(grid))
    binding = np.bincount(cell, minlength=len(rooms)) > rooms
    solved = least_cost(
        cost_s[request, lot] - FAILING_S,
        csr_array(vstack((once.tocsr(), room.tocsr()[binding]))),
        np.concatenate((np.ones(len(day)), rooms[binding])),
    )
    price = np.zeros(len(rooms))
    price[binding] = solved.prices[len(day) :]
    return Bound(
        mean_cost_s=float(FAILING_S + solved.cost / max(1, len(day))),
        failed=float(1 - solved.amounts.sum() / max(1, len(day))),
        grid_s=grid,
        price_s=price.reshape(len(spaces), len(grid)),
    )


def _ranges(first: Ints, beyond: Ints) -> tuple[Ints, Ints]:
    """Give each variable as often as it has instants, and those instants."""
    counts = beyond - first
    variable = np.repeat(np.arange(len(counts)), counts)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    return variable, np.arange(len(variable)) - starts + np.repeat(first, counts)
