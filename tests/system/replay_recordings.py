"""Recordings, written by a test or converted by a page's own snippet, and their replay on real servers."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bowei.domain.lots import LotId
from bowei.roads.by_air import AirTravelTimes
from services.local.replay.recording import open_recording
from services.local.replay.replaying import Replay, ReplayOptions
from services.local.replay.stage import open_stage

NINE = datetime(2026, 1, 7, 9, tzinfo=UTC)
METRE = 1 / 111_195
"""Degrees of latitude."""

HOSPITAL = LotId("hospital")
NORTH_M = {"hospital": 0, "clinic": 100, "near": 500, "far": 1_200, "south": -1_000, "beyond": 1_600}
"""How far north of the hospital each lot lies; `clinic` is a hospital's too, `beyond` lies outside of 1.5 km."""

Row = tuple[float, str, int | None] | tuple[float, str, int | None, str]
"""Minutes after nine, lot, free, and the state if it is not open."""


def north(metres: float) -> float:
    """Give the latitude so many metres north of the hospital."""
    return 47.4 + metres * METRE


def page(name: str) -> str:
    """Give a page of the documentation."""
    return (Path(__file__).resolve().parents[2] / "docs" / name).read_text("utf-8")


def recordings() -> Path:
    """Give the folder of recordings, which are large and no part of the project; skip where there is none."""
    folder = os.environ.get("BOWEI_RECORDINGS")
    if not folder:
        pytest.skip("BOWEI_RECORDINGS names no folder with recordings")
    return Path(folder)


def convert(text: str, script: str, *arguments: str | Path) -> None:
    """Run one of a page's snippets as it stands there."""
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if script in block.split("\n")[0])
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def write_recording(folder: Path, rows: Iterable[Row]) -> Path:
    """Write a recording of the lots above, 50 spaces each; rows in any order."""
    lots = ["lot_id,name,kind,capacity,lat,lon,datum"]
    for lot_id, metres in NORTH_M.items():
        kind = "hospital" if lot_id in {"hospital", "clinic"} else "mall"
        lots.append(f"{lot_id},{lot_id},{kind},50,{north(metres):.7f},8.5,wgs84")
    said = ["observed_at,lot_id,free,state"]
    for minutes, lot_id, free, *state in sorted(rows, key=lambda row: row[0]):
        at = (NINE + timedelta(minutes=minutes)).isoformat()
        said.append(f"{at},{lot_id},{'' if free is None else free},{state[0] if state else ''}")
    (folder / "lots.csv").write_text("\n".join(lots) + "\n", "utf-8")
    (folder / "observations.csv").write_text("\n".join(said) + "\n", "utf-8")
    return folder


async def replayed(urls: tuple[str, str], folder: Path, **options: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Replay on the servers given; give the summary and the lines of the report before it."""
    report = folder / "report.jsonl"
    chosen = ReplayOptions(**{"divert_from": (HOSPITAL,), "report": report, **options})
    async with open_stage(*urls, AirTravelTimes()) as stage:
        summary = await Replay(open_recording(folder), chosen, stage).run()
    *lines, last = (json.loads(line) for line in report.read_text("utf-8").splitlines())
    assert last == {"summary": summary}
    return summary, lines


def minutes_of(line: dict[str, Any]) -> float:
    """Give when a decision fell, in minutes after nine."""
    return (datetime.fromisoformat(line["at"]) - NINE).total_seconds() / 60
