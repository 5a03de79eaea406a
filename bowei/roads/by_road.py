"""What every road engine shares: snapping at both ends, the roads' present state, and air where roads have no say.

The rule, whichever engine finds the way:
    origin within 500 m of a road     access + way + access for each target beside a road: to the quickest of the
                                      directions from which one can turn in, or along the same piece of road
                                      None where no way leads to it
                                      the air estimate for a target with no road near; the answer is `estimated`
    origin farther from any road      the whole answer comes from air, `estimated`, by "air"
    origin on closed roads            starts on the nearest open one within 3 km; else no way leads anywhere
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from bowei.domain.places import Point
from bowei.domain.road_conditions import RoadConditions
from bowei.roads.by_air import AirTravelTimes, air_drive_s
from bowei.roads.engine import Engine
from bowei.roads.errors import ForeignTargets
from bowei.roads.graph import RoadGraph
from bowei.roads.overlay import Overlay
from bowei.roads.snapping import OUT_OF_CLOSURE_M_MAX, Snap, Snapper
from bowei.roads.travel_times import Drives, Targets, WeighedRoads
from bowei.roads.walking import Footways

Weighed = TypeVar("Weighed")

_NOWHERE = Snap((), 0.0, 0.0)
"""Where one starts who is far within a closed area: no road leads from there."""


@dataclass(frozen=True, slots=True)
class _State(Generic[Weighed]):
    """What the roads take now."""

    made_by: object
    version: int
    turns_at: datetime | None
    slowed: int
    closed: int
    travel_s: NDArray[np.float32]
    shut: NDArray[np.bool_] | None
    weighed: Weighed


@dataclass(slots=True)
class _Kept:
    """Seconds from where each alternative begins to its target, with the state of the roads in which they hold."""

    offsets_s: tuple[object, list[float]] = (None, [])


@dataclass(frozen=True, slots=True, eq=False)
class _RoadTargets:
    prepared_by: object
    points: tuple[Point, ...]
    snaps: tuple[Snap | None, ...]

    nodes: list[int]
    """Where the edges begin that pass a target; never changed, so engines may recognise it."""

    edges: NDArray[np.int64]
    shares: NDArray[np.float64]
    """Which edge each is, and what share of it lies before the target."""

    owners: list[int]
    """Whose alternative each is: a place in `points`."""

    access_s: NDArray[np.float64]
    """Of each alternative."""

    kept: _Kept = field(default_factory=_Kept)

    def __len__(self) -> int:
        return len(self.points)


class RoadTravelTimes(Generic[Weighed]):
    """Driving times over a road graph, by any engine. See `TravelTimes` for its promises."""

    def __init__(self, graph: RoadGraph, engine: Engine[Weighed]) -> None:
        self.name = f"{engine.name}:{graph.name}-{graph.version}"
        self.roads_serial = 0
        self._graph = graph
        self._engine = engine
        self._snapper = Snapper(graph)
        self._overlay = Overlay(graph, self._snapper)
        self._footways = None if graph.walks is None else Footways(graph.walks)
        self._air = AirTravelTimes()
        self._copies = _copies(graph)
        self._token = object()  # not self: targets must not keep the roads alive, nor the roads themselves
        self._state = _State(self._token, 0, None, 0, 0, graph.travel_s, None, engine.weigh(graph.travel_s))

    def weigh(self, conditions: RoadConditions, now: datetime) -> WeighedRoads:
        """See `TakesConditions.weigh`."""
        laid = self._overlay.laid(conditions, now)
        shut = None if laid.closed is None else self._snapper.shut(laid.closed)
        return _State(
            made_by=self._token,
            version=conditions.version,
            turns_at=laid.turns_at,
            slowed=laid.slowed,
            closed=0 if laid.closed is None else int(laid.closed.sum()),
            travel_s=laid.travel_s,
            shut=shut,
            weighed=self._engine.weigh(laid.travel_s),
        )

    def take(self, weighed: WeighedRoads) -> None:
        """See `TakesConditions.take`."""
        if not isinstance(weighed, _State) or weighed.made_by is not self._token:
            raise ForeignTargets(f"{type(weighed).__name__} given to {self.name}")
        self._state = weighed
        self.roads_serial += 1
        # Lets go of this thread's query on the roads before, which the next change is to use.
        self._engine.ways_s(weighed.weighed, [(0, 0.0)], [0])

    def targets(self, points: Sequence[Point]) -> Targets:
        """See `TravelTimes.targets`."""
        snaps = tuple(self._snapper.find_entrance(point) for point in points)
        nodes: list[int] = []
        edges: list[int] = []
        shares: list[float] = []
        owners: list[int] = []
        access_s: list[float] = []
        for owner, snap in enumerate(snaps):
            for edge, share in () if snap is None else snap.along:
                for one in (edge, *self._copies.get(edge, ())):
                    nodes.append(int(self._graph.tail[one]))
                    edges.append(edge)
                    shares.append(share)
                    owners.append(owner)
                    access_s.append(0.0 if snap is None else snap.access_s)
        return _RoadTargets(
            prepared_by=self._token,
            points=tuple(points),
            snaps=snaps,
            nodes=nodes,
            edges=np.array(edges, dtype=np.int64),
            shares=np.array(shares, dtype=np.float64),
            owners=owners,
            access_s=np.array(access_s, dtype=np.float64),
        )

    def off_road(self, targets: Targets) -> Sequence[bool]:
        """See `TravelTimes.off_road`."""
        return [snap is None for snap in self._checked(targets).snaps]

    def walks_m(self, places: Sequence[Point], door: Point) -> Sequence[float | None]:
        """See `TravelTimes.walks_m`."""
        return [None] * len(places) if self._footways is None else self._footways.walks_m(places, door)

    def drive(self, origin: Point, targets: Targets) -> Drives:
        """See `TravelTimes.drive`."""
        prepared = self._checked(targets)
        state = self._state
        start = self._snapper.find(origin, state.shut)
        if start is None and (state.shut is None or self._snapper.find(origin) is None):
            return self._air.drive(origin, self._air.targets(prepared.points))
        if start is None:
            start = self._snapper.find(origin, state.shut, within_m=OUT_OF_CLOSURE_M_MAX) or _NOWHERE
        found: list[float | None] = [
            air_drive_s(origin, point) if snap is None else None
            for point, snap in zip(prepared.points, prepared.snaps, strict=True)
        ]
        estimated = any(s is not None for s in found)
        begun = {edge: (share, float(state.travel_s[edge])) for edge, share in start.along}
        sources = [
            (int(self._graph.head[edge]), start.access_s + (1 - share) * travel_s)
            for edge, (share, travel_s) in begun.items()
            if travel_s < math.inf
        ]
        if prepared.nodes and sources:
            ways_s = self._engine.ways_s(state.weighed, sources, prepared.nodes)
            for owner, way_s, offset_s in zip(prepared.owners, ways_s, self._offsets(prepared, state), strict=True):
                best = found[owner]
                if way_s is not None and way_s + offset_s < (math.inf if best is None else best):  # never, if NaN
                    found[owner] = way_s + offset_s
            self._along_the_same_road(prepared, start, begun, found)
        return Drives(tuple(found), estimated=estimated, by=self.name)

    def _offsets(self, prepared: _RoadTargets, state: _State[Weighed]) -> list[float]:
        kept_for, seconds = prepared.kept.offsets_s
        if kept_for is not state:
            travel_s = state.travel_s[prepared.edges].astype(np.float64)
            travel_s[np.isinf(travel_s)] = np.nan  # no way at all, also where no share of it lies before the target
            seconds = (prepared.shares * travel_s + prepared.access_s).tolist()
            prepared.kept.offsets_s = (state, seconds)
        return seconds

    def _along_the_same_road(
        self,
        prepared: _RoadTargets,
        start: Snap,
        begun: dict[int, tuple[float, float]],
        found: list[float | None],
    ) -> None:
        for owner, snap in enumerate(prepared.snaps):
            for edge, share in () if snap is None else snap.along:
                if snap is not None and edge in begun and begun[edge][0] <= share:
                    before, travel_s = begun[edge]
                    straight_s = start.access_s + (share - before) * travel_s + snap.access_s
                    best = found[owner]
                    if straight_s < (math.inf if best is None else best):  # never, if NaN
                        found[owner] = straight_s

    def _checked(self, targets: Targets) -> _RoadTargets:
        if not isinstance(targets, _RoadTargets) or targets.prepared_by is not self._token:
            raise ForeignTargets(f"these targets were not prepared by {self.name}")
        return targets


def _copies(graph: RoadGraph) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for number, edge in enumerate(graph.copy_of.tolist()):
        found.setdefault(edge, []).append(graph.road_count + number)
    return found
