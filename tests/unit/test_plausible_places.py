"""What can't be right about a place: swapped axes, metres, and a Chinese datum that was not said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowei.domain.places import Datum, Point, distance_m, to_gcj02, to_wgs84
from bowei.domain.plausible_places import agree, fault_of_pair, fault_of_readings, is_shifted

HOSPITAL = Point(30.2576, 120.1621)
GCJ02 = to_gcj02(HOSPITAL)
BD09 = (30.2609831, 120.1733564)
"""The hospital in BD-09, by the published formulas."""


@pytest.mark.parametrize(
    ("lat", "lon", "datum", "fault"),
    [
        (30.2576, 120.1621, Datum.WGS84, None),
        (120.1621, 30.2576, Datum.WGS84, "swapped_axes"),
        (120.1621, 30.2576, Datum.GCJ02, "swapped_axes"),
        (3_537_000.0, 13_375_000.0, Datum.WGS84, "metres_as_degrees"),
        (2_741_000.0, 248_000.0, Datum.WGS84, "metres_as_degrees"),
        (30.25, 200.0, Datum.WGS84, "out_of_range"),
        (47.37, 8.54, Datum.GCJ02, "out_of_range"),
        (24.80, 120.97, Datum.WGS84, None),
    ],
)
def test_a_pair_that_can_t_be_a_place_is_named(lat: float, lon: float, datum: Datum, fault: str | None) -> None:
    """Web Mercator, TWD97, the axes of another standard."""
    assert fault_of_pair(lat, lon, datum) == fault


def test_a_pair_read_in_the_wrong_datum_is_known_by_its_distance() -> None:
    """Half a kilometre off, by just the shift of GCJ-02 there."""
    unconverted = Point(*GCJ02)
    assert 400 < distance_m(HOSPITAL, unconverted) < 600
    assert is_shifted(HOSPITAL, unconverted)
    assert fault_of_readings(HOSPITAL, unconverted) == "wrong_datum"
    assert fault_of_readings(unconverted, HOSPITAL) == "wrong_datum"


def test_two_readings_that_differ_otherwise_are_of_two_places() -> None:
    """The same distance in another direction is another mistake."""
    elsewhere = Point(HOSPITAL.lat - 0.004, HOSPITAL.lon)
    assert fault_of_readings(HOSPITAL, elsewhere) == "datum_mismatch"
    assert fault_of_readings(HOSPITAL, Point(HOSPITAL.lat + 0.0001, HOSPITAL.lon)) is None


def test_outside_china_nothing_is_shifted() -> None:
    """A lot in Zürich has one reading; there is no shift to find."""
    here, there = Point(47.3769, 8.5417), Point(47.3790, 8.5460)
    assert fault_of_readings(here, there) == "datum_mismatch"


def test_both_chinese_datums_of_one_place_agree() -> None:
    """City Brain's uploadParkingInfo: gmap and bmap, of one place within 20 m."""
    assert agree(to_wgs84(*BD09, Datum.BD09), HOSPITAL)
    assert agree(to_wgs84(*GCJ02, Datum.GCJ02), HOSPITAL)


@given(st.floats(20, 50), st.floats(80, 130))
def test_the_shift_is_found_anywhere_in_china(lat: float, lon: float) -> None:
    """A pair read in the wrong datum is named so wherever a lot may stand."""
    here = Point(lat, lon)
    there = Point(*to_gcj02(here))
    if not agree(here, there):
        assert fault_of_readings(here, there) == "wrong_datum"
