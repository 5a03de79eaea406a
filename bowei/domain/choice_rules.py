"""What a hospital's choice of a lot is weighed with: one value, each number with its source. docs/choice.md lists them.

A hospital registers its own where its patients, prices or streets are others.
"""

from dataclasses import dataclass
from datetime import timedelta

SLOW_WALKER_TAKES = 2.5
"""A walk weighs 2 to 3 times as much for somebody of reduced mobility: the middle."""


@dataclass(frozen=True, slots=True)
class ChoiceRules:
    """The weights and bounds of the choice; times in seconds, chances in 0..1."""

    fill_penalty_s: float = 300.0
    """K: the penalty of a pool that is full. Between 200 and 300 s it never lost to plain nearest in the policy trials,
    and took back 9 to 17 % of its gap to the optimum in hindsight; 1,500 s was far too strong."""

    failed_arrival_s: float = 480.0
    """R: what it costs to find no space on arrival: search, refusal and the way to the next lot, as in the trials."""

    walk_weight: float = 1.0
    """A second on foot for a second at the wheel: the trials' value, in which all walks were counted alike."""

    slow_walk_weight: float = SLOW_WALKER_TAKES

    value_of_time: float = 60.0
    """What an hour of the driver's is worth, in `currency`: one yuan a minute. An assumption, to be set by the city;
    a half of the hourly wage is usual for private trips."""

    currency: str = "CNY"
    """In which the tariffs of this hospital's agreements are said (ISO 4217)."""

    least_chance: float = 0.9
    """How sure a space at arrival must be; lots below come after all others."""

    least_chance_priority: float = 0.98
    """The same for whoever stands before visitors: a driver who can't walk far must not be sent on."""

    margin_chance: float = 0.9
    """How sure it must be that a lot's own customers, between its report and the arrival, take no promised space:
    the margin law's quantile (0.9 is z = 1.28; 0.95 1.64; 0.99 2.33)."""

    rotation_s: float = 30.0
    """Lots whose costs differ by no more are equal, and take turns: no mall is to bear all."""

    usual_stay_s: float = 7_200.0
    """How long a car stays whose driver does not say: the trials' mean of two hours; 2.7 h follow from the queue, the
    gate's flow and the spaces of the First Hospital."""

    def stay_of(self, said: timedelta | None) -> timedelta:
        """Give how long a car stays, by what its driver said."""
        return timedelta(seconds=self.usual_stay_s) if said is None else said


USUAL_RULES = ChoiceRules()
