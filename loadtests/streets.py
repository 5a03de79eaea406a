"""The roads of a bench: Hangzhou's core where BOWEI_RECORDINGS names a folder that has it, else the demo's streets."""

import os
from pathlib import Path

from bowei.domain.places import Point
from bowei.roads.building import build_road_file

_RECORDED = Path("roads-hangzhou-core") / "hangzhou_core.osm.pbf"
_DRAWN = Path(__file__).parents[1] / "services" / "local" / "scenes" / "hangzhou_streets.geojson"
_ZHAOHUI, _FIRST_HOSPITAL = Point(30.28698, 120.16349), Point(30.2576, 120.1621)


def road_file(folder: Path) -> tuple[Path, Point, str]:
    """Give a file that `open_travel_times` reads, the door of a hospital on it, and what it is; built in `folder`."""
    recorded = Path(os.environ.get("BOWEI_RECORDINGS", "")) / _RECORDED
    if not recorded.is_file():
        return _DRAWN, _FIRST_HOSPITAL, "the demo's drawn streets"
    built = folder / "core.roads"
    build_road_file(recorded, built)
    return built, _ZHAOHUI, "Hangzhou's core"
