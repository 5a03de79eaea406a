"""A recording replayed through ingest, the ledger, the live state and routing, on real servers."""

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bowei.domain.lots import LotId
from bowei.domain.places import Point
from services.local.cli import app
from services.local.replay.replaying import UnknownHospital
from services.local.setup_problem import SetupProblem
from tests.system.replay_recordings import HOSPITAL, Row, minutes_of, north, replayed, write_recording

Urls = tuple[str, str]


@pytest.fixture
def urls(fresh_database: str, fresh_redis: str) -> Urls:
    """Give the addresses of empty stores."""
    return fresh_database, fresh_redis


def every_5_minutes(lot_id: str, *frees: int | None, start: int = 0) -> list[Row]:
    """Give a lot's reports, five minutes apart."""
    return [(start + 5 * n, lot_id, free) for n, free in enumerate(frees)]


def choices(lines: list[dict[str, Any]]) -> list[tuple[float, str | None]]:
    """Give when each decision fell and what was chosen."""
    return [(minutes_of(line), line["chosen"]) for line in lines]


async def test_each_driver_is_sent_to_the_nearest_lot_with_a_space_while_the_hospital_is_full(
    urls: Urls, tmp_path: Path
) -> None:
    """The near mall fills, so the next is taken; when the hospital has room again nobody asks any more.

    Never chosen: another hospital's lot, and a lot outside of the radius, though both are empty.
    """
    rows = [
        *every_5_minutes("hospital", 3, 0, 0, 0, 4, 4),
        *every_5_minutes("near", 9, 8, 0, 0, 9, 9),
        *(row for lot_id in ("far", "clinic", "beyond") for row in every_5_minutes(lot_id, 40, 40, 40, 40, 40, 40)),
    ]
    summary, lines = await replayed(urls, write_recording(tmp_path, rows))
    assert choices(lines) == [(5, "near"), (10, "far"), (15, "far")]
    assert [line["hospital_free"] for line in lines] == [0, 0, 0]
    assert [line["chosen_free"] for line in lines] == [8, 40, 40]
    assert {one["lot_id"] for line in lines for one in line["considered"]} == {"near", "far", "south"}
    assert all(line["estimated"] and line["drive_s"] > 0 and line["walk_s"] > 0 for line in lines)
    assert lines[1]["considered"][1] | {"excluded": "full", "free": 0} == lines[1]["considered"][1]
    expected = {"decisions": 3, "diverted": 3, "none": 0, "none_share": 0.0, "chosen": {"far": 2, "near": 1}}
    expected |= {"episodes": 1, "episodes_diverted": 1, "broken_promises": 0, "roads": "air"}
    expected |= {"from": "2026-01-07T09:00:00Z", "to": "2026-01-07T09:25:00Z", "reports": {"applied": 30}}
    assert summary | expected == summary


async def test_none_is_counted_and_justified_when_every_lot_is_full_closed_or_unknown(
    urls: Urls, tmp_path: Path
) -> None:
    """An empty lot that is closed, or of which nothing is known, is no place to send a driver."""
    rows: list[Row] = []
    for at in (0, 5, 10):
        rows += [(at, "hospital", 0), (at, "near", 0), (at, "far", 30, "closed"), (at, "south", None, "unknown")]
    summary, lines = await replayed(urls, write_recording(tmp_path, rows))
    assert choices(lines) == [(0, None), (5, None), (10, None)]
    assert [line["overlooked"] for line in lines] == [[], [], []]
    expected = {"none": 3, "none_share": 1.0, "none_unjustified": 0, "episodes": 1, "episodes_diverted": 0}
    assert summary | expected == summary
    assert summary["excluded"] == {"full": 3, "closed": 3, "stale_data": 3}


async def test_nobody_is_sent_by_an_impossible_count(urls: Urls, tmp_path: Path) -> None:
    """More free spaces than there are: the full lot before it stays full, and the unknown one unknown."""
    rows = [
        *every_5_minutes("hospital", 0, 0, 0),
        *every_5_minutes("near", 0, 999, 999),
        *every_5_minutes("far", 52, 52, 52),
        *every_5_minutes("south", 7, 7, 7),
    ]
    summary, lines = await replayed(urls, write_recording(tmp_path, rows))
    assert [line["chosen"] for line in lines] == ["south", "south", "south"]
    assert summary["reports"] == {"applied": 7, "free_above_capacity": 5}
    assert summary["excluded"] == {"full": 3, "stale_data": 3}
    assert (summary["chosen_without_free"], summary["none_unjustified"]) == (0, 0)


async def test_replayed_drivers_take_no_space(urls: Urls, tmp_path: Path) -> None:
    """Five spaces are enough for eleven drivers after each other: the recording can't know of them."""
    rows: list[Row] = []
    for at in (0, 5, 10):
        rows += [(at, "hospital", 0), (at, "near", 5), (at, "far", 40)]
    summary, lines = await replayed(urls, write_recording(tmp_path, rows), every=timedelta(minutes=1))
    assert summary["chosen"] == {"near": 11}
    assert {line["considered"][0]["offered"] + line["considered"][0]["kept_back"] for line in lines} == {5}


async def test_a_report_is_believed_as_long_as_its_own_lot_usually_takes(urls: Urls, tmp_path: Path) -> None:
    """A lot that reports every five minutes is not believed after half an hour; one that does so each half hour is."""
    silent_from = 180
    rows = [(at, "hospital", 0 if at >= silent_from else 9) for at in range(0, 241, 5)]
    rows += [(at, "near", 20) for at in range(0, silent_from + 1, 5)]
    rows += [(at, "far", 20) for at in range(0, 241, 30)]
    summary, lines = await replayed(urls, write_recording(tmp_path, [*rows]))
    silence = [(at - silent_from, chosen) for at, chosen in choices(lines)]
    assert [chosen for _, chosen in silence] == ["near"] * 6 + ["far"] * 7
    assert silence[6][0] == 30
    believed = [one["age_s"] for line in lines[6:] for one in line["considered"] if one["lot_id"] == "far"]
    assert max(believed) == 25 * 60
    assert summary["none_unjustified"] == summary["chosen_without_free"] == 0


async def test_drivers_come_at_their_own_times_whenever_reports_come(urls: Urls, tmp_path: Path) -> None:
    """Every five minutes from the first report on, also after a stretch in which nobody had to ask."""
    rows: list[Row] = [(0, "hospital", 9), (7, "hospital", 0), (12, "hospital", 0), (16, "hospital", 0), (0, "near", 9)]
    _, lines = await replayed(urls, write_recording(tmp_path, rows))
    assert choices(lines) == [(10, "near"), (15, None)]
    assert lines[1]["considered"][0]["excluded"] == "stale_data"


async def test_nobody_asks_at_a_hospital_that_has_fallen_silent(urls: Urls, tmp_path: Path) -> None:
    """It was full at its last report; after ten minutes without another nobody says that it still is."""
    rows = [(0.0, "hospital", 0), *((5.0 * n, "near", 9) for n in range(100))]
    summary, lines = await replayed(urls, write_recording(tmp_path, [*rows]))
    assert [at for at, _ in choices(lines)] == [0, 5, 10]
    assert summary["episodes"] == 1


async def test_full_is_what_the_replay_is_told_to_call_full(urls: Urls, tmp_path: Path) -> None:
    """Two spaces that nobody finds are none."""
    rows = [*every_5_minutes("hospital", 3, 2, 1, 0), *every_5_minutes("near", 9, 9, 9, 9)]
    summary, lines = await replayed(urls, write_recording(tmp_path, rows), full_at=2)
    assert [line["hospital_free"] for line in lines] == [2, 1, 0]
    assert summary["decisions"] == 3


async def test_drivers_who_come_from_elsewhere_are_sent_the_shorter_way(urls: Urls, tmp_path: Path) -> None:
    """From the gate the lot a kilometre to the south is nearer than the one to the north; from the north it is not."""
    rows = [(0.0, "hospital", 0), (0.0, "far", 20), (0.0, "south", 20)]
    _, from_gate = await replayed(urls, write_recording(tmp_path, [*rows]))
    assert [line["chosen"] for line in from_gate] == ["south"]


async def test_drivers_who_come_from_the_north_stop_in_the_north(urls: Urls, tmp_path: Path) -> None:
    """The same lots as in the test before, asked 5 km north of the gate."""
    rows = [(0.0, "hospital", 0), (0.0, "far", 20), (0.0, "south", 20)]
    _, lines = await replayed(urls, write_recording(tmp_path, [*rows]), origin=Point(north(5_000), 8.5))
    assert [line["chosen"] for line in lines] == ["far"]


async def test_two_hospitals_are_each_served_and_lend_each_other_nothing(urls: Urls, tmp_path: Path) -> None:
    """Each by its own distances; the other's lot is no choice although it has a space now and then."""
    rows = [*every_5_minutes("hospital", 0, 0), *every_5_minutes("beyond", 9, 0), *every_5_minutes("near", 9, 9)]
    rows += every_5_minutes("far", 9, 9)
    both = (HOSPITAL, LotId("beyond"), HOSPITAL)
    summary, lines = await replayed(urls, write_recording(tmp_path, rows), divert_from=both)
    assert [(line["hospital"], line["chosen"]) for line in lines] == [
        ("hospital", "near"),
        ("hospital", "near"),
        ("beyond", "far"),
    ]
    assert (summary["episodes"], summary["episodes_diverted"]) == (2, 2)


async def test_of_two_reports_at_the_same_second_the_later_row_counts(urls: Urls, tmp_path: Path) -> None:
    """As with real sources, whose later message corrects the earlier."""
    rows = [(0.0, "hospital", 0), (0.0, "near", 0), (0.0, "near", 9), (0.0, "far", 9), (0.0, "far", 9)]
    summary, lines = await replayed(urls, write_recording(tmp_path, [*rows]))
    assert [(line["chosen"], line["chosen_free"]) for line in lines] == [("near", 9)]
    assert summary["reports"] == {"applied": 4, "duplicate": 1}


async def test_a_replay_can_be_slowed_down_to_be_watched(urls: Urls, tmp_path: Path) -> None:
    """At 600 recorded seconds in a real one, ten minutes take a second."""
    rows = [*every_5_minutes("hospital", 0, 0, 0), *every_5_minutes("near", 9, 9, 9)]
    before = time.monotonic()
    await replayed(urls, write_recording(tmp_path, rows), speed=600.0)
    assert time.monotonic() - before >= 1.0


async def test_a_lot_that_is_not_in_the_recording_is_named(urls: Urls, tmp_path: Path) -> None:
    """A slip in an id is not a hospital that never fills."""
    with pytest.raises(UnknownHospital, match="hospitl can't be diverted from"):
        await replayed(urls, write_recording(tmp_path, [(0, "hospital", 0)]), divert_from=(LotId("hospitl"),))


async def test_a_report_that_cannot_be_written_is_a_problem_with_a_way_out(urls: Urls, tmp_path: Path) -> None:
    """It is found before the replay, not after it."""
    with pytest.raises(SetupProblem, match="--report") as caught:
        await replayed(urls, write_recording(tmp_path, [(0, "hospital", 0)]), report=tmp_path / "none" / "report")
    assert caught.value.code == "report_not_writable"


def test_the_command_replays_on_servers_of_its_own(tmp_path: Path) -> None:
    """The summary goes to standard output, each decision to the file, and the exit code says that all of it stands."""
    folder = write_recording(tmp_path, [*every_5_minutes("hospital", 1, 0), *every_5_minutes("near", 9, 8)])
    report = tmp_path / "out.jsonl"
    options = ["--divert-from", "hospital", "--every", "5m", "--full-at", "1", "--report", str(report)]
    result = CliRunner().invoke(app, ["replay", str(folder), *options, "--origin", "47.41,8.5,wgs84"])
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["decisions"], summary["chosen"]) == (2, {"near": 2})
    first, second, last = (json.loads(line) for line in report.read_text("utf-8").splitlines())
    assert (first["chosen_free"], second["chosen_free"], last["summary"]) == (9, 8, summary)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--divert-from", "elsewhere"], "elsewhere can't be diverted from"),
        (["--roads", "none.graph"], "none.graph"),
        (["--origin", "47.41,8.5"], "write a place as lat,lon,datum"),
        (["--origin", "8.5,470,wgs84"], "write a place as lat,lon,datum"),
        (["--every", "0.1s"], "once a second at most"),
        (["--full-at", "-1"], "--full-at"),
    ],
)
def test_what_cannot_be_replayed_is_said_without_a_traceback(tmp_path: Path, options: list[str], said: str) -> None:
    """One message that says what to write, and exit code 2, before any server starts."""
    result = CliRunner().invoke(app, ["replay", str(write_recording(tmp_path, [(0, "hospital", 0)])), *options])
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())
    assert "Traceback" not in result.output
