"""A run of the traffic evaluation, step by step, on a made traffic: no simulator, but the service's own routing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from bowei.roads.by_air import AirTravelTimes
from services.local.evaluate.traffic.demand import Kind, Trip
from services.local.evaluate.traffic.following import PATIENCE_S, Run
from services.local.evaluate.traffic.journeys import Happened, Journey, Moving
from services.local.evaluate.traffic.policies import Policy
from services.local.evaluate.traffic.steering import Steering
from services.local.evaluate.traffic.town import LOTS


@dataclass
class MadeTraffic:
    """Cars go where they are told, 10 m a second, on a straight road of 3 km to whatever lot they are bound for."""

    bound: dict[str, str]
    full: set[str]
    road_m: float = 3_000.0
    now_s: float = 0.0
    odometers: dict[str, float] = field(default_factory=dict)
    parked: dict[str, str] = field(default_factory=dict)

    def step(self) -> Happened:
        """Everybody sets out in the first second; whoever reaches a lot with room parks."""
        self.now_s += 1.0
        departed = tuple(self.bound) if self.now_s == 1.0 else ()
        self.odometers.update(dict.fromkeys(departed, 0.0))
        parked = []
        for car in list(self.odometers):
            driven = self.odometers[car]
            if driven >= self.road_m + 50.0 and self.bound[car] not in self.full:
                self.parked[car] = self.bound[car]
                del self.odometers[car]
                parked.append(car)
            else:
                self.odometers[car] = min(driven + 10.0, self.road_m + 50.0)
        return Happened(departed, tuple(parked), (), self._moving())

    def _moving(self) -> Mapping[str, Moving]:
        return {
            car: Moving(f"{self.bound[car]}_in" if driven > self.road_m else "street", driven, 10.0)
            for car, driven in self.odometers.items()
        }

    def spaces_taken(self, lot: str) -> int:
        """A full lot is full; the others have who parked there."""
        spaces = next(one.spaces for one in LOTS if one.name == lot)
        return spaces if lot in self.full else sum(at == lot for at in self.parked.values())

    def to_gate_m(self, car: str) -> float:
        """What is left of the road."""
        return self.road_m - self.odometers[car]

    def at(self, car: str) -> tuple[float, float]:
        """Coming from the north."""
        return 0.0, self.road_m - self.odometers[car]

    def bound_for(self, car: str) -> str | None:
        """The lot that the car is bound for."""
        return self.bound.get(car)

    def send(self, car: str, lot: str) -> bool:
        """Another 500 m from wherever the car is."""
        self.bound[car] = lot
        self.odometers[car] = min(self.odometers[car], self.road_m - 500.0)
        return True

    def take_away(self, car: str) -> None:
        """Gone."""
        del self.odometers[car]


@pytest.fixture
def steering() -> Iterator[Steering]:
    """The routing service in process."""
    with Steering(AirTravelTimes(), Policy("ours", sure=True)) as running:
        yield running


def _run(traffic: MadeTraffic, steering: Steering, policy: Policy, *trips: Trip) -> dict[str, Journey]:
    steered = {trip.name for trip in trips if trip.kind is Kind.PATIENT}
    return Run(policy, trips, steered, traffic, steering).to_the_end().journeys


def _patient(name: str) -> Trip:
    return Trip(name, Kind.PATIENT, 0.0, "street", "hospital", 3_600.0, (0.0, 0.5))


def test_a_driver_asks_at_the_decision_distance_and_drives_to_the_hospital_where_it_has_room(
    steering: Steering,
) -> None:
    """With room at the hospital the space held is the hospital's own: nobody is sent away."""
    traffic = MadeTraffic({"p0": "hospital"}, full=set())
    journeys = _run(traffic, steering, Policy("ours", decide_m=1_000.0), _patient("p0"))
    assert (journeys["p0"].parked_at, journeys["p0"].sent_to, journeys["p0"].by_hold) == ("hospital", "hospital", True)
    assert steering.outcomes["parked"] == 1


def test_a_full_hospital_sends_the_driver_to_the_nearest_lot_with_a_space(steering: Steering) -> None:
    """Lot a is nearest on foot, and is full too: so b, at once, without a look at the hospital's gate."""
    traffic = MadeTraffic({"p0": "hospital"}, full={"hospital", "a"})
    journeys = _run(traffic, steering, Policy("ours", decide_m=1_000.0), _patient("p0"))
    assert journeys["p0"].parked_at == "b"
    assert journeys["p0"].refused_at == []


def test_who_finds_the_held_space_taken_is_sent_on_by_a_replacement(steering: Steering) -> None:
    """Lot a fills with its own customers after the hold: one refusal, and a space held elsewhere in the same answer."""
    traffic = MadeTraffic({"p0": "hospital"}, full={"hospital"})
    run = Run(Policy("ours", decide_m=1_000.0), [_patient("p0")], {"p0"}, traffic, steering)
    step = traffic.step

    def and_a_fills() -> Happened:
        if traffic.bound["p0"] == "a":
            traffic.full.add("a")
        return step()

    traffic.step = and_a_fills  # type: ignore[method-assign]
    journey = run.to_the_end().journeys["p0"]
    assert (journey.refused_at, journey.parked_at, journey.sent_to) == (["a"], "b", "b")
    assert steering.outcomes["refused: granted"] == 1


def test_who_holds_a_space_and_never_comes_is_taken_out(steering: Steering) -> None:
    """A no-show has a hold and no journey; the run does not wait for it."""
    traffic = MadeTraffic({"p0": "hospital"}, full=set())
    journeys = _run(traffic, steering, Policy("ours", decide_m=1_000.0, no_show=0.6), _patient("p0"))
    assert journeys["p0"].no_show
    assert traffic.now_s < 1_000.0


def test_an_own_customer_gives_up_at_a_full_lot_after_five_minutes(steering: Steering) -> None:
    """Waiting has an end, and a turn-away is counted."""
    traffic = MadeTraffic({"o0": "a", "p0": "hospital"}, full={"a"}, road_m=1_000.0)
    own = Trip("o0", Kind.OWN, 0.0, "street", "a", 3_600.0)
    run = Run(Policy("wait"), [own, _patient("p0")], set(), traffic, steering)
    traffic.full.add("hospital")
    while not run.trace.journeys["o0"].turned_away and traffic.now_s < 2_000.0:
        happened = traffic.step()
        run.follow(happened, traffic.now_s)
    assert 100.0 + PATIENCE_S < traffic.now_s < 120.0 + PATIENCE_S


def test_a_barrier_keeps_a_held_space_from_the_lots_own_customer() -> None:
    """One space left, held for a driver on the way: with barriers the own customer is turned away, and it is kept."""
    one_left = next(lot.spaces for lot in LOTS if lot.name == "a") - 1
    outcome = {}
    for barriers in (False, True):
        traffic = MadeTraffic({"o0": "a", "p0": "hospital"}, full={"hospital"}, road_m=1_400.0)
        traffic.parked = {f"other{n}": "a" for n in range(one_left)}
        own = Trip("o0", Kind.OWN, 0.0, "street", "a", 3_600.0)
        policy = Policy("ours", decide_m=1_390.0, barriers=barriers)
        with Steering(AirTravelTimes(), Policy("ours", sure=True)) as fresh:
            run = Run(policy, [own, _patient("p0")], {"p0"}, traffic, fresh)
            while not (run.trace.journeys["o0"].parked_s or run.trace.journeys["o0"].turned_away):
                happened = traffic.step()
                run.follow(happened, traffic.now_s)
            outcome[barriers] = run.trace.journeys["o0"].turned_away
            assert run.trace.journeys["p0"].sent_to == "a"
    assert outcome == {False: False, True: True}


@pytest.mark.parametrize(("paid_ahead_s", "sent_to"), [(0.0, "a"), (120.0, "hospital")])
def test_a_space_that_is_paid_for_is_promised_before_it_is_empty(paid_ahead_s: float, sent_to: str) -> None:
    """The hospital is full, and one of its drivers has paid: whoever asks then is sent there, and waits at the gate."""
    traffic = MadeTraffic({"p0": "hospital"}, full={"hospital"})
    early = Trip("early", Kind.EARLY, 0.0, "hospital_in", "hospital", 250.0)
    policy = Policy("ours", decide_m=1_000.0, sure=True, paid_ahead_s=paid_ahead_s)
    with Steering(AirTravelTimes(), policy) as steering:
        run = Run(policy, [early, _patient("p0")], {"p0"}, traffic, steering)
        journey = run.trace.journeys["p0"]
        while journey.under_way:
            run.follow(traffic.step(), traffic.now_s)
            if traffic.now_s == 330.0:
                traffic.full.discard("hospital")
    assert (journey.sent_to, journey.parked_at, journey.refused_at) == (sent_to, sent_to, [])


def test_a_barrier_sends_on_whoever_comes_without_a_hold() -> None:
    """The last space of lot a is held: a patient without the app who comes for it drives on to the next lot."""
    one_left = next(lot.spaces for lot in LOTS if lot.name == "a") - 1
    traffic = MadeTraffic({"p1": "a", "p0": "hospital"}, full={"hospital"}, road_m=1_400.0)
    traffic.parked = {f"other{n}": "a" for n in range(one_left)}
    policy = Policy("ours", decide_m=1_390.0, barriers=True, sure=True)
    with Steering(AirTravelTimes(), policy) as steering:
        run = Run(policy, [_patient("p0"), _patient("p1")], {"p0"}, traffic, steering)
        journeys = run.to_the_end().journeys
    assert (journeys["p0"].sent_to, journeys["p0"].parked_at) == ("a", "a")
    assert (journeys["p1"].refused_at, journeys["p1"].parked_at) == (["a"], "b")


class WithRerouter(MadeTraffic):
    """The simulator's own rerouter: who comes to a full lot is bound for another in the very same step."""

    def step(self) -> Happened:
        """Send on to lot c whoever is on the driveway of a full lot."""
        happened = super().step()
        for car, seen in happened.moving.items():
            if seen.road.removesuffix("_in") in self.full:
                self.bound[car], self.odometers[car] = "c", self.road_m - 300.0
        return happened


def test_who_is_rerouted_on_arrival_was_refused(steering: Steering) -> None:
    """The peers' refusals count like ours, although their cars never stand at the full lot."""
    traffic = WithRerouter({"p0": "hospital"}, full={"hospital"})
    run = Run(Policy("visible"), [_patient("p0")], set(), traffic, steering)
    journey = run.to_the_end().journeys["p0"]
    assert (journey.refused_at, journey.parked_at) == (["hospital"], "c")
