"""The optimum for all who come to the hospital, when every arrival and stay is known beforehand.

Who comes may park at the hospital at once, wait at its gate for some minutes, or drive straight to a lot. Lots' own
customers come first: what they would take without sharing is not there for anybody else. Relaxed as the bound of the
policy bench is: requests may be split, and lots are looked at every `GRID_S` only.
"""

import numpy as np

from services.local.evaluate.block.scene import DRIVE_DETOUR, DRIVE_SPEED_M_S, SPACES, Morning
from services.local.evaluate.policies.bound import Ways, in_hindsight
from services.local.evaluate.policies.world import Floats, Ints

GRID_S = 300.0
WAITS_S = (0.0, 120.0, 300.0, 600.0, 900.0, 1_200.0, 1_800.0)
NEVER_S = 7_200.0
"""What it would cost not to park at all: nobody does, unless nothing else is left."""


def least_extra_s(morning: Morning) -> float:
    """Give the least mean extra time from door to door.

    Raises:
        RuntimeError: the solver found no optimum.
    """
    ways = _ways(morning)
    grid = ways.grid(GRID_S)
    return in_hindsight(ways, int(morning.comes.sum()), grid, _rooms(morning, grid), NEVER_S).mean_cost_s


def _ways(morning: Morning) -> Ways:
    """Lots have their numbers, the hospital the one after the last."""
    coming = np.flatnonzero(morning.comes)
    count, lots = len(coming), len(morning.lent)
    per_m = morning.pace[coming] * DRIVE_DETOUR / DRIVE_SPEED_M_S
    from_m = morning.from_m[coming]
    straight_s = np.linalg.norm(from_m, axis=1) * per_m
    to_lot_s = np.linalg.norm(from_m[:, None] - morning.lots_m[None], axis=2) * per_m[:, None]
    waits_s = np.array(WAITS_S)
    drive_s = np.hstack((to_lot_s, straight_s[:, None] + waits_s))
    extra_s = np.hstack((to_lot_s + morning.walk_s - straight_s[:, None], np.tile(waits_s, (count, 1))))
    request, way = np.divmod(np.arange(drive_s.size), drive_s.shape[1])
    from_s = morning.sets_out_s[coming][request] + drive_s.ravel()
    return Ways(
        request=request,
        lot=np.minimum(way, lots),
        cost_s=extra_s.ravel(),
        from_s=from_s,
        until_s=from_s + morning.stay_s[coming][request],
    )


def _rooms(morning: Morning, grid: Floats) -> Ints:
    """Give (lots and hospital, instants): spaces that are left by who is there anyway."""
    rooms = np.empty((len(morning.lent) + 1, len(grid)), np.int64)
    for lot, spaces in enumerate(morning.spaces):
        comes_s = np.array([0.0 for its, _ in morning.own_leave_first if its == lot])
        leaves_s = np.array([left_s for its, left_s in morning.own_leave_first if its == lot])
        own = np.array([(at_s, at_s + stay_s) for at_s, its, stay_s in morning.own if its == lot]).reshape(-1, 2)
        there = _there(np.concatenate((comes_s, own[:, 0])), np.concatenate((leaves_s, own[:, 1])), grid)
        rooms[lot] = spaces - np.minimum(spaces, there)
    first_s = morning.leaves_first_s
    rooms[-1] = SPACES - _there(np.zeros(len(first_s)), first_s, grid)
    return rooms


def _there(comes_s: Floats, leaves_s: Floats, grid: Floats) -> Ints:
    came = np.searchsorted(np.sort(comes_s), grid, side="right")
    left = np.searchsorted(np.sort(leaves_s), grid, side="right")
    return came - left
