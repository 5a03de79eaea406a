"""A link opens a navigation app at the entrance itself: right order of axes, right datum, converted once."""

import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from bowei.domain.navigation import navigation_links
from bowei.domain.places import Datum, Point, distance_m, to_wgs84

IN77 = Point(30.2552, 120.1582)
"""湖滨银泰 in77 in WGS-84; GCJ-02, as the Chinese apps want it, is 30.252864, 120.162884: 515 m away."""
LINKS = navigation_links(IN77, "湖滨银泰")
NAME = "%E6%B9%96%E6%BB%A8%E9%93%B6%E6%B3%B0"
ZURICH = Point(47.3769, 8.5417)


@pytest.mark.parametrize(
    ("app", "link"),
    [
        (
            "amap",
            (
                f"https://uri.amap.com/navigation?to=120.162884,30.252864,{NAME}&mode=car&policy=1&src=bowei"
                "&coordinate=gaode&callnative=1"
            ),
        ),
        (
            "baidu",
            (
                f"baidumap://map/direction?destination=name:{NAME}%7Clatlng:30.252864,120.162884"
                "&coord_type=gcj02&mode=driving&src=webapp.bowei.bowei"
            ),
        ),
        (
            "tencent",
            (
                f"https://apis.map.qq.com/uri/v1/routeplan?type=drive&to={NAME}&tocoord=30.252864,120.162884"
                "&coord_type=2&policy=0&referer=bowei"
            ),
        ),
        ("apple", "https://maps.apple.com/?daddr=30.255200,120.158200&dirflg=d"),
        ("google", "https://www.google.com/maps/dir/?api=1&destination=30.255200,120.158200&travelmode=driving"),
        ("geo", f"geo:30.255200,120.158200?q=30.255200,120.158200({NAME})"),
    ],
)
def test_each_app_gets_the_link_that_its_maker_documents(app: str, link: str) -> None:
    """Every character counts: the order of the axes and the datum differ from app to app."""
    assert LINKS[app] == link


def test_no_app_is_forgotten() -> None:
    """The answer's documented keys are there, and no other."""
    assert set(LINKS) == {"amap", "baidu", "tencent", "apple", "google", "geo"}


@pytest.mark.parametrize("app", ["amap", "baidu", "tencent"])
def test_the_chinese_apps_are_led_to_the_entrance_and_not_half_a_kilometre_past_it(app: str) -> None:
    """What the app reads, taken back from its datum, is the entrance: converted once, neither never nor twice."""
    first, second = _pair(LINKS[app])
    lat, lon = (second, first) if app == "amap" else (first, second)
    assert distance_m(to_wgs84(lat, lon, Datum.GCJ02), IN77) < 0.2


@pytest.mark.parametrize("app", ["apple", "google", "geo"])
def test_the_other_apps_get_wgs84_as_it_is(app: str) -> None:
    """They convert by themselves where they need to: a pair converted here would be converted twice."""
    assert _pair(LINKS[app]) == (IN77.lat, IN77.lon)


def test_outside_china_nothing_is_moved() -> None:
    """GCJ-02 is of mainland China; a driver in Zürich is not led half a kilometre away."""
    links = navigation_links(ZURICH, "Zürich")
    assert _pair(links["amap"]) == (8.5417, 47.3769)
    assert _pair(links["tencent"]) == (47.3769, 8.5417)


@pytest.mark.parametrize("app", sorted(LINKS))
def test_a_name_can_not_change_where_a_link_leads(app: str) -> None:
    """A name with characters that mean something in an address stays a name."""
    name = "A&to=0,0,|latlng:0,0#?/ (B)"
    link = navigation_links(IN77, name)[app]
    assert _pair(link) == _pair(LINKS[app])
    assert "#" not in link
    assert set(parse_qs(urlsplit(link).query)) == set(parse_qs(urlsplit(LINKS[app]).query))
    if NAME in LINKS[app]:
        assert name in unquote(link)


def _pair(link: str) -> tuple[float, float]:
    found = re.search(r"(-?\d+\.\d{6}),(-?\d+\.\d{6})", link)
    assert found is not None
    return float(found[1]), float(found[2])
