"""How many spaces of a lot are kept back: for its own customers, and for whoever stands before others.

The lot's own customers are class 0. Between a report and the arrival of a diverted car they may take

    margin = ⌈z · s · √(h / 5 min)⌉

spaces with the chance that z stands for; s: the lot's volatility, h: the drive and the age of the report. It is the
same law as the chance of a space (`forecasting`). What it misses shows in drivers who were refused on arrival, and in
cars that the lot's barrier rejected: their measured share keeps more back. Anybody may say to have been refused, so it
counts only where the car can have been there.

Those who ask are nested below: somebody of standing k may take a space only while more are left than are protected for
all who stand before k.
"""

import math
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from statistics import NormalDist

from bowei.domain.forecasting import LEAST_VOLATILITY, STEP
from bowei.domain.lots import Standing

REFUSALS_REMEMBERED = 50
"""The rate of refusals is a mean over about so many arrivals, the newest counting most."""

REFUSALS_A_SPACE = 0.02
"""Each 2 % of refusals keeps one more space back: 2 % is what may be refused at most where a lot is well run."""

MOST_FOR_REFUSALS = 5
"""More are never kept back for refusals: a lot that refuses more is a matter of trust, not of margins."""

ONE_DRIVERS_REFUSALS = timedelta(days=1)
"""Of one driver no second refusal counts on a lot within it."""

_SOONEST_REFUSAL_S = 60.0
_SOONEST_UNKNOWN_S = 120.0
"""Where no drive was said."""

_STEP_S = STEP.total_seconds()
_NO_TIME_S = 1.0
"""No count is younger when a car arrives."""


@cache
def quantile(chance: float) -> float:
    """Give z, how many standard deviations cover `chance` of a normal law from one side: 0.9 gives 1.28."""
    return NormalDist().inv_cdf(chance)


def lawful_margin(z: float, volatility: float, ahead_s: float) -> int:
    """Give how many spaces are kept back so that own customers take no more within so many seconds; `z`: how sure."""
    return max(0, math.ceil(z * max(volatility, LEAST_VOLATILITY) * math.sqrt(max(ahead_s, _NO_TIME_S) / _STEP_S)))


def margin_for_refusals(refusal_rate: float) -> int:
    """Give how many spaces more are kept back on a lot that refused so large a share of arrivals."""
    return min(MOST_FOR_REFUSALS, int(refusal_rate / REFUSALS_A_SPACE + 1e-9))


def refusal_rate_after(refusal_rate: float, *, refused: bool) -> float:
    """Give the rate after one more car found its space, or did not. The ledger holds the same rule in SQL."""
    return refusal_rate + (float(refused) - refusal_rate) / REFUSALS_REMEMBERED


def can_have_arrived(since_placed: timedelta, drive_s: float | None) -> bool:
    """Say whether a car can have been at the lot: half of the drive that was said is over. The ledger has it in SQL."""
    soonest_s = _SOONEST_UNKNOWN_S if drive_s is None else max(drive_s / 2, _SOONEST_REFUSAL_S)
    return since_placed.total_seconds() >= soonest_s


def protected_from(standing: Standing, protects: Mapping[Standing, int]) -> int:
    """Give how many spaces are protected for those who stand before `standing`."""
    if not protects:
        return 0
    return sum(count for other, count in protects.items() if other.before(standing))
