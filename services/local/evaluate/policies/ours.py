"""Our policy: the cheapest lot with room by the product's own cost, held at once; displacement prices as its option."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from bowei.domain.costs import fill_penalty_s
from bowei.domain.pricing import LotDemand, shadow_price_s, wanted
from services.local.evaluate.policies.policy import Asking, Policy, View
from services.local.evaluate.policies.world import STAY_MEAN_S, City

_STARTS_AT = datetime(2026, 3, 2, 7, tzinfo=UTC)
"""Any instant: the domain counts in instants, the bench in seconds."""


PLAIN = "nearest with holds (greedy)"
"""What every gap is compared with."""


def families() -> dict[str, list[Policy]]:
    """Give what is scored as ours: the plain rule, what the product does, its option, and that with something wrong.

    Unlike peers, which are tuned for each load, ours has one setting for all.
    """
    return {
        PLAIN: [FillPenalty(penalty_factor=0.0)],
        "fill penalty of 200 s": [FillPenalty(penalty_factor=2 / 3)],
        "fill penalty of 500 s": [FillPenalty(penalty_factor=5 / 3)],
        "fill penalty of 1500 s": [FillPenalty(penalty_factor=5.0)],
        "ours: fill penalty": [FillPenalty()],
        "ours: displacement prices": [DisplacementPrices()],
        "… rates measured x 0.8": [DisplacementPrices(load_factor=0.8)],
        "… rates measured x 1.2": [DisplacementPrices(load_factor=1.2)],
        "… rates measured x 1.5": [DisplacementPrices(load_factor=1.5)],
        "… rates measured x 0.5": [DisplacementPrices(load_factor=0.5)],
    }


@dataclass
class FillPenalty:
    """Drive + walk + fill penalty, as `bowei.domain.costs` counts them."""

    penalty_factor: float = 1.0
    """How many times the product's fill penalty."""
    holds: bool = True
    feed_age_s: float = 0.0
    window_s: float = 0.0

    @property
    def name(self) -> str:
        """Say what it is set to."""
        return f"penalty x {self.penalty_factor:g}"

    def begin(self, city: City) -> None:
        """Nothing is learned."""

    def choose(self, asking: Sequence[Asking], view: View) -> Sequence[int | None]:
        """Give each driver the cheapest lot that has room; they come one by one."""
        return [self._cheapest(one, view) for one in asking]

    def _cheapest(self, one: Asking, view: View) -> int | None:
        with_room = np.flatnonzero(np.isfinite(one.cost_s) & (view.free > 0))
        if len(with_room) == 0:
            return None
        extra_s = [self._extra_s(int(lot), view) for lot in with_room]
        return int(with_room[(one.cost_s[with_room] + extra_s).argmin()])

    def _extra_s(self, lot: int, view: View) -> float:
        lent = int(view.spaces[lot])
        return self.penalty_factor * fill_penalty_s(lent - int(view.free[lot]), lent)


@dataclass
class DisplacementPrices(FillPenalty):
    """... + what a car on the lot costs those who come later, by `bowei.domain.pricing`."""

    penalty_factor: float = 0.5
    price_factor: float = 1.0
    load_factor: float = 1.0
    """How wrong the measured load is made: the rate at which a lot is wanted, times the mean stay."""
    demand: list[LotDemand] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Say what it is set to."""
        wrong = "" if self.load_factor == 1 else f", load x {self.load_factor:g}"
        return f"penalty x {self.penalty_factor:g}, prices x {self.price_factor:g}{wrong}"

    def begin(self, city: City) -> None:
        """Know nothing of who will ask."""
        self.demand = [LotDemand(_STARTS_AT) for _ in city.spaces]

    def choose(self, asking: Sequence[Asking], view: View) -> Sequence[int | None]:
        """Note what each wanted, and give each the cheapest with room."""
        for one in asking:
            self._note(one, view)
        return super().choose(asking, view)

    def _note(self, one: Asking, view: View) -> None:
        at = _STARTS_AT + timedelta(seconds=view.now_s)
        order = [int(lot) for lot in np.argsort(one.cost_s, kind="stable") if np.isfinite(one.cost_s[lot])]
        for lot, loss_s in wanted([(lot, float(one.cost_s[lot]), bool(view.free[lot] > 0)) for lot in order]):
            self.demand[lot] = self.demand[lot].wanted_by(at, loss_s)

    def _extra_s(self, lot: int, view: View) -> float:
        lent = int(view.spaces[lot])
        stay = timedelta(seconds=STAY_MEAN_S * self.load_factor)
        at = _STARTS_AT + timedelta(seconds=view.now_s)
        price_s = shadow_price_s(self.demand[lot], at, lent - int(view.free[lot]), lent, stay)
        return super()._extra_s(lot, view) + self.price_factor * price_s
