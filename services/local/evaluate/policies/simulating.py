"""A day under a policy, event by event: who asks, who is sent where, who finds it full, who leaves."""

import heapq
import math
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from services.local.evaluate.policies.policy import Asking, Policy, View
from services.local.evaluate.policies.world import FAILING_S, REFUSED_S, Day, Floats


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a day."""

    mean_cost_s: float
    """Waiting, every drive, and the walk; for who was sent home what was spent, and 40 min."""
    failed: float
    """Share of drivers who were sent home."""
    refused: float
    """How often a driver found a lot full, per driver."""
    walk_s: float
    """Mean walk of those who parked."""
    most_over: int
    """Cars above what a lot lends, at the worst moment: 0, always."""


class _Kind(IntEnum):
    """What happens, in the order in which it happens at one instant."""

    LEAVES = 0
    ARRIVES = 1
    ASKS = 2
    WINDOW_CLOSES = 3


@dataclass
class _Driver:
    request: int
    spent_s: float = 0.0
    """On the way so far, and waiting."""
    place: int | None = None
    """The lot that refused it last; None: still where it asked."""
    refused_by: list[int] = field(default_factory=list)


def simulate(day: Day, policy: Policy) -> Outcome:
    """Run a day; equal arguments give the equal outcome, if the policy keeps to that."""
    return _Run(day, policy).run()


class _Run:
    def __init__(self, day: Day, policy: Policy) -> None:
        self.day, self.policy = day, policy
        self.spaces = day.city.spaces
        self.taken = np.zeros(len(self.spaces), np.int64)
        self.seen = self.taken if policy.feed_age_s == 0 else self.taken.copy()
        self.unseen: deque[tuple[float, int, int]] = deque()
        self.events: list[tuple[float, _Kind, int, _Driver, int]] = []
        self.ordinal = 0
        self.waiting: list[_Driver] = []
        self.cost_s = np.zeros(len(day))
        self.walked_s: list[float] = []
        self.failed = self.refused = self.most_over = 0
        self.between_s: Floats = day.city.drive_s(day.city.lots_m)

    def run(self) -> Outcome:
        self.policy.begin(self.day.city)
        for request, at_s in enumerate(self.day.asked_at_s):
            self._push(float(at_s), _Kind.ASKS, _Driver(request))
        while self.events:
            now_s, kind, _, driver, lot = heapq.heappop(self.events)
            self._publish(now_s)
            if kind is _Kind.LEAVES:
                self._change(now_s, lot, -1)
            elif kind is _Kind.ARRIVES:
                self._arrive(driver, lot, now_s)
            elif kind is _Kind.ASKS:
                self._ask(driver, now_s)
            else:
                waiting, self.waiting = self.waiting, []
                self._decide(waiting, now_s)
        count = max(1, len(self.day))
        return Outcome(
            mean_cost_s=float(self.cost_s.sum()) / count,
            failed=self.failed / count,
            refused=self.refused / count,
            walk_s=float(np.mean(self.walked_s)) if self.walked_s else 0.0,
            most_over=self.most_over,
        )

    def _push(self, at_s: float, kind: _Kind, driver: _Driver, lot: int = -1) -> None:
        self.ordinal += 1
        heapq.heappush(self.events, (at_s, kind, self.ordinal, driver, lot))

    def _ask(self, driver: _Driver, now_s: float) -> None:
        window_s = self.policy.window_s
        if window_s == 0:
            self._decide([driver], now_s)
            return
        closes_s = (math.floor(now_s / window_s) + 1) * window_s
        driver.spent_s += closes_s - now_s
        if not self.waiting:
            self._push(closes_s, _Kind.WINDOW_CLOSES, driver)
        self.waiting.append(driver)

    def _publish(self, now_s: float) -> None:
        while self.unseen and self.unseen[0][0] <= now_s:
            _, lot, by = self.unseen.popleft()
            self.seen[lot] += by

    def _change(self, now_s: float, lot: int, by: int) -> None:
        self.taken[lot] += by
        self.most_over = max(self.most_over, int(self.taken[lot] - self.spaces[lot]))
        if self.policy.feed_age_s:
            self.unseen.append((now_s + self.policy.feed_age_s, lot, by))

    def _decide(self, drivers: list[_Driver], now_s: float) -> None:
        asking = [self._asking(driver) for driver in drivers]
        view = View(now_s, np.maximum(0, self.spaces - self.seen), self.spaces)
        for driver, one, lot in zip(drivers, asking, self.policy.choose(asking, view), strict=True):
            if lot is None:
                self.failed += 1
                self.cost_s[driver.request] = driver.spent_s + FAILING_S
                continue
            walk_s = self.day.city.walk_s[one.hospital, lot]
            drive_s = float(one.cost_s[lot] - walk_s)
            driver.spent_s += drive_s
            if self.policy.holds:
                self._change(now_s, lot, 1)
                self._parks(driver, lot, now_s + drive_s)
            else:
                self._push(now_s + drive_s, _Kind.ARRIVES, driver, lot)

    def _asking(self, driver: _Driver) -> Asking:
        hospital = int(self.day.hospital[driver.request])
        if driver.place is None:
            return Asking(driver.request, hospital, self.day.cost_s[driver.request])
        cost_s = self.between_s[driver.place] + self.day.city.walk_s[hospital]
        cost_s[driver.refused_by] = np.inf
        return Asking(driver.request, hospital, cost_s)

    def _arrive(self, driver: _Driver, lot: int, now_s: float) -> None:
        if self.taken[lot] < self.spaces[lot]:
            self._change(now_s, lot, 1)
            self._parks(driver, lot, now_s)
        else:
            self.refused += 1
            driver.spent_s += REFUSED_S
            driver.place = lot
            driver.refused_by.append(lot)
            self._push(now_s + REFUSED_S, _Kind.ASKS, driver)

    def _parks(self, driver: _Driver, lot: int, at_s: float) -> None:
        walk_s = float(self.day.city.walk_s[self.day.hospital[driver.request], lot])
        self.walked_s.append(walk_s)
        self.cost_s[driver.request] = driver.spent_s + walk_s
        self._push(at_s + float(self.day.stay_s[driver.request]), _Kind.LEAVES, driver, lot)
