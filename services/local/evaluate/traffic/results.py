"""What runs said, one JSON line each; a run that is there already is not run again.

A line is known by its policy, its parameters, its seed and its world: whoever changes the town or its people begins a
new series beside the old one.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.local.evaluate.keeping import add_line, commit, machine, read_lines
from services.local.evaluate.traffic.demand import Trip
from services.local.evaluate.traffic.measures import Measures, as_document
from services.local.evaluate.traffic.policies import Policy
from services.local.evaluate.traffic.town import PlainNetwork, parking_xml

Line = Mapping[str, Any]

_KEPT_AS = {"lot": "site"}
"""What a trip's lot was called when the first runs were kept: a world's name is made of the old word still."""


def world_of(network: PlainNetwork, trips: Iterable[Trip]) -> str:
    """Name the town and its people of one seed by what they are."""
    people = json.dumps([{_KEPT_AS.get(name, name): said for name, said in asdict(trip).items()} for trip in trips])
    drawn = network.nodes_xml + network.edges_xml + parking_xml() + people
    return hashlib.sha256(drawn.encode()).hexdigest()[:12]


def key_of(policy: Policy, seed: int, world: str) -> str:
    """Name one run."""
    return json.dumps([policy.name, policy.parameters, seed, world], sort_keys=True)


class Results:
    """The lines of a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: dict[str, Line] = {}
        for line in read_lines(path):
            self._lines[_key_of_line(line)] = line

    @property
    def lines(self) -> list[Line]:
        """All of them, oldest first."""
        return list(self._lines.values())

    def find(self, policy: Policy, seed: int, world: str) -> Line | None:
        """Give the line of a run; None: it was not run yet."""
        return self._lines.get(key_of(policy, seed, world))

    def add(self, policy: Policy, seed: int, world: str, measures: Measures, *, simulator: str, took_s: float) -> Line:
        """Keep a run."""
        line = {
            "policy": policy.name,
            "parameters": policy.parameters,
            "seed": seed,
            "world": world,
            "measures": as_document(measures),
            "simulator": simulator,
            "took_s": round(took_s, 1),
            "at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "machine": machine(),
            "commit": commit(),
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        add_line(self._path, line)
        self._lines[_key_of_line(line)] = line
        return line


def _key_of_line(line: Line) -> str:
    return json.dumps([line["policy"], line["parameters"], line["seed"], line["world"]], sort_keys=True)
