"""Least cost under sparse rows, by HiGHS."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from services.local.evaluate.policies.world import Floats


@dataclass(frozen=True)
class Solved:
    """An optimum."""

    amounts: Floats
    cost: float
    prices: Floats
    """One for each row: what one more of its room would have saved."""


def least_cost(cost: Floats, rows: "csr_array[np.float64]", room: Floats) -> Solved:
    """Find amounts, none below 0, of least cost with `rows @ amounts <= room`.

    Raises:
        RuntimeError: the solver found no optimum.
    """
    solved = linprog(cost, A_ub=rows, b_ub=room, bounds=(0, None), method="highs")  # type: ignore[call-overload]
    if solved.status != 0:  # the stubs know no sparse rows
        raise RuntimeError(f"the linear programme has no optimum: {solved.message}")
    return Solved(amounts=solved.x, cost=float(solved.fun), prices=-solved.ineqlin.marginals)
