"""Driving times by customizable contraction hierarchies (RoutingKit, through the routingkit-cch binding).

30 targets from one origin in some 30 µs on a city. The binding's traps, and what is done about each:
- A query object is bound to the thread that made it (another one makes it panic, and may not free it): each thread
  that drives makes its own, on first use.
- Making one costs milliseconds and memory the size of the map, pinning other targets on it microseconds: so a thread
  keeps one query and pins what is asked.
- Node ids out of range and empty target lists panic instead of raising: `RoadGraph` is checked, empty lists never
  reach the binding.
- A metric refuses new weights while queries live: live speeds will keep two metrics and swap.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from routingkit_cch import CCH, CCHMetric, CCHOneToMany, compute_order_inertial

from bowei.roads.by_road import RoadTravelTimes
from bowei.roads.graph import RoadGraph

_MS_PER_S = 1000


class CchTravelTimes(RoadTravelTimes):
    """Exact shortest driving times over the graph, rounded to a millisecond per edge."""

    def __init__(self, graph: RoadGraph) -> None:
        order = _contraction_order(graph)
        hierarchy = CCH(order.tolist(), graph.tail.tolist(), graph.head.tolist(), False)
        weights_ms = np.maximum(1, np.rint(graph.travel_s * _MS_PER_S)).astype(np.int64)
        super().__init__(graph, "cch", _Engine(CCHMetric(hierarchy, weights_ms.tolist())))


def with_contraction_order(graph: RoadGraph) -> RoadGraph:
    """Give the graph with its contraction order: as it is if it has one, else computed (2 s for a city's core)."""
    return replace(graph, contraction_order=_contraction_order(graph))


def _contraction_order(graph: RoadGraph) -> NDArray[np.int32]:
    if graph.contraction_order is not None:
        return graph.contraction_order
    lat, lon = graph.node_lat.tolist(), graph.node_lon.tolist()
    order = compute_order_inertial(graph.node_count, graph.tail.tolist(), graph.head.tolist(), lat, lon)
    return np.array(order, dtype=np.int32)


class _Engine:
    # Apart from the travel times, so that no cycle of references leaves freeing the queries to the garbage collector,
    # which runs on any thread.
    def __init__(self, metric: CCHMetric) -> None:
        self._metric = metric
        self._here = _ThreadQuery()

    def __call__(self, origin: int, targets: list[int]) -> Sequence[float | None]:
        here = self._here
        if here.query is None:
            here.query = CCHOneToMany(self._metric, targets)
        elif here.pinned is not targets:
            here.query.repin_targets(targets)
        here.pinned = targets
        return [None if ms is None else ms / _MS_PER_S for ms in here.query.distances_from(origin)]


class _ThreadQuery(threading.local):
    query: CCHOneToMany | None = None
    pinned: list[int] | None = None
