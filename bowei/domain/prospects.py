"""One lot that lends to a hospital, as it stands for whoever asks; and what was worked out of it for those before.

What depends on the directory is worked out once, what depends on the hour once a minute, and what depends on a lot's
report and promises when these change. How sure a space is, and how many are kept back, is reckoned for arrivals in
steps of 30 s, rounded up, for no drive is known better: then drivers who ask together pay for it once, and the ranking
of thirty lots takes tens of microseconds.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil

from bowei.domain.agreements import Agreement, MarginRule
from bowei.domain.calendars import LocalTime
from bowei.domain.choice_rules import ChoiceRules
from bowei.domain.choosing import Approach, Considered, Exclusion, Fee, LotNow, Need, Outlook
from bowei.domain.costs import failure_s, fee_s, fill_penalty_s, relative_load
from bowei.domain.dirt import Doubt
from bowei.domain.freshness import believed_for
from bowei.domain.lots import Hospital, Lot, SpaceClass, Standing
from bowei.domain.margins import lawful_margin, margin_for_refusals, protected_from, quantile
from bowei.domain.observations import Bound, LotState
from bowei.domain.offering import NO_POOL, NO_ROOMS, pool_key, rooms
from bowei.domain.places import distance_m
from bowei.domain.tariffs import Tariff

AHEAD_STEP_S = 30.0
"""In which steps arrivals are told apart, as to how sure a space is."""

_NOT_OPEN = {
    LotState.CLOSED: Exclusion.CLOSED,
    LotState.FULL_AT_ENTRANCE: Exclusion.FULL,
    LotState.UNKNOWN: Exclusion.STALE_DATA,
    LotState.OUT_OF_ORDER: Exclusion.FAULT,
}
_FOR_WANT_OF_SPACE = frozenset({Exclusion.NO_CLASS, Exclusion.FULL, Exclusion.HELD_OUT})
"""Why a lot may still do with a space of another class."""

_Lent = Mapping[SpaceClass, int]


class AskedBy:
    """Who asks, with what is the same for every lot."""

    __slots__ = (
        "also",
        "height_cm",
        "kind",
        "minute",
        "need",
        "now",
        "now_s",
        "rules",
        "stands",
        "stay",
        "walk_weight",
    )

    def __init__(self, need: Need, now: datetime, rules: ChoiceRules) -> None:
        self.need = need
        self.height_cm = need.height_cm
        self.now = now
        self.now_s = now.timestamp()
        self.minute = int(self.now_s // 60)
        self.rules = rules
        self.stands = need.stands
        self.also = None if need.also is None else f"{need.also}/{self.stands}"
        self.kind = f"{need.space_class}/{self.stands}"
        self.walk_weight = rules.slow_walk_weight if need.walks_slowly else rules.walk_weight
        self.stay = rules.stay_of(need.stay)


class Prospect:
    """One agreement's lot."""

    __slots__ = (
        "_bounds_stays",
        "_ends",
        "_far",
        "_fee",
        "_lent",
        "_local",
        "_minute",
        "_minutely",
        "_pools",
        "_reported",
        "_tariff",
        "agreement",
        "lot",
        "lot_id",
    )

    def __init__(self, agreement: Agreement, lot: Lot, local: LocalTime, hospital: Hospital) -> None:
        self.agreement = agreement
        self.lot = lot
        self.lot_id = lot.lot_id
        self._far = distance_m(lot.location, hospital.door) > hospital.radius_m
        self._local = local
        self._minutely = agreement.minutely
        self._minute = -1
        self._lent: _Lent = {}
        self._ends: dict[SpaceClass, datetime | None] = {}
        self._pools: dict[str, _Pool] = {}
        self._reported: _Reported | None = None
        self._tariff = agreement.tariff
        self._bounds_stays = agreement.bounds_stays
        self._fee: tuple[timedelta | None, Fee] = (None, Fee(Decimal(0), "", 0.0))

    def look_at(self, lot_now: LotNow, approach: Approach | None, asked: AskedBy) -> Considered:
        """Look at the lot for a driver; where the class asked for is not to be had, at the one that will do."""
        one = self._look_for(asked.kind, asked.need.space_class, lot_now, approach, asked)
        if asked.also is None or not (one.excluded in _FOR_WANT_OF_SPACE or one.outlook.unsure):
            return one
        other = self._look_for(asked.also, SpaceClass.STANDARD, lot_now, approach, asked)
        other.instead = True
        better = other.excluded is None and (one.excluded is not None or not other.outlook.unsure)
        return other if better else one

    def _look_for(
        self, kind: str, space_class: SpaceClass, lot_now: LotNow, approach: Approach | None, asked: AskedBy
    ) -> Considered:
        if self._minute != asked.minute or not self._minutely:
            self._minute = asked.minute
            lent = self.agreement.lent_at(asked.now, self._local)
            if lent != self._lent:  # else what was worked out of it stands
                self._lent = lent
            self._ends.clear()
        pool = self._pools.get(kind)
        if pool is None or pool.lot_now is not lot_now or pool.lent is not self._lent:
            pool = self._fill(kind, space_class, lot_now, asked)
        reported = pool.reported
        age_s = None if reported.observed_s is None else asked.now_s - reported.observed_s
        plain = pool.plain and asked.height_cm is None
        why = None if plain else self._left_out(pool, age_s, approach, asked)
        if why is not None or age_s is None or age_s > reported.believed_for_s:
            return Considered(pool.seen(age_s), why or Exclusion.STALE_DATA, approach, age_s)
        if approach is None or approach.drive_s is None:
            return Considered(pool.seen(age_s), Exclusion.CLOSED_ROAD, approach, age_s)
        drive_s = approach.drive_s
        # A barrier that is told of holds keeps the space from the moment it is held: only the count may be old.
        unkept_s = 0.0 if self.lot.barrier_link else drive_s
        step = ceil((unkept_s + age_s if age_s > 0.0 else unkept_s) / AHEAD_STEP_S)
        outlook = pool.outlooks.get(step)
        if outlook is None:
            outlook = pool.outlooks[step] = pool.look_ahead(step * AHEAD_STEP_S)
        one = Considered(outlook, outlook.excluded, approach, age_s, approach.walk_s * asked.walk_weight)
        if self._tariff is not None:
            if self._fee[0] != asked.stay:
                self._fee = asked.stay, _fee(self._tariff, asked)
            one.fee = self._fee[1]
        if self._bounds_stays or asked.need.stay is not None:
            self._bound_stay(one, space_class, drive_s, asked)
        return one

    def _fill(self, kind: str, space_class: SpaceClass, lot_now: LotNow, asked: AskedBy) -> "_Pool":
        pool = self._pools[kind] = _Pool(self, space_class, lot_now, self._lent, asked)
        pool.plain = pool.shut_out is None and pool.reported.unbelievable is None and not self._far
        return pool

    def _left_out(
        self, pool: "_Pool", age_s: float | None, approach: Approach | None, asked: AskedBy
    ) -> Exclusion | None:
        """Say why nothing of the lot will do, before anybody counts."""
        if pool.shut_out is not None:
            return pool.shut_out
        if asked.height_cm is not None and self._too_high(asked.height_cm):
            return Exclusion.TOO_HIGH
        if age_s is None or age_s > pool.reported.believed_for_s:
            return Exclusion.STALE_DATA
        if pool.reported.unbelievable is not None or self._far:
            return pool.reported.unbelievable or Exclusion.TOO_FAR
        return Exclusion.CLOSED_ROAD if approach is None or approach.drive_s is None else None

    def reported(self, lot_now: LotNow) -> "_Reported":
        """Give what follows from the lot's report and forecast alone: promises change more often."""
        known = self._reported
        if known is None or known.report is not lot_now.report or known.foreseen is not lot_now.foreseen:
            known = self._reported = _Reported(lot_now, self.lot.capacity)
        return known

    def _too_high(self, height_cm: int) -> bool:
        return self.lot.max_height_cm is not None and height_cm > self.lot.max_height_cm

    def _bound_stay(self, one: Considered, space_class: SpaceClass, drive_s: float, asked: AskedBy) -> None:
        """Say until when the car may stay, and leave the lot out where it would stay longer."""
        if space_class not in self._ends:
            self._ends[space_class] = self.agreement.out_by(asked.now, self._local, space_class)
        one.out_by = out_by = self._ends[space_class]
        too_long = asked.need.stay is not None and asked.need.stay > self.agreement.max_stay
        if out_by is not None:
            leaves_at = asked.now + timedelta(seconds=drive_s) + asked.stay
            too_long |= leaves_at.astimezone(self._local.zone).replace(tzinfo=None) > out_by
        if too_long:
            one.excluded = Exclusion.STAY_TOO_LONG


class _Reported:
    """What follows from a lot's report and forecast, whatever is promised on it."""

    __slots__ = (
        "believed_for_s",
        "bound",
        "chances",
        "foreseen",
        "free",
        "observed_s",
        "report",
        "unbelievable",
        "within",
    )

    def __init__(self, lot_now: LotNow, capacity: int) -> None:
        self.report = report = lot_now.report
        self.foreseen = lot_now.foreseen
        self.unbelievable = _unbelievable(lot_now)
        self.chances: dict[tuple[int, float], float] = {}
        self.within = None if report is None else report.within(capacity)
        self.observed_s = None if report is None else report.observed_at.timestamp()
        self.believed_for_s = 0.0 if report is None else believed_for(report.usual_gap).total_seconds()
        self.free = None if self.within is None else self.within.countable
        self.bound = Bound.EXACT if report is None or self.free is None else report.bound

    def chance(self, there: int, ahead_s: float) -> float:
        """Give the chance that one of so many spaces is there at the arrival."""
        asked = there, ahead_s
        chance = self.chances.get(asked)
        if chance is None:
            counted_at = None if self.report is None else self.report.observed_at
            chance = self.chances[asked] = self.foreseen.chance(there, timedelta(seconds=ahead_s), counted_at)
        return chance


class _Pool:
    """The spaces of one class under one agreement for drivers of one standing, as the lot stands."""

    __slots__ = (
        "_agreement",
        "_lawful",
        "_least_chance",
        "_margin",
        "_protected",
        "_rooms",
        "_rules",
        "_seen",
        "lent",
        "lot_now",
        "outlooks",
        "plain",
        "reported",
        "shut_out",
        "unseen",
    )

    def __init__(
        self, prospect: Prospect, space_class: SpaceClass, lot_now: LotNow, lent: _Lent, asked: AskedBy
    ) -> None:
        agreement, lot, rules, promise = prospect.agreement, prospect.lot, asked.rules, lot_now.promise
        self.lot_now = lot_now
        self.lent = lent
        self.outlooks: dict[int, Outlook] = {}
        self.shut_out = _shut_out(agreement, lot, lent, space_class)
        self.reported = reported = prospect.reported(lot_now)
        self.plain = False
        """Whether nothing but the driver's need and the way may still leave the lot out."""
        self._agreement = agreement
        self._rules = rules
        self._least_chance = rules.least_chance if asked.stands is Standing.VISITOR else rules.least_chance_priority
        self._lawful = agreement.margin_rule is MarginRule.LAW
        self._margin = margin_for_refusals(promise.refusal_rate) if self._lawful else 0
        self._protected = protected_from(asked.stands, agreement.protects)
        pool = promise.pools.get(pool_key(agreement.agreement_id, space_class), NO_POOL)
        used, of_class = pool.held + pool.stays, lent.get(space_class, 0)
        within = reported.within
        self._rooms = (
            NO_ROOMS if within is None else rooms(within, promise, pool, lent=of_class, space_class=space_class)
        )
        fill_s = fill_penalty_s(used, of_class, rules.fill_penalty_s)
        load = relative_load(used, of_class)
        names = lot.lot_id, agreement.agreement_id, space_class
        self.unseen = Outlook(*names, fill_s=fill_s, load=load)
        self._seen = Outlook(*names, free=reported.free, bound=reported.bound, fill_s=fill_s, load=load)

    def seen(self, age_s: float | None) -> Outlook:
        """Give what is seen of the lot where nothing of it can be promised."""
        return self._seen if age_s is not None and age_s <= self.reported.believed_for_s else self.unseen

    def look_ahead(self, ahead_s: float) -> Outlook:
        """Work out what may be promised to who arrives then, and how sure it is."""
        margin = self._agreement.margin
        reported = self.reported
        if self._lawful:
            z = quantile(self._rules.margin_chance)
            by_law = lawful_margin(z, reported.foreseen.volatility, ahead_s)
            margin = max(margin, by_law) + self._margin
        kept_back = margin + self._protected
        offered = self._rooms.less(kept_back)
        if offered == 0:
            why = Exclusion.FULL if (reported.free or 0) <= margin else Exclusion.HELD_OUT
            return self._outlook(why, 0, kept_back)
        # What is kept back is there for the car if own customers come: it covers them, and so it counts here.
        there = min(self._rooms.seen, self._rooms.of_class)
        return self._outlook(None, offered, kept_back, reported.chance(there, ahead_s))

    def _outlook(self, why: Exclusion | None, offered: int, kept_back: int, exact_chance: float = 1.0) -> Outlook:
        seen, chance = self._seen, round(exact_chance, 2)
        return Outlook(
            seen.lot_id,
            seen.agreement_id,
            seen.space_class,
            why,
            offered,
            seen.free,
            seen.bound,
            kept_back,
            chance,
            exact_chance < self._least_chance,
            seen.fill_s,
            failure_s(chance, self._rules.failed_arrival_s),
            seen.load,
            seen.told,
        )


def _fee(tariff: Tariff, asked: AskedBy) -> Fee:
    amount = tariff.fee(asked.stay)
    return Fee(amount, f"{amount:.2f} {tariff.currency}", fee_s(float(amount), asked.rules.value_of_time))


def _shut_out(agreement: Agreement, lot: Lot, lent: _Lent, space_class: SpaceClass) -> Exclusion | None:
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
