"""The quickest ways by plain Dijkstra (scipy): exact, slower, and written by nobody who wrote the other engine.

It is the oracle that the CCH must equal, and what answers where the engine's wheel does not run. A city's core takes
a few milliseconds per drive.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from typing_extensions import override

from bowei.roads.by_road import RoadTravelTimes
from bowei.roads.engine import Engine
from bowei.roads.graph import RoadGraph

_Links = csr_array[np.float64, tuple[int, int]]


class DijkstraTravelTimes(RoadTravelTimes[_Links]):
    """Exact shortest driving times over the graph. Any thread."""

    def __init__(self, graph: RoadGraph) -> None:
        super().__init__(graph, DijkstraEngine(graph))


class DijkstraEngine(Engine[_Links]):
    """The oracle."""

    name = "dijkstra"

    def __init__(self, graph: RoadGraph) -> None:
        self._tail, self._head, self._nodes = graph.tail, graph.head, graph.node_count

    @override
    def weigh(self, travel_s: NDArray[np.float32]) -> _Links:
        # scipy adds up repeated entries, so of parallel edges only the quickest may enter.
        order = np.lexsort((travel_s, self._head, self._tail))
        order = order[np.isfinite(travel_s[order])]
        tail, head = self._tail[order], self._head[order]
        first = np.ones(len(tail), dtype=np.bool_)
        first[1:] = (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])
        seconds = travel_s[order][first].astype(np.float64)
        return csr_array((seconds, (tail[first], head[first])), shape=(self._nodes, self._nodes))

    @override
    def ways_s(
        self, weighed: _Links, sources: Sequence[tuple[int, float]], targets: list[int]
    ) -> Sequence[float | None]:
        begun = np.array([seconds for _, seconds in sources])
        reached_s = dijkstra(weighed, directed=True, indices=np.array([node for node, _ in sources]))[:, targets]
        best_s = (reached_s + begun[:, np.newaxis]).min(axis=0)
        return [float(s) if np.isfinite(s) else None for s in best_s]
