"""What a lot costs a driver, part by part, in seconds: small pure functions, each by itself.

    cost = drive + walk × weight + fee in time + fill penalty + (1 − p_free) × a failed arrival + shadow price

Lower is better. Each part grows with what it stands for and is never negative, so a lot that is worse in one thing and
equal in all others never costs less.
"""

import math

from bowei.domain.choice_rules import USUAL_RULES

_E_MINUS_1 = math.e - 1.0


def fill_penalty_s(used: int, lent: int, most_s: float = USUAL_RULES.fill_penalty_s) -> float:
    """Give the penalty for a pool of which `used` of `lent` spaces are taken or held: 0 when empty, `most_s` when full.

    It is convex, K · (e^u − 1) / (e − 1): drivers are spread before a lot is tight, without a forecast.
    """
    share = min(1.0, max(0.0, used / lent)) if lent > 0 else 1.0
    return most_s * math.expm1(share) / _E_MINUS_1


def failure_s(chance: float, failed_arrival_s: float = USUAL_RULES.failed_arrival_s) -> float:
    """Give what it costs in the mean that no space may be there on arrival."""
    return (1.0 - chance) * failed_arrival_s


def walking_s(walk_s: float, weight: float = USUAL_RULES.walk_weight) -> float:
    """Give what a walk costs: its seconds, more for somebody to whom each weighs more."""
    return walk_s * weight


def fee_s(fee: float, value_of_time: float = USUAL_RULES.value_of_time) -> float:
    """Give how many seconds of the driver's time a fee is worth; `value_of_time`: of an hour, in the same currency."""
    return fee / value_of_time * 3_600.0


def relative_load(used: int, lent: int) -> float:
    """Give how much of a pool is taken or held, 0 to 1 and above where less is lent than was."""
    return used / lent if lent > 0 else math.inf
