"""Roads for cars, and ways for walkers, out of any OpenStreetMap extract (.osm.pbf).

Every point of a road stays a node: contracting to junctions would save memory but not query time (the engine's
hierarchy does that), and drivers are snapped to any place along a road, not only to crossings.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import osmium
import osmium.filter
import osmium.io
import osmium.osm

from bowei.domain.places import Point
from bowei.roads import car_profile, foot_profile
from bowei.roads.errors import RoadFileMissing, RoadFileUnreadable
from bowei.roads.graph import OSM_ATTRIBUTION, RoadCounts, RoadGraph, TrafficSide, count_roads
from bowei.roads.graph_draft import RoadGraphDraft
from bowei.roads.turn_expansion import with_turn_rules
from bowei.roads.turn_rules import TurnRule, TurnRuleCounts, TurnRules, read_rule
from bowei.roads.walk_network import WalkDraft

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

    ferries_left_out: int
    """Ways of ferries, which nobody is sent over."""

    km_by_class: dict[str, float]
    """Length by highway class in km, two-way streets once, longest first."""

    turn_rules: TurnRuleCounts
    """What became of the turn restrictions."""

    walk_nodes: int
    walk_km: float
    """The ways for walkers, once."""


def import_osm(
    path: Path, *, progress: Progress = no_progress, traffic_side: TrafficSide = TrafficSide.RIGHT
) -> tuple[RoadGraph, ImportSummary]:
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
        kinds = osmium.osm.NODE | osmium.osm.WAY | osmium.osm.RELATION
        wanted = osmium.FileProcessor(source, kinds).with_locations()
        for thing in wanted.with_filter(osmium.filter.KeyFilter("highway", "barrier", "route", "type")):
            reading.take(thing)
    except (RuntimeError, OSError, UnicodeDecodeError) as error:
        raise RoadFileUnreadable(f"{path}: not an OpenStreetMap .osm.pbf, or damaged ({error})") from error
    progress("reading roads", reading.ways_used, reading.ways_used)
    name = path.name.removesuffix(".pbf").removesuffix(".osm")
    graph = reading.graph(name, version, traffic_side)
    return graph, reading.summary(graph)


class _Reading:
    """One pass over a file: nodes come first, then ways, then relations."""

    def __init__(self, progress: Progress) -> None:
        self.draft = RoadGraphDraft()
        self.ways_used = 0
        self._walks = WalkDraft()
        self._progress = progress
        self._no_cars: set[int] = set()
        self._no_walkers: set[int] = set()
        self._left_out = self._torn = self._ferries = 0
        self._metres_by_class: dict[str, float] = {}
        self._walk_m = 0.0
        self._rules: list[TurnRule] = []
        self._rule_counts = TurnRuleCounts()

    def take(self, thing: object) -> None:
        if isinstance(thing, osmium.osm.Node):
            tags = _tags(thing.tags)
            if car_profile.blocks_cars(tags):
                self._no_cars.add(thing.id)
            if foot_profile.blocks_walkers(tags):
                self._no_walkers.add(thing.id)
        elif isinstance(thing, osmium.osm.Way):
            self._take_way(thing, _tags(thing.tags))
        elif isinstance(thing, osmium.osm.Relation):
            self._take_relation(thing, _tags(thing.tags))

    def graph(self, name: str, version: str, traffic_side: TrafficSide) -> RoadGraph:
        roads = self.draft.finish(name=name, version=version, attribution=OSM_ATTRIBUTION, traffic_side=traffic_side)
        forbidden = TurnRules(roads, self.draft.find_node).forbidden(self._rules, self._rule_counts)
        return replace(with_turn_rules(roads, forbidden), walks=self._walks.finish())

    def summary(self, graph: RoadGraph) -> ImportSummary:
        longest_first = sorted(self._metres_by_class.items(), key=lambda item: -item[1])
        return ImportSummary(
            counts=count_roads(graph),
            ways_used=self.ways_used,
            ways_left_out=self._left_out,
            ways_torn=self._torn,
            ferries_left_out=self._ferries,
            km_by_class={highway: metres / 1000 for highway, metres in longest_first},
            turn_rules=self._rule_counts,
            walk_nodes=0 if graph.walks is None else len(graph.walks.lat_e7),
            walk_km=self._walk_m / 1000,
        )

    def _take_way(self, way: osmium.osm.Way, tags: dict[str, str]) -> None:
        if car_profile.is_ferry(tags):
            self._ferries += 1
        elif "highway" in tags:
            line = [
                (ref.ref, Point(ref.lat, ref.lon)) if ref.location.valid() else (ref.ref, None) for ref in way.nodes
            ]
            if car_profile.may_drive(tags):
                self._take_road(way.id, line, tags)
            else:
                self._left_out += 1
            if foot_profile.may_walk(tags):
                for piece in _passable(line, self._no_walkers):
                    self._walk_m += self._walks.add_line(piece)

    def _take_road(self, number: int, line: "_Line", tags: dict[str, str]) -> None:
        metres = 0.0
        for piece in _passable(line, self._no_cars):
            metres += self.draft.add_line(
                piece,
                car_profile.speed_kmh(tags),
                car_profile.direction(tags),
                way=number,
                kerb_only=car_profile.is_kerb_only(tags),
            )
        if any(place is None for _, place in line):
            self._torn += 1
        highway = tags["highway"]
        self._metres_by_class[highway] = self._metres_by_class.get(highway, 0.0) + metres
        self.ways_used += 1
        if self.ways_used % _PROGRESS_EVERY == 0:
            self._progress("reading roads", self.ways_used, None)

    def _take_relation(self, relation: osmium.osm.Relation, tags: dict[str, str]) -> None:
        if tags.get("type", "").split(":", maxsplit=1)[0] == "restriction":
            members = [(member.role, member.type, member.ref) for member in relation.members]
            rule = read_rule(tags, members, self._rule_counts)
            if rule is not None:
                self._rules.append(rule)


_Line = Sequence[tuple[int, Point | None]]
"""The points of a way; None: outside the extract."""


def _passable(line: _Line, blocked: set[int]) -> list[list[tuple[int, Point]]]:
    """Cut a way where points are missing from the extract or a barrier stands."""
    pieces: list[list[tuple[int, Point]]] = [[]]
    for ref, place in line:
        if place is None or ref in blocked:
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
