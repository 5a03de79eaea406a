"""The quickest ways by customizable contraction hierarchies (RoutingKit, through the routingkit-cch binding).

30 targets from one origin in some 30 µs on a city. The binding's traps, and what is done about each:
- A query object is bound to the thread that made it (another one makes it panic, and may not free it): each thread
  that drives makes its own, on first use.
- Making one costs up to a millisecond and memory the size of the map, pinning other targets on it microseconds: so a
  thread keeps one query and pins what is asked.
- Node ids out of range and empty target lists panic instead of raising: `RoadGraph` is checked, empty lists never
  reach the binding.
- Making a metric holds the interpreter for the whole customization (6 ms for a city's core); `reset` only while it
  converts the weights (1.3 ms), but refuses while a query on it lives. So there are two: one is driven on, the other
  is reset, and they change places. A thread lets go of its query on the old one at its next drive; where one is still
  held (it has not driven since the change before), a new metric is made instead.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray
from routingkit_cch import CCH, CCHMetric, CCHOneToMany, compute_order_inertial
from typing_extensions import override

from bowei.roads.by_road import RoadTravelTimes
from bowei.roads.engine import Engine
from bowei.roads.graph import RoadGraph

_log = logging.getLogger(__name__)

_MS_PER_S = 1000
_CLOSED_MS = 2**31 - 1
"""What RoutingKit takes for "no way"."""


class CchTravelTimes(RoadTravelTimes[CCHMetric]):
    """Exact shortest driving times over the graph, rounded to a millisecond per edge."""

    def __init__(self, graph: RoadGraph) -> None:
        super().__init__(graph, CchEngine(graph))


def with_contraction_order(graph: RoadGraph) -> RoadGraph:
    """Give the graph with its contraction order: as it is if it has one, else computed (1 s for a city's core)."""
    return replace(graph, contraction_order=_contraction_order(graph))


def _contraction_order(graph: RoadGraph) -> NDArray[np.int32]:
    if graph.contraction_order is not None:
        return graph.contraction_order
    lat, lon = graph.node_lat.tolist(), graph.node_lon.tolist()
    order = compute_order_inertial(graph.node_count, graph.tail.tolist(), graph.head.tolist(), lat, lon)
    return np.array(order, dtype=np.int32)


class CchEngine(Engine[CCHMetric]):
    """The engine. Holds no reference to who asks, so that its queries are freed with it, on the asking thread."""

    name = "cch"

    def __init__(self, graph: RoadGraph) -> None:
        order = _contraction_order(graph)
        self._hierarchy = CCH(order.tolist(), graph.tail.tolist(), graph.head.tolist(), False)
        self._made: list[CCHMetric] = []
        """The newest last; the one before it is to be reset next."""
        self._here = _ThreadQuery()
        self._uses: WeakSet[_Use] = WeakSet()

    @override
    def weigh(self, travel_s: NDArray[np.float32]) -> CCHMetric:
        closed = np.isinf(travel_s)
        weights_ms = np.maximum(1, np.rint(np.where(closed, 1, travel_s) * _MS_PER_S)).astype(np.int64)
        weights_ms[closed] = _CLOSED_MS
        weights = weights_ms.tolist()
        metric = self._reset_one(weights) or CCHMetric(self._hierarchy, weights)
        self._made = [*self._made[-1:], metric]
        return metric

    def _reset_one(self, weights: list[int]) -> CCHMetric | None:
        if len(self._made) < 2:
            return None
        spare = self._made[0]
        if any(use.metric is spare for use in list(self._uses)):
            _log.warning("metric_in_use")
            return None
        spare.reset(weights)
        self._made = self._made[1:]
        return spare

    @override
    def ways_s(
        self, weighed: CCHMetric, sources: Sequence[tuple[int, float]], targets: list[int]
    ) -> Sequence[float | None]:
        here = self._here
        if here.asking is None or here.asking.use.metric is not weighed:
            here.asking = None  # freed before its metric may be reset
            here.asking = _Asking(CCHOneToMany(weighed, targets), _Use(weighed))
            self._uses.add(here.asking.use)
        elif here.pinned is not targets:
            here.asking.query.repin_targets(targets)
        here.pinned = targets
        begun = [(node, round(seconds * _MS_PER_S)) for node, seconds in sources]
        return [None if ms is None else ms / _MS_PER_S for ms in here.asking.query.distances_from_multi(begun)]


class _Use:
    """Stands for a query that lives: gone when it is."""

    __slots__ = ("__weakref__", "metric")

    def __init__(self, metric: CCHMetric) -> None:
        self.metric = metric


class _Asking:
    """A query and its use, freed in this order (CPython frees slots by their names)."""

    __slots__ = ("query", "use")

    def __init__(self, query: CCHOneToMany, use: _Use) -> None:
        self.query = query
        self.use = use


class _ThreadQuery(threading.local):
    asking: _Asking | None = None
    pinned: list[int] | None = None
