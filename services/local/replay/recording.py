"""Recordings: two CSV files in a folder.

    lots.csv               lot_id, name, kind, capacity, open, lat, lon, datum
    observations.csv[.gz]  observed_at (RFC 3339 with zone), lot_id, free; optional capacity, open, state

An empty cell is unknown. Rows must be in order of time. docs/replay.md shows how to make them from other files.
"""

import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bowei.domain.lots import Entrance, Lot, LotId, LotKind, Name, SourceId
from bowei.domain.observations import LotState, Observation
from bowei.domain.places import Datum, to_wgs84

SOURCE = SourceId("recording")

_MOST_LOTS = 100_000
_LOT_COLUMNS = {"lot_id", "name", "kind", "capacity", "lat", "lon", "datum"}
_OBSERVATION_COLUMNS = {"observed_at", "lot_id", "free"}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


class BadRecording(Exception):
    """The recording can't be read; the text names the file, the line and the fix."""


@dataclass(slots=True)
class Recording:
    """A folder that was looked at: its lots that can be used, and why others can't."""

    folder: Path
    lots: dict[LotId, Lot]
    left_out: Counter[str] = field(default_factory=Counter)

    def observations(self) -> Iterator[Observation]:
        """Give the reports of usable lots in order of time; counts what is left out.

        Raises:
            BadRecording: a row can't be read.
        """
        with _open(_observations_file(self.folder)) as file:
            rows = _rows(file, _observations_file(self.folder), _OBSERVATION_COLUMNS)
            for line, row in rows:
                lot_id = LotId(row["lot_id"])
                if lot_id not in self.lots:
                    self.left_out["report_of_unusable_lot"] += 1
                    continue
                yield _observation(row, lot_id, f"observations.csv line {line}")


def open_recording(folder: Path) -> Recording:
    """Read a recording's lots.

    Raises:
        BadRecording: a file is missing, or a row can't be read.
    """
    recording = Recording(folder, {})
    path = folder / "lots.csv"
    with _open(path) as file:
        for line, row in _rows(file, path, _LOT_COLUMNS):
            where = f"lots.csv line {line}"
            if not row["lat"] or not row["lon"]:
                recording.left_out["lot_without_position"] += 1
            elif not _ID.fullmatch(row["lot_id"]):
                recording.left_out["lot_with_unusable_id"] += 1
            else:
                lot = _lot(row, where)
                recording.lots[lot.lot_id] = lot
            if len(recording.lots) > _MOST_LOTS:
                raise BadRecording(f"{path.name} has more than {_MOST_LOTS} lots. Split it.")
    if not recording.lots:
        raise BadRecording(f"{path} names no lot that has a position. Fill in lat, lon and datum.")
    return recording


def _lot(row: dict[str, str], where: str) -> Lot:
    try:
        kind = LotKind(row["kind"] or "public")
        datum = Datum(row["datum"])
        point = to_wgs84(float(row["lat"]), float(row["lon"]), datum)
        capacity = int(row["capacity"] or 0)
    except ValueError as error:
        raise BadRecording(f"{where}: kind, datum, lat, lon or capacity can't be read. {_KINDS}") from error
    name = Name(row["name"], row["name"])
    return Lot(
        lot_id=LotId(row["lot_id"]),
        kind=kind,
        name=name,
        timezone="UTC",
        capacity=capacity,
        location=point,
        entrances=(Entrance("main", name, point),),
        barrier_link=True,
    )


_KINDS = "kind is hospital, mall, office or public; datum is wgs84, gcj02 or bd09."


def _observation(row: dict[str, str], lot_id: LotId, where: str) -> Observation:
    try:
        observed_at = datetime.fromisoformat(row["observed_at"])
        free, capacity, opened = (_count(row.get(name)) for name in ("free", "capacity", "open"))
        state = LotState(row.get("state") or "open")
    except ValueError as error:
        raise BadRecording(f"{where}: a time, count or state can't be read.") from error
    if observed_at.tzinfo is None:
        raise BadRecording(f"{where}: observed_at has no zone. Write it with Z or an offset.")
    return Observation(lot_id, observed_at, SOURCE, capacity=capacity, open=opened, free=free, state=state)


def _count(text: str | None) -> int | None:
    if not text:
        return None
    count = int(text)
    if count < 0:
        raise ValueError("negative")
    return count


def _observations_file(folder: Path) -> Path:
    plain = folder / "observations.csv"
    return plain if plain.exists() else folder / "observations.csv.gz"


@contextmanager
def _open(path: Path) -> Iterator[io.TextIOBase]:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as text:
                yield text
        else:
            with path.open(encoding="utf-8-sig", newline="") as text:
                yield text
    except FileNotFoundError as error:
        raise BadRecording(f"{path} is missing. A recording has lots.csv and observations.csv or .csv.gz.") from error
    except (OSError, UnicodeDecodeError, EOFError, csv.Error) as error:
        raise BadRecording(f"{path} can't be read as CSV in UTF-8: {type(error).__name__}.") from error


def _rows(file: io.TextIOBase, path: Path, needed: set[str]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(file)
    missing = needed - set(reader.fieldnames or ())
    if missing:
        raise BadRecording(f"{path.name} lacks the columns {', '.join(sorted(missing))}.")
    for row in reader:
        yield reader.line_num, {key: (value or "").strip() for key, value in row.items() if key is not None}
