"""Recordings: what anyone's CSV has to be, and what is said of one that is not."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bowei.domain.dirt import Dirt
from bowei.domain.lots import LotId, LotKind
from bowei.domain.observations import LotState, Observation
from bowei.domain.places import Datum, Point, to_wgs84
from services.local.replay.recording import BadRecording, Recording, open_recording

LOTS = "lot_id,name,kind,capacity,open,lat,lon,datum\n"
MALL = "mall,Mall,mall,300,,30.2552,120.1582,wgs84\n"
SAID_AS_IT_WAS = "observed_at,source_observed_at,lot_id,said_free,said_occupied,said_capacity\n"
SAID = "observed_at,lot_id,free,capacity,open,state\n"
NINE = datetime(2026, 1, 7, 9, tzinfo=UTC)


def write(folder: Path, lots: str = LOTS + MALL, said: str = SAID) -> Path:
    """Make a recording of two files."""
    (folder / "lots.csv").write_text(lots, "utf-8")
    (folder / "observations.csv").write_text(said, "utf-8")
    return folder


def read(folder: Path) -> tuple[Recording, list[Observation]]:
    """Read all of a recording."""
    recording = open_recording(folder)
    return recording, [heard.said for heard in recording.reports()]


def test_every_column_is_read_and_an_empty_cell_is_unknown(tmp_path: Path) -> None:
    """Unknown is neither 0 nor full; times are kept in UTC, whatever zone they were written in."""
    said = SAID + "2026-01-07T10:00:00+01:00,mall,12,310,290,open\n2026-01-07T09:30:00Z,mall,,,,unknown\n"
    recording, (first, second) = read(write(tmp_path, said=said))
    lot = recording.lots[LotId("mall")]
    assert (lot.kind, lot.capacity, lot.location) == (LotKind.MALL, 300, Point(30.2552, 120.1582))
    assert (first.observed_at, first.free, first.capacity, first.open) == (NINE, 12, 310, 290)
    assert first.observed_at.tzinfo is UTC
    assert (second.free, second.capacity, second.open, second.state) == (None, None, None, LotState.UNKNOWN)


def test_a_position_is_read_in_its_own_datum(tmp_path: Path) -> None:
    """A lot written in GCJ-02 does not land half a kilometre off."""
    recording, _ = read(write(tmp_path, LOTS + "mall,,,300,,30.2528,120.1629,gcj02\n"))
    assert recording.lots[LotId("mall")].location == to_wgs84(30.2528, 120.1629, Datum.GCJ02)
    assert recording.lots[LotId("mall")].kind is LotKind.PUBLIC


def test_spaces_open_to_the_public_hold_for_reports_that_do_not_say_them(tmp_path: Path) -> None:
    """What lots.csv says of a lot is what each of its reports means, unless it says otherwise itself."""
    said = SAID + "2026-01-07T09:00:00Z,mall,12,,,\n2026-01-07T09:10:00Z,mall,12,,7,\n"
    _, (first, second) = read(write(tmp_path, LOTS + MALL.replace("300,,", "300,50,"), said))
    assert (first.open, second.open) == (50, 7)


def test_a_packed_file_with_a_byte_order_mark_and_other_columns_reads_the_same(tmp_path: Path) -> None:
    """As spreadsheets save it, and as archives keep it."""
    write(tmp_path)
    (tmp_path / "observations.csv").unlink()
    packed = "\ufeffweather,free,lot_id,observed_at\r\nrain,12,mall,2026-01-07T09:00:00Z\r\n"
    (tmp_path / "observations.csv.gz").write_bytes(gzip.compress(packed.encode()))
    _, (only,) = read(tmp_path)
    assert (only.lot_id, only.free, only.state) == (LotId("mall"), 12, LotState.OPEN)


def test_lots_that_cannot_be_used_are_left_out_and_counted_with_their_reports(tmp_path: Path) -> None:
    """A real list has lots without a position: the rest of it is still good."""
    unusable = (
        "hidden,Hidden,mall,80,,,,\nopéra,Opéra,mall,299,,47.36,8.54,wgs84\nblank,Blank,mall,,,47.36,8.54,wgs84\n"
    )
    said = SAID + "".join(f"2026-01-07T09:00:00Z,{lot_id},5,,,\n" for lot_id in ("hidden", "opéra", "mall", "stranger"))
    recording, observations = read(write(tmp_path, LOTS + MALL + unusable, said))
    assert list(recording.lots) == ["mall"]
    assert [one.lot_id for one in observations] == ["mall"]
    assert recording.left_out == {
        "lot_without_position": 1,
        "lot_with_unusable_id": 1,
        "lot_without_capacity": 1,
        "report_of_unusable_lot": 3,
    }


@pytest.mark.parametrize(
    ("lots", "message"),
    [
        ("lot_id,name,kind,capacity,lat,lon\n", r"lots\.csv lacks columns: datum"),
        ("", r"lots\.csv lacks columns: capacity, datum, kind"),
        (LOTS, "names no lot with a position and a capacity"),
        (LOTS + "mall,Mall,mall,300,,,,wgs84\n", "Fill in capacity, lat, lon and datum"),
        (LOTS + "mall,Mall,mall,300,,30.2,120.1,\n", r"lots\.csv line 2: datum is ''. Write wgs84, gcj02 or bd09"),
        (LOTS + MALL + "b,B,mall,300,,30.2,120.1,mars\n", r"lots\.csv line 3: datum is 'mars'"),
        (LOTS + "mall,Mall,cinema,300,,30.2,120.1,wgs84\n", "kind is 'cinema'. Write hospital, mall"),
        (LOTS + "mall,Mall,mall,300,,120.1,30.2,wgs84\n", "lat 120.1, lon 30.2 is no place"),
        (LOTS + "mall,Mall,mall,300,,nan,30.2,wgs84\n", "lat nan, lon 30.2 is no place"),
        (LOTS + "mall,Mall,mall,300,,north,30.2,wgs84\n", "lat north, lon 30.2 is no place"),
        (LOTS + "mall,Mall,mall,-3,,30.2,120.1,wgs84\n", "capacity is '-3'. Write a whole number"),
        (LOTS + "mall,Mall,mall,300,many,30.2,120.1,wgs84\n", "open is 'many'. Write a whole number"),
        (LOTS + MALL + MALL, r"lots\.csv line 3: mall is there twice"),
    ],
)
def test_bad_lots_are_refused_with_their_line_and_what_to_write(tmp_path: Path, lots: str, message: str) -> None:
    """Whoever made the file sees at once where to look."""
    with pytest.raises(BadRecording, match=message):
        open_recording(write(tmp_path, lots))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("observed_at,free\n", r"observations\.csv lacks columns: lot_id"),
        ("observed_at,lot_id\n", r"observations\.csv lacks columns: free or said_free or said_occupied"),
        (
            SAID_AS_IT_WAS + "2026-01-07T09:00:00Z,2026-01-07T09:00:00,mall,5,,\n",
            "line 2: source_observed_at 2026-01-07T09:00:00 has no zone",
        ),
        (
            SAID + "2026-01-07T09:00:00,mall,5,,,\n",
            "line 2: observed_at 2026-01-07T09:00:00 has no zone. Write it with Z",
        ),
        (SAID + "yesterday,mall,5,,,\n", "observed_at is 'yesterday'. Write it like 2026-01-07T08:27:01Z"),
        (SAID + ",mall,5,,,\n", "observed_at is ''"),
        (SAID + "0001-01-01T00:00:00+09:00,mall,5,,,\n", "observed_at is '0001"),
        (
            SAID + "2026-01-07T09:00:00Z,mall,-1,,,\n",
            "free is '-1'. Write a whole number from 0 to 1000000, or nothing",
        ),
        (SAID + "2026-01-07T09:00:00Z,mall,开放中,,,\n", "free is '开放中'. Write a whole number"),
        (SAID + "2026-01-07T09:00:00Z,mall,5.0,,,\n", "free is '5.0'"),
        (SAID + "2026-01-07T09:00:00Z,mall,99999999999,,,\n", "free is '99999999999'"),
        (SAID + "2026-01-07T09:00:00Z,mall,5,,,nodata\n", "state is 'nodata'. Write one of open, closed"),
        (
            SAID + "2026-01-07T09:00:00Z,mall,5,,,\n2026-01-07T09:59:59+01:00,mall,5,,,\n",
            "line 3: observed_at is before the row above. Sort the rows by time",
        ),
    ],
)
def test_bad_reports_are_refused_with_their_line_and_what_to_write(tmp_path: Path, said: str, message: str) -> None:
    """A guess at what was meant would make the whole replay worthless."""
    recording = open_recording(write(tmp_path, said=said))
    with pytest.raises(BadRecording, match=message):
        list(recording.reports())


@pytest.mark.parametrize(
    ("text", "count", "dirt"),
    [
        ("287", 287, set()),
        ("287.0", 287, set()),
        ("-8", -8, set()),
        ("", None, set()),
        ("12.5", None, {Dirt.FRACTION}),
        ("开放中", None, {Dirt.NOT_A_NUMBER}),
        ("nan", None, {Dirt.NOT_A_NUMBER}),
        ("9" * 30, None, {Dirt.NOT_A_NUMBER}),
    ],
)
def test_what_a_source_wrote_is_taken_as_it_is_with_its_dirt(
    tmp_path: Path, text: str, count: int | None, dirt: set[Dirt]
) -> None:
    """These columns are for replaying the dirt itself: what is no count is unknown, and named."""
    said = SAID_AS_IT_WAS + f"2026-01-07T09:00:00Z,,mall,{text},{text},{text}\n"
    _, (only,) = read(write(tmp_path, said=said))
    assert (only.free, only.occupied, only.capacity, set(only.dirt)) == (count, count, count, dirt)


def test_a_sources_own_time_stands_beside_the_time_of_receipt(tmp_path: Path) -> None:
    """Rows are in order of receipt, whatever the source's clock says."""
    rows = ("09:00:00Z,2026-01-07T09:30:00Z", "09:05:00Z,2025-12-06T01:33:34Z")
    said = SAID_AS_IT_WAS + "".join(f"2026-01-07T{row},mall,1,,\n" for row in rows)
    first, second = open_recording(write(tmp_path, said=said)).reports()
    assert (first.at, first.said.observed_at) == (NINE, NINE + timedelta(minutes=30))
    assert (second.at, second.said.observed_at.year) == (NINE + timedelta(minutes=5), 2025)


@pytest.mark.parametrize("missing", ["lots.csv", "observations.csv"])
def test_a_missing_file_is_named_before_anything_starts(tmp_path: Path, missing: str) -> None:
    """The message says what a recording consists of."""
    write(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(BadRecording, match=r"is missing\. A recording has lots\.csv and observations\.csv"):
        open_recording(tmp_path)


@pytest.mark.parametrize(
    "packed", [b"not packed at all", gzip.compress(b"x" * 99)[:-20], b"\x1f\x8b\x08\x00" + b"\xff" * 99]
)
def test_a_damaged_packed_file_is_refused_before_anything_starts(tmp_path: Path, packed: bytes) -> None:
    """Not packed, cut short, or damaged within."""
    write(tmp_path)
    (tmp_path / "observations.csv").unlink()
    (tmp_path / "observations.csv.gz").write_bytes(packed)
    with pytest.raises(BadRecording, match=r"observations\.csv\.gz can't be read as CSV in UTF-8, packed by gzip"):
        open_recording(tmp_path)


def test_a_packed_file_cut_short_far_in_is_refused_when_it_ends(tmp_path: Path) -> None:
    """The rows before it were read; the end is not taken for the recording's end."""
    write(tmp_path)
    (tmp_path / "observations.csv").unlink()
    rows = SAID + "".join(
        f"2026-01-07T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z,mall,{n % 300},,,\n" for n in range(9999)
    )
    whole = gzip.compress(rows.encode())
    (tmp_path / "observations.csv.gz").write_bytes(whole[: len(whole) * 9 // 10])
    recording = open_recording(tmp_path)
    with pytest.raises(BadRecording, match="EOFError"):
        list(recording.reports())


def test_text_of_another_encoding_is_refused(tmp_path: Path) -> None:
    """Names in GBK are not read as nonsense."""
    (write(tmp_path) / "lots.csv").write_bytes((LOTS + MALL.replace("Mall", "商场")).encode("gbk"))
    with pytest.raises(BadRecording, match=r"can't be read as CSV in UTF-8: UnicodeDecodeError"):
        open_recording(tmp_path)
