"""Ours: the product's own rules for the gate, the ranking, what is offered, and how long a hold lives.

What a process of the product would know is put into the domain's own values: the last report of each lot with its age,
and what is promised on it. Lots have no barrier link: their own customers may take a space that is held.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow, MarginRule
from bowei.domain.choice_rules import USUAL_RULES
from bowei.domain.choosing import Approach, Considered, LotNow, Need, candidates
from bowei.domain.comparing import consider
from bowei.domain.directory import Directory
from bowei.domain.gate import GateState, next_gate_state
from bowei.domain.holds import SETTLE_LIMIT, lifetime
from bowei.domain.lots import Entrance, Hospital, HospitalId, Lot, LotId, LotKind, Name, SpaceClass
from bowei.domain.offering import LotPromise, PoolPromise, Report, pool_key
from bowei.domain.places import Point
from bowei.domain.pricing import LotDemand, shadow_price_s, wanted
from services.local.evaluate.block.policies import Counts, Driver, cost_s
from services.local.evaluate.block.scene import DRIVE_SPEED_M_S, HOSPITAL, STAY_MEAN_S, WALK_SPEED_M_S, Morning, drive_m
from services.local.evaluate.policies.world import Floats

_STARTS_AT = datetime(2026, 3, 1, 23, tzinfo=UTC)
"""07:00 in Hangzhou on a Monday."""
_HOSPITAL = HospitalId("hospital")
_MEAN_STAY = timedelta(seconds=STAY_MEAN_S)
_GATE_LAT, _GATE_LON = 30.2576, 120.1621
_METRES_OF_DEGREE = 111_195.0


@dataclass(slots=True)
class _Hold:
    lot: int
    expires_s: float
    arrived_s: float | None = None


@dataclass
class Ours:
    """Diverted when the gate is full, to the first candidate; the space is held; refused drivers get another."""

    name: str = "ours"
    margin: int | None = None
    """Spaces of each lot that are kept back for its own customers; None: as many as the margin law asks for."""
    priced: bool = False
    """With displacement prices."""
    fill_factor: float = 1.0
    """How many times the usual fill penalty."""
    asks_before: bool = True
    staff_ask: bool = False
    """Whether staff at the full gate ask for who has no app."""
    gate: GateState = GateState.OPEN
    holds: dict[int, _Hold] = field(default_factory=dict)
    """By driver; a driver who arrived in time keeps it until leaving: then it is a stay."""

    def begin(self, morning: Morning) -> None:
        """Register the block."""
        self.gate, self.holds = GateState.OPEN, {}
        self._morning = morning
        points = [_point(place_m) for place_m in morning.lots_m]
        lots = [_lot(number, points[number], int(spaces)) for number, spaces in enumerate(morning.spaces)]
        agreements = [self._agreement(lot, int(morning.lent[number])) for number, lot in enumerate(lots)]
        door = _point(np.zeros(2))
        self._lots = lots
        self._demand = {lot.lot_id: LotDemand(_STARTS_AT) for lot in lots}
        rules = replace(USUAL_RULES, fill_penalty_s=USUAL_RULES.fill_penalty_s * self.fill_factor)
        self._hospital = Hospital(_HOSPITAL, Name("医院", "Hospital"), LotId("own"), door=door, gate=door, rules=rules)
        self._directory = Directory.of(1, lots, [self._hospital], agreements)

    def choose(self, driver: Driver, counts: Counts, now_s: float) -> int:
        """Send on to the hospital unless it is full, else hold the best candidate."""
        self.gate = next_gate_state(self.gate, counts.free(HOSPITAL), self._hospital.thresholds, can_divert=True)
        if HOSPITAL not in driver.tried and self.gate not in (GateState.FULL, GateState.DIVERTING):
            return HOSPITAL
        now = _STARTS_AT + timedelta(seconds=now_s)
        now_of = {lot.lot_id: self._lot_now(number, counts, now_s) for number, lot in enumerate(self._lots)}
        approaches = {lot.lot_id: self._approach(number, driver) for number, lot in enumerate(self._lots)}
        prices = self._prices(now_of, now) if self.priced else {}
        considered = consider(self._hospital, self._directory, now_of, approaches, Need(), now, prices)
        self._note(considered, now)
        for one in candidates(considered):
            number = int(one.lot_id)
            if number not in driver.tried:
                eta = timedelta(seconds=cost_s(self._morning, driver, number) - float(self._morning.walk_s[number]))
                self.holds[driver.number] = _Hold(number, now_s + lifetime(eta).total_seconds())
                return number
        return HOSPITAL

    def arrived(self, driver: Driver, lot: int, now_s: float) -> None:
        """A hold that is still there is kept as arrived; a late car is a walk-in."""
        hold = self.holds.get(driver.number)
        if hold is not None and hold.lot == lot and now_s <= hold.expires_s:
            hold.arrived_s = now_s
        else:
            self.holds.pop(driver.number, None)

    def refused(self, driver: Driver, lot: int, now_s: float) -> None:
        """The promise failed: the hold ends, and the driver asks again."""
        del lot, now_s
        self.holds.pop(driver.number, None)

    def left(self, driver: Driver, lot: int, now_s: float) -> None:
        """The stay ends."""
        del lot, now_s
        self.holds.pop(driver.number, None)

    def _note(self, considered: Sequence[Considered], now: datetime) -> None:
        """Remember which lots this driver wanted."""
        costs = [
            (one.lot_id, one.approach.drive_s + one.approach.walk_s, one.excluded is None)
            for one in considered
            if one.approach is not None and one.approach.drive_s is not None
        ]
        for lot_id, loss_s in wanted(sorted(costs, key=lambda cost: cost[1])):
            self._demand[lot_id] = self._demand[lot_id].wanted_by(now, loss_s)

    def _prices(self, now_of: Mapping[LotId, LotNow], now: datetime) -> dict[LotId, float]:
        prices = {}
        for number, lot in enumerate(self._lots):
            promise, lent = now_of[lot.lot_id].promise, int(self._morning.lent[number])
            used = promise.held + promise.stays
            prices[lot.lot_id] = shadow_price_s(self._demand[lot.lot_id], now, used, lent, _MEAN_STAY)
        return prices

    def _lot_now(self, number: int, counts: Counts, now_s: float) -> LotNow:
        counted_s = counts.counted_at_s(number)
        held = stays = 0
        for hold in self.holds.values():
            if hold.lot == number:
                if hold.arrived_s is None:
                    held += hold.expires_s > now_s
                elif counted_s > hold.arrived_s or now_s > hold.arrived_s + SETTLE_LIMIT.total_seconds():
                    stays += 1
                else:
                    held += 1
        observed_at = _STARTS_AT + timedelta(seconds=counted_s)
        pools = {pool_key(f"a{number}", SpaceClass.STANDARD): PoolPromise(held, stays)}
        return LotNow(Report(observed_at, observed_at, free=counts.free(number)), LotPromise(held, stays, pools=pools))

    def _approach(self, number: int, driver: Driver) -> Approach:
        walk_s = float(self._morning.walk_s[number])
        drive_s = drive_m(driver.place_m, self._morning.lots_m[number]) / DRIVE_SPEED_M_S
        return Approach(self._lots[number].entrances[0], drive_s, walk_s, walk_s * WALK_SPEED_M_S, estimated=True)

    def _agreement(self, lot: Lot, lent: int) -> Agreement:
        return Agreement(
            AgreementId(f"a{lot.lot_id}"),
            lot.lot_id,
            _HOSPITAL,
            windows=(LendingWindow(SpaceClass.STANDARD, lent),),
            margin=self.margin or 0,
            margin_rule=MarginRule.LAW if self.margin is None else MarginRule.FIXED,
        )


def _lot(number: int, point: Point, spaces: int) -> Lot:
    name = Name(f"停车场{number}", f"Lot {number}")
    entrance = Entrance("main", name, point)
    return Lot(LotId(str(number)), LotKind.PUBLIC, name, "Asia/Shanghai", spaces, point, (entrance,))


def _point(place_m: Floats) -> Point:
    per_lon = _METRES_OF_DEGREE * float(np.cos(np.radians(_GATE_LAT)))
    return Point(_GATE_LAT + float(place_m[1]) / _METRES_OF_DEGREE, _GATE_LON + float(place_m[0]) / per_lon)
