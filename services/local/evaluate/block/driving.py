"""A morning under a policy, event by event."""

import heapq
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from services.local.evaluate.block.policies import Driver, Policy
from services.local.evaluate.block.scene import (
    ASKS_BEFORE_M,
    DEMAND_PER_H,
    DRIVE_SPEED_M_S,
    HOSPITAL,
    LOST_FOR_S,
    OWN_PATIENCE_S,
    REFUSED_S,
    SPACES,
    Case,
    Morning,
    drive_m,
)
from services.local.evaluate.policies.world import Floats

OPEN_S = len(DEMAND_PER_H) * 3600.0
"""So long demand lasts, and the queue is watched."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a morning."""

    extra_s: float
    """Mean time from door to door above a drive straight to the hospital with a space there."""
    extra_p95_s: float
    queue_mean: float
    """Cars that wait at the gate, over the hours of demand."""
    queue_max: int
    refused: float
    """Arrivals at a full lot, by drivers who had been sent there, per driver who was sent anywhere."""
    extra_km: float
    walk_s: float
    """Mean over all visitors; 0 for who parks at the hospital."""
    own_delay_s: float
    """Mean wait of the lots' own customers at the entrance, those included who drove home."""
    own_turned_away: float
    """Share of the lots' own customers who drove home."""
    sent: int
    """Visitors who were sent to a lot."""
    over: int
    """Cars above a lot's spaces at the worst moment: 0, always."""


class _Kind(IntEnum):
    """What happens, in the order in which it happens at one instant."""

    LEAVES = 0
    GIVES_UP = 1
    OWN_COMES = 2
    REACHES_LOT = 3
    REACHES_GATE = 4
    ASKS = 5


@dataclass(eq=False)
class _Car:
    """Who stands in a space: a visitor, or (None) somebody of whom nobody hears."""

    driver: Driver | None
    lot: int


@dataclass
class _Site:
    """A lot, or the hospital's: its cars, who waits at its entrance, and what it counted when."""

    spaces: int
    taken: int = 0
    line: deque["_Own | Driver"] = field(default_factory=deque)
    counted_s: list[float] = field(default_factory=lambda: [-1e9])
    counts: list[int] = field(default_factory=list)


@dataclass(eq=False)
class _Own:
    """An own customer who waits."""

    since_s: float
    stay_s: float


class _Counts:
    """What was heard: counts as they were `feed_age_s` ago, and of a lot that is not heard, as they were before."""

    def __init__(self, run: "_Run") -> None:
        self._run = run

    def counted_at_s(self, lot: int) -> float:
        case, at_s = self._run.case, self._run.now_s - self._run.case.feed_age_s
        lost_s = case.lost_from_s
        if lot == 0 and lost_s is not None and lost_s <= at_s < lost_s + LOST_FOR_S:
            return lost_s
        return at_s

    def free(self, lot: int) -> int:
        site = self._run.sites[lot]
        taken = site.counts[bisect_right(site.counted_s, self.counted_at_s(lot)) - 1]
        return max(0, site.spaces - taken)


def drive_morning(morning: Morning, policy: Policy, case: Case) -> Outcome:
    """Run a morning; equal arguments give the equal outcome."""
    return _Run(morning, policy, case).run()


class _Run:
    def __init__(self, morning: Morning, policy: Policy, case: Case) -> None:
        self.morning, self.policy, self.case = morning, policy, case
        own_first = np.bincount([lot for lot, _ in morning.own_leave_first], minlength=len(morning.spaces))
        self.sites = {lot: _Site(int(spaces)) for lot, spaces in enumerate(morning.spaces)}
        self.sites[HOSPITAL] = _Site(SPACES, len(morning.leaves_first_s))
        for lot, count in enumerate(own_first):
            self.sites[lot].taken = min(int(count), self.sites[lot].spaces)
        for site in self.sites.values():
            site.counts.append(site.taken)
        self.events: list[tuple[float, _Kind, int, _Car | Driver | _Own, int]] = []
        self.ordinal, self.now_s = 0, 0.0
        self.counts = _Counts(self)
        self.extra_s: list[float] = []
        self.extra_m: list[float] = []
        self.walk_s: list[float] = []
        self.own_delay_s: list[float] = []
        self.away = self.refusals = self.over = self.queue_max = 0
        self.sent: set[int] = set()
        self.queued_s = self.queue_since_s = 0.0

    def run(self) -> Outcome:
        self.policy.begin(self.morning)
        self._fill()
        while self.events:
            self.now_s, kind, _, who, lot = heapq.heappop(self.events)
            if kind is _Kind.LEAVES and isinstance(who, _Car):
                self._leave(who)
            elif isinstance(who, _Own):
                self._own(who, lot, kind)
            elif isinstance(who, Driver):
                self._drive(who, lot, kind)
        return Outcome(
            extra_s=float(np.mean(self.extra_s)),
            extra_p95_s=float(np.quantile(self.extra_s, 0.95)),
            queue_mean=self.queued_s / OPEN_S,
            queue_max=self.queue_max,
            refused=self.refusals / max(1, len(self.sent)),
            extra_km=float(np.mean(self.extra_m)) / 1000,
            walk_s=float(np.mean(self.walk_s)),
            own_delay_s=float(np.mean(self.own_delay_s)),
            own_turned_away=self.away / len(self.own_delay_s),
            sent=len(self.sent),
            over=self.over,
        )

    def _fill(self) -> None:
        """Put in everyone who is there, and everyone who will come."""
        for left_s in self.morning.leaves_first_s:
            self._push(float(left_s), _Kind.LEAVES, _Car(None, HOSPITAL), HOSPITAL)
        room = {lot: site.taken for lot, site in self.sites.items()}
        for lot, left_s in self.morning.own_leave_first:
            room[lot] -= 1
            if room[lot] >= 0:
                self._push(left_s, _Kind.LEAVES, _Car(None, lot), lot)
        for at_s, lot, stay_s in self.morning.own:
            self._push(at_s, _Kind.OWN_COMES, _Own(at_s, stay_s), lot)
        for number, at_s in enumerate(self.morning.sets_out_s):
            self._set_out(Driver(number, float(at_s), self.morning.from_m[number]))

    def _push(self, at_s: float, kind: _Kind, who: _Car | Driver | _Own, lot: int) -> None:
        self.ordinal += 1
        heapq.heappush(self.events, (at_s, kind, self.ordinal, who, lot))

    def _set_out(self, driver: Driver) -> None:
        whole_m = drive_m(driver.place_m, np.zeros(2))
        if not (self.policy.asks_before and self.morning.has_app[driver.number]):
            if self.morning.comes[driver.number]:
                self._go(driver, HOSPITAL, driver.set_out_s)
            return
        part = max(0.0, 1 - ASKS_BEFORE_M / whole_m)
        ask_m = driver.place_m * (1 - part)
        self._move(driver, ask_m)
        self._push(driver.set_out_s + self._takes_s(driver, part * whole_m), _Kind.ASKS, driver, HOSPITAL)

    def _takes_s(self, driver: Driver, way_m: float) -> float:
        return way_m / DRIVE_SPEED_M_S * float(self.morning.pace[driver.number])

    def _move(self, driver: Driver, to_m: Floats) -> float:
        way_m = drive_m(driver.place_m, to_m)
        driver.driven_m += way_m
        driver.place_m = to_m
        return way_m

    def _go(self, driver: Driver, lot: int, from_s: float) -> None:
        takes_s = self._takes_s(driver, self._move(driver, self.morning.place_m(lot)))
        self._push(from_s + takes_s, _Kind.REACHES_GATE if lot == HOSPITAL else _Kind.REACHES_LOT, driver, lot)

    def _drive(self, driver: Driver, lot: int, kind: _Kind) -> None:
        site = self.sites[lot]
        if kind is _Kind.ASKS:
            self._send(driver)
        elif site.taken < site.spaces and not site.line:
            self._park(driver, lot)
        elif kind is _Kind.REACHES_GATE:
            driver.tried.append(HOSPITAL)
            asked_for = self.policy.staff_ask or self.morning.has_app[driver.number]
            if HOSPITAL in driver.tried[:-1] or not asked_for:
                self._wait(driver)
            else:
                self._send(driver)
        else:
            self.refusals += 1
            driver.tried.append(lot)
            self.policy.refused(driver, lot, self.now_s)
            self._push(self.now_s + REFUSED_S, _Kind.ASKS, driver, HOSPITAL)

    def _send(self, driver: Driver) -> None:
        lot = self.policy.choose(driver, self.counts, self.now_s)
        if lot != HOSPITAL:
            self.sent.add(driver.number)
        elif driver.tried and driver.tried[-1] == HOSPITAL:
            self._wait(driver)
            return
        if self.morning.comes[driver.number]:
            self._go(driver, lot, self.now_s)

    def _wait(self, driver: Driver) -> None:
        self._queue_changes()
        self.sites[HOSPITAL].line.append(driver)
        self.queue_max = max(self.queue_max, len(self.sites[HOSPITAL].line))

    def _queue_changes(self) -> None:
        """Count the time that the queue had its length, before it has another."""
        until_s = min(self.now_s, OPEN_S)
        self.queued_s += len(self.sites[HOSPITAL].line) * max(0.0, until_s - self.queue_since_s)
        self.queue_since_s = until_s

    def _park(self, driver: Driver, lot: int) -> None:
        walk_s = 0.0 if lot == HOSPITAL else float(self.morning.walk_s[lot])
        straight_m = drive_m(self.morning.from_m[driver.number], np.zeros(2))
        self.extra_s.append(self.now_s + walk_s - driver.set_out_s - self._takes_s(driver, straight_m))
        self.extra_m.append(driver.driven_m - straight_m)
        self.walk_s.append(walk_s)
        self.policy.arrived(driver, lot, self.now_s)
        self._enter(_Car(driver, lot), float(self.morning.stay_s[driver.number]))

    def _enter(self, car: _Car, stay_s: float) -> None:
        self._count(car.lot, 1)
        self._push(self.now_s + stay_s, _Kind.LEAVES, car, car.lot)

    def _count(self, lot: int, by: int) -> None:
        site = self.sites[lot]
        site.taken += by
        site.counted_s.append(self.now_s)
        site.counts.append(site.taken)
        self.over = max(self.over, site.taken - site.spaces)

    def _leave(self, car: _Car) -> None:
        self._count(car.lot, -1)
        if car.driver is not None:
            self.policy.left(car.driver, car.lot, self.now_s)
        line = self.sites[car.lot].line
        if not line:
            return
        if car.lot == HOSPITAL:
            self._queue_changes()
        waited = line.popleft()
        if isinstance(waited, Driver):
            self._park(waited, car.lot)
        else:
            self._own_parks(waited, car.lot)

    def _own(self, own: _Own, lot: int, kind: _Kind) -> None:
        site = self.sites[lot]
        if kind is _Kind.GIVES_UP:
            if own in site.line:
                site.line.remove(own)
                self.own_delay_s.append(self.now_s - own.since_s)
                self.away += 1
        elif site.taken < site.spaces and not site.line:
            self._own_parks(own, lot)
        else:
            site.line.append(own)
            self._push(self.now_s + OWN_PATIENCE_S, _Kind.GIVES_UP, own, lot)

    def _own_parks(self, own: _Own, lot: int) -> None:
        self.own_delay_s.append(self.now_s - own.since_s)
        self._enter(_Car(None, lot), own.stay_s)
