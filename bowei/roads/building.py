"""Build a road file out of an OpenStreetMap extract: what `bowei roads build` does, without its terminal."""

import logging
from pathlib import Path

from bowei.roads.graph import RoadGraph, TrafficSide
from bowei.roads.graph_file import save_graph
from bowei.roads.osm_import import ImportSummary, Progress, import_osm, no_progress

_log = logging.getLogger(__name__)


def build_road_file(
    source: Path,
    target: Path,
    *,
    progress: Progress = no_progress,
    traffic_side: TrafficSide = TrafficSide.RIGHT,
) -> ImportSummary:
    """Read `source` (.osm.pbf) and write `target`, replacing it in one step; takes seconds for a city.

    Raises:
        RoadsError: `source` is missing, damaged, too large or without roads (see `errors.py`).
        OSError: `target` cannot be written.
    """
    graph, summary = import_osm(source, progress=progress, traffic_side=traffic_side)
    progress("ordering junctions", 0, 1)
    graph = _ordered(graph)
    progress("ordering junctions", 1, 1)
    save_graph(graph, target)
    return summary


def _ordered(graph: RoadGraph) -> RoadGraph:
    # The order is worked out here, once, so that each process that opens the file starts in milliseconds.
    try:
        from bowei.roads.cch import with_contraction_order  # noqa: PLC0415  (its wheel needs glibc ≥ 2.34)
    except ImportError:
        _log.warning("routing_engine_missing: the road file is written without a contraction order")
        return graph
    return with_contraction_order(graph)
