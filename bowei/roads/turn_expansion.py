"""Forbidden turns, put into the graph itself: whoever then finds a shortest path obeys them without knowing of them.

A rule is a sequence of edges that must not be driven one after the other: (into the junction, out of it), or with a
way between. Each beginning of a rule becomes a copy of the node where it ends: a car that is there came that way. From
the copy lead copies of the edges that may follow; what may not is left out. So only junctions with rules grow, by one
node for each way into them. This is the automaton of Aho and Corasick (1975) over edges.

A rule that forbids a turn would be worth little if one could pass the junction, turn round at the next point of the
street and come back: a car that passed it keeps to its direction until the next junction, where it may turn round.
So does a car on any road whose middle nobody crosses (`RoadGraph.kerb_only`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bowei.roads.graph import RoadGraph

Sequence = tuple[int, ...]
"""Edges, each beginning where the one before ends."""

_STREET_EDGES_MAX = 200
"""How far a street is followed to its next junction (10 km of points 50 m apart)."""


class Streets:
    """Which edges lead out of a node, and which is the way back along an edge."""

    def __init__(self, tail: NDArray[np.int32], head: NDArray[np.int32], node_count: int) -> None:
        self._tail, self._head = tail, head
        self._by_tail = np.argsort(tail, kind="stable")
        self._begin = np.searchsorted(tail[self._by_tail], np.arange(node_count + 1))

    def out_of(self, node: int) -> list[int]:
        """List the edges that begin at a node."""
        found: list[int] = self._by_tail[self._begin[node] : self._begin[node + 1]].tolist()
        return found

    def end_of(self, edge: int) -> int:
        """Give the node where an edge ends."""
        return int(self._head[edge])

    def turns_round(self, edge: int, onward: int) -> bool:
        """Say whether `onward`, which begins where `edge` ends, goes back to where `edge` began."""
        return bool(self._head[onward] == self._tail[edge])

    def along(self, edge: int) -> Iterator[tuple[int, list[int]]]:
        """Follow a street to its next junction: each edge, with the edges by which one would turn round at its end."""
        driven: set[int] = set()
        while edge not in driven and len(driven) < _STREET_EDGES_MAX:
            driven.add(edge)
            onward = self.out_of(self.end_of(edge))
            back = [one for one in onward if self.turns_round(edge, one)]
            ahead = [one for one in onward if one not in back]
            if len(ahead) != 1:
                return  # a junction, or the end of the street: one may turn round
            yield edge, back
            edge = ahead[0]


def closing_detours(streets: Streets, forbidden: Iterable[Sequence]) -> set[Sequence]:
    """Give the rules with those by which nobody turns round behind the junction to get around them."""
    rules = set(forbidden)
    closed = set(rules)
    for before, banned in {(rule[:-1], rule[-1]) for rule in rules}:
        for onward in streets.out_of(streets.end_of(before[-1])):
            if onward == banned or (*before, onward) in rules:
                continue
            if streets.turns_round(before[-1], onward):
                if len(before) > 1:  # twice round in the gap of a divided street
                    closed.add((*before, onward))
                continue
            passed = before
            for edge, back in streets.along(onward):
                passed = (*passed, edge)
                closed.update((*passed, turn) for turn in back)
    return closed


def keeping_to_the_kerb(graph: RoadGraph, streets: Streets) -> set[Sequence]:
    """Give the rules by which nobody turns round between two junctions of a road whose middle nobody crosses."""
    rules: set[Sequence] = set()
    for edge in np.flatnonzero(graph.kerb_only).tolist():
        onward = streets.out_of(streets.end_of(edge))
        back = [one for one in onward if streets.turns_round(edge, one)]
        if back and len(onward) == len(back) + 1:
            rules.update((edge, turn) for turn in back)
    return rules


def with_turn_rules(graph: RoadGraph, forbidden: Iterable[Sequence] = ()) -> RoadGraph:
    """Give a graph in which none of these sequences can be driven, and nobody gets around them by turning round.

    `graph` is without copies and without an order.
    """
    streets = Streets(graph.tail, graph.head, graph.node_count)
    rules = closing_detours(streets, forbidden) | keeping_to_the_kerb(graph, streets)
    return _expanded(graph, streets, rules) if rules else graph


def _expanded(graph: RoadGraph, streets: Streets, rules: set[Sequence]) -> RoadGraph:
    begun = sorted({rule[:length] for rule in rules for length in range(1, len(rule))})
    node_of = {sequence: graph.node_count + number for number, sequence in enumerate(begun)}

    def after(sequence: Sequence) -> int:
        """Give the node where a car is after these edges: the copy that remembers most of them, or the plain node."""
        for start in range(len(sequence)):
            if sequence[start:] in node_of:
                return node_of[sequence[start:]]
        return streets.end_of(sequence[-1])

    head = graph.head.copy()
    for sequence in begun:
        if len(sequence) == 1:
            head[sequence[0]] = node_of[sequence]
    tails, heads, copies = [], [], []
    for sequence, node in node_of.items():
        for edge in streets.out_of(streets.end_of(sequence[-1])):
            driven = (*sequence, edge)
            if not any(driven[start:] in rules for start in range(len(driven) - 1)):
                tails.append(node)
                heads.append(after(driven))
                copies.append(edge)
    where = np.array([streets.end_of(sequence[-1]) for sequence in begun], dtype=np.int64)
    copy_of = np.array(copies, dtype=np.int32)
    return replace(
        graph,
        node_lat=np.concatenate((graph.node_lat, graph.node_lat[where])),
        node_lon=np.concatenate((graph.node_lon, graph.node_lon[where])),
        tail=np.concatenate((graph.tail, np.array(tails, dtype=np.int32))),
        head=np.concatenate((head, np.array(heads, dtype=np.int32))),
        travel_s=np.concatenate((graph.travel_s, graph.travel_s[copy_of])),
        length_m=np.concatenate((graph.length_m, graph.length_m[copy_of])),
        way=np.concatenate((graph.way, graph.way[copy_of])),
        kerb_only=np.concatenate((graph.kerb_only, graph.kerb_only[copy_of])),
        copy_of=copy_of,
        node_copy_of=where.astype(np.int32),
    )
