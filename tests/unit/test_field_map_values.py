"""Field maps, value by value: numbers, times and places as senders write them, and what each means."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowei.domain.dirt import Dirt
from bowei.domain.lots import LARGEST_COUNT
from bowei.domain.observations import Bound, LotState
from services.ingest.fieldmaps.counting import Counted, CountIn, WrittenIn, difference
from services.ingest.fieldmaps.fields import Said, TextIn, as_text
from services.ingest.fieldmaps.placing import PlacesIn
from services.ingest.fieldmaps.timing import TimeIn

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def count(value: object, *, capacity: int | None = None, written: dict[str, Any] | None = None, **how: Any) -> Counted:
    """Read one value as a count."""
    field = CountIn.model_validate({"path": "v"} | how)
    return field.read(Said({"v": value}, None), WrittenIn.model_validate(written or {}), capacity)


@pytest.mark.parametrize("value", [118, 118.0, "118", " 118 ", "１１８", "118.0", "+118", "0118"])
def test_a_number_is_read_however_it_is_typed(value: object) -> None:
    """Proves it for numbers as text, with full-width digits, and with the .0 that spreadsheets add."""
    assert count(value) == Counted(118)


@pytest.mark.parametrize(
    ("text", "how", "number"),
    [
        ("1,234", {"thousands": ","}, 1234),
        ("1.234", {"thousands": ".", "decimal": ","}, 1234),
        ("1.234,0", {"thousands": ".", "decimal": ","}, 1234),
        ("118,0", {"decimal": ","}, 118),
        ("1 234", {"thousands": " "}, 1234),
        ("1\u202f234", {"thousands": " "}, 1234),
        ("1'234", {"thousands": "'"}, 1234),
        ("12,345,678", {"thousands": ","}, None),
        ("1,23", {"thousands": ","}, None),
        ("1,234", {}, None),
        ("1.234", {"decimal": ","}, None),
    ],
)
def test_marks_mean_what_the_map_says(text: str, how: dict[str, str], number: int | None) -> None:
    """Proves that 1.234 is a thousand only where the map says so, and that a misplaced mark is no number."""
    assert count(text, written=how).count == number


@pytest.mark.parametrize(
    ("value", "number", "bound", "dirt"),
    [
        ("30+", 30, Bound.AT_LEAST, Dirt.AT_LEAST),
        ("30 +", 30, Bound.AT_LEAST, Dirt.AT_LEAST),
        ("≥30", 30, Bound.AT_LEAST, Dirt.AT_LEAST),
        (">=30", 30, Bound.AT_LEAST, Dirt.AT_LEAST),
        (">30", 30, Bound.AT_LEAST, Dirt.AT_LEAST),
        ("＞３０", 30, Bound.AT_LEAST, Dirt.AT_LEAST),
        ("30以上", 30, Bound.AT_LEAST, Dirt.AT_LEAST),
        ("30 or more", 30, Bound.AT_LEAST, Dirt.AT_LEAST),
        ("<10", 9, Bound.AT_MOST, Dirt.AT_MOST),
        ("<0", 0, Bound.AT_MOST, Dirt.AT_MOST),
        ("≤10", 10, Bound.AT_MOST, Dirt.AT_MOST),
        ("10以下", 10, Bound.AT_MOST, Dirt.AT_MOST),
        ("999999+", None, Bound.EXACT, Dirt.NOT_A_NUMBER),
    ],
)
def test_caps_and_floors_are_said_to_be_such(value: str, number: int | None, bound: Bound, dirt: Dirt) -> None:
    """Proves that "30 or more" is never taken for 30, and of two readings the smaller true number counts."""
    assert count(value) == Counted(number, bound, None, frozenset({dirt}))


@pytest.mark.parametrize(
    ("value", "dirt"),
    [
        (-1, Dirt.NEGATIVE_COUNT),
        ("-9", Dirt.NEGATIVE_COUNT),
        (7.5, Dirt.FRACTION),
        ("7.5", Dirt.FRACTION),
        ("開放中", Dirt.NOT_A_NUMBER),
        ("--", Dirt.NOT_A_NUMBER),
        (True, Dirt.NOT_A_NUMBER),
        ([], Dirt.NOT_A_NUMBER),
        ({"value": 3}, Dirt.NOT_A_NUMBER),
        (1e300, Dirt.NOT_A_NUMBER),
        (float("inf"), Dirt.NOT_A_NUMBER),
        (LARGEST_COUNT + 1, Dirt.NOT_A_NUMBER),
        ("1e3", Dirt.NOT_A_NUMBER),
        ("1_000", Dirt.NOT_A_NUMBER),
        ("9" * 5_000, Dirt.NOT_A_NUMBER),
    ],
)
def test_what_is_no_count_is_unknown_and_its_dirt_is_named(value: object, dirt: Dirt) -> None:
    """Proves that nothing becomes 0 by being unreadable."""
    assert count(value) == Counted(dirt=frozenset({dirt}))


@pytest.mark.parametrize("value", [None, ""])
def test_nothing_is_nothing(value: object) -> None:
    """Proves that absent, null and empty are unknown, and no dirt."""
    assert count(value) == Counted()


def test_a_sentinel_means_what_the_map_says_and_is_never_a_number() -> None:
    """Proves it for a number, a word for a state, a word for a number, and a field's own meaning before the map's."""
    means = {"-9": "unknown", "開放中": "open", "休息": "closed", "滿": 0, "999": "unknown"}
    assert count(-9, written={"means": means}) == Counted(dirt=frozenset({Dirt.SENTINEL}))
    assert count("開放中", written={"means": means}) == Counted(state=LotState.OPEN, dirt=frozenset({Dirt.SENTINEL}))
    assert count("休息", means=means) == Counted(state=LotState.CLOSED, dirt=frozenset({Dirt.SENTINEL}))
    assert count("滿", means=means) == Counted(0)
    assert count("９９９", means=means).count is None
    assert count(999, means={"999": 999}, written={"means": means}) == Counted(999)


def test_a_yes_is_at_least_one_and_not_one() -> None:
    """Proves that a binary field that looks like a count is not believed as one."""
    assert count("1", binary=True) == Counted(1, Bound.AT_LEAST, None, frozenset({Dirt.BINARY_COUNT}))
    assert count(0, binary=True) == Counted(0, Bound.EXACT, None, frozenset({Dirt.BINARY_COUNT}))
    assert count(2, binary=True).count is None


def test_parts_of_the_capacity_are_rounded_down_and_marked() -> None:
    """Proves that a rate never promises more than it says, and says nothing without a capacity."""
    assert count(29, unit="percent", capacity=300) == Counted(87, dirt=frozenset({Dirt.FRACTION}))
    assert count(0.319, unit="share", capacity=414).count == 132
    assert count(50, unit="percent") == Counted()
    assert count(101, unit="percent", capacity=10).count is None
    assert count(-1, unit="share", capacity=10) == Counted(dirt=frozenset({Dirt.NEGATIVE_COUNT}))


def test_what_is_taken_away_turns_its_bound_around() -> None:
    """Proves that at least 30 occupied of 100 leaves at most 70 free, and that no count is below 0."""
    hundred = Counted(100)
    assert difference(hundred, Counted(30, Bound.AT_LEAST)) == Counted(70, Bound.AT_MOST)
    assert difference(hundred, Counted(101)) == Counted(dirt=frozenset({Dirt.NEGATIVE_COUNT}))
    assert difference(Counted(), Counted(3)) == Counted()
    field = CountIn.model_validate({"path": "all", "minus": "taken"})
    assert field.read(Said({"all": 65, "taken": 56}, None), WrittenIn()) == Counted(9)


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NUMBERISH = st.text(alphabet="0123456789+-.,<>≥≤=以上下 '１３", max_size=12)


@given(value=SHAPES | NUMBERISH, binary=st.booleans(), unit=st.sampled_from(["spaces", "percent", "share"]))
def test_no_value_whatever_becomes_an_impossible_count(value: object, binary: bool, unit: str) -> None:
    """Proves that reading never raises, and gives a whole number from 0 to the largest, or None."""
    for decimal, thousands in ((".", None), (",", "."), (".", "'")):
        written = {"decimal": decimal, "thousands": thousands, "means": {"-9": "unknown", "0": "closed"}}
        read = count(value, capacity=300, written=written, binary=binary, unit=unit)
        assert read.count is None or (type(read.count) is int and 0 <= read.count <= LARGEST_COUNT)
        assert as_text(value) not in {"-9", "0"} or read.count is None


def instant(value: object, timezone: str | None = None, **how: Any) -> tuple[datetime | None, set[Dirt]]:
    """Read one value as an instant."""
    timed = TimeIn.model_validate({"path": "v"} | how).read(Said({"v": value, "day": "2026-03-02"}, None), timezone)
    return timed.at, set(timed.dirt)


@pytest.mark.parametrize(
    ("value", "how"),
    [
        ("2026-03-02T04:00:00Z", {}),
        ("2026-03-02T12:00:00+08:00", {}),
        ("2026-03-02 12:00:00 +0800", {}),
        ("2026-03-02T04:00:00.000000000Z", {}),
        (1772424000, {"format": "epoch_s"}),
        ("1772424000.0", {"format": "epoch_s"}),
        (1772424000000, {"format": "epoch_ms"}),
        ("1772424000000", {"format": "epoch_ms"}),
        ("Mon, 02 Mar 2026 12:00:00 +0800", {"format": "%a, %d %b %Y %H:%M:%S %z"}),
        ("1772424000000", {"format": ["rfc3339", "epoch_s", "epoch_ms"]}),
    ],
)
def test_a_time_with_its_offset_is_that_instant(value: object, how: dict[str, Any]) -> None:
    """Proves it for each way of writing one; a 13-digit text is not taken for seconds."""
    assert instant(value, "America/Lima", **how) == (NOON, set())


@pytest.mark.parametrize(
    ("value", "how"),
    [
        ("2026-03-02 12:00:00", {}),
        ("2026-03-02T12:00", {}),
        ("2026/03/02 12:00:00", {"format": "%Y/%m/%d %H:%M:%S"}),
        ("Mon Mar 02 12:00:00 CST 2026", {"format": "%a %b %d %H:%M:%S CST %Y"}),
        ("12:00", {"date": "day", "format": "%Y-%m-%d %H:%M"}),
    ],
)
def test_a_naive_time_is_in_the_map_s_zone_and_said_to_be_naive(value: object, how: dict[str, Any]) -> None:
    """Proves it with the day elsewhere too, and that without a zone it is no time."""
    assert instant(value, "Asia/Shanghai", **how) == (NOON, {Dirt.NAIVE_TIME})
    assert instant(value, None, **how) == (None, {Dirt.NO_TIME})


def test_an_hour_without_its_leading_zero_is_read() -> None:
    """Proves the "8:30" that vendors send."""
    at, _ = instant("8:30", "Asia/Shanghai", date="day", format="%Y-%m-%d %H:%M")
    assert at == NOON - timedelta(hours=3.5)


@pytest.mark.parametrize(
    "value",
    ["", None, "now", "2026-03-02", 1772424000, "1970-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", True, [], "1"],
)
def test_what_is_no_time_is_none_and_said(value: object) -> None:
    """Proves that the time of receipt will be used, and that the record says so."""
    assert instant(value, "Asia/Shanghai") == (None, {Dirt.NO_TIME})


def test_a_source_s_clock_may_be_left_unread() -> None:
    """Proves that a map can say that the sender's clock is not to be believed."""
    assert instant("2026-03-02T04:00:00Z", clock="received") == (None, {Dirt.NO_TIME})


@given(value=SHAPES, form=st.sampled_from(["rfc3339", "epoch_s", "epoch_ms", "%Y-%m-%d %H:%M"]))
def test_no_value_whatever_breaks_the_reading_of_times(value: object, form: str) -> None:
    """Proves that reading never raises, and gives an aware instant of this century or none."""
    at, _ = instant(value, "Asia/Shanghai", format=form)
    assert at is None or 2000 <= at.year < 2100


def test_a_position_is_held_to_its_datum() -> None:
    """Proves that swapped axes, metres and a datum that does not fit its twin are named."""
    bd09 = {"datum": "bd09", "lat": "b_lat", "lon": "b_lon"}
    place = PlacesIn.model_validate({"datum": "gcj02", "lat": "lat", "lon": "lon", "also": bd09})

    def dirt(lat: object, lon: object, b_lat: object = None, b_lon: object = None) -> set[Dirt]:
        return set(place.dirt(Said({"lat": lat, "lon": lon, "b_lat": b_lat, "b_lon": b_lon}, None)))

    assert dirt(30.247651, "120.169663", 30.253344, 120.176249) == set()
    assert dirt(30.247651, 120.169663, 30.247651, 120.169663) == {Dirt.DATUMS_DISAGREE}
    assert dirt(30.247651, 120.169663, 30.253344 + 0.0003, 120.176249) == {Dirt.DATUMS_DISAGREE}  # 33 m
    assert dirt(120.169663, 30.247651) == {Dirt.SWAPPED_AXES}
    anywhere = PlacesIn.model_validate({"datum": "wgs84", "lat": "lat", "lon": "lon"})
    assert anywhere.dirt(Said({"lat": 120.169663, "lon": 30.247651}, None)) == {Dirt.SWAPPED_AXES}
    assert dirt(3350000, 13380000) == {Dirt.METRES_AS_DEGREES}
    assert dirt("", None) == set()
    pair = PlacesIn.model_validate({"datum": "wgs84", "lat": "lnglat", "lon": "lnglat"})
    point, _ = pair.read(Said({"lnglat": "22.991501,120.195621"}, None))
    assert point is not None
    assert (point.lat, point.lon) == (22.991501, 120.195621)


@pytest.mark.parametrize("value", ["a\x00b", "a\nb", "x" * 201, [], {}, "\ud800"])
def test_a_code_that_can_t_be_kept_is_refused(value: object) -> None:
    """Proves that a lot's code is never a list, a paragraph, or what no database can hold."""
    with pytest.raises(ValueError, match="unfit"):
        TextIn.model_validate("v").read(Said({"v": value}, None))
