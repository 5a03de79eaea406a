"""The guard, one look after the other: who is tried first, who waits, and when a look ends."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from bowei.domain.dangers import Danger
from bowei.domain.holds import HoldState
from bowei.domain.lots import DriverId, LotId
from bowei.livestate.in_memory import InMemoryLiveState
from bowei.livestate.mirror import LiveMirror
from bowei.records.failures import OutcomeUnknown, StoreFailure
from bowei.records.holding import Decision, HoldBook, LiveHold, Outcome
from services.routing import guarding
from services.routing.endangering import Dangers
from services.routing.guarding import Guard
from services.routing.measures import Measures
from services.routing.moving import Moving

MALL = LotId("mall")


@dataclass
class City:
    """A closed mall with many holds, a ledger that gives them, and moves that end as a test says."""

    holds: int
    movable: frozenset[str] = frozenset()
    failing: frozenset[str] = frozenset()
    now: dict[LotId, Danger] = field(default_factory=lambda: {MALL: Danger.CLOSED})
    current: bool = True
    tried: list[str] = field(default_factory=list)
    moved: set[str] = field(default_factory=set)
    reads: int = 0

    async def live_on(self, _lot_ids: object) -> list[LiveHold]:
        """Give who is not moved yet."""
        self.reads += 1
        ids = [f"d{number:03d}" for number in range(self.holds)]
        return [LiveHold(one, 1, DriverId(one), MALL, HoldState.HELD) for one in ids if one not in self.moved]

    async def find(self, diversion_id: str, _driver_id: DriverId) -> Decision:
        """Give a hold."""
        return Decision(Outcome.REPEATED, cast("Any", LiveHold(diversion_id, 1, _driver_id, MALL, HoldState.HELD)))

    async def away(self, held: Decision, _danger: Danger) -> Decision:
        """Move it, or don't, or fail."""
        assert held.hold is not None
        one = held.hold.diversion_id
        self.tried.append(one)
        if one in self.failing:
            raise OutcomeUnknown("lost")
        if one not in self.movable:
            return Decision(Outcome.NONE)
        self.moved.add(one)
        return Decision(Outcome.GRANTED)

    def guard(self) -> Guard:
        """Let a guard look at it."""
        return Guard(
            cast("Dangers", self),
            LiveMirror(InMemoryLiveState()),
            cast("HoldBook", self),
            cast("Moving", self),
            Measures(CollectorRegistry()),
        )


@dataclass
class Hands:
    """A clock that is turned by hand, in place of the module `time`."""

    at_s: float = 1_000.0

    def monotonic(self) -> float:
        """Give the time."""
        return self.at_s


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    """Give the clock by which the guard looks."""
    hands = Hands()
    monkeypatch.setattr(guarding, "time", hands)
    return hands


async def _looks(guard: Guard, hands: Hands, *, for_s: float) -> None:
    until_s = hands.at_s + for_s
    while hands.at_s < until_s:
        await guard.look()
        hands.at_s += 0.5


async def test_where_drivers_can_be_moved_each_look_moves_some(hands: Hands) -> None:
    """A mall that closes with 300 holds is empty of them after four seconds."""
    city = City(300, movable=frozenset(f"d{number:03d}" for number in range(300)))
    await _looks(city.guard(), hands, for_s=4)
    assert len(city.moved) == 300


async def test_where_nobody_can_be_moved_the_ledger_is_asked_seldom_and_everyone_has_a_turn(hands: Hands) -> None:
    """A thousand holds and no room anywhere: none is tried a second time before all were, the last of them neither."""
    city = City(1_000, movable=frozenset({"d990"}))
    guard = city.guard()
    await _looks(guard, hands, for_s=10)
    assert (city.reads, len(city.tried)) == (5, 5 * 40)
    await _looks(guard, hands, for_s=38.5)
    tries = Counter(city.tried)
    assert (len(tries), max(tries.values())) == (1_000, 1)
    assert city.moved == {"d990"}


async def test_a_look_goes_on_after_one_failure_and_ends_after_some_in_a_row() -> None:
    """One driver's trouble is that driver's; a ledger that fails for everyone is left alone until the next look."""
    everyone = frozenset(f"d{number:03d}" for number in range(20))
    city = City(20, movable=everyone, failing=frozenset({"d000", "d001", "d003", "d005"}))
    await city.guard().look()
    assert city.moved == everyone - city.failing
    lost = City(20, failing=everyone)
    with pytest.raises(StoreFailure):
        await lost.guard().look()
    assert lost.tried == ["d000", "d001", "d002"]


async def test_nobody_is_moved_while_it_is_not_known_who_is_in_danger(hands: Hands) -> None:
    """What was seen is kept for showing; it is no reason to move anybody."""
    city = City(3, movable=frozenset({"d000"}), current=False)
    await _looks(city.guard(), hands, for_s=2)
    assert (city.reads, city.tried) == (0, [])
