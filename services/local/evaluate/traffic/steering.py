"""Drivers steered by the routing service's own code, on the ledger's twin: ask, arrive, be refused, leave.

What the lots count goes in as reports, as old as the feed is; the ranking, the holds, their lives and their
replacements are those of the service. Nothing here decides where anybody parks.
"""

import asyncio
import math
from collections import Counter, deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry
from typing_extensions import override

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow, MarginRule
from bowei.domain.choice_rules import USUAL_RULES, ChoiceRules
from bowei.domain.choosing import LotNow, Need
from bowei.domain.clock import SteppedClock
from bowei.domain.directory import Directory
from bowei.domain.forecasting import LEAST_VOLATILITY, STEP, UNKNOWN_LOT, Foreseen
from bowei.domain.holds import HoldState
from bowei.domain.lots import (
    DriverId,
    Entrance,
    Hospital,
    HospitalId,
    Lot,
    LotId,
    LotKind,
    Name,
    SourceId,
    SpaceClass,
)
from bowei.domain.observations import Observation
from bowei.domain.places import Point
from bowei.domain.problems import Refused
from bowei.livestate.in_memory import InMemoryLiveState
from bowei.livestate.mirror import LiveMirror
from bowei.records.holding import Outcome
from bowei.records.in_memory import (
    InMemoryGateBook,
    InMemoryHoldBook,
    InMemoryRecords,
    InMemoryRegister,
    InMemoryReportJournal,
)
from bowei.records.reporting import Judged
from bowei.roads.travel_times import TravelTimes
from services.local.evaluate.traffic.policies import Margin, Policy
from services.local.evaluate.traffic.town import DOOR, HOSPITAL, LOTS, TownLot
from services.routing.diverting import Ask, Diverting
from services.routing.hints import Hints, Known
from services.routing.measures import Measures
from services.routing.ranking import Ranking

MONDAY_7H = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)
"""Monday, 2 March 2026, 07:00 in Hangzhou: when a run begins."""

REPORT_EVERY_S = 10

_FIRST = HospitalId("first-hospital")
_HALF_LIFE_STEPS = timedelta(hours=2) / STEP
_ZONE = "Asia/Shanghai"
_SURE = ChoiceRules(least_chance=0.0, failed_arrival_s=0.0)
"""Where barriers keep what is held, no arrival fails, and no lot is shunned for its chance."""


class _Shown(Hints):
    """What is known is what the twins hold at this simulated instant; real seconds mean nothing here."""

    def __init__(self, records: InMemoryRecords, foreseen: Mapping[LotId, Foreseen]) -> None:
        register = InMemoryRegister(records)
        super().__init__(
            LiveMirror(InMemoryLiveState()),
            InMemoryHoldBook(records),
            InMemoryReportJournal(records),
            register,
            InMemoryGateBook(records),
        )
        self._records, self._directory_of, self._foreseen = records, register, foreseen
        self._directory: Directory | None = None
        self._kept: dict[LotId, LotNow] = {}

    @override
    async def known(self) -> Known:
        records = self._records
        if self._directory is None or self._directory.version != records.directory_version:
            self._directory = await self._directory_of.directory()
        lots = {lot_id: self._now(lot_id) for lot_id in records.lots}
        return Known(self._directory, lots, {}, "mirror")

    def _now(self, lot_id: LotId) -> LotNow:
        """Give what is known of a lot: the same value for as long as nothing changes."""
        records, foreseen = self._records, self._foreseen.get(lot_id, UNKNOWN_LOT)
        report, version = records.reports.get(lot_id), records.promise_versions[lot_id]
        kept = self._kept.get(lot_id)
        if kept is None or kept.promise.version != version:
            kept = LotNow(report, records.promise(lot_id), foreseen)
        elif kept.report is not report or kept.foreseen is not foreseen:
            kept = LotNow(report, kept.promise, foreseen)
        self._kept[lot_id] = kept
        return kept


class Restlessness:
    """How much a lot's count changes in five minutes: a mean of squares that forgets half of it in two hours."""

    def __init__(self) -> None:
        self._mean_square: float | None = None
        self._last: int | None = None

    def see(self, free: int) -> Foreseen:
        """Take the count five minutes after the last one."""
        if self._last is not None:
            square = float(free - self._last) ** 2
            keep = 0.5 ** (1 / _HALF_LIFE_STEPS)
            self._mean_square = square if self._mean_square is None else keep * self._mean_square + (1 - keep) * square
        self._last = free
        return (
            UNKNOWN_LOT if self._mean_square is None else Foreseen(max(LEAST_VOLATILITY, math.sqrt(self._mean_square)))
        )


class Steering:
    """The routing service in process, on simulated time."""

    def __init__(self, travel_times: TravelTimes, policy: Policy) -> None:
        self._runner = asyncio.Runner()
        # Not Runner.run: it handles Ctrl-C anew for each call, which costs more than the call.
        self._wait = self._runner.get_loop().run_until_complete
        self._clock = SteppedClock(MONDAY_7H)
        self._records = InMemoryRecords(self._clock)
        self._journal = InMemoryReportJournal(self._records)
        self._foreseen: dict[LotId, Foreseen] = {}
        self._restless = {lot.name: Restlessness() for lot in LOTS}
        self._feed_age = timedelta(seconds=policy.feed_age_s)
        self._under_way: deque[tuple[datetime, Mapping[str, int]]] = deque()
        self._wait(self._enrol(policy))
        hints = _Shown(self._records, self._foreseen)
        self.outcomes: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        measures = Measures(CollectorRegistry())
        ranking = Ranking(hints, travel_times, measures)
        self._diverting = Diverting(InMemoryHoldBook(self._records), ranking, self._clock, measures)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the loop on which the service's code runs."""
        self._runner.close()

    def at(self, now_s: float) -> None:
        """Go to a simulated instant."""
        self._clock.step_to(MONDAY_7H + timedelta(seconds=now_s))

    def count(self, free: Mapping[str, int]) -> None:
        """Take what the lots count now; it is told when the feed's age has passed."""
        now = self._clock.now()
        self._under_way.append((now, free))
        while self._under_way and self._under_way[0][0] + self._feed_age <= now:
            counted_at, counts = self._under_way.popleft()
            self._wait(self._report(counted_at, counts))

    def on_their_way(self, lot: str) -> int:
        """Count the holds on a lot whose cars are not there yet: what its barrier keeps free."""
        return sum(kept.hold.state is HoldState.HELD for kept in self._records.holds_on(LotId(lot)))

    def ask(self, car: str, place: Point) -> str | None:
        """Ask for a space, as a driver's app does; None: no lot has one that may be promised."""
        # What was refused is over: whoever asks again after that asks anew.
        self._asked[car] += self._records.newest(self._diversion(car), None) is not None
        ask = Ask(self._diversion(car), _FIRST, Need(), place)
        decision = self._wait(self._diverting.divert(ask, DriverId(car))).decision
        self.outcomes[f"asked: {decision.outcome}"] += 1
        return str(decision.hold.lot_id) if decision.hold is not None and decision.outcome is not Outcome.NONE else None

    def refused(self, car: str) -> str | None:
        """Tell that there was no space on arrival; give the lot of the replacement, if there is one."""
        kept = self._records.newest(self._diversion(car), None)
        if kept is None:
            return None
        try:
            diversion = self._wait(self._diverting.refused(self._diversion(car), DriverId(car), kept.hold.ordinal))
        except Refused as refusal:
            self.outcomes[f"refused: {refusal.code}"] += 1
            return None
        decision = diversion.decision
        self.outcomes[f"refused: {decision.outcome}"] += 1
        return str(decision.hold.lot_id) if decision.outcome is Outcome.GRANTED and decision.hold is not None else None

    def parked(self, car: str) -> None:
        """Tell that the car is in its lot."""
        self._step("parked", car)

    def left(self, car: str) -> None:
        """Tell that the car has left its lot."""
        self._step("left", car)

    def broken_promises(self) -> int:
        """Count the promises that the ledger shows to be broken."""
        return len(self._wait(InMemoryHoldBook(self._records).broken_promises()))

    def _diversion(self, car: str) -> str:
        return f"{car}/{self._asked[car]}"

    def _step(self, step: str, car: str) -> None:
        diversion_id = self._diversion(car)
        if diversion_id not in self._records.diversions:
            return
        use = self._diverting.arrive if step == "parked" else self._diverting.leave
        try:
            self._wait(use(diversion_id, DriverId(car)))
            self.outcomes[step] += 1
        except Refused as refusal:
            self.outcomes[f"{step}: {refusal.code}"] += 1

    async def _enrol(self, policy: Policy) -> None:
        register = InMemoryRegister(self._records)
        await register.put_lots([_lot(lot) for lot in LOTS])
        rules = _SURE if policy.sure else USUAL_RULES
        hospital = Hospital(_FIRST, _name("hospital"), LotId(HOSPITAL.name), DOOR, HOSPITAL.place, rules=rules)
        await register.put_hospitals([hospital])
        await register.put_agreements([_agreement(lot, policy.margin) for lot in LOTS])

    async def _report(self, counted_at: datetime, counts: Mapping[str, int]) -> None:
        said = [
            Judged(Observation(LotId(name), counted_at, SourceId("simulator"), free=free))
            for name, free in counts.items()
        ]
        await self._journal.record(said)
        if (counted_at - MONDAY_7H) % STEP == timedelta(0):
            for name, free in counts.items():
                self._foreseen[LotId(name)] = self._restless[name].see(free + self._diverted_in(name, counted_at))

    def _diverted_in(self, lot: str, counted_at: datetime) -> int:
        """Count the cars in a lot that came by a hold: known beforehand, so they are no restlessness of the lot."""
        return sum(
            kept.staying
            or (kept.hold.state is HoldState.ARRIVED and (kept.hold.arrived_at or counted_at) <= counted_at)
            for kept in self._records.holds_on(LotId(lot))
        )


def _agreement(lot: TownLot, margin: Margin) -> Agreement:
    # A space that is paid for and not yet left is promised again while its car still stays: nothing bounds that but
    # the count.
    window = LendingWindow(SpaceClass.STANDARD, 2 * lot.spaces if lot is HOSPITAL else lot.spaces)
    # Where nobody comes but patients, there is nobody to keep a space for.
    by_law = margin == "law" and lot.own_per_h > 0
    stated = margin if lot.own_per_h and margin != "law" else 0
    return Agreement(
        AgreementId(f"lends-{lot.name}"),
        LotId(lot.name),
        _FIRST,
        (window,),
        margin=stated,
        margin_rule=MarginRule.LAW if by_law else MarginRule.FIXED,
    )


def _lot(lot: TownLot) -> Lot:
    kind = LotKind.HOSPITAL if lot is HOSPITAL else LotKind.MALL
    entrance = Entrance("main", _name("entrance"), lot.place)
    return Lot(LotId(lot.name), kind, _name(lot.name), _ZONE, lot.spaces, lot.place, (entrance,), synthetic=True)


def _name(text: str) -> Name:
    return Name(text, text)
