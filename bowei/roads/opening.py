"""Pick travel times for what the operator gave: a road file, or none."""

import logging
from pathlib import Path

from bowei.roads.by_air import AirTravelTimes
from bowei.roads.dijkstra import DijkstraTravelTimes
from bowei.roads.graph import RoadGraph
from bowei.roads.graph_file import load_graph
from bowei.roads.streets_geojson import load_streets
from bowei.roads.travel_times import LiveTravelTimes

_log = logging.getLogger(__name__)


def open_travel_times(path: Path | None) -> LiveTravelTimes:
    """Open a road file written by `bowei roads build`, or drawn streets (.geojson); without one, estimate by air.

    Blocks for the time it takes to read the file (a second for a city): call it before serving, or on a thread.

    Raises:
        RoadsError: the file is missing, damaged or of another version (see `errors.py`).
    """
    if path is None:
        return AirTravelTimes()
    return over_roads(load_streets(path) if path.suffix == ".geojson" else load_graph(path))


def over_roads(graph: RoadGraph) -> LiveTravelTimes:
    """Give the quickest adapter that runs on this machine; all of them find the same ways."""
    try:
        from bowei.roads.cch import CchTravelTimes  # noqa: PLC0415  (its wheel needs glibc ≥ 2.34)
    except ImportError:
        _log.warning("routing_engine_missing: routingkit-cch cannot be imported, Dijkstra answers, slower")
        return DijkstraTravelTimes(graph)
    return CchTravelTimes(graph)
