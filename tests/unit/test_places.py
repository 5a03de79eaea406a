"""Places: a pair of coordinates means nothing without its datum."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowei.domain.places import Datum, Point, distance_m, in_mainland_box, to_gcj02, to_wgs84

HUBIN = Point(30.2576, 120.1621)
ZURICH = Point(47.3769, 8.5417)

in_china = st.builds(Point, st.floats(18.5, 53.0), st.floats(74.0, 134.0))


def test_a_mile_is_a_mile() -> None:
    """One minute of latitude is 1,853 m on a sphere of the earth's mean radius, in either direction."""
    north = Point(HUBIN.lat + 1 / 60, HUBIN.lon)
    assert distance_m(HUBIN, north) == distance_m(north, HUBIN) == pytest.approx(1853.2, abs=0.1)
    assert distance_m(HUBIN, HUBIN) == 0


def test_antipodes_are_half_the_earth_apart() -> None:
    """The formula stands where rounding would leave the domain of its root."""
    assert distance_m(Point(0, 0), Point(0, 180)) == pytest.approx(20_015_114, abs=10)


def test_reading_a_chinese_map_as_wgs84_is_half_a_kilometre_wrong() -> None:
    """The error is more than the way from the hospital to the mall, so the datum must be said."""
    lat, lon = to_gcj02(HUBIN)
    assert 400 < distance_m(HUBIN, Point(lat, lon)) < 650


def test_a_known_place_converts_to_the_published_pair() -> None:
    """Tiananmen as WGS-84 and as the map makers' pair, to five decimals."""
    lat, lon = to_gcj02(Point(39.9087, 116.3975))
    assert lat == pytest.approx(39.91010, abs=2e-5)
    assert lon == pytest.approx(116.40374, abs=2e-5)


@given(in_china)
def test_a_place_comes_back_from_gcj02_within_a_millimetre(place: Point) -> None:
    """There and back changes nothing that anyone could park on."""
    lat, lon = to_gcj02(place)
    if in_mainland_box(lat, lon):
        assert distance_m(to_wgs84(lat, lon, Datum.GCJ02), place) < 0.001


def test_bd09_lies_farther_off_and_comes_back_too() -> None:
    """Hubin's pair by Baidu's published formula, to six decimals, is a kilometre off and is read within a metre."""
    lat, lon = 30.260983, 120.173356
    assert distance_m(Point(lat, lon), HUBIN) > 1_000
    assert distance_m(to_wgs84(lat, lon, Datum.BD09), HUBIN) < 1


@pytest.mark.parametrize("datum", [Datum.WGS84, Datum.GCJ02])
def test_outside_china_no_shift_applies(datum: Datum) -> None:
    """A Swiss lot stays where it is."""
    assert to_wgs84(ZURICH.lat, ZURICH.lon, datum) == ZURICH
    assert to_gcj02(ZURICH) == (ZURICH.lat, ZURICH.lon)
