"""Comparing the lots of a hospital for one driver: what each costs, which may be asked for, and in which order.

No I/O and no clock: equal input gives the equal order, in whichever order agreements were registered.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from bowei.domain.choosing import Approach, Considered, LotNow, Need
from bowei.domain.directory import Directory
from bowei.domain.lots import Hospital, LotId
from bowei.domain.prospects import AskedBy, Prospect

NO_SHADOW_PRICES: Mapping[LotId, float] = MappingProxyType({})
_UNHEARD = LotNow(None)


def consider(
    hospital: Hospital,
    directory: Directory,
    now_of: Mapping[LotId, LotNow],
    approaches: Mapping[LotId, Approach],
    need: Need,
    now: datetime,
    shadow_prices: Mapping[LotId, float] = NO_SHADOW_PRICES,
) -> list[Considered]:
    """Look at every lot with an agreement for this hospital: candidates first, best first, then the excluded.

    `shadow_prices`: seconds added to a lot because others will need it soon; none unless somebody works them out.
    """
    return Comparing(hospital, directory).consider(now_of, approaches, need, now, shadow_prices)


class Comparing:
    """The lots that lend to one hospital, made ready to be compared for one driver after the other.

    Nothing of what is kept from one driver to the next shows: `consider` gives the same with new ones.
    """

    def __init__(self, hospital: Hospital, directory: Directory) -> None:
        self._rules = hospital.rules
        prospects = (
            Prospect(agreement, lot, directory.local_time(lot), hospital)
            for agreement in directory.agreements_for(hospital.hospital_id)
            if (lot := directory.lots.get(agreement.lot_id)) is not None
        )
        self._prospects = sorted(prospects, key=lambda one: (one.lot_id, one.agreement.agreement_id))

    def consider(
        self,
        now_of: Mapping[LotId, LotNow],
        approaches: Mapping[LotId, Approach],
        need: Need,
        now: datetime,
        shadow_prices: Mapping[LotId, float] = NO_SHADOW_PRICES,
    ) -> list[Considered]:
        """See the function of this name."""
        asked = AskedBy(need, now, self._rules)
        able: list[_Able] = []
        left_out: list[Considered] = []
        lot_now_of, approach_of = now_of.get, approaches.get
        for number, prospect in enumerate(self._prospects):
            lot_id = prospect.lot_id
            one = prospect.look_at(lot_now_of(lot_id, _UNHEARD), approach_of(lot_id), asked)
            if one.excluded is not None:
                left_out.append(one)
                continue
            if shadow_prices:
                one.shadow_s = max(0.0, shadow_prices.get(lot_id, 0.0))
            # By place in the end, so that equal costs are in the order of names.
            able.append((one.instead + 2 * one.outlook.unsure, one.cost_s, number, one))
        able.sort()
        return in_turns(able, self._rules.rotation_s) + left_out


_Able = tuple[int, float, int, Considered]
"""A candidate with what it is ordered by: its tier, its cost, and its place among all lots."""


def in_turns(ordered: list[_Able], band_s: float) -> list[Considered]:
    """Let those take turns whose cost is equal within the band: of one tier, the least loaded first.

    The band is reckoned from the cheapest of those who are equal, so that it does not creep on from one to the next.
    """
    turns: list[Considered] = []
    equal: list[Considered] = []
    tier, until_s = -1, 0.0
    for its_tier, cost_s, _, one in ordered:
        if its_tier != tier or cost_s > until_s:
            turns += _by_load(equal)
            equal, tier, until_s = [], its_tier, cost_s + band_s
        equal.append(one)
    return turns + list(_by_load(equal))


def _by_load(equal: list[Considered]) -> Iterable[Considered]:
    # Stable: equal loads stay by cost and name.
    return equal if len(equal) < 2 else sorted(equal, key=lambda one: one.outlook.load)
