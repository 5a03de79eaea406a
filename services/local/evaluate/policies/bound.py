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


@dataclass(frozen=True)
class Ways:
    """Every way in which somebody might park: one row for each."""

    request: Ints
    lot: Ints
    cost_s: Floats
    from_s: Floats
    """From when the space is taken."""
    until_s: Floats

    def grid(self, step_s: float) -> Floats:
        """Give instants at which to look, up to when everyone has left."""
        return np.arange(step_s, max(2 * step_s, float(self.until_s.max(initial=0.0))), step_s)


def bound(day: Day, grid_s: float = GRID_S) -> Bound:
    """Solve the day in hindsight.

    Raises:
        RuntimeError: the solver found no optimum.
    """
    request, lot = np.nonzero(np.isfinite(day.cost_s))
    from_s = day.asked_at_s[request] + day.drive_s[request, lot]
    ways = Ways(request, lot, day.cost_s[request, lot], from_s, from_s + day.stay_s[request])
    grid = ways.grid(grid_s)
    return in_hindsight(ways, len(day), grid, np.repeat(day.city.spaces[:, None], len(grid), axis=1), FAILING_S)


def in_hindsight(ways: Ways, requests: int, grid_s: Floats, rooms: Ints, failing_s: float) -> Bound:
    """Find the ways of least cost for all requests together; who gets none pays `failing_s`.

    `rooms`: (lots, instants), how many may be there at each instant of the grid.

    Raises:
        RuntimeError: the solver found no optimum.
    """
    first = np.searchsorted(grid_s, ways.from_s, side="left")
    beyond = np.searchsorted(grid_s, ways.until_s, side="left")
    variable, instant = _ranges(first, beyond)
    cell = ways.lot[variable] * len(grid_s) + instant
    count = len(ways.request)
    once = coo_array((np.ones(count), (ways.request, np.arange(count))), (requests, count))
    room = coo_array((np.ones(len(cell)), (cell, variable)), (rooms.size, count))
    binding = np.bincount(cell, minlength=rooms.size) > rooms.ravel()
    solved = least_cost(
        ways.cost_s - failing_s,
        csr_array(vstack((once.tocsr(), room.tocsr()[binding]))),
        np.concatenate((np.ones(requests), rooms.ravel()[binding])),
    )
    price = np.zeros(rooms.size)
    price[binding] = solved.prices[requests:]
    return Bound(
        mean_cost_s=float(failing_s + solved.cost / max(1, requests)),
        failed=float(1 - solved.amounts.sum() / max(1, requests)),
        grid_s=grid_s,
        price_s=price.reshape(rooms.shape),
    )


def _ranges(first: Ints, beyond: Ints) -> tuple[Ints, Ints]:
    """Give each variable as often as it has instants, and those instants."""
    counts = beyond - first
    variable = np.repeat(np.arange(len(counts)), counts)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    return variable, np.arange(len(variable)) - starts + np.repeat(first, counts)
