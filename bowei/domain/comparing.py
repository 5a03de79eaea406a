"""Comparing the lots of a hospital for one driver: what each costs, which may be asked for, and in which order.

No I/O and no clock: equal input gives the equal order, in whichever order agreements were registered.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from bowei.domain.agreements import Agreement, MarginRule
from bowei.domain.choice_rules import ChoiceRules
from bowei.domain.choosing import Approach, Considered, Exclusion, LotNow, Need
from bowei.domain.costs import failure_s, fee_s, fill_penalty_s, relative_load
from bowei.domain.directory import Directory
from bowei.domain.dirt import Doubt
from bowei.domain.freshness import believed_for
from bowei.domain.lots import Hospital, Lot, LotId, SpaceClass, Standing
from bowei.domain.margins import lawful_margin, margin_for_refusals, protected_from, quantile
from bowei.domain.observations import Bound, LotState
from bowei.domain.offering import NO_POOL, NO_ROOMS, pool_key, rooms
from bowei.domain.places import distance_m

NO_SHADOW_PRICES: Mapping[LotId, float] = MappingProxyType({})
_UNHEARD = LotNow(None)
_NOT_OPEN = {
    LotState.CLOSED: Exclusion.CLOSED,
    LotState.FULL_AT_ENTRANCE: Exclusion.FULL,
    LotState.UNKNOWN: Exclusion.STALE_DATA,
    LotState.OUT_OF_ORDER: Exclusion.FAULT,
}
_FOR_WANT_OF_SPACE = frozenset({Exclusion.NO_CLASS, Exclusion.FULL, Exclusion.HELD_OUT})
"""Why a lot may still do with a space of another class."""


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
    return Prospects(hospital, directory).consider(now_of, approaches, need, now, shadow_prices)


class Prospects:
    """The lots that lend to one hospital, made ready to be compared for one driver after the other.

    What depends on the directory is worked out once, what depends on the hour once a minute, and what depends on a
    lot's report and promises when these change. Nothing of it shows: `consider` gives the same with new ones.
    """

    def __init__(self, hospital: Hospital, directory: Directory) -> None:
        self._rules = hospital.rules
        prospects = (
            _Prospect(agreement, lot, hospital)
            for agreement in directory.agreements_for(hospital.hospital_id)
            if (lot := directory.lots.get(agreement.lot_id)) is not None
        )
        self._prospects = sorted(prospects, key=lambda one: (one.lot.lot_id, one.agreement.agreement_id))

    def consider(
        self,
        now_of: Mapping[LotId, LotNow],
        approaches: Mapping[LotId, Approach],
        need: Need,
        now: datetime,
        shadow_prices: Mapping[LotId, float] = NO_SHADOW_PRICES,
    ) -> list[Considered]:
        """See the function of this name."""
        driver = _Driver(need, now, self._rules)
        able: list[tuple[int, float, Considered]] = []
        left_out: list[Considered] = []
        for prospect in self._prospects:
            lot_id = prospect.lot.lot_id
            one = prospect.look_at(now_of.get(lot_id, _UNHEARD), approaches.get(lot_id), driver)
            if one.excluded is not None:
                left_out.append(one)
                continue
            if shadow_prices:
                one.shadow_s = max(0.0, shadow_prices.get(lot_id, 0.0))
            able.append((one.instead + 2 * one.unsure, one.cost_s, one))
        return in_turns(able, self._rules.rotation_s) + left_out


def in_turns(able: Iterable[tuple[int, float, Considered]], band_s: float) -> list[Considered]:
    """Order candidates, given as (tier, cost, candidate): by tier, then cost; equal within the band, by load.

    The band is reckoned from the cheapest of those who are equal, so that it does not creep on from one to the next.
    """
    ordered = sorted(able, key=lambda one: (one[0], one[1], one[2].lot_id, one[2].agreement_id))
    turns: list[Considered] = []
    start = 0
    while start < len(ordered):
        tier, cheapest_s, _ = ordered[start]
        end = start + 1
        while end < len(ordered) and ordered[end][0] == tier and ordered[end][1] <= cheapest_s + band_s:
            end += 1
        equal = ordered[start:end]
        if len(equal) > 1:
            equal.sort(key=lambda one: one[2].load)  # stable: equal loads stay by cost and name
        turns += [one for _, _, one in equal]
        start = end
    return turns


class _Driver:
    """Who asks, with what is the same for every lot."""

    __slots__ = ("least_chance", "minute", "need", "now", "now_s", "rules", "stands", "stay", "walk_weight", "z")

    def __init__(self, need: Need, now: datetime, rules: ChoiceRules) -> None:
        self.need = need
        self.now = now
        self.now_s = now.timestamp()
        self.minute = int(self.now_s // 60)
        self.rules = rules
        self.stands = need.stands
        self.least_chance = rules.least_chance if self.stands is Standing.VISITOR else rules.least_chance_priority
        self.walk_weight = rules.slow_walk_weight if need.walks_slowly else rules.walk_weight
        self.stay = rules.stay_of(need.stay)
        self.z = quantile(rules.margin_chance)


class _Prospect:
    """One agreement's lot, and what was worked out of it for others who asked."""

    __slots__ = ("_fee", "_hours", "_minutely", "_pools", "_zone", "agreement", "far", "lot")

    def __init__(self, agreement: Agreement, lot: Lot, hospital: Hospital) -> None:
        self.agreement = agreement
        self.lot = lot
        self.far = distance_m(lot.location, hospital.door) > hospital.radius_m
        self._zone = lot.zone
        self._minutely = agreement.minutely
        self._hours: tuple[int, Mapping[SpaceClass, int], dict[SpaceClass, datetime | None]] = (-1, {}, {})
        self._pools: dict[SpaceClass, _Pool] = {}
        self._fee: tuple[timedelta | None, Decimal, float] = (None, Decimal(0), 0.0)

    def look_at(self, lot_now: LotNow, approach: Approach | None, driver: _Driver) -> Considered:
        """Look at the lot for a driver; where the class asked for is not to be had, at the one that will do."""
        one = self._look_for(driver.need.space_class, lot_now, approach, driver)
        also = driver.need.also
        if also is None or not (one.unsure or one.excluded in _FOR_WANT_OF_SPACE):
            return one
        other = self._look_for(also, lot_now, approach, driver)
        other.instead = True
        better = other.excluded is None and (one.excluded is not None or not other.unsure)
        return other if better else one

    def _look_for(
        self, space_class: SpaceClass, lot_now: LotNow, approach: Approach | None, driver: _Driver
    ) -> Considered:
        lent, ends = self._at(driver)
        pool = self._pools.get(space_class)
        if pool is None or pool.lot_now is not lot_now or pool.lent is not lent:
            pool = self._pools[space_class] = _Pool(self, space_class, lot_now, lent, driver.rules)
        age_s = None if pool.observed_s is None else driver.now_s - pool.observed_s
        believed = age_s is not None and age_s <= pool.believed_for_s
        one = Considered(self.lot.lot_id, self.agreement.agreement_id, None, approach, space_class)
        one.age_s = age_s
        if believed and pool.free is not None:
            one.free, one.bound = pool.free, pool.bound
        one.fill_s, one.load = pool.fill_s, pool.load
        one.excluded = (
            pool.shut_out or self._does_not_fit(driver) or (pool.unbelievable if believed else Exclusion.STALE_DATA)
        )
        if one.excluded is not None or age_s is None:
            return one
        if self.far:
            one.excluded = Exclusion.TOO_FAR
        elif approach is None or approach.drive_s is None:
            one.excluded = Exclusion.CLOSED_ROAD
        else:
            one.out_by = self._out_by(space_class, ends, driver)
            if self._stays_too_long(one.out_by, approach.drive_s, driver):
                one.excluded = Exclusion.STAY_TOO_LONG
            else:
                self._weigh(one, pool, approach, approach.drive_s, age_s, driver)
        return one

    def _weigh(
        self, one: Considered, pool: "_Pool", approach: Approach, drive_s: float, age_s: float, driver: _Driver
    ) -> None:
        """Work out what may be promised, and what the lot costs."""
        agreement, ahead_s = self.agreement, drive_s + max(0.0, age_s)
        margin = agreement.margin
        if agreement.margin_rule is MarginRule.LAW:
            by_law = lawful_margin(driver.z, pool.lot_now.foreseen.volatility, ahead_s)
            margin = max(margin, by_law) + pool.margin_for_refusals
        one.margin = margin + protected_from(driver.stands, agreement.protects)
        one.offered = pool.rooms.less(one.margin)
        if one.offered == 0:
            one.excluded = Exclusion.FULL if (pool.free or 0) <= margin else Exclusion.HELD_OUT
            return
        one.walking_s = approach.walk_s * driver.walk_weight
        # What is kept back is there for the car if own customers come: it covers them, and so it counts here.
        there = min(pool.rooms.seen, pool.rooms.of_class)
        one.chance = pool.lot_now.foreseen.chance(there, timedelta(seconds=ahead_s))
        one.unsure = one.chance < driver.least_chance
        one.failure_s = failure_s(one.chance, driver.rules.failed_arrival_s)
        if agreement.tariff is not None:
            if self._fee[0] != driver.stay:
                fee = agreement.tariff.fee(driver.stay)
                self._fee = driver.stay, fee, fee_s(float(fee), driver.rules.value_of_time)
            _, one.fee, one.fee_s = self._fee

    def _at(self, driver: _Driver) -> tuple[Mapping[SpaceClass, int], dict[SpaceClass, datetime | None]]:
        """Give what is lent now by class, and a place for when cars of a class must be out: the same for a minute."""
        minute, lent, ends = self._hours
        if minute != driver.minute or not self._minutely:
            lent, ends = self.agreement.lent_at(driver.now, self._zone), {}
            self._hours = driver.minute, lent, ends
        return lent, ends

    def _does_not_fit(self, driver: _Driver) -> Exclusion | None:
        height_cm, most_cm = driver.need.height_cm, self.lot.max_height_cm
        too_high = height_cm is not None and most_cm is not None and height_cm > most_cm
        return Exclusion.TOO_HIGH if too_high else None

    def _out_by(
        self, space_class: SpaceClass, ends: dict[SpaceClass, datetime | None], driver: _Driver
    ) -> datetime | None:
        if space_class not in ends:
            ends[space_class] = self.agreement.out_by(driver.now, self._zone, space_class)
        return ends[space_class]

    def _stays_too_long(self, out_by: datetime | None, drive_s: float, driver: _Driver) -> bool:
        if driver.need.stay is not None and driver.need.stay > self.agreement.max_stay:
            return True
        if out_by is None:
            return False
        leaves_at = driver.now + timedelta(seconds=drive_s) + driver.stay
        return leaves_at.astimezone(self._zone).replace(tzinfo=None) > out_by


class _Pool:
    """The spaces of one class under one agreement, as the lot stands: what does not depend on who asks."""

    __slots__ = (
        "believed_for_s",
        "bound",
        "fill_s",
        "free",
        "lent",
        "load",
        "lot_now",
        "margin_for_refusals",
        "observed_s",
        "rooms",
        "shut_out",
        "unbelievable",
    )

    def __init__(
        self,
        prospect: _Prospect,
        space_class: SpaceClass,
        lot_now: LotNow,
        lent: Mapping[SpaceClass, int],
        rules: ChoiceRules,
    ) -> None:
        agreement, lot, promise = prospect.agreement, prospect.lot, lot_now.promise
        self.lot_now = lot_now
        self.lent = lent
        self.shut_out = _shut_out(agreement, lot, lent, space_class)
        self.unbelievable = _unbelievable(lot_now)
        self.margin_for_refusals = margin_for_refusals(promise.refusal_rate)
        promised = promise.pools.get(pool_key(agreement.agreement_id, space_class), NO_POOL)
        of_class = lent.get(space_class, 0)
        used = promised.held + promised.stays
        self.fill_s = fill_penalty_s(used, of_class, rules.fill_penalty_s)
        self.load = relative_load(used, of_class)
        self.observed_s: float | None = None
        self.believed_for_s = 0.0
        self.free: int | None = None
        self.bound = Bound.EXACT
        self.rooms = NO_ROOMS
        if lot_now.report is not None:
            report = lot_now.report.within(lot.capacity)
            self.observed_s = report.observed_at.timestamp()
            self.believed_for_s = believed_for(report.usual_gap).total_seconds()
            self.rooms = rooms(report, promise, promised, lent=of_class, space_class=space_class)
            self.free = report.countable
            if self.free is not None:
                self.bound = report.bound


def _shut_out(
    agreement: Agreement, lot: Lot, lent: Mapping[SpaceClass, int], space_class: SpaceClass
) -> Exclusion | None:
    if lot.paused or agreement.paused:
        return Exclusion.OPERATOR_PAUSED
    if not lent:
        return Exclusion.NOT_SHARED_NOW
    return Exclusion.NO_CLASS if lent.get(space_class, 0) == 0 else None


def _unbelievable(lot_now: LotNow) -> Exclusion | None:
    report = lot_now.report
    if report is None or report.doubt is Doubt.COMMS_LOST:
        return Exclusion.STALE_DATA
    if report.doubt is not None:
        return Exclusion.FAULT
    # Before the count: a lot that says it knows nothing says no count either, and that is no fault.
    if report.state is not LotState.OPEN:
        return _NOT_OPEN[report.state]
    return Exclusion.FAULT if report.countable is None else None
