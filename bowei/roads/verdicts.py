"""Whether a place lies beside the roads: for whoever registers places, and drives nowhere.

Holds the pieces of road and footway only, without an engine.
"""

from pathlib import Path

from bowei.domain.places import Point
from bowei.roads.graph_file import load_graph
from bowei.roads.snapping import Snapper
from bowei.roads.streets_geojson import load_streets
from bowei.roads.walking import Footways


class RoadPlaces:
    """Says of places whether a car and a walker can start or end there. Any thread."""

    def __init__(self, path: Path) -> None:
        """Read a road file, or drawn streets; blocks for a second for a city.

        Raises:
            RoadsError: the file is missing, damaged or of another version.
        """
        graph = load_streets(path) if path.suffix == ".geojson" else load_graph(path)
        self._snapper = Snapper(graph)
        self._footways = None if graph.walks is None else Footways(graph.walks)

    def is_off_road(self, place: Point) -> bool:
        """Say whether drives from or to there can only be estimated by air."""
        return self._snapper.find(place) is None

    def is_off_footways(self, place: Point) -> bool:
        """Say whether walks from or to there can only be estimated by air; never where no footways are known at all."""
        return self._footways is not None and not self._footways.is_beside(place)
