"""What is physically there: lots with their cars and barriers, the hospital's gate and its queue.

Nothing here knows of HTTP. A space is taken when a car stands on it, whatever any service believes.
"""

import asyncio
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bowei.domain.agreements import Agreement
from bowei.domain.calendars import Calendar, LocalTime
from bowei.domain.lots import CalendarId, Hospital, Lot, LotId, LotKind
from bowei.domain.observations import PassageKind
from services.local.demo.barriers import Barrier
from services.local.demo.pace import Pace
from services.local.demo.people import Customer, customers, customers_at_start, parked_at_start

_LENT_REMEMBERED = (timedelta(0), timedelta(minutes=30), timedelta(hours=1))
"""A hold may rest on what was lent when it was made: it lives 45 minutes at most."""


@dataclass(frozen=True, slots=True)
class Car:
    """A car; `stay_id` names this stay, and the plate is invented."""

    stay_id: str
    plate: str = field(repr=False)
    held: bool = False


@dataclass(frozen=True, slots=True)
class Passed:
    """A car that went in or out, with what was free afterwards."""

    car: Car
    kind: PassageKind
    at: datetime
    entered_at: datetime


class CarPark:
    """One lot as it is."""

    def __init__(self, lot: Lot, local: LocalTime, agreements: Sequence[Agreement], pace: Pace) -> None:
        self.lot = lot
        self._local = local
        self.parked = 0
        self.turned_away = 0
        self.closed = False
        """Says that it is closed: nobody is promised a space in it."""
        margins = [agreement.margin for agreement in agreements]
        self.barrier = Barrier(linked=lot.barrier_link, margin=min(margins, default=0))
        self._agreements = tuple(agreements)
        self._pace = pace
        self._watchers: list[Callable[[Passed], None]] = []

    @property
    def free(self) -> int:
        """Spaces on which no car stands."""
        return self.lot.capacity - self.parked

    def now(self) -> datetime:
        """Give the shown instant, by the lot's own clock, which is right."""
        return self._pace.now()

    def lent(self) -> int:
        """Spaces lent at most within the last hour, over all agreements and classes."""
        now = self._pace.now()
        return sum(
            max(sum(agreement.lent_at(now - ago, self._local).values()) for ago in _LENT_REMEMBERED)
            for agreement in self._agreements
        )

    def watch(self, watcher: Callable[[Passed], None]) -> None:
        """Have `watcher` called with every passage."""
        self._watchers.append(watcher)

    def fill(self, remaining: Sequence[timedelta]) -> None:
        """Park the cars that are there when the demo begins; each leaves after what remains of its stay."""
        now = self._pace.now()
        for number, stay in enumerate(remaining[: self.lot.capacity]):
            self.parked += 1
            car = Car(f"{self.lot.lot_id}-before-{number}", _plate(self.lot.lot_id, -1 - number))
            self._pace.call_at(now + stay, lambda car=car, now=now: self.leave(car, now))  # type: ignore[misc]

    def enter(self, car: Car) -> bool:
        """Let a car in if there is a space for it."""
        if self.free <= 0:
            return False
        self.parked += 1
        now = self._pace.now()
        self._tell(Passed(car, PassageKind.ENTER, now, now))
        return True

    def enter_as_walk_in(self, car: Car) -> bool:
        """Let in a car without a hold, if the barrier does."""
        if self.closed or not self.barrier.admits_walk_in(self.free, self.lent()):
            self.turned_away += 1
            return False
        self.barrier.walk_in_entered(self._pace.now())
        return self.enter(car)

    def leave(self, car: Car, entered_at: datetime) -> None:
        """Let a car out."""
        self.parked -= 1
        self._tell(Passed(car, PassageKind.EXIT, self._pace.now(), entered_at))

    def _tell(self, passed: Passed) -> None:
        for watcher in self._watchers:
            watcher(passed)


class HospitalGate:
    """A hospital's own lot, and the cars that wait before it."""

    def __init__(self, hospital: Hospital, park: CarPark) -> None:
        self.hospital = hospital
        self.park = park
        self.queue_most = 0
        self._asking = 0
        self._waiting: deque[tuple[Car, asyncio.Event]] = deque()
        park.watch(self._passed)

    @property
    def queue(self) -> int:
        """Cars that stand before the gate."""
        return self._asking + len(self._waiting)

    def enter(self, car: Car) -> bool:
        """Let a car in at once, if nobody waits before it and there is a space."""
        return not self._waiting and self.park.enter(car)

    def stand(self) -> None:
        """Stand at the gate while asking where to go."""
        self._asking += 1
        self.queue_most = max(self.queue_most, self.queue)

    def drive_off(self) -> None:
        """Leave the gate."""
        self._asking -= 1

    async def wait_in_line(self, car: Car) -> None:
        """Wait for a space in the order of arrival, and take it."""
        entered = asyncio.Event()
        self._waiting.append((car, entered))
        self.queue_most = max(self.queue_most, self.queue)
        self._admit()
        await entered.wait()

    def _passed(self, passed: Passed) -> None:
        if passed.kind is PassageKind.EXIT:
            self._admit()

    def _admit(self) -> None:
        while self._waiting and self.park.enter(self._waiting[0][0]):
            self._waiting.popleft()[1].set()


class World:
    """The block: every lot, every hospital's gate."""

    def __init__(
        self,
        lots: Sequence[Lot],
        hospitals: Sequence[Hospital],
        agreements: Sequence[Agreement],
        calendars: Mapping[CalendarId, Calendar],
        pace: Pace,
        seed: str,
    ) -> None:
        self.pace = pace
        self.seed = seed
        self.parks = {
            lot.lot_id: CarPark(
                lot, LocalTime.of(lot, calendars), [one for one in agreements if one.lot_id == lot.lot_id], pace
            )
            for lot in lots
        }
        self.gates = {one.hospital_id: HospitalGate(one, self.parks[one.lot_id]) for one in hospitals}

    def shared_parks(self) -> list[CarPark]:
        """Give the lots that are no hospital's own."""
        return [park for park in self.parks.values() if park.lot.kind is not LotKind.HOSPITAL]

    def fill(self) -> None:
        """Put the cars there that came before the demo began."""
        now = self.pace.now()
        for park in self.parks.values():
            seed, lot = self._seed_of(park.lot.lot_id), park.lot
            if lot.kind is LotKind.HOSPITAL:
                park.fill(parked_at_start(seed, lot.capacity))
            else:
                park.fill(customers_at_start(seed, lot.kind, lot.capacity, now, lot.zone, barrier=lot.barrier_link))

    async def run_customers(self) -> None:
        """Let the lots' own customers come and go, without end."""
        now = self.pace.now()
        async with asyncio.TaskGroup() as group:
            for park in self.shared_parks():
                lot = park.lot
                coming = customers(
                    self._seed_of(lot.lot_id), lot.kind, lot.capacity, now, lot.zone, barrier=lot.barrier_link
                )
                group.create_task(self._run_customers_of(park, coming))

    async def _run_customers_of(self, park: CarPark, coming: Iterator[Customer]) -> None:
        for number, customer in enumerate(coming):
            await self.pace.until(customer.came_at)
            car = Car(f"{park.lot.lot_id}-own-{number}", _plate(park.lot.lot_id, number))
            entered_at = self.pace.now()
            if park.enter_as_walk_in(car):
                self.pace.call_at(
                    entered_at + customer.stay,
                    lambda car=car, at=entered_at, park=park: park.leave(car, at),  # type: ignore[misc]
                )

    def _seed_of(self, lot_id: LotId) -> str:
        return f"{self.seed}/{lot_id}"


def visitor_car(hospital_id: str, number: int) -> Car:
    """Give the car of a hospital's visitor."""
    return Car(f"{hospital_id}-{number}", _plate(hospital_id, number, region="浙B"), held=True)


def _plate(owner: str, number: int, *, region: str = "浙A") -> str:
    """Invent a plate: longer than any that exists, so that none of these is anybody's."""
    return f"{region}{zlib.crc32(owner.encode()) % 10_000:04d}{number % 10_000:04d}"
