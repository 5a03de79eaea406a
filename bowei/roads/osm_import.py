"""Roads for cars out of any OpenStreetMap extract (.osm.pbf).

Every point of a road stays a node: contracting to junctions would save memory but not query time (the engine's
hierarchy does that), and drivers are snapped to any place along a road, not only to crossings.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import osmium
import osmium.filter
import osmium.io
import osmium.osm

from bowei.domain.places import Point
from bowei.roads import car_profile
from bowei.roads.errors import RoadFileMissing, RoadFileUnreadable
from bowei.roads.graph import OSM_ATTRIBUTION, RoadCounts, RoadGraph, count_roads
from bowei.roads.graph_draft import RoadGraphDraft

_PROGRESS_EVERY = 1000
_HASH_CHARS = 12


class Progress(Protocol):
    """Told how far the work is, often enough for a progress bar and rarely enough to cost nothing."""

    def __call__(self, step: str, done: int, total: int | None) -> None:
        """Take the step's name, what is done and what there is; total None where nobody knows beforehand."""
        ...


def no_progress(step: str, done: int, total: int | None) -> None:
    """Show nothing."""
    del step, done, total


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import found, for the operator to compare with what they know of the city."""

    counts: RoadCounts

    ways_used: int
    """Ways a car may drive."""

    ways_left_out: int
    """Ways tagged highway that are closed to cars, or no road for them (paths, steps, under construction)."""

    ways_torn: int
    """Used ways of which some points lie outside the extract."""

    km_by_class: dict[str, float]
    """Length by highway class in km, two-way streets once, longest first."""


def import_osm(path: Path, *, progress: Progress = no_progress) -> tuple[RoadGraph, ImportSummary]:
    """Build the road graph of an extract; named for the file, versioned by its date or else by its content.

    Raises:
        RoadFileMissing: no such file.
        RoadFileUnreadable: not a .osm.pbf, or damaged.
        RoadFileTooLarge: more roads than this program holds.
        NoRoadsFound: nothing in it that a car may drive.
    """
    if not path.is_file():
        raise RoadFileMissing(f"{path}: no such file")
    reading = _Reading(progress)
    try:
        version = _version(path)
        # The format is named, not guessed from the suffix, so that any other file is refused as damaged.
        source = osmium.io.File(str(path), "pbf")
        wanted = osmium.FileProcessor(source, osmium.osm.NODE | osmium.osm.WAY).with_locations()
        for thing in wanted.with_filter(osmium.filter.KeyFilter("highway", "barrier")):
            reading.take(thing)
    except (RuntimeError, OSError, UnicodeDecodeError) as error:
        raise RoadFileUnreadable(f"{path}: not an OpenStreetMap .osm.pbf, or damaged ({error})") from error
    progress("reading roads", reading.ways_used, reading.ways_used)
    name = path.name.removesuffix(".pbf").removesuffix(".osm")
    graph = reading.draft.finish(name=name, version=version, attribution=OSM_ATTRIBUTION)
    return graph, reading.summary(graph)


class _Reading:
    """One pass over a file: nodes come first, then ways."""

    def __init__(self, progress: Progress) -> None:
        self.draft = RoadGraphDraft()
        self.ways_used = 0
        self._progress = progress
        self._blocked: set[int] = set()
        self._left_out = 0
        self._torn = 0
        self._metres_by_class: dict[str, float] = {}

    def take(self, thing: object) -> None:
        if isinstance(thing, osmium.osm.Node):
            if car_profile.blocks_cars(_tags(thing.tags)):
                self._blocked.add(thing.id)
        elif isinstance(thing, osmium.osm.Way) and "highway" in thing.tags:
            tags = _tags(thing.tags)
            if car_profile.may_drive(tags):
                self._take_road(thing, tags)
            else:
                self._left_out += 1

    def summary(self, graph: RoadGraph) -> ImportSummary:
        longest_first = sorted(self._metres_by_class.items(), key=lambda item: -item[1])
        return ImportSummary(
            counts=count_roads(graph),
            ways_used=self.ways_used,
            ways_left_out=self._left_out,
            ways_torn=self._torn,
            km_by_class={highway: metres / 1000 for highway, metres in longest_first},
        )

    def _take_road(self, way: osmium.osm.Way, tags: dict[str, str]) -> None:
        speed_kmh, direction = car_profile.speed_kmh(tags), car_profile.direction(tags)
        line = [(ref.ref, Point(ref.lat, ref.lon)) if ref.location.valid() else (ref.ref, None) for ref in way.nodes]
        metres = 0.0
        for piece in self._drivable(line):
            metres += self.draft.add_line(piece, speed_kmh, direction)
        if any(place is None for _, place in line):
            self._torn += 1
        highway = tags["highway"]
        self._metres_by_class[highway] = self._metres_by_class.get(highway, 0.0) + metres
        self.ways_used += 1
        if self.ways_used % _PROGRESS_EVERY == 0:
            self._progress("reading roads", self.ways_used, None)

    def _drivable(self, line: Sequence[tuple[int, Point | None]]) -> list[list[tuple[int, Point]]]:
        """Cut a way where points are missing from the extract or a barrier stands."""
        pieces: list[list[tuple[int, Point]]] = [[]]
        for ref, place in line:
            if place is None or ref in self._blocked:
                pieces.append([])
            else:
                pieces[-1].append((ref, place))
        return [piece for piece in pieces if len(piece) > 1]


def _tags(tags: osmium.osm.TagList) -> dict[str, str]:
    return {tag.k: tag.v for tag in tags}


def _version(path: Path) -> str:
    """Give the extract's date if it states one, else the start of its SHA-256."""
    with osmium.io.Reader(osmium.io.File(str(path), "pbf"), osmium.osm.NOTHING) as reader:
        stated = reader.header().get("osmosis_replication_timestamp")
    if stated:
        return stated
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_HASH_CHARS]
