"""History files: each finished day once and whole, in both formats, whatever stopped the keeper in between."""

import csv
import gzip
import io
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from arro3.io import read_parquet
from prometheus_client import CollectorRegistry

from bowei.domain.clock import SteppedClock
from bowei.domain.history_days import DayFile, FileKind, day_ends, hours_of
from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import Observation
from bowei.records.in_memory import InMemoryHistory, InMemoryRecords, InMemoryReportJournal
from bowei.records.reporting import Judged
from services.ingest.history_files import SETTLES, FilesPlace, HistoryFiles
from services.ingest.history_measures import HistoryMeasures

HANGZHOU = ZoneInfo("Asia/Shanghai")
MONDAY = date(2026, 3, 2)
BEGINS = day_ends(MONDAY - timedelta(days=1), HANGZHOU)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MALL, TOWER = LotId("mall"), LotId("tower, north")
CSV, PARQUET = (DayFile(MONDAY, kind).name for kind in (FileKind.CSV, FileKind.PARQUET))


class World:
    """A record with two lots' reports, its clock, and who writes its files."""

    def __init__(self, folder: Path, *, days: int = 30) -> None:
        self.clock = SteppedClock(BEGINS - HOUR)
        self.records = InMemoryRecords(self.clock)
        self.history = InMemoryHistory(self.records)
        self.registry = CollectorRegistry()
        self.folder = folder
        self.days = days
        self.files = self.another()

    def another(self) -> HistoryFiles:
        """Give the next process's writer."""
        place = FilesPlace(self.folder, self.days, HANGZHOU)
        return HistoryFiles(self.history, place, HistoryMeasures(CollectorRegistry()))

    async def say(self, lot_id: LotId, at: datetime, free: int | None) -> None:
        """Let a lot report."""
        self.clock.step_to(max(at, self.clock.now()))
        journal = InMemoryReportJournal(self.records)
        await journal.record([Judged(Observation(lot_id, at, SourceId("s"), free=free))])

    async def keep(self, until: datetime) -> None:
        """Let the time come, and sum up."""
        self.clock.step_to(max(until, self.clock.now()))
        for _ in range(100):
            await self.history.note_hours()
            while await self.history.roll_up():
                pass
            upto = await self.history.summed_up_to()
            if upto is not None and upto >= until.replace(minute=0, second=0, microsecond=0):
                return
        raise AssertionError("never summed up")

    async def write(self) -> None:
        """Do a round."""
        await self.files.write(lambda: False)

    def names(self) -> list[str]:
        """List everything in the folder."""
        return sorted(one.name for one in self.folder.iterdir())

    def rows(self) -> list[dict[str, str]]:
        """Read Monday's CSV."""
        text = gzip.decompress((self.folder / CSV).read_bytes()).decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """Monday: the mall reported in its first hour and its last, the tower once and without a count; and not Tuesday."""
    made = World(tmp_path / "files")
    await made.history.note_hours()
    await made.say(MALL, BEGINS - timedelta(minutes=1), 1)
    await made.say(MALL, BEGINS, 40)
    await made.say(MALL, BEGINS + timedelta(minutes=30), 0)
    await made.say(TOWER, BEGINS + timedelta(minutes=40), None)
    await made.say(MALL, BEGINS + DAY - timedelta(minutes=1), 7)
    await made.say(MALL, BEGINS + DAY, 8)
    return made


async def test_a_day_is_written_once_it_is_over_and_says_what_the_record_says(world: World) -> None:
    """Shows the hours of one day of the city's calendar and no other, 0 where 0 was said, and nothing where nothing."""
    await world.keep(BEGINS + DAY + SETTLES - HOUR)
    await world.write()
    assert CSV not in world.names()
    await world.keep(BEGINS + DAY + SETTLES)
    await world.write()
    assert {CSV, PARQUET} <= set(world.names())
    said = [(row["lot_id"], row["hour"], row["free_min"], row["free_mean"], row["free_last"]) for row in world.rows()]
    assert said == [
        ("mall", "2026-03-01T16:00:00.000Z", "0", "20.0", "0"),
        ("tower, north", "2026-03-01T16:00:00.000Z", "", "", ""),
        ("mall", "2026-03-02T15:00:00.000Z", "7", "7.0", "7"),
    ]
    assert [row["longest_gap_s"] for row in world.rows()] == ["1800.0", "", ""]


async def test_parquet_says_the_same_as_csv(world: World) -> None:
    """Shows types, and that what is empty in one is null in the other."""
    await world.keep(BEGINS + DAY + SETTLES)
    await world.write()
    table = read_parquet(world.folder / PARQUET).read_all()
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    assert list(columns) == list(world.rows()[0])
    assert columns["free_min"] == [0, None, 7]
    assert columns["hour"][0] == datetime(2026, 3, 1, 16, tzinfo=UTC)
    for name, values in columns.items():
        shown = ["" if value is None else value for value in values]
        for text, value in zip([row[name] for row in world.rows()], shown, strict=True):
            assert (datetime.fromisoformat(text) if isinstance(value, datetime) else type(value)(text)) == value


async def test_what_was_cut_off_is_made_good_and_what_is_there_stays(world: World) -> None:
    """Shows that the next keeper finishes a day, removes what was begun, and leaves a written day untouched."""
    await world.keep(BEGINS + DAY + SETTLES)
    await world.write()
    (world.folder / PARQUET).unlink()
    (world.folder / ".half.part").write_bytes(b"half")
    (world.folder / "of the operator.txt").write_bytes(b"kept")
    before = (world.folder / CSV).stat()
    await world.another().write(lambda: False)
    assert {CSV, PARQUET, "of the operator.txt"} <= set(world.names())
    assert ".half.part" not in world.names()
    assert (world.folder / CSV).stat() == before
    written = (world.folder / CSV).read_bytes()
    (world.folder / CSV).unlink()
    await world.another().write(lambda: False)
    assert (world.folder / CSV).read_bytes() == written


async def test_who_lost_the_right_writes_no_more(world: World) -> None:
    """Shows that two processes don't write on together once the right has gone."""
    await world.keep(BEGINS + DAY + SETTLES)
    await world.files.write(lambda: True)
    assert world.names() == []


async def test_old_files_go_and_days_without_a_report_have_none(tmp_path: Path) -> None:
    """Shows retention, and that a day of which nothing is known is no file with nothing in it."""
    world = World(tmp_path, days=3)
    await world.history.note_hours()
    await world.say(MALL, BEGINS, 40)
    await world.keep(BEGINS + DAY + SETTLES)
    await world.write()
    assert world.names() == sorted([CSV, PARQUET])
    await world.keep(BEGINS + 3 * DAY + SETTLES)
    await world.write()
    assert world.names() == sorted([CSV, PARQUET])
    await world.keep(BEGINS + 4 * DAY + SETTLES)
    await world.write()
    assert world.names() == []


async def test_a_folder_that_can_t_be_written_to_stops_nobody(world: World) -> None:
    """Shows that a full or wrong disk is counted, and that files are there once it is right again."""
    await world.keep(BEGINS + DAY + SETTLES)
    world.folder.write_bytes(b"in the way")
    measures = HistoryMeasures(world.registry)
    files = HistoryFiles(world.history, FilesPlace(world.folder, 30, HANGZHOU), measures)
    await files.write(lambda: False)
    assert world.registry.get_sample_value("bowei_ingest_history_files_failed_total") == 1
    world.folder.unlink()
    for _ in range(3):  # a few days a round, and of most of them nothing is known
        await files.write(lambda: False)
    assert CSV in world.names()
    assert world.registry.get_sample_value("bowei_ingest_history_files_missing") == 0


def test_a_day_has_the_hours_of_its_calendar() -> None:
    """Shows days of 23 and 25 hours, and those of a zone that is half an hour off: no hour is lost or given twice."""
    berlin, delhi = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")
    assert len(hours_of(MONDAY, HANGZHOU)) == 24
    assert len(hours_of(date(2026, 3, 29), berlin)) == 23
    assert len(hours_of(date(2026, 10, 25), berlin)) == 25
    for zone in (berlin, delhi, HANGZHOU):
        days = [date(2026, 3, 1) + timedelta(days=n) for n in range(300)]
        hours = [hour for day in days for hour in hours_of(day, zone)]
        assert all(after - before == HOUR for before, after in pairwise(hours))


@pytest.mark.parametrize(
    "name", ["hourly-2026-02-30.csv.gz", "hourly-2026-03-02.csv", "../hourly-2026-03-02.csv.gz", ""]
)
def test_what_is_no_day_s_name_is_no_file(name: str) -> None:
    """Shows that a name is checked, not trusted."""
    assert DayFile.named(name) is None
