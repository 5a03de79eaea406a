"""History files: each finished day of hours, written once, for availability to give out.

The keeper writes them, newest day first, a few days a round. A file appears whole or not at all: it is written beside
its place and renamed. What is missing is written by the next round, whoever was stopped in between; so a folder that
was emptied fills again. Parquet is made from the CSV, so both say the same.
"""

import asyncio
import csv
import gzip
import io
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from bowei.domain.history_days import DayFile, FileKind, hours_of
from bowei.observability.instants import rfc3339
from bowei.records.history import Hour, ReadsHours
from services.ingest.history_measures import HistoryMeasures

SETTLES = timedelta(hours=6)
"""How long after its end a day is still waited for: sources that were away send what they kept. Later reports are in
the record, and not in the file."""
_DAYS_A_ROUND = 10
_ROWS_AT_ONCE = 8_192
_PART = ".part"
_FOR_EVERYBODY = 0o644
_LEVEL = 6

_log = logging.getLogger(__name__)


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else round(length.total_seconds(), 3)


_COLUMNS: dict[str, tuple[str, bool, Callable[[Hour], object]]] = {
    "lot_id": ("utf8", True, lambda one: one.lot_id),
    "hour": ("instant", True, lambda one: rfc3339(one.hour)),
    "reports": ("int32", True, lambda one: one.reports),
    "believed": ("int32", True, lambda one: one.believed),
    "quarantined": ("int32", True, lambda one: one.quarantined),
    "counted": ("int32", True, lambda one: one.counted),
    "free_min": ("int32", False, lambda one: one.free_min),
    "free_mean": ("float64", False, lambda one: None if one.free_mean is None else round(one.free_mean, 3)),
    "free_max": ("int32", False, lambda one: one.free_max),
    "free_last": ("int32", False, lambda one: one.free_last),
    "free_changes": ("int32", True, lambda one: one.free_changes),
    "capacity_last": ("int32", False, lambda one: one.capacity_last),
    "first_observed_at": ("instant", True, lambda one: rfc3339(one.first_observed_at)),
    "last_observed_at": ("instant", True, lambda one: rfc3339(one.last_observed_at)),
    "longest_gap_s": ("float64", False, lambda one: _seconds(one.longest_gap)),
}
"""By name: the type, whether it is always said, and the value. What was not said is empty, never 0."""


@dataclass(frozen=True, slots=True)
class FilesPlace:
    """Where files are written, for how many days back they are kept, and by whose calendar."""

    folder: Path
    days: int
    zone: ZoneInfo


class HistoryFiles:
    """Writes the files that are missing, and removes those that are too old."""

    def __init__(
        self,
        hours: ReadsHours,
        place: FilesPlace,
        measures: HistoryMeasures,
        *,
        kinds: Sequence[FileKind] | None = None,
    ) -> None:
        """`kinds`: CSV, and Parquet where its library is installed, unless given."""
        self._hours = hours
        self._place = place
        self._measures = measures
        self._kinds = kinds or ((FileKind.CSV, FileKind.PARQUET) if find_spec("arro3.io") else (FileKind.CSV,))
        self._empty: set[date] = set()

    async def write(self, lost: Callable[[], bool]) -> None:
        """Write some of the days that are missing, until `lost` says that this is another's work now.

        A folder that can't be written to is logged and counted, and tried again by the next round.

        Raises:
            StoreAway: the rest is written by the next round.
        """
        try:
            await self._write(lost)
        except OSError as error:
            self._measures.files_failed.inc()
            _log.warning("history_file_not_written", extra={"cause": type(error).__name__, "errno": error.errno})

    async def _write(self, lost: Callable[[], bool]) -> None:
        upto = await self._hours.summed_up_to()
        if upto is None:
            return
        newest = (upto - SETTLES).astimezone(self._place.zone).date() - timedelta(days=1)
        days = [newest - timedelta(days=age) for age in range(self._place.days)]
        there = await asyncio.to_thread(_tidy, self._place.folder, days[-1])
        self._empty.intersection_update(days)
        missing = [
            day for day in days if day not in self._empty and not there >= {DayFile(day, kind) for kind in self._kinds}
        ]
        self._measures.files_missing.set(len(missing))
        for day in missing[:_DAYS_A_ROUND]:
            if lost():
                return
            await self._write_day(day, there)
            self._measures.files_missing.dec()

    async def _write_day(self, day: date, there: set[DayFile]) -> None:
        csv_file = DayFile(day, FileKind.CSV)
        if csv_file not in there and not await self._write_csv(csv_file):
            self._empty.add(day)
            return
        parquet_file = DayFile(day, FileKind.PARQUET)
        if FileKind.PARQUET in self._kinds and parquet_file not in there:
            await asyncio.to_thread(_to_parquet, self._place.folder, csv_file, parquet_file)
            self._measures.file_written(FileKind.PARQUET)

    async def _write_csv(self, file: DayFile) -> bool:
        """Write a day; say whether there was anything to write."""
        anything = False
        with _in_place_of(self._place.folder / file.name) as part:
            # One with mtime 0: the same day gives the same bytes, whoever wrote it.
            with gzip.GzipFile("", "wb", _LEVEL, part, mtime=0) as packed:
                packed.write(_lines([_COLUMNS.keys()]))
                for hour in hours_of(file.day, self._place.zone):
                    found = await self._hours.hours_of_all(hour)
                    anything = anything or bool(found)
                    await asyncio.to_thread(_append, packed, found)
            if not anything:
                raise _NothingToWrite
        if anything:
            self._measures.file_written(FileKind.CSV)
            _log.info("history_file_written", extra={"day": file.day.isoformat()})
        return anything


class _NothingToWrite(Exception):
    """Nobody reported on that day."""


@contextmanager
def _in_place_of(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write that takes the place of `path` once it is whole; none where nothing was to be written."""
    descriptor, name = tempfile.mkstemp(_PART, ".", path.parent)
    try:
        with os.fdopen(descriptor, "wb") as part:
            yield part
            part.flush()
            os.fchmod(part.fileno(), _FOR_EVERYBODY)
            os.fsync(part.fileno())
        Path(name).replace(path)
    except _NothingToWrite:
        Path(name).unlink(missing_ok=True)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _tidy(folder: Path, oldest: date) -> set[DayFile]:
    """Remove what was begun and what is older than `oldest`; give what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    there = set()
    for entry in list(os.scandir(folder)):
        file = DayFile.named(entry.name)
        begun = entry.name.startswith(".") and entry.name.endswith(_PART)
        if begun or (file is not None and file.day < oldest):
            Path(entry.path).unlink(missing_ok=True)
        elif file is not None:
            there.add(file)
    return there


def _append(packed: gzip.GzipFile, hours: Sequence[Hour]) -> None:
    for first in range(0, len(hours), _ROWS_AT_ONCE):
        some = hours[first : first + _ROWS_AT_ONCE]
        packed.write(_lines([value(one) for _, _, value in _COLUMNS.values()] for one in some))


def _lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _to_parquet(folder: Path, csv_file: DayFile, parquet_file: DayFile) -> None:
    """Write what a CSV file says as Parquet, piece by piece."""
    from arro3.core import DataType, Field, Schema  # noqa: PLC0415 (only where it is installed)
    from arro3.io import read_csv, write_parquet  # noqa: PLC0415

    types = {
        "utf8": DataType.utf8(),
        "int32": DataType.int32(),
        "float64": DataType.float64(),
        "instant": DataType.timestamp("ms", tz="UTC"),
    }
    schema = Schema([Field(name, types[kind], nullable=not said) for name, (kind, said, _) in _COLUMNS.items()])
    with (
        gzip.open(folder / csv_file.name) as packed,
        io.BufferedReader(packed) as lines,
        _in_place_of(folder / parquet_file.name) as part,
    ):
        rows = read_csv(lines, schema, has_header=True, batch_size=_ROWS_AT_ONCE)
        write_parquet(rows, part, compression="zstd(3)")
