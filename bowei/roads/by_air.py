"""Driving times without roads: great circle × detour factor ÷ speed.

The figures are those that the policy trials assumed (drive = 1.4 × air distance at 6 m/s, city traffic with its
lights), so a city without roads loaded is ranked as it was there. It is an estimate and says so: by air alone the
road-nearest lot was found in about half of the cases on Hangzhou's core, 30 to 40 s worse on average and over 5 min
at the 99th percentile. On that core's free roads a drive takes about half as long as estimated here (median).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bowei.domain.places import Point, distance_m
from bowei.domain.road_conditions import RoadConditions
from bowei.roads.errors import ForeignTargets
from bowei.roads.travel_times import Drives, Targets, WeighedRoads

DETOUR_FACTOR = 1.4
"""Road length over air distance, as in the policy trials."""

SPEED_MPS = 6.0
"""Mean speed in city traffic, as in the policy trials (21.6 km/h)."""


def air_drive_s(origin: Point, target: Point) -> float:
    """Estimate the drive in seconds from the air distance."""
    return distance_m(origin, target) * DETOUR_FACTOR / SPEED_MPS


@dataclass(frozen=True, slots=True)
class _AirTargets:
    points: tuple[Point, ...]

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True, slots=True)
class _OpenAir:
    version: int
    turns_at: datetime | None = None
    slowed: int = 0
    closed: int = 0


class AirTravelTimes:
    """The plain fallback where no roads are loaded; every answer is `estimated`. Any thread."""

    name = "air"

    def __init__(self) -> None:
        self.roads_serial = 0

    def targets(self, points: Sequence[Point]) -> Targets:
        """See `TravelTimes.targets`."""
        return _AirTargets(tuple(points))

    def drive(self, origin: Point, targets: Targets) -> Drives:
        """See `TravelTimes.drive`."""
        if not isinstance(targets, _AirTargets):
            raise ForeignTargets(f"{type(targets).__name__} given to air")
        return Drives(tuple(air_drive_s(origin, point) for point in targets.points), estimated=True, by=self.name)

    def weigh(self, conditions: RoadConditions, now: datetime) -> WeighedRoads:
        """Give conditions of which air takes no notice but their version."""
        del now
        return _OpenAir(conditions.version)

    def take(self, weighed: WeighedRoads) -> None:
        """See `TakesConditions.take`."""
        if not isinstance(weighed, _OpenAir):
            raise ForeignTargets(f"{type(weighed).__name__} given to air")
        self.roads_serial += 1

    def off_road(self, targets: Targets) -> Sequence[bool]:
        """Say that no target is: air knows of no roads."""
        return [False] * len(targets)

    def walks_m(self, places: Sequence[Point], door: Point) -> Sequence[float | None]:
        """Say that nobody knows: air knows of no footways."""
        del door
        return [None] * len(places)
