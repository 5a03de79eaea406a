"""Five cities' recordings with all their dirt: what the page says of them, and that nothing impossible is shown."""

import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bowei.domain.lots import LotId
from tests.system.replay_recordings import convert, page, recordings, replayed

PAGE = page("recordings.md")
ASKED_FROM = {
    "swiss": (LotId("zuerichparkhaususznord"), 2),
    "hsinchu": (LotId("hsinchu-11"), 130),
    "birmingham": (LotId("BHMBCCTHL01"), 0),
    "bath": (LotId("SouthGate-Rail-CP"), 0),
    "aarhus": (LotId("NORREPORT"), 0),
}
CLEAN = ("none_unjustified", "chosen_without_free", "broken_promises", "impossible_shown")


def on_page(name: str) -> dict[str, Any]:
    """Give what the page's table says of a recording, in the form of a replay's report."""
    section = PAGE.split(f"\n## {name.capitalize()}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `([a-z_]+)` \| ([\d,]+) \| ([^|]+) \|$", section, re.MULTILINE)
    return {dirt: {"reports": _number(reports), "shown": _counted(shown)} for dirt, reports, shown in rows}


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    """Read a recording's own file, past the converter."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


async def run(urls: tuple[str, str], folder: Path, name: str, *, rows: int | None = None) -> dict[str, Any]:
    """Convert and replay a recording, or its first rows; give the summary, in which all that must be 0 is."""
    convert(PAGE, "convert_as_said.py", recordings(), name, folder)
    if rows is not None:
        packed = folder / "observations.csv.gz"
        lines = gzip.decompress(packed.read_bytes()).splitlines(keepends=True)
        packed.write_bytes(gzip.compress(b"".join(lines[: rows + 1])))
    hospital, full_at = ASKED_FROM[name]
    half_hour = timedelta(minutes=30)
    summary, _ = await replayed(urls, folder, divert_from=(hospital,), full_at=full_at, every=half_hour)
    assert {name: summary[name] for name in CLEAN} == dict.fromkeys(CLEAN, 0), summary["impossible_examples"]
    return summary


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["swiss", "hsinchu"])
async def test_a_whole_recording_shows_what_the_page_says(
    fresh_database: str, fresh_redis: str, tmp_path: Path, name: str
) -> None:
    """Each kind of dirt with its count, and what stood on the screen right after it."""
    summary = await run((fresh_database, fresh_redis), tmp_path, name)
    assert summary["dirt"] == on_page(name)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["birmingham", "bath", "aarhus"])
async def test_the_beginning_of_a_recording_shows_no_other_dirt_than_the_page(
    fresh_database: str, fresh_redis: str, tmp_path: Path, name: str
) -> None:
    """Two thousand reports: no more of each kind than the page has, shown in the same ways."""
    summary = await run((fresh_database, fresh_redis), tmp_path, name, rows=2_000)
    whole = on_page(name)
    assert summary["dirt"], "there is some"
    for dirt, found in summary["dirt"].items():
        assert found["reports"] <= whole[dirt]["reports"]
        assert not Counter(found["shown"]) - Counter(whole[dirt]["shown"])


def test_the_pages_counts_are_those_of_the_recordings_themselves() -> None:
    """Reckoned from the cities' own files by plain comparison, without converter, rules or stores."""
    folder = recordings()
    swiss = list(rows_of(folder / "ch-parkhaus-2026" / "observations.csv.gz"))
    above = sum(0 < int(row["total"]) < int(row["free"]) for row in swiss)
    without = sum(int(row["total"]) == 0 for row in swiss)
    assert (above, without) == (_on_page("swiss", "free_above_capacity"), _on_page("swiss", "capacity_zero"))
    assert sum(row["status"] == "nodata" for row in swiss) == _on_page("swiss", "no_data_as_zero")
    hsinchu = list(rows_of(folder / "tw-hsinchu-2026" / "parking_history.csv"))
    above = sum(0 < float(row["Total"]) < float(row["Surplus"]) for row in hsinchu)
    without = sum(float(row["Total"]) == 0 for row in hsinchu)
    assert (above, without) == (_on_page("hsinchu", "free_above_capacity"), _on_page("hsinchu", "capacity_zero"))
    birmingham = list(rows_of(folder / "uk-birmingham-2016" / "dataset.csv"))
    assert sum(int(row["Occupancy"]) < 0 for row in birmingham) == _on_page("birmingham", "negative_count")
    over = sum(int(row["Occupancy"]) > int(row["Capacity"]) for row in birmingham)
    assert over == _on_page("birmingham", "overflow")
    aarhus = rows_of(folder / "dk-aarhus-2014" / "aarhus_parking.csv.gz")
    over = sum(int(row["vehiclecount"]) > int(row["totalspaces"]) for row in aarhus)
    assert over == _on_page("aarhus", "overflow")


def test_the_page_says_of_every_recording_that_nothing_impossible_was_shown() -> None:
    """Every row of its first table, one for each recording."""
    rows = re.findall(
        r"^\| \[[^]]+\]\(#([a-z]+)\) \|(?: [\d,]+ \|){2} (\d+) \| [\d,]+ \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE
    )
    assert rows == [(name, "0", "0", "0") for name in ASKED_FROM]


def _on_page(name: str, dirt: str) -> int:
    return int(on_page(name)[dirt]["reports"])


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _counted(text: str) -> dict[str, int]:
    """Read "its count 4,047, full 52"."""
    return {word: _number(count) for word, count in re.findall(r"([a-z][a-z ]*?) ([\d,]*\d)(?:, |$)", text.strip())}
