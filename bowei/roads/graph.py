"""The road graph: where the roads are, which way they may be driven and how long each piece takes.

Nodes are junctions and points along the roads, dense enough (`graph_draft.STEP_M`) that the nearest node stands for
the nearest place on a road. Edges are directed: a two-way street is two edges. Nothing here knows how a shortest
path is found, so live speeds can replace `travel_s` and turn costs can be expanded into another graph of this type.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from bowei.roads.errors import RoadGraphInvalid

OSM_ATTRIBUTION = "© OpenStreetMap contributors, ODbL 1.0"
"""What must be shown where roads from OpenStreetMap are used."""

EDGE_S_MAX = 6 * 3600.0
"""Longest time one edge may take, seconds: keeps every path's milliseconds within the engine's 32 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class RoadGraph:
    """Roads as arrays; n nodes, m directed edges.

    Raises:
        RoadGraphInvalid: lengths differ, an edge names no node, a place is not on earth, a time is not in (0, 6 h].
    """

    name: str
    """Which roads, e.g. "hangzhou-block"."""

    version: str
    """Which state of them, e.g. "v1" or the date of the extract."""

    attribution: str
    """Whom to name where the roads are used; shown with answers and maps."""

    node_lat: NDArray[np.float64]
    """Latitude of each node, WGS-84 degrees; shape (n,)."""

    node_lon: NDArray[np.float64]
    """Longitude of each node, WGS-84 degrees; shape (n,)."""

    tail: NDArray[np.int32]
    """Node where each edge begins; shape (m,)."""

    head: NDArray[np.int32]
    """Node where each edge ends; shape (m,)."""

    travel_s: NDArray[np.float32]
    """Seconds to drive each edge on a free road; shape (m,)."""

    length_m: NDArray[np.float32]
    """Metres of each edge; shape (m,)."""

    contraction_order: NDArray[np.int32] | None = None
    """The nodes from least to most important, if computed (seconds of work, once per map); shape (n,)."""

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_values(self)

    @property
    def node_count(self) -> int:
        """Count the nodes."""
        return len(self.node_lat)

    @property
    def edge_count(self) -> int:
        """Count the directed edges."""
        return len(self.tail)

    def main_component(self) -> NDArray[np.bool_]:
        """Mark the nodes of the largest strongly connected part: from each one can reach each other, and return.

        Only they are snapped to, so that nobody starts on an islet of roads from which every lot is out of reach.
        """
        links = csr_array(
            (np.ones(self.edge_count, dtype=np.int8), (self.tail, self.head)),
            shape=(self.node_count, self.node_count),
        )
        _, label = connected_components(links, directed=True, connection="strong")
        largest = np.bincount(label).argmax()
        return np.asarray(label == largest, dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class RoadCounts:
    """A road graph in figures."""

    nodes: int
    edges: int
    """Directed: a two-way street counts twice."""

    edge_km: float
    """Length of all directed edges, km."""

    main_component_share: float
    """Share of the nodes from which one can reach the rest, 0 to 1; low means torn roads."""


def count_roads(graph: RoadGraph) -> RoadCounts:
    """Summarise a graph for the operator."""
    return RoadCounts(
        nodes=graph.node_count,
        edges=graph.edge_count,
        edge_km=float(graph.length_m.sum(dtype=np.float64)) / 1000,
        main_component_share=float(graph.main_component().mean()),
    )


def _check_shapes(graph: RoadGraph) -> None:
    n, m = graph.node_lat.shape, graph.tail.shape
    if len(n) != 1 or len(m) != 1 or not n[0] or not m[0]:
        raise RoadGraphInvalid("a graph has at least one node and one edge")
    if graph.node_lon.shape != n:
        raise RoadGraphInvalid("latitudes and longitudes differ in number")
    if not graph.head.shape == graph.travel_s.shape == graph.length_m.shape == m:
        raise RoadGraphInvalid("the arrays of the edges differ in length")
    order = graph.contraction_order
    if order is not None and not (order.shape == n and np.array_equal(np.sort(order), np.arange(n[0]))):
        raise RoadGraphInvalid("the contraction order is not an order of the nodes")


def _check_values(graph: RoadGraph) -> None:
    if not (np.all(np.abs(graph.node_lat) <= 90) and np.all(np.abs(graph.node_lon) <= 180)):
        raise RoadGraphInvalid("a node is not on earth")
    for end in (graph.tail, graph.head):
        if end.min() < 0 or end.max() >= graph.node_count:
            raise RoadGraphInvalid("an edge names a node that is not there")
    if not (np.all(graph.travel_s > 0) and np.all(graph.travel_s <= EDGE_S_MAX)):
        raise RoadGraphInvalid(f"an edge takes no time, or more than {EDGE_S_MAX:.0f} s")
    if not (np.all(graph.length_m >= 0) and np.all(np.isfinite(graph.length_m))):
        raise RoadGraphInvalid("an edge has no length")
