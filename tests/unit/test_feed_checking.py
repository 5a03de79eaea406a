"""`bowei feeds check`: an operator sees what a vendor's sample would become before anything is turned on."""

from pathlib import Path

import pytest

from bowei.observability.environment import Environment
from services.local.feed_checking import check_feeds

MAP = """
map: own
about: a test
timezone: Asia/Shanghai
means: {"-9": unknown}
messages:
  - when: {path: plate}
    lot: id
    car: {passage_id: no, kind: enter, passed_at: at, plate: plate, shared: {path: t, means: {"3": 'yes'}}}
  - {when: {path: beat}, lot: id, life: {}}
  - {items: '$[*]', lot: id, observed_at: at, counts: {free: left, capacity: all, classes: {ev: ev}}}
"""
SAMPLE = """[
 {"id": "A", "at": "2026-03-02 09:00:00", "left": "30+", "all": 300, "ev": 2},
 {"id": "B", "left": -9, "all": 40},
 {"left": 7}
]"""


@pytest.fixture
def a_map(tmp_path: Path) -> Path:
    """Write a map."""
    file = tmp_path / "own.yaml"
    file.write_text(MAP)
    return file


def test_a_sample_is_shown_as_what_it_becomes(a_map: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Proves that counts, bounds, dirt and what is wrong are each said in a line."""
    sample = tmp_path / "sample.json"
    sample.write_text(SAMPLE)
    assert check_feeds(a_map, sample, None) == 0
    assert capsys.readouterr().out.splitlines() == [
        "The map own can be used.",
        (
            "   1  counts  lot A: open, free at least 30, capacity 300, ev 2 at 2026-03-02T01:00:00+00:00"
            "  dirt: at_least, naive_time"
        ),
        "   2  counts  lot B: open, free unknown, capacity 40 at the time of receipt  dirt: no_time, sentinel",
        "   3  wrong   no lot: missing_field (id). This field is needed.",
        "3 read, 1 of them wrong.",
    ]


def test_a_plate_is_never_printed(a_map: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Proves it for a car that is read, and that a sign of life is shown."""
    sample = tmp_path / "sample.json"
    sample.write_text('{"id":"A","plate":"浙A12345","no":7,"at":"2026-03-02T01:00:00Z","t":3}')
    assert check_feeds(a_map, sample, None) == 0
    sample.with_name("beat.json").write_text('{"beat":1,"id":"A"}')
    assert check_feeds(a_map, sample.with_name("beat.json"), None) == 0
    printed = capsys.readouterr().out
    assert "car     lot A: enter 7 at 2026-03-02T01:00:00+00:00, with a plate, shared, moves the count" in printed
    assert "life    lot A: heartbeat at the time of receipt" in printed
    assert "12345" not in printed


@pytest.mark.parametrize("content", ["{", "[]", '{"other": 1}', None])
def test_a_sample_of_which_nothing_can_be_meant_is_a_failure(a_map: Path, tmp_path: Path, content: str | None) -> None:
    """Proves that a script notices: it is unreadable, says nothing that the map knows, or is not there."""
    sample = tmp_path / "sample.json"
    if content is not None:
        sample.write_text(content)
    assert check_feeds(a_map, sample, None) == 1


def test_what_is_wrong_in_a_map_or_a_feeds_file_is_said_and_is_a_failure(
    a_map: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Proves it for both kinds of file, for a name that is none, and that a good feeds file is a success."""
    a_map.write_text(MAP + "colour: red")
    assert check_feeds(a_map, None, None) == 1
    feeds = tmp_path / "feeds.yaml"
    feeds.write_text("feeds: [{source: east, way: push, map: own.yaml}]")
    assert check_feeds(feeds, None, None) == 1
    assert check_feeds(Path("nobody"), None, None) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("colour: There is no such field.")
    assert said[1].startswith("the map of east: colour: There is no such field.")
    assert said[2].startswith("No map of that name ships with Bowei.")
    a_map.write_text(MAP)
    assert check_feeds(feeds, None, None, Environment({})) == 0
    assert check_feeds(Path("szymzh"), None, None) == 0
