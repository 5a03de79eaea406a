"""The port: how long the drive takes from one place to many.

Targets (lot entrances) change a few times a day and are prepared once; origins (drivers) come with every request. So
`targets` may be slow and `drive` is quick: tens of microseconds for 30 targets, CPU only, no I/O, never blocking.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bowei.domain.places import Point


class Targets(Protocol):
    """Destinations prepared by one `TravelTimes`, in the order given; opaque to everyone else."""

    def __len__(self) -> int:
        """Count the destinations."""
        ...


@dataclass(frozen=True, slots=True)
class Drives:
    """The drives from one origin, aligned with the targets asked for."""

    seconds: tuple[float | None, ...]
    """Driving time to each target, ≥ 0; None where the target is on the roads and no way leads to it."""

    estimated: bool
    """True when at least one value was not found on roads but by air."""

    by: str
    """Who answered, for the explanation: "cch:<graph>-<version>", "dijkstra:<graph>-<version>" or "air"."""


class TravelTimes(Protocol):
    """Driving times over one state of the roads.

    Threads: open, prepare and drive on any thread. An adapter may keep a query for each thread that drove (the CCH
    engine ties each to its thread), so let go of the last reference on the thread that drove, or after that thread
    has ended. A service with one event loop keeps this rule without trying.
    """

    @property
    def name(self) -> str:
        """Name the adapter and its roads, as in `Drives.by`."""
        ...

    def targets(self, points: Sequence[Point]) -> Targets:
        """Prepare destinations; no points give empty targets."""
        ...

    def drive(self, origin: Point, targets: Targets) -> Drives:
        """Give the driving time from `origin` to every target, in the targets' order.

        Raises:
            ForeignTargets: the targets were prepared by another `TravelTimes`.
        """
        ...
