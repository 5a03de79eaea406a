"""The port: how long the drive takes from one place to many.

Targets (lot entrances) change a few times a day and are prepared once; origins (drivers) come with every request. So
`targets` may be slow and `drive` is quick: tens of microseconds for 30 targets, CPU only, no I/O, never blocking.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bowei.domain.places import Point
from bowei.domain.road_conditions import RoadConditions


class Targets(Protocol):
    """Destinations prepared by one `TravelTimes`, in the order given; opaque to everyone else."""

    def __len__(self) -> int:
        """Count the destinations."""
        ...


@dataclass(frozen=True, slots=True)
class Drives:
    """The drives from one origin, aligned with the targets asked for."""

    seconds: tuple[float | None, ...]
    """Driving time to each target, ≥ 0; None where the target is on the roads and no way leads to it now."""

    estimated: bool
    """True when at least one value was not found on roads but by air."""

    by: str
    """Who answered, for the explanation: "cch:<graph>-<version>", "dijkstra:<graph>-<version>" or "air"."""


class WeighedRoads(Protocol):
    """The roads as they are at an instant, worked out by one `TravelTimes`; opaque to everyone else."""

    @property
    def version(self) -> int:
        """Say of which version of the conditions."""
        ...

    @property
    def turns_at(self) -> datetime | None:
        """Say when the next of these conditions begins or ends; None: none does."""
        ...

    @property
    def slowed(self) -> int:
        """Count the pieces of road of which a speed is said."""
        ...

    @property
    def closed(self) -> int:
        """Count the pieces of road that are closed."""
        ...


class TravelTimes(Protocol):
    """Times to drive and to walk, over the roads as they are now.

    Threads: open, prepare and drive on any thread. An adapter may keep a query for each thread that drove (the CCH
    engine ties each to its thread), so let go of the last reference on the thread that drove, or after that thread
    has ended. A service with one event loop keeps this rule without trying.
    """

    @property
    def name(self) -> str:
        """Name the adapter and its roads, as in `Drives.by`."""
        ...

    @property
    def roads_serial(self) -> int:
        """Count how often the roads changed; what was driven at another count may no longer be so."""
        ...

    def targets(self, points: Sequence[Point]) -> Targets:
        """Prepare destinations, for as long as these travel times live; no points give empty targets."""
        ...

    def off_road(self, targets: Targets) -> Sequence[bool]:
        """Say of each target whether it lies too far from any road, so that its drive is estimated by air.

        Raises:
            ForeignTargets: the targets were prepared by another `TravelTimes`.
        """
        ...

    def drive(self, origin: Point, targets: Targets) -> Drives:
        """Give the driving time from `origin` to every target, in the targets' order.

        Raises:
            ForeignTargets: the targets were prepared by another `TravelTimes`.
        """
        ...

    def walks_m(self, places: Sequence[Point], door: Point) -> Sequence[float | None]:
        """Give the metres on foot between each place and a door; None where no footway is known near one of them.

        Milliseconds for a new door, then kept. One thread at a time.
        """
        ...


class TakesConditions(Protocol):
    """Roads at usual speeds, until somebody says otherwise.

    What is said is worked out on any thread while drives go on (`weigh`), and then taken (`take`, on the thread that
    drives): targets stay prepared, and the next drive is over the changed roads.
    """

    @property
    def roads_serial(self) -> int:
        """Count how often roads were taken."""
        ...

    def weigh(self, conditions: RoadConditions, now: datetime) -> WeighedRoads:
        """Work out what each road takes at `now`; tens of milliseconds for a city. One thread at a time."""
        ...

    def take(self, weighed: WeighedRoads) -> None:
        """Drive over these roads from now on.

        Raises:
            ForeignTargets: they were worked out by another.
        """
        ...


class LiveTravelTimes(TravelTimes, TakesConditions, Protocol):
    """Travel times whose roads change."""
