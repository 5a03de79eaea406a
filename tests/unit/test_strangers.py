"""Lots that nobody registered: junk is named, and a known lot is recognised under a new name or at its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowei.domain.lots import LotId
from bowei.domain.places import Point
from bowei.domain.strangers import KnownLot, is_junk, likely

HERE = Point(30.2552, 120.1582)
KNOWN = [
    KnownLot(LotId("decathlon"), ("迪卡農-新竹店", "Decathlon Hsinchu"), Point(24.80, 120.97)),
    KnownLot(LotId("costco"), ("好市多-新竹店", "Costco Hsinchu"), Point(24.81, 120.98)),
    KnownLot(LotId("mall"), ("1001", "工联CC停车场", "Gonglian CC"), HERE),
]


@pytest.mark.parametrize(
    "code",
    [
        "",
        " ",
        "null",
        "None",
        "undefined",
        "N/A",
        "0",
        "0000",
        "-1",
        "-",
        "--",
        "?",
        "xxx",
        "a\x00b",
        "y" * 201,
        "test",
    ],
)
def test_a_code_for_nothing_is_junk(code: str) -> None:
    """What a broken program sends in the place of an id."""
    assert is_junk(code)


@pytest.mark.parametrize("code", ["1001", "P-7", "330106001", "迪卡儂", "7", "zuerichparkgarageamcentral", "00123"])
def test_an_ordinary_code_is_not_junk(code: str) -> None:
    """Numbers, words and names of any script."""
    assert not is_junk(code)


@pytest.mark.parametrize(
    ("code", "name", "place", "like"),
    [
        ("迪卡儂-新竹店", None, None, "decathlon"),
        ("77", "迪卡儂新竹店", None, "decathlon"),
        ("77", None, Point(30.2553, 120.1583), "mall"),
        ("77", "Gonglian CC", Point(31.0, 121.0), "mall"),
        ("77", "西溪湿地停车场", Point(30.27, 120.06), None),
        ("1002", None, None, None),
        ("77", None, None, None),
    ],
)
def test_a_stranger_is_recognised_by_name_or_place(
    code: str, name: str | None, place: Point | None, like: str | None
) -> None:
    """One character off, or a few steps away; never by a number that looks like another."""
    assert likely(code, name, place, KNOWN) == like


@given(st.text(max_size=300), st.one_of(st.none(), st.text(max_size=50)))
def test_any_text_can_be_a_code(code: str, name: str | None) -> None:
    """Whatever a source sends, it is named and never an error."""
    assert is_junk(code) in {True, False}
    assert likely(code, name, None, KNOWN) in {None, "decathlon", "costco", "mall"}
