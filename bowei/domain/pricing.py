"""What a space is worth to those who come later: a price in seconds on each lot, from what was asked lately.

A lot that many want, and that has no near neighbour, should be kept for them while there is a choice. The price of
one more car on a lot with n of c spaces taken is

    B(c, a) / B(n, a)  x  what a driver loses who wanted the lot and finds it full

where B is Erlang's loss formula and a the lot's offered load: how many cars would be there if it never filled. The
quotient is how many later drivers one more car displaces before the lot has forgotten it (Krishnan and Ott's separable
routing, 1985). Both a and the loss are measured on the requests themselves; nothing is forecast or trained.

No service works it out yet (ADR 0018); `bowei evaluate` measures it, and `docs/evaluation.md` shows what it gains, also
where what was measured is wrong. With it half the fill penalty is enough.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TypeVar

MEMORY = timedelta(hours=1)
"""Half of what was asked is forgotten after so long: 30 min to 2 h made no difference on the bench."""

DAMPING = 0.8
"""Of the measured load so much is believed: a price that is too high harms more than one that is too low."""

_LEAST_WATCHED = timedelta(minutes=10)
"""A rate is not taken from less: the first driver of the day is no rush."""

_STEPS_OF_LOAD = 50
"""Loads are rounded to steps of 2 %, so that the tables of a few hundred lots are found again."""


SENT_HOME_S = 40 * 60.0
"""What a driver loses for whom there is no other lot, as on the bench."""

AnyLot = TypeVar("AnyLot")


@dataclass(frozen=True, slots=True)
class LotDemand:
    """How often a lot was wanted lately, by drivers for whom it was the cheapest that might have been free."""

    at: datetime
    wanted: float = 0.0
    """Drivers, each counted less with age."""
    loss_s: float = 0.0
    """The sum, over them, of what the next best lot costs more; counted less with age alike."""
    watched_s: float = 0.0
    """For how long, counted less with age alike."""

    def aged(self, at: datetime) -> "LotDemand":
        """Give what is left of it at a later instant."""
        passed = max(timedelta(0), at - self.at)
        kept = 0.5 ** (passed / MEMORY)
        memory_s = MEMORY.total_seconds() / math.log(2)
        return LotDemand(
            at=at,
            wanted=self.wanted * kept,
            loss_s=self.loss_s * kept,
            watched_s=self.watched_s * kept + memory_s * (1 - kept),
        )

    def wanted_by(self, at: datetime, loss_s: float) -> "LotDemand":
        """Give what it is with one more driver, to whom the next best lot costs `loss_s` more."""
        aged = self.aged(at)
        return replace(aged, wanted=aged.wanted + 1, loss_s=aged.loss_s + max(0.0, loss_s))


def wanted(lots: Sequence[tuple[AnyLot, float, bool]]) -> Iterator[tuple[AnyLot, float]]:
    """Give each lot that a driver wanted, and what the driver loses in seconds if it is full.

    `lots`: (which, its cost in seconds without prices, whether it has room), cheapest first, full ones too. A driver
    wants the first, and while those are full the next ones; what is lost is the way to the next with room.
    """
    for place, (lot, cost_s, has_room) in enumerate(lots):
        next_s = next((other_s for _, other_s, room in lots[place + 1 :] if room), cost_s + SENT_HOME_S)
        yield lot, min(next_s, max(cost_s, SENT_HOME_S)) - cost_s
        if has_room:
            return


def shadow_price_s(demand: LotDemand, at: datetime, used: int, lent: int, mean_stay: timedelta) -> float:
    """Give what one more car on a lot, of which `used` of `lent` spaces are taken or held, costs later drivers."""
    now = demand.aged(at)
    if now.wanted <= 0 or lent <= 0:
        return 0.0
    per_s = now.wanted / max(now.watched_s, _LEAST_WATCHED.total_seconds())
    load = DAMPING * per_s * mean_stay.total_seconds()
    return displaced(used, lent, load) * now.loss_s / now.wanted


def displaced(used: int, lent: int, load: float) -> float:
    """Give how many later drivers one more car displaces: next to 0 on an empty lot, 1 on one that is full."""
    if load <= 0:
        return 0.0
    steps = round(math.log(load) * _STEPS_OF_LOAD)
    table = _log_inverse_loss(lent, math.exp(steps / _STEPS_OF_LOAD))
    return math.exp(table[min(max(used, 0), lent)] - table[lent])


@lru_cache(maxsize=4096)
def _log_inverse_loss(spaces: int, load: float) -> tuple[float, ...]:
    """Give ln(1/B(n, load)) for n = 0 .. spaces, by 1/B(n) = 1 + n/load · 1/B(n - 1)."""
    inverse = [0.0]
    for number in range(1, spaces + 1):
        inverse.append(_log_one_plus_exp(math.log(number / load) + inverse[-1]))
    return tuple(inverse)


def _log_one_plus_exp(power: float) -> float:
    return power + math.log1p(math.exp(-power)) if power > 0 else math.log1p(math.exp(power))
