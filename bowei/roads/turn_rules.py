"""Turn restrictions as OpenStreetMap has them, and the sequences of edges that they forbid.

Source: wiki.openstreetmap.org, Relation:restriction. Members: from (a way), via (a node, or ways), to (a way).
`no_…` forbids from–via–to, `only_…` every other way on from there. A rule for other vehicles (`restriction:hgv`, or
`except=motorcar`) is none for a car. One that holds at some hours only is not applied: it is counted, so that an
operator knows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from bowei.roads.graph import RoadGraph
from bowei.roads.turn_expansion import Sequence, Streets

_OF_CARS = ("restriction:motorcar", "restriction:motor_vehicle", "restriction")
"""The most particular first."""
_EXCEPTED = frozenset({"motorcar", "motor_vehicle", "vehicle"})
_AT_SOME_HOURS = ("day_on", "day_off", "hour_on", "hour_off")
_VIA_EDGES_MAX = 500


@dataclass(frozen=True, slots=True)
class TurnRule:
    """A restriction for cars: from each of `ways_in` over the via to each of `ways_out`, by their numbers."""

    only: bool
    """Only this, instead of not this."""
    turns_round: bool
    ways_in: tuple[int, ...]
    via_node: int | None
    via_ways: tuple[int, ...]
    ways_out: tuple[int, ...]


@dataclass(slots=True)
class TurnRuleCounts:
    """What became of the restrictions in a source."""

    applied: int = 0
    conditional: int = 0
    """They hold at some hours only, and are not applied."""
    for_others: int = 0
    """For lorries, buses or bicycles, or not for cars."""
    unreadable: int = 0
    """Members are missing or of the wrong kind, or nobody knows which of two ways is meant."""
    off_road: int = 0
    """On ways that no car drives, or that lie outside the extract, or what they forbid can't be driven anyway."""


Member = tuple[str, str, int]
"""Role, "n", "w" or "r", number."""


def read_rule(tags: Mapping[str, str], members: Iterable[Member], counts: TurnRuleCounts) -> TurnRule | None:
    """Read a relation whose type is `restriction…`; count one that is no rule for cars, and give None."""
    conditional = any(f"{key}:conditional" in tags for key in _OF_CARS) or any(key in tags for key in _AT_SOME_HOURS)
    kind = next((tags[key] for key in _OF_CARS if key in tags), None)
    if _EXCEPTED & {word.strip() for word in tags.get("except", "").split(";")}:
        counts.for_others += 1
    elif conditional:
        counts.conditional += 1
    elif kind is None or tags["type"] not in {"restriction", "restriction:motorcar", "restriction:motor_vehicle"}:
        counts.for_others += 1
    else:
        rule = _rule(kind, list(members))
        if rule is None:
            counts.unreadable += 1
        return rule
    return None


def _rule(kind: str, members: list[Member]) -> TurnRule | None:
    by_role: dict[str, list[Member]] = {"from": [], "via": [], "to": []}
    for member in members:
        by_role.setdefault(member[0], []).append(member)
    ways_in, vias, ways_out = by_role["from"], by_role["via"], by_role["to"]
    only = kind.startswith("only_")
    if not (ways_in and vias and ways_out and (only or kind.startswith("no_"))):
        return None
    if only and (len(ways_in) > 1 or len(ways_out) > 1):
        return None
    kinds = {what for _, what, _ in vias}
    if (
        any(what != "w" for _, what, _ in (*ways_in, *ways_out))
        or kinds not in ({"n"}, {"w"})
        or (kinds == {"n"} and vias[1:])
    ):
        return None
    return TurnRule(
        only=only,
        turns_round=kind == "no_u_turn",
        ways_in=tuple(number for _, _, number in ways_in),
        via_node=vias[0][2] if kinds == {"n"} else None,
        via_ways=tuple(number for _, _, number in vias) if kinds == {"w"} else (),
        ways_out=tuple(number for _, _, number in ways_out),
    )


class TurnRules:
    """Finds the edges that rules speak of; `graph` is without copies."""

    def __init__(self, graph: RoadGraph, find_node: Callable[[int], int | None]) -> None:
        self._graph = graph
        self._find_node = find_node
        self._streets = Streets(graph.tail, graph.head, graph.node_count)
        number = np.abs(graph.way)
        self._by_way = np.argsort(number, kind="stable")
        self._numbers = number[self._by_way]

    def forbidden(self, rules: Iterable[TurnRule], counts: TurnRuleCounts) -> set[Sequence]:
        """Give the sequences that the rules forbid, and count what became of each rule."""
        found: set[Sequence] = set()
        for rule in rules:
            try:
                sequences = {
                    s for way_in, out in product(rule.ways_in, rule.ways_out) for s in self._of(rule, way_in, out)
                }
            except _Unclear:
                counts.unreadable += 1
                continue
            counts.applied += bool(sequences)
            counts.off_road += not sequences
            found |= sequences
        return found

    def _of(self, rule: TurnRule, way_in: int, way_out: int) -> Iterator[Sequence]:
        if rule.via_node is not None:
            node = self._find_node(rule.via_node)
            begun: list[Sequence] = (
                [] if node is None else [(edge,) for edge in self._edges_of(way_in) if self._end(edge) == node]
            )
        else:
            begun = list(self._through(way_in, rule.via_ways, way_out))
        if not begun:
            return
        if len(begun) > 1 and not (rule.turns_round and way_in == way_out):
            raise _Unclear  # the way goes on behind the junction: nobody knows from which side
        for sequence in begun:
            onward = self._streets.out_of(self._end(sequence[-1]))
            meant = [edge for edge in onward if abs(self._graph.way[edge]) == way_out]
            if rule.turns_round and way_in == way_out:
                meant = [edge for edge in meant if self._streets.turns_round(sequence[-1], edge)]
            if not rule.only:
                if len(meant) > 1:
                    raise _Unclear
                yield from ((*sequence, edge) for edge in meant)
            elif len(meant) == 1:
                yield from self._all_but(sequence, meant[0])
            elif meant:
                raise _Unclear

    def _all_but(self, sequence: Sequence, only: int) -> Iterator[Sequence]:
        # Whoever comes from there goes over the whole via: at each of its junctions every other way is forbidden.
        for place, wanted in enumerate((*sequence[1:], only), start=1):
            for edge in self._streets.out_of(self._end(sequence[place - 1])):
                if edge != wanted:
                    yield (*sequence[:place], edge)

    def _through(self, way_in: int, via: tuple[int, ...], way_out: int) -> Iterator[Sequence]:
        """Follow the via ways from where they meet the way in to where they meet the way out."""
        ends = [self._nodes_of(way) for way in (*via, way_out)]
        for edge in self._edges_of(way_in):
            start = self._end(edge)
            if start not in ends[0]:
                continue
            sequence: Sequence | None = (edge,)
            for way, goal in zip(via, ends[1:], strict=True):
                sequence = None if sequence is None else self._along(sequence, way, goal)
            if sequence is not None and len(sequence) > 1:
                yield sequence

    def _along(self, sequence: Sequence, way: int, goal: set[int]) -> Sequence | None:
        for first in self._streets.out_of(self._end(sequence[-1])):
            if abs(self._graph.way[first]) != way:
                continue
            signed, path = self._graph.way[first], [first]
            while self._end(path[-1]) not in goal and len(path) < _VIA_EDGES_MAX:
                onward = [e for e in self._streets.out_of(self._end(path[-1])) if self._graph.way[e] == signed]
                if not onward:
                    break
                path.append(onward[0])
            if self._end(path[-1]) in goal:
                return (*sequence, *path)
        return None

    def _edges_of(self, way: int) -> list[int]:
        begin, end = np.searchsorted(self._numbers, (way, way + 1))
        found: list[int] = self._by_way[begin:end].tolist()
        return found

    def _nodes_of(self, way: int) -> set[int]:
        edges = self._edges_of(way)
        return {*self._graph.tail[edges].tolist(), *self._graph.head[edges].tolist()}

    def _end(self, edge: int) -> int:
        return self._streets.end_of(edge)


class _Unclear(Exception):
    """Nobody knows which edges are meant."""
