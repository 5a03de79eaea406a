"""Driving times by plain Dijkstra (scipy): exact, slower, and written by nobody who wrote the other engine.

It is the oracle that the CCH must equal, and what answers where the engine's wheel does not run. A city's core takes
a few milliseconds per drive.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from bowei.roads.by_road import RoadTravelTimes
from bowei.roads.graph import RoadGraph


class DijkstraTravelTimes(RoadTravelTimes):
    """Exact shortest driving times over the graph. Any thread."""

    def __init__(self, graph: RoadGraph) -> None:
        links = _quickest_links(graph)

        def seconds(origin: int, targets: list[int]) -> Sequence[float | None]:
            reached_s = dijkstra(links, directed=True, indices=np.array([origin]))[0, targets]
            return [float(s) if np.isfinite(s) else None for s in reached_s]

        super().__init__(graph, "dijkstra", seconds)


def _quickest_links(graph: RoadGraph) -> csr_array[np.float64, tuple[int, int]]:
    # scipy adds up repeated entries, so of parallel edges only the quickest may enter.
    by_ends_then_time = np.lexsort((graph.travel_s, graph.head, graph.tail))
    tail, head = graph.tail[by_ends_then_time], graph.head[by_ends_then_time]
    first = np.ones(len(tail), dtype=np.bool_)
    first[1:] = (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])
    seconds = graph.travel_s[by_ends_then_time][first].astype(np.float64)
    return csr_array((seconds, (tail[first], head[first])), shape=(graph.node_count, graph.node_count))
