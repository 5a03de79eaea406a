"""Real recordings, converted by the very snippets of docs/replay.md, and replayed."""

import csv
import gzip
import re
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bowei.domain.lots import LotId
from services.local.replay.recording import Recording, open_recording
from tests.system.replay_recordings import convert, page, recordings, replayed

PAGE = page("replay.md")
HOSPITALS = {"USZ Nord": LotId("zuerichparkhaususznord"), "USZ Süd": LotId("zuerichparkplatzuszsued")}

SWISS_SAID = """\
file_time,poll_timestamp,city,lot_id,name,free,total,status,source_timestamp
2026-01-06T16:28:58,2025-12-06T01:33:34,zurich,urania,Urania,300,607,open,2025-12-06T01:33:34
2026-01-06T16:28:58,2025-12-06T01:33:34,zurich,opera,Oper,0,299,nodata,2025-12-06T01:33:34
2026-01-06T16:28:55,2026-01-06T16:25:00,basel,city,City,614,1114,open,2026-01-06T16:25:00
2026-01-06T16:28:56,2025-12-06T01:33:34,zurich,usz,USZ Süd,0,80,open,2025-12-06T01:33:34
"""
SWISS_LOTS = """\
city,lot_id,name,role,capacity,lat,lon,address
basel,city,City,public,1114,47.56,7.58,
zurich,urania,Urania,mall,607,47.374112,8.540615,
zurich,usz,USZ Süd,hospital,80,47.37479042,8.55141073,
zurich,opera,Oper,public,299,,,
"""
BIRMINGHAM = """\
SystemCodeNumber,Capacity,Occupancy,LastUpdated
BHMBCCMKT01,577,61,2016-10-04 07:59:42
BHMBCCMKT01,577,-8,2016-12-04 07:59:42
BHMBCCTHL01,387,403,2016-10-04 07:59:42
NIA North,480,20,2016-10-04 07:59:42
"""


def in_table() -> dict[str, str]:
    """Give the page's table of results, name by name."""
    return dict(re.findall(r"^\| `(\w+)`[^|]*\| ([^|]+) \|$", PAGE.split("## Zürich", 1)[1], re.MULTILINE))


def counted(text: str) -> dict[str, int]:
    """Read "a 1, b 2"."""
    return {name: int(count) for name, count in (one.split() for one in text.split(", "))}


def test_the_swiss_snippet_takes_the_time_of_the_poll_and_makes_nodata_unknown(tmp_path: Path) -> None:
    """The source's clock stands still, and its 0 of nodata is no count."""
    (tmp_path / "lots.csv").write_text(SWISS_LOTS, "utf-8")
    (tmp_path / "observations.csv.gz").write_bytes(gzip.compress(SWISS_SAID.encode()))
    convert(PAGE, "convert_swiss.py", tmp_path, "zurich", tmp_path / "made")
    recording = open_recording(tmp_path / "made")
    first, second = (heard.said for heard in recording.reports())
    assert (first.lot_id, first.free, f"{first.observed_at:%FT%T%z}") == ("usz", 0, "2026-01-06T16:28:56+0000")
    assert (second.lot_id, second.free, second.capacity) == ("urania", 300, 607)
    assert [(lot.lot_id, lot.kind) for lot in recording.lots.values()] == [("urania", "mall"), ("usz", "hospital")]
    assert recording.left_out == {"lot_without_position": 1, "report_of_unusable_lot": 1}
    with gzip.open(tmp_path / "made" / "observations.csv.gz", "rt", encoding="utf-8") as file:
        (opera,) = (row for row in csv.DictReader(file) if row["lot_id"] == "opera")
    assert (opera["free"], opera["state"]) == ("", "unknown")


def test_the_birmingham_snippet_reads_local_times_and_counts_spaces(tmp_path: Path) -> None:
    """Summer time is an hour ahead; more cars than spaces is full; fewer than none is left to the quarantine."""
    (tmp_path / "dataset.csv").write_text(BIRMINGHAM, "utf-8")
    convert(PAGE, "convert_birmingham.py", tmp_path / "dataset.csv", tmp_path / "made")
    recording = open_recording(tmp_path / "made")
    said = [heard.said for heard in recording.reports()]
    assert [(one.lot_id, one.free, f"{one.observed_at:%F %T}") for one in said] == [
        ("BHMBCCMKT01", 516, "2016-10-04 06:59:42"),
        ("BHMBCCTHL01", 0, "2016-10-04 06:59:42"),
        ("BHMBCCMKT01", 585, "2016-12-04 07:59:42"),
    ]
    assert recording.left_out == {"lot_without_position": 1, "report_of_unusable_lot": 1}


async def test_in_every_full_episode_of_zurichs_university_hospital_a_free_lot_is_chosen(
    fresh_database: str, fresh_redis: str, tmp_path: Path
) -> None:
    """Five real days: each of the 13 episodes has decisions, and each sends to a lot with spaces by its last report.

    The page's table shows exactly this run.
    """
    source = recordings() / "ch-parkhaus-2026"
    convert(PAGE, "convert_swiss.py", source, "zurich", tmp_path)
    hospitals = tuple(HOSPITALS.values())
    summary, lines = await replayed((fresh_database, fresh_redis), tmp_path, divert_from=hospitals, full_at=2)
    with (source / "zurich_hospital_full_episodes.csv").open(encoding="utf-8", newline="") as file:
        episodes = list(csv.DictReader(file))
    recording = open_recording(tmp_path)
    assert len(episodes) == 13
    for episode in episodes:
        first, last = (_utc(episode[name]) for name in ("first_full_poll", "first_free_poll"))
        within = [
            line
            for line in lines
            if line["hospital"] == HOSPITALS[episode["hospital_lot"]] and first <= _utc(line["at"]) < last
        ]
        assert len(within) >= (last - first) // timedelta(minutes=5), episode
        _assert_free_by_last_report(within, recording)
    assert (summary["none_unjustified"], summary["chosen_without_free"], summary["broken_promises"]) == (0, 0, 0)
    _assert_page_shows(summary)


async def test_birmingham_is_replayed_as_the_page_says(fresh_database: str, fresh_redis: str, tmp_path: Path) -> None:
    """The last week before Christmas of another city, whose lot was over-full 240 times."""
    convert(PAGE, "convert_birmingham.py", recordings() / "uk-birmingham-2016" / "dataset.csv", tmp_path)
    observations = tmp_path / "observations.csv"
    rows = observations.read_text("utf-8").splitlines(keepends=True)
    observations.write_text("".join(row for row in rows if row >= "2016-12-12"), "utf-8")
    urls = (fresh_database, fresh_redis)
    summary, _ = await replayed(urls, tmp_path, divert_from=(LotId("BHMBCCTHL01"),), full_at=10)
    assert summary["diverted"] > 0
    assert (summary["none_unjustified"], summary["chosen_without_free"], summary["broken_promises"]) == (0, 0, 0)
    assert summary["left_out"]["lot_without_position"] == 26


def _assert_free_by_last_report(lines: list[dict[str, Any]], recording: Recording) -> None:
    """Look each choice up in the recording itself: a shared lot, whose last report before then has a free space."""
    last_free: dict[str, int | None] = {}
    said = (heard.said for heard in recording.reports())
    following = next(said, None)
    for line in lines:
        while following is not None and following.observed_at <= _utc(line["at"]):
            last_free[following.lot_id] = following.free
            following = next(said, None)
        assert line["chosen"] is not None, line["at"]
        assert recording.lots[line["chosen"]].kind != "hospital"
        assert (last_free[line["chosen"]] or 0) > 0, line["at"]


def _assert_page_shows(summary: dict[str, Any]) -> None:
    table = in_table()
    plain = {"decisions", "diverted", "none_unjustified", "chosen_without_free", "broken_promises", "episodes"}
    for name in plain | {"episodes_diverted"}:
        assert table[name] == str(summary[name]), name
    for name in ("chosen", "excluded", "reports", "left_out"):
        assert counted(table[name]) == Counter(summary[name]), name
    assert table["none"] == f"{summary['none']}, {summary['none_share']:.0%}".replace("%", " %")
    assert table["roads"] == summary["roads"]


def _utc(text: str) -> datetime:
    """Read a time of the episodes' file, which names no zone, or of a report's line."""
    return datetime.fromisoformat(text if text.endswith("Z") else f"{text}+00:00")
