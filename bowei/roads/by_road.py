"""What every road adapter shares: snapping at both ends, and the air estimate where roads have no say.

The rule, whichever engine finds the way:
    origin within 500 m of a road     access + way + access for each target beside a road
                                      None where no way leads to it
                                      the air estimate for a target with no road near; the answer is `estimated`
    origin farther from any road      the whole answer comes from air, `estimated`, by "air"
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bowei.domain.places import Point
from bowei.roads.by_air import AirTravelTimes, air_drive_s
from bowei.roads.errors import ForeignTargets
from bowei.roads.graph import RoadGraph
from bowei.roads.snapping import Snapper
from bowei.roads.travel_times import Drives, Targets

Engine = Callable[[int, list[int]], Sequence[float | None]]
"""From an origin node to seconds for each of at least one target node; None where no way leads to it."""


@dataclass(frozen=True, slots=True, eq=False)
class _RoadTargets:
    prepared_by: "RoadTravelTimes"
    points: tuple[Point, ...]

    nodes: list[int]
    """Of those beside a road, in order; never changed, so engines may recognise it."""

    access_s: tuple[float, ...]
    """Of the same."""

    off_road: tuple[int, ...]
    """Places in `points` of those with no road near."""

    def __len__(self) -> int:
        return len(self.points)


class RoadTravelTimes:
    """Driving times over a road graph, by any engine that finds the quickest ways from one node to many."""

    def __init__(self, graph: RoadGraph, engine_name: str, engine: Engine) -> None:
        self.name = f"{engine_name}:{graph.name}-{graph.version}"
        self._snapper = Snapper(graph)
        self._engine = engine
        self._air = AirTravelTimes()

    def targets(self, points: Sequence[Point]) -> Targets:
        """See `TravelTimes.targets`."""
        snaps = self._snapper.find_all(points)
        beside = [snap for snap in snaps if snap is not None]
        return _RoadTargets(
            prepared_by=self,
            points=tuple(points),
            nodes=[snap.node for snap in beside],
            access_s=tuple(snap.access_s for snap in beside),
            off_road=tuple(i for i, snap in enumerate(snaps) if snap is None),
        )

    def drive(self, origin: Point, targets: Targets) -> Drives:
        """See `TravelTimes.drive`."""
        if not isinstance(targets, _RoadTargets) or targets.prepared_by is not self:
            raise ForeignTargets(f"these targets were not prepared by {self.name}")
        start = self._snapper.find(origin)
        if start is None:
            return self._air.drive(origin, self._air.targets(targets.points))
        out_s = start.access_s
        ways_s = self._engine(start.node, targets.nodes) if targets.nodes else ()
        found: list[float | None] = [
            None if way_s is None else out_s + way_s + in_s
            for way_s, in_s in zip(ways_s, targets.access_s, strict=True)
        ]
        for index in targets.off_road:
            found.insert(index, air_drive_s(origin, targets.points[index]))
        return Drives(tuple(found), estimated=bool(targets.off_road), by=self.name)
