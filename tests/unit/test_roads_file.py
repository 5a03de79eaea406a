"""A road file gives back what was saved, and nothing else is mistaken for one."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bowei.domain.places import Point
from bowei.roads.cch import with_contraction_order
from bowei.roads.errors import (
    RoadFileMissing,
    RoadFileTooLarge,
    RoadFileUnreadable,
    RoadFileVersionUnknown,
    RoadGraphInvalid,
)
from bowei.roads.graph import RoadGraph, TrafficSide, count_roads
from bowei.roads.graph_draft import Direction, RoadGraphDraft
from bowei.roads.graph_file import load_graph, save_graph
from bowei.roads.turn_expansion import with_turn_rules
from bowei.roads.walk_network import WalkDraft, WalkNetwork


@pytest.fixture
def graph() -> RoadGraph:
    """Draw a two-way street and a one-way street that leads nowhere, a forbidden turn, and a path through the park."""
    draft = RoadGraphDraft()
    draft.add_line([("a", Point(30.25, 120.16)), ("b", Point(30.26, 120.16))], 30, Direction.BOTH)
    draft.add_line([("b", Point(30.26, 120.16)), ("c", Point(30.26, 120.17))], 50, Direction.FORWARD)
    streets = draft.finish(name="两条街", version="2024-05-01", attribution="made up", traffic_side=TrafficSide.LEFT)
    corner = int(streets.tail[np.flatnonzero(streets.way == 2)[0]])
    turn = (
        int(np.flatnonzero((streets.head == corner) & (streets.way == 1))[0]),
        int(np.flatnonzero((streets.tail == corner) & (streets.way == 2))[0]),
    )
    walks = WalkDraft()
    walks.add_line([(1, Point(30.25, 120.16)), (2, Point(30.251, 120.161))])
    return replace(with_turn_rules(streets, [turn]), walks=walks.finish())


@pytest.mark.parametrize("ordered", [True, False])
def test_a_saved_graph_comes_back_whole(graph: RoadGraph, tmp_path: Path, ordered: bool) -> None:
    """Every field survives the file bit by bit, with the order of contraction and without."""
    graph = with_contraction_order(graph) if ordered else graph
    save_graph(graph, tmp_path / "block.graph")
    loaded = load_graph(tmp_path / "block.graph")
    assert_same(loaded, graph)
    assert [file.name for file in tmp_path.iterdir()] == ["block.graph"]


def assert_same(loaded: RoadGraph, saved: RoadGraph) -> None:
    """Compare all that is in two graphs."""
    assert loaded.walks is not None
    assert saved.walks is not None
    for kind, one, other in ((RoadGraph, loaded, saved), (WalkNetwork, loaded.walks, saved.walks)):
        for field in fields(kind):
            if field.name != "walks":
                np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), strict=True)


def test_a_file_that_cannot_be_written_leaves_the_old_one(graph: RoadGraph, tmp_path: Path) -> None:
    """A failed save neither damages the file in use nor leaves a stray one."""
    path = tmp_path / "block.graph"
    save_graph(graph, path)
    before = path.read_bytes()
    damaged = replace(graph)
    object.__setattr__(damaged, "tail", np.array([_Unwritable()], dtype=object))
    with pytest.raises(RuntimeError, match="disk full"):
        save_graph(damaged, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["block.graph"]


class _Unwritable:
    def __reduce__(self) -> str:
        raise RuntimeError("disk full")


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the arrays in a road file."""
    with np.load(path) as stored:
        arrays = dict(stored.items())
    change(arrays)
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def with_header(**changes: object) -> Callable[[dict[str, Any]], None]:
    """Change fields of the header."""

    def change(arrays: dict[str, Any]) -> None:
        header = json.loads(arrays["header"].tobytes()) | changes
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)

    return change


def with_array(name: str, values: object) -> Callable[[dict[str, Any]], None]:
    """Put another array in the place of one."""
    return lambda arrays: arrays.update({name: values})


@pytest.mark.parametrize("version", [0, 1, 3, "2", None])
def test_a_file_of_another_version_is_refused_with_the_way_out(graph: RoadGraph, tmp_path: Path, version: Any) -> None:
    """An operator who upgraded is told to build the file again."""
    path = tmp_path / "block.graph"
    save_graph(graph, path)
    rewrite(path, with_header(format_version=version))
    with pytest.raises(RoadFileVersionUnknown, match="bowei roads build"):
        load_graph(path)


@pytest.mark.parametrize(
    "change",
    [
        with_header(format="something-else"),
        lambda arrays: arrays.pop("header"),
        lambda arrays: arrays.pop("head"),
        with_array("header", np.frombuffer(b"{", dtype=np.uint8)),
        with_array("header", np.frombuffer(b"\xff\xfe", dtype=np.uint8)),
        with_array("tail", np.array([0.5])),
        with_array("head", np.array([10**6] * 69, dtype=np.int32)),
        with_array("travel_s", np.array([1], dtype=np.float32)),
        with_array("tail", np.array([{}], dtype=object)),
    ],
    ids=[
        "other format",
        "no header",
        "no heads",
        "header cut off",
        "header no text",
        "tails no numbers of nodes",
        "edges to nowhere",
        "too few times",
        "a pickle inside",
    ],
)
def test_a_file_that_is_no_road_graph_is_refused(
    graph: RoadGraph, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    """Whatever is wrong inside, the refusal is the one for damaged files and names the file."""
    path = tmp_path / "block.graph"
    save_graph(graph, path)
    rewrite(path, change)
    with pytest.raises(RoadFileUnreadable, match=r"block\.graph"):
        load_graph(path)


def test_a_file_that_was_cut_short_is_refused(graph: RoadGraph, tmp_path: Path) -> None:
    """Wherever a copy broke off, and also when nothing or another file lies in its place."""
    path = tmp_path / "block.graph"
    save_graph(graph, path)
    whole = path.read_bytes()
    for content in [whole[: len(whole) * i // 10] for i in range(10)] + [b"not a road file"]:
        path.write_bytes(content)
        with pytest.raises(RoadFileUnreadable):
            load_graph(path)


def test_a_damaged_byte_is_refused_or_makes_no_difference(graph: RoadGraph, tmp_path: Path) -> None:
    """Every other byte of a file overwritten in turn: never another error, and never another graph."""
    path = tmp_path / "block.graph"
    save_graph(graph, path)
    whole = path.read_bytes()
    refused = 0
    for at in range(0, len(whole), 2):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            loaded = load_graph(path)
        except RoadFileUnreadable:
            refused += 1
            continue
        assert_same(loaded, graph)
    assert refused > len(whole) / 4


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    """A wrong path is not called a damaged file."""
    with pytest.raises(RoadFileMissing, match=r"nowhere\.graph"):
        load_graph(tmp_path / "nowhere.graph")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(graph: RoadGraph, tmp_path: Path) -> None:
    """A small file that would unpack to more than the limit is refused for its size, whatever is in it."""
    path = tmp_path / "bomb.graph"
    save_graph(graph, path)
    rewrite(path, with_array("tail", np.zeros(1_000_000, dtype=np.int32)))
    assert path.stat().st_size < 10_000
    with pytest.raises(RoadFileTooLarge):
        load_graph(path, unpacked_bytes_max=1_000_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"head": np.array([0, -1], dtype=np.int32)},
        {"travel_s": np.array([1, 0], dtype=np.float32)},
        {"travel_s": np.array([1, np.nan], dtype=np.float32)},
        {"travel_s": np.array([1, 1e6], dtype=np.float32)},
        {"length_m": np.array([1, np.inf], dtype=np.float32)},
        {"node_lat": np.array([0, 91.0])},
        {"node_lon": np.array([0.0])},
        {"node_lat": np.array([]), "node_lon": np.array([])},
        {"contraction_order": np.array([1, 1], dtype=np.int32)},
        {"way": np.array([1], dtype=np.int64)},
        {"kerb_only": np.array([], dtype=np.bool_)},
        {"copy_of": np.array([1], dtype=np.int32)},
        {"copy_of": np.array([0, 0], dtype=np.int32)},
        {"node_copy_of": np.array([-1], dtype=np.int32)},
    ],
)
def test_arrays_that_are_no_graph_never_reach_an_engine(changes: dict[str, Any]) -> None:
    """The engine is C++ and trusts its input; what would crash it is refused when the graph is made."""
    ends = np.array([0, 1], dtype=np.int32)
    ones = np.ones(2, dtype=np.float32)
    way, kerb_only = np.ones(2, dtype=np.int64), np.zeros(2, dtype=np.bool_)
    back = ends[::-1].copy()
    sound = RoadGraph("two", "v1", "made up", np.zeros(2), np.zeros(2), ends, back, ones, ones, way, kerb_only)
    with pytest.raises(RoadGraphInvalid):
        replace(sound, **changes)


def test_the_counts_tell_how_much_of_the_roads_hangs_together(graph: RoadGraph) -> None:
    """A one-way street that leads nowhere lies outside the main part; both directions count for length."""
    counts = count_roads(graph)
    two_way_m, one_way_m = 1111.95, 960.5
    assert counts.edge_km == pytest.approx((2 * two_way_m + one_way_m) / 1000, rel=1e-3)
    assert counts.edges == 2 * 23 + 20
    assert counts.nodes == 1 + 23 + 20
    assert counts.main_component_share == pytest.approx(24 / 44)
