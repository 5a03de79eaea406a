"""Recordings: two CSV files in a folder.

    lots.csv               lot_id, name, kind, capacity, lat, lon, datum; optional open, timezone
    observations.csv[.gz]  observed_at (RFC 3339 with zone), lot_id, free; optional capacity, open, state

or, for what a source said with all its dirt, in the place of the clean columns

    source_observed_at     the source's own time (RFC 3339 with zone), where `observed_at` is when it was received
    said_free, said_occupied, said_capacity      as the source wrote them

An empty cell is unknown. Observations must be in order of time. docs/replay.md shows how to make them from other files.
"""

import csv
import gzip
import io
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bowei.domain.dirt import Dirt
from bowei.domain.lots import ID_FORM, Entrance, Lot, LotId, LotKind, Name, SourceId
from bowei.domain.observations import LotState, Observation
from bowei.domain.places import Datum, Point, to_wgs84

SOURCE = SourceId("recording")

_MOST_LOTS = 100_000
_MOST_SPACES = 1_000_000
_LOT_COLUMNS = {"lot_id", "name", "kind", "capacity", "lat", "lon", "datum"}
_OBSERVATION_COLUMNS = {"observed_at", "lot_id"}
_FREE_COLUMNS = {"free", "said_free", "said_occupied"}
"""At least one of them."""
_ID = re.compile(ID_FORM)
_NUMBER = re.compile(r"[+-]?[0-9]{1,7}(\.[0-9]{1,6})?")


class BadRecording(Exception):
    """The recording can't be read; the text names the file, the line and the fix."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A report, and when it was received."""

    at: datetime
    said: Observation


@dataclass(slots=True)
class Recording:
    """A folder that was looked at: its lots that can be used, and why others can't."""

    folder: Path
    lots: dict[LotId, Lot]
    open: dict[LotId, int] = field(default_factory=dict)
    """How many spaces a lot opens to the public, where lots.csv says it."""
    left_out: Counter[str] = field(default_factory=Counter)

    def reports(self) -> Iterator[Heard]:
        """Give the reports of usable lots in the order in which they were received; counts what is left out.

        Raises:
            BadRecording: a row can't be read, or is older than the one before it.
        """
        path = _observations_file(self.folder)
        before: datetime | None = None
        with _open(path) as file:
            for line, row in _rows(file, path, _OBSERVATION_COLUMNS, any_of=_FREE_COLUMNS):
                where = f"{path.name} line {line}"
                at = _time(row, "observed_at", where)
                if before is not None and at < before:
                    raise BadRecording(f"{where}: observed_at is before the row above. Sort the rows by time.")
                before = at
                if (lot_id := LotId(row["lot_id"])) in self.lots:
                    observed_at = _time(row, "source_observed_at", where) if row.get("source_observed_at") else at
                    yield Heard(at, _observation(row, lot_id, observed_at, self.open.get(lot_id), where))
                else:
                    self.left_out["report_of_unusable_lot"] += 1


def open_recording(folder: Path) -> Recording:
    """Read a recording's lots.

    Raises:
        BadRecording: a file is missing, or a row can't be read.
    """
    recording = Recording(folder, {})
    path = folder / "lots.csv"
    with _open(path) as file:
        for line, row in _rows(file, path, _LOT_COLUMNS):
            _take_lot(recording, row, f"{path.name} line {line}")
    if not recording.lots:
        raise BadRecording(f"{path} names no lot with a position and a capacity. Fill in capacity, lat, lon and datum.")
    with _open(_observations_file(folder)) as file:
        file.read(1)
    return recording


def _take_lot(recording: Recording, row: dict[str, str], where: str) -> None:
    lot_id = LotId(row["lot_id"])
    capacity, opened = _count(row, "capacity", where), _count(row, "open", where)
    if not row["lat"] or not row["lon"]:
        recording.left_out["lot_without_position"] += 1
    elif not _ID.fullmatch(lot_id):
        recording.left_out["lot_with_unusable_id"] += 1
    elif not capacity:
        recording.left_out["lot_without_capacity"] += 1
    elif lot_id in recording.lots:
        raise BadRecording(f"{where}: {lot_id} is there twice. Give each lot one row.")
    elif len(recording.lots) == _MOST_LOTS:
        raise BadRecording(f"{where}: there are more than {_MOST_LOTS} lots. Split the recording.")
    else:
        recording.lots[lot_id] = _lot(row, lot_id, capacity, where)
        if opened is not None:
            recording.open[lot_id] = opened


def _lot(row: dict[str, str], lot_id: LotId, capacity: int, where: str) -> Lot:
    try:
        kind = LotKind(row["kind"] or "public")
    except ValueError as error:
        raise BadRecording(f"{where}: kind is {row['kind']!r}. Write hospital, mall, office or public.") from error
    name = Name(row["name"] or lot_id, row["name"] or lot_id)
    point = _point(row, where)
    return Lot(
        lot_id=lot_id,
        kind=kind,
        name=name,
        timezone=_zone(row, where),
        capacity=capacity,
        location=point,
        entrances=(Entrance("main", name, point),),
        barrier_link=True,
    )


def _zone(row: dict[str, str], where: str) -> str:
    name = row.get("timezone") or "UTC"
    try:
        return ZoneInfo(name).key
    except (ValueError, KeyError, OSError) as error:
        raise BadRecording(f"{where}: timezone is {name!r}. Write a name such as Europe/Zurich, or nothing.") from error


def _point(row: dict[str, str], where: str) -> Point:
    try:
        datum = Datum(row["datum"])
    except ValueError as error:
        raise BadRecording(f"{where}: datum is {row['datum']!r}. Write wgs84, gcj02 or bd09.") from error
    try:
        lat, lon = float(row["lat"]), float(row["lon"])
    except ValueError:
        lat = lon = math.nan
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        raise BadRecording(f"{where}: lat {row['lat']}, lon {row['lon']} is no place on the earth in degrees.")
    return to_wgs84(lat, lon, datum)


def _observation(
    row: dict[str, str], lot_id: LotId, observed_at: datetime, lot_opens: int | None, where: str
) -> Observation:
    counts = {name: _count(row, name, where) for name in ("free", "capacity", "open")}
    dirt: set[Dirt] = set()
    for name in ("free", "capacity", "occupied"):
        if text := row.get(f"said_{name}"):
            counts[name], found = _said_count(text)
            dirt |= found
    try:
        state = LotState(row.get("state") or "open")
    except ValueError as error:
        raise BadRecording(f"{where}: state is {row['state']!r}. Write one of {', '.join(LotState)}.") from error
    return Observation(
        lot_id,
        observed_at,
        SOURCE,
        capacity=counts["capacity"],
        open=lot_opens if counts["open"] is None else counts["open"],
        free=counts["free"],
        occupied=counts.get("occupied"),
        state=state,
        dirt=frozenset(dirt),
    )


def _said_count(text: str) -> tuple[int | None, set[Dirt]]:
    """Read a count as a source wrote it: 287, 287.0 or -8; what is none is unknown, and named."""
    if not _NUMBER.fullmatch(text):
        return None, {Dirt.NOT_A_NUMBER}
    number = float(text)
    return (int(number), set()) if number.is_integer() else (None, {Dirt.FRACTION})


def _time(row: dict[str, str], name: str, where: str) -> datetime:
    text = row[name]
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRecording(f"{where}: {name} is {text!r}. Write it like 2026-01-07T08:27:01Z.") from error
    raise BadRecording(f"{where}: {name} {text} has no zone. Write it with Z or an offset such as +01:00.")


def _count(row: dict[str, str], name: str, where: str) -> int | None:
    text = row.get(name)
    if not text:
        return None
    try:
        count = int(text)
    except ValueError:
        count = -1
    if not 0 <= count <= _MOST_SPACES:
        raise BadRecording(
            f"{where}: {name} is {text[:40]!r}. Write a whole number from 0 to {_MOST_SPACES}, or nothing for unknown."
        )
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
    except (OSError, UnicodeDecodeError, EOFError, csv.Error, zlib.error) as error:
        form = "CSV in UTF-8, packed by gzip" if path.suffix == ".gz" else "CSV in UTF-8"
        raise BadRecording(f"{path} can't be read as {form}: {type(error).__name__}. Make it again.") from error


def _rows(
    file: io.TextIOBase, path: Path, needed: set[str], any_of: AbstractSet[str] = frozenset()
) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(file)
    columns = set(reader.fieldnames or ())
    missing = needed - columns
    if any_of and columns.isdisjoint(any_of):
        missing.add(" or ".join(sorted(any_of)))
    if missing:
        raise BadRecording(f"{path} lacks columns: {', '.join(sorted(missing))}. The first line names them.")
    for row in reader:
        yield reader.line_num, {key: (value or "").strip() for key, value in row.items() if key is not None}
