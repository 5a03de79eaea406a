"""The road graph: where the roads are, which way they may be driven and how long each piece takes.

Nodes are junctions and points along the roads. Edges are directed: a two-way street is two edges. Where a turn is
forbidden, the graph has copies of nodes and edges beside the roads themselves (`turn_expansion`): whoever finds a
shortest path need not know of turns. Nothing here knows how a path is found, and live speeds replace `travel_s`.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from bowei.roads.errors import RoadGraphInvalid
from bowei.roads.walk_network import WalkNetwork

OSM_ATTRIBUTION = "© OpenStreetMap contributors, ODbL 1.0"
"""What must be shown where roads from OpenStreetMap are used."""

EDGE_S_MAX = 6 * 3600.0
"""Longest time one edge may take, seconds: keeps every path's milliseconds within the engine's 32 bits."""


class TrafficSide(StrEnum):
    """On which side of the road one drives."""

    RIGHT = "right"
    LEFT = "left"


def _nothing() -> NDArray[np.int32]:
    return np.zeros(0, dtype=np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class RoadGraph:
    """Roads as arrays; n nodes, m directed edges, of which the last c are copies.

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

    way: NDArray[np.int64]
    """The way that each edge is a piece of, as its source numbers ways from 1; negative: against the way as drawn.
    Shape (m,)."""

    kerb_only: NDArray[np.bool_]
    """Whether a car on the edge can't cross to what lies on the other side of the road; shape (m,)."""

    copy_of: NDArray[np.int32] = field(default_factory=_nothing)
    """Of which road each copy is, shape (c,); the copies are the last c edges, and equal it but for their ends."""

    node_copy_of: NDArray[np.int32] = field(default_factory=_nothing)
    """Of which node each copy is, shape (k,); the copies are the last k nodes."""

    traffic_side: TrafficSide = TrafficSide.RIGHT

    walks: WalkNetwork | None = None
    """Where people walk; None where nobody said."""

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
        """Count the directed edges, copies among them."""
        return len(self.tail)

    @property
    def place_count(self) -> int:
        """Count the nodes that are places, not copies of one."""
        return len(self.node_lat) - len(self.node_copy_of)

    @property
    def road_count(self) -> int:
        """Count the edges that are roads, not copies of one."""
        return len(self.tail) - len(self.copy_of)

    def main_component(self) -> NDArray[np.bool_]:
        """Mark the nodes of the largest strongly connected part: from each one can reach each other, and return.

        Only they are snapped to, so that nobody starts on an islet of roads from which every lot is out of reach.
        """
        label = self.components()
        return np.asarray(label == np.bincount(label).argmax(), dtype=np.bool_)

    def components(self) -> NDArray[np.int32]:
        """Number the strongly connected parts; shape (n,)."""
        links = csr_array(
            (np.ones(self.edge_count, dtype=np.int8), (self.tail, self.head)),
            shape=(self.node_count, self.node_count),
        )
        _, label = connected_components(links, directed=True, connection="strong")
        return np.asarray(label, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class RoadCounts:
    """A road graph in figures."""

    nodes: int
    edges: int
    """Directed: a two-way street counts twice."""

    edge_km: float
    """Length of all directed edges, km."""

    copies: int
    """Nodes that exist for the sake of forbidden turns."""

    components: int
    """Parts of at least two nodes within which each place can reach each other, the main one among them."""

    main_component_share: float
    """Share of the places from which one can reach the rest, 0 to 1; low means torn roads."""


def count_roads(graph: RoadGraph) -> RoadCounts:
    """Summarise a graph for the operator; copies count as copies only."""
    roads = slice(graph.road_count)
    label = graph.components()
    sizes = np.bincount(label)
    main = np.flatnonzero(label == sizes.argmax())
    places = np.concatenate((np.arange(graph.place_count), graph.node_copy_of))[main]
    return RoadCounts(
        nodes=graph.place_count,
        edges=graph.road_count,
        edge_km=float(graph.length_m[roads].sum(dtype=np.float64)) / 1000,
        copies=len(graph.node_copy_of),
        components=int((sizes > 1).sum()),
        main_component_share=np.unique(places).size / graph.place_count,
    )


def _check_shapes(graph: RoadGraph) -> None:
    n, m = graph.node_lat.shape, graph.tail.shape
    if len(n) != 1 or len(m) != 1 or not n[0] or not m[0]:
        raise RoadGraphInvalid("a graph has at least one node and one edge")
    if graph.node_lon.shape != n:
        raise RoadGraphInvalid("latitudes and longitudes differ in number")
    of_edges = (graph.head, graph.travel_s, graph.length_m, graph.way, graph.kerb_only)
    if any(array.shape != m for array in of_edges):
        raise RoadGraphInvalid("the arrays of the edges differ in length")
    for copies, whole in ((graph.copy_of, m[0]), (graph.node_copy_of, n[0])):
        if copies.ndim != 1 or len(copies) >= whole:
            raise RoadGraphInvalid("there is nothing but copies")
    order = graph.contraction_order
    if order is not None and not (order.shape == n and np.array_equal(np.sort(order), np.arange(n[0]))):
        raise RoadGraphInvalid("the contraction order is not an order of the nodes")


def _check_values(graph: RoadGraph) -> None:
    if not (np.all(np.abs(graph.node_lat) <= 90) and np.all(np.abs(graph.node_lon) <= 180)):
        raise RoadGraphInvalid("a node is not on earth")
    for end in (graph.tail, graph.head):
        if end.min() < 0 or end.max() >= graph.node_count:
            raise RoadGraphInvalid("an edge names a node that is not there")
    for copies, originals in ((graph.copy_of, graph.road_count), (graph.node_copy_of, graph.place_count)):
        if len(copies) and not (copies.min() >= 0 and copies.max() < originals):
            raise RoadGraphInvalid("a copy is of nothing")
    if not (np.all(graph.travel_s > 0) and np.all(graph.travel_s <= EDGE_S_MAX)):
        raise RoadGraphInvalid(f"an edge takes no time, or more than {EDGE_S_MAX:.0f} s")
    if not (np.all(graph.length_m >= 0) and np.all(np.isfinite(graph.length_m))):
        raise RoadGraphInvalid("an edge has no length")
