"""Steps through a run: who asks where, who is sent where, who finds no space, and who gives up."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.local.evaluate.traffic.demand import Kind, Trip, simulated_s
from services.local.evaluate.traffic.journeys import QUEUE_EVERY_S, Happened, Journey, Moving, Trace
from services.local.evaluate.traffic.measures import WALKS_S
from services.local.evaluate.traffic.policies import Policy
from services.local.evaluate.traffic.steering import REPORT_EVERY_S, Steering
from services.local.evaluate.traffic.town import HOSPITAL, LOTS, on_earth

_SPACES = {lot.name: lot.spaces for lot in LOTS}
_STANDING_M_S = 0.1
_DRIVEWAY_HOLDS = 9
"""Cars that stand on the hospital's driveway; more than these queue in the street."""
_QUEUE_REACH_M = 700.0
PATIENCE_S = 300.0
"""How long an own customer waits at a full lot before giving up."""
ASK_AGAIN_S = 30.0
FEED_LOST_S = (3_600.0, 5_400.0)


class Simulation(Protocol):
    """The traffic, as a run needs it."""

    @property
    def now_s(self) -> float:
        """The simulated time."""
        ...

    def step(self) -> Happened:
        """Go on by one step."""
        ...

    def spaces_taken(self, lot: str) -> int:
        """Count the cars in a lot."""
        ...

    def to_gate_m(self, car: str) -> float:
        """Give the driving distance from a car to the hospital's gate, along its way."""
        ...

    def at(self, car: str) -> tuple[float, float]:
        """Give where a car is on the plane, metres east and north of the door."""
        ...

    def bound_for(self, car: str) -> str | None:
        """Name the lot that a car drives to; None: it drives to none."""
        ...

    def send(self, car: str, lot: str) -> bool:
        """Have a car drive to another lot; False where no way leads there."""
        ...

    def take_away(self, car: str) -> None:
        """Take a moving car out of the simulation."""
        ...


@dataclass(slots=True)
class _Asking:
    """A car that steers by the app and has no space yet."""

    at_odometer_m: float
    not_before_s: float = 0.0


@dataclass(slots=True)
class Run:
    """Steps through a run and notes what happens."""

    policy: Policy
    trips: Sequence[Trip]
    steered: set[str]
    simulation: Simulation
    steering: Steering
    trace: Trace = field(init=False)
    _asking: dict[str, _Asking] = field(default_factory=dict)
    _on_driveway: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Who is on which lot's driveway, since when."""
    _odometers: dict[str, float] = field(default_factory=dict)
    _moving: Mapping[str, Moving] = field(default_factory=dict)
    _bound: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Of cars that are not steered: the road, the lot they are bound for, and the one they came onto that road for."""
    _paid_s: dict[str, float] = field(default_factory=dict)
    """When each car in the hospital's lot pays."""

    def __post_init__(self) -> None:
        """Begin with nobody under way."""
        for trip in self.trips:
            if trip.kind is Kind.EARLY and trip.lot == HOSPITAL.name:
                self._paid_s[trip.name] = self._pays_s(trip, 0.0)
        self.trace = Trace({trip.name: Journey(trip) for trip in self.trips if trip.kind is not Kind.EARLY})

    def to_the_end(self) -> Trace:
        """Run until everybody who came for the hospital has parked, or time is over."""
        journeys = self.trace.journeys
        waiting_for = {car for car, one in journeys.items() if one.trip.kind is Kind.PATIENT}
        while waiting_for and self.simulation.now_s < simulated_s():
            happened = self.simulation.step()
            self.follow(happened, self.simulation.now_s)
            if self.simulation.now_s % QUEUE_EVERY_S == 0:
                waiting_for = {car for car in waiting_for if journeys[car].under_way}
        self.trace.ended_s = self.simulation.now_s
        self.trace.notes = dict(self.steering.outcomes) | {"broken_promises": self.steering.broken_promises()}
        return self.trace

    def follow(self, happened: Happened, now_s: float) -> None:
        """Take note of one step, and steer."""
        self._moving = happened.moving
        self._note(happened, now_s)
        if self.steered:
            self._tell(happened, now_s)
            self._steer(happened, now_s)
        self._lose_patience(happened, now_s)
        if now_s % QUEUE_EVERY_S == 0:
            self.trace.queue.append(self._queue(happened))

    def _note(self, happened: Happened, now_s: float) -> None:
        journeys = self.trace.journeys
        for car in happened.parked:
            journey = journeys.get(car)
            if journey is not None:
                lot, _ = self._on_driveway.pop(car, (journey.trip.lot, 0.0))
                journey.parked_s, journey.parked_at = now_s, lot
                journey.driven_m = self._odometers.pop(car, 0.0)
                if lot == HOSPITAL.name:
                    self._paid_s[car] = self._pays_s(journey.trip, now_s)
                self._asking.pop(car, None)
        for car, seen in happened.moving.items():
            journey = journeys.get(car)
            if journey is None or not journey.under_way:
                continue
            self._odometers[car] = seen.odometer_m
            self._note_driveway(car, seen, journey, now_s)

    def _note_driveway(self, car: str, seen: Moving, journey: Journey, now_s: float) -> None:
        was = self._on_driveway.get(car)
        lot = seen.road.removesuffix("_in") if seen.road.endswith("_in") else None
        came_for = self._came_for(car, seen.road, journey)
        if lot is not None and was is None:
            # Who only turns round on a driveway does not come for a space.
            if came_for == lot:
                self._on_driveway[car] = (lot, now_s)
        elif was is not None and lot is None and not seen.road.startswith(":"):
            journey.refused_at.append(was[0])
            del self._on_driveway[car]

    def _came_for(self, car: str, road: str, journey: Journey) -> str | None:
        """Give the lot for which a car came onto its road: a rerouter sends it on in the very step it comes there."""
        if car in self.steered:
            return self.simulation.bound_for(car) if road.endswith("_in") else None
        last_road, bound, came_for = self._bound.get(car, ("", journey.trip.lot, journey.trip.lot))
        if last_road != road:
            came_for, bound = bound, self.simulation.bound_for(car) or bound
            self._bound[car] = (road, bound, came_for)
        return came_for

    def _pays_s(self, trip: Trip, parked_s: float) -> float:
        """Give when a driver pays: with `paid_ahead_s` 0 when leaving, so that nobody knows before."""
        # From half to one and a half times the mean before leaving; a seed of its own, so that nobody else changes.
        ahead_s = self.policy.paid_ahead_s * (0.5 + random.Random(f"{trip.name}/{trip.stay_s}").random())  # noqa: S311
        return parked_s + trip.stay_s - ahead_s if ahead_s else math.inf

    def _tell(self, happened: Happened, now_s: float) -> None:
        """Tell the service the time, what lots count, and who parked and left."""
        self.steering.at(now_s)
        for car in happened.parked:
            if car in self.steered:
                self.steering.parked(car)
        for car in happened.left:
            self._paid_s.pop(car, None)
            if car in self.steered:
                self.steering.left(car)
        if now_s % REPORT_EVERY_S == 0:
            lost = self.policy.feed_lost if FEED_LOST_S[0] <= now_s < FEED_LOST_S[1] else None
            free = {
                name: spaces - self.simulation.spaces_taken(name) for name, spaces in _SPACES.items() if name != lost
            }
            if HOSPITAL.name in free:
                free[HOSPITAL.name] += sum(paid_s <= now_s for paid_s in self._paid_s.values())
            self.steering.count(free)

    def _steer(self, happened: Happened, now_s: float) -> None:
        for car in happened.departed:
            if car in self.steered:
                whole_m = self.simulation.to_gate_m(car)
                self._asking[car] = _Asking(whole_m - self.policy.decide_m)
        for car, asking in list(self._asking.items()):
            if now_s >= asking.not_before_s and self._odometers.get(car, 0.0) >= asking.at_odometer_m:
                self._ask(car, asking, now_s)
        for car, (lot, since_s) in list(self._on_driveway.items()):
            if lot == HOSPITAL.name and self.policy.paid_ahead_s and now_s - since_s < PATIENCE_S:
                continue  # the space is paid for: its car is about to leave
            if car in self.steered and car in self._moving and self.simulation.spaces_taken(lot) >= _SPACES[lot]:
                self._turn_from(car, lot, now_s)

    def _ask(self, car: str, asking: _Asking, now_s: float) -> None:
        if car not in self._moving or self._moving[car].road.startswith(":"):
            return  # not yet there, or on a junction, where no car can be given another way
        place = on_earth(*self.simulation.at(car))
        lot = self.steering.ask(car, place)
        if lot is None or not self._send(car, lot):
            asking.not_before_s = now_s + ASK_AGAIN_S
            return
        del self._asking[car]
        journey = self.trace.journeys[car]
        if journey.trip.luck[1] < self.policy.no_show:
            journey.no_show = True
            self.simulation.take_away(car)
            self._odometers.pop(car, None)
            self._on_driveway.pop(car, None)

    def _send(self, car: str, lot: str) -> bool:
        if lot != self.simulation.bound_for(car) and not self.simulation.send(car, lot):
            return False
        self.trace.journeys[car].sent_to = lot
        self.trace.journeys[car].by_hold = True
        return True

    def _turn_from(self, car: str, lot: str, now_s: float) -> None:
        """There is no space on arrival: ask for another, or, where none is left, look again in a while."""
        if self.trace.journeys[car].sent_to is None:
            asking = self._asking.setdefault(car, _Asking(0.0))
            if now_s >= asking.not_before_s:
                self._ask(car, asking, now_s)
            return
        if self.trace.journeys[car].sent_to != lot or self._moving[car].road != f"{lot}_in":
            return  # it has its next space, and is about to turn
        other = self.steering.refused(car)
        if other is None or not self._send(car, other):
            self.trace.journeys[car].sent_to = None
            self._asking[car] = _Asking(0.0, now_s + ASK_AGAIN_S)

    def _lose_patience(self, happened: Happened, now_s: float) -> None:
        """Turn away whom a barrier keeps out, and own customers who have waited long enough."""
        for car, (lot, since_s) in list(self._on_driveway.items()):
            if car in self.steered or car not in happened.moving:
                continue
            own = self.trace.journeys[car].trip.kind is Kind.OWN
            shut = self.policy.barriers and self._all_held(lot)
            if own and (shut or now_s - since_s > PATIENCE_S):
                self._turn_away(car)
            elif shut and happened.moving[car].road == f"{lot}_in":
                self._send_on(car, lot)

    def _send_on(self, car: str, lot: str) -> None:
        """Send a patient without the app to the lot nearest to the door of which the signs show a space."""
        free = (name for name in WALKS_S if _SPACES[name] - self.simulation.spaces_taken(name) > self._held(name))
        other = min(free, key=WALKS_S.__getitem__, default=None)
        if other is not None:
            self.simulation.send(car, other)
            self._bound[car] = (f"{lot}_in", other, lot)

    def _all_held(self, lot: str) -> bool:
        free = _SPACES[lot] - self.simulation.spaces_taken(lot)
        return 0 < free <= self._held(lot)

    def _held(self, lot: str) -> int:
        return self.steering.on_their_way(lot)

    def _turn_away(self, car: str) -> None:
        self.trace.journeys[car].turned_away = True
        self.simulation.take_away(car)
        self._odometers.pop(car, None)
        del self._on_driveway[car]

    def _queue(self, happened: Happened) -> int:
        """Count who waits at the gate: on the driveway, and where that is full of cars, in the streets before it."""
        standing = [
            (car, seen)
            for car, seen in happened.moving.items()
            if seen.speed_m_s < _STANDING_M_S and (one := self.trace.journeys.get(car)) and one.under_way
        ]
        at_gate = sum(1 for _, seen in standing if seen.road == HOSPITAL.driveway)
        if at_gate < _DRIVEWAY_HOLDS:
            return at_gate
        for car, seen in standing:
            if seen.road != HOSPITAL.driveway:
                x, y = self.simulation.at(car)
                near = x**2 + y**2 <= _QUEUE_REACH_M**2
                at_gate += near and self.simulation.bound_for(car) == HOSPITAL.name
        return at_gate
