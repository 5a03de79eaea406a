"""`bowei roads build` says what it found, and what an operator should look at."""

import re
from pathlib import Path

from typer.testing import CliRunner

from bowei.roads.graph import TrafficSide
from bowei.roads.graph_file import load_graph
from services.local.cli import app
from tests.unit.test_roads_turns import ARMS, AROUND, FAST, PLACES, SLOW, Rule, extract, rule

RUNNER = CliRunner()


def build(folder: Path, rules: list[Rule], *options: str, **more: str) -> str:
    """Build the crossing's file by the command, and give what it printed in one line."""
    ways = {number: (nodes, {**FAST, **more}) for number, nodes in ARMS.items()}
    ways |= {number: (nodes, {**SLOW, **more}) for number, nodes in AROUND.items()}
    ways[40] = ([1, 3], {"route": "ferry", "motor_vehicle": "yes"})
    extract(folder / "crossing.osm.pbf", rules, PLACES, ways)
    command = ["roads", "build", str(folder / "crossing.osm.pbf"), "-o", str(folder / "crossing.roads"), *options]
    result = RUNNER.invoke(app, command, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return re.sub(r"[\s│]+", " ", result.stderr)


def test_the_summary_counts_what_was_applied_and_left_out(tmp_path: Path) -> None:
    """Restrictions by what became of them, ferries, parts, and the ways for walkers; and nothing to look at."""
    hgv = ({"type": "restriction", "restriction:hgv": "no_left_turn"}, rule("", 11, 13)[1])
    at_night = ({"type": "restriction", "restriction:conditional": "no_u_turn @ (22:00-06:00)"}, rule("", 11, 13)[1])
    said = build(tmp_path, [rule("no_left_turn", 11, 13), hgv, at_night])
    for line in (
        "turn restrictions applied 1",
        "hold at some hours only 1",
        "for others than cars 1",
        "can't be read 0",
        "ferries left out 1",
        "parts that hang together 1",
        "points in the largest of them 100%",
        "ways for walkers, km 1.0",
    ):
        assert line in said, said
    assert "Look:" not in said
    assert load_graph(tmp_path / "crossing.roads").traffic_side is TrafficSide.RIGHT


def test_what_an_extract_lacks_is_said(tmp_path: Path) -> None:
    """Without relations and without a way for walkers the file is written, and the operator told what follows."""
    said = build(tmp_path, [], "--left", foot="no")
    assert "Look: Nothing for walkers is in the extract" in said
    assert "Look: No turn restriction is in the extract" in said
    graph = load_graph(tmp_path / "crossing.roads")
    assert (graph.traffic_side, graph.walks) == (TrafficSide.LEFT, None)
