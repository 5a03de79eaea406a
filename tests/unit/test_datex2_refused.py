"""What is no decent status publication is refused, as far as it is not, and costs little."""

import weakref

import pytest

from bowei.domain.observations import RAW_MOST
from bowei.domain.problems import Refused
from services.ingest.datex2.parsing import DEEPEST, MOST_RECORDS, Publication
from services.ingest.datex2.reading import read_status
from services.ingest.readings import CountReading, Unmeant
from tests.unit.datex2_written import VACANT, WHOLE, place, v3


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        pytest.param(place(VACANT, lot=" "), "missing_field", id="no lot"),
        pytest.param(place(VACANT, lot="x" * 257), "wrong_length", id="a name without end"),
    ],
)
def test_a_record_of_no_lot_never_stops_the_others(spoilt: str, code: str) -> None:
    """It is named with its reason, beside what was said, cut to what is kept."""
    bad, good = read_status(v3(spoilt, place(VACANT, lot="mall-b")))
    assert isinstance(bad, Unmeant)
    assert bad.code == code
    assert bad.raw is not None
    assert len(bad.raw) <= RAW_MOST
    assert isinstance(good, CountReading)
    assert good.lot_code == "mall-b"


LAUGHS = b"""<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><payload>&b;</payload>"""
OUTSIDE = b"""<!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/hostname">]><payload>&file;</payload>"""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "xml_syntax", id="nothing"),
        pytest.param(b"<html><body>Wartung", "xml_syntax", id="a page that was cut off"),
        pytest.param(WHOLE[:-200], "xml_syntax", id="a publication that was cut off"),
        pytest.param(b'<?xml version="1.0" encoding="martian"?><payload/>', "xml_syntax", id="an encoding of nobody"),
        pytest.param(b"<payload>\xff\xfe</payload>", "xml_syntax", id="bytes that are no UTF-8"),
        pytest.param(LAUGHS, "xml_forbidden", id="a billion laughs"),
        pytest.param(OUTSIDE, "xml_forbidden", id="a file of ours"),
        pytest.param(b"<!DOCTYPE payload><payload/>", "xml_forbidden", id="a DTD"),
        pytest.param(b"<a>" * (DEEPEST + 1) + b"</a>" * (DEEPEST + 1), "xml_too_deep", id="a well"),
    ],
)
def test_what_is_no_decent_xml_is_refused_whole(body: bytes, code: str) -> None:
    """It is not read further than needed to see it."""
    with pytest.raises(Refused) as refused:
        read_status(body)
    assert refused.value.code == "malformed_xml"
    assert [error.code for error in refused.value.errors] == [code]


def test_a_flood_of_records_is_refused() -> None:
    """More than any city has lots."""
    with pytest.raises(Refused, match="too_many_items"):
        read_status(v3("<prk:parkingStatusInformation/>" * (MOST_RECORDS + 1)))


def test_a_description_of_lots_is_no_status_of_them() -> None:
    """A table of lots, or any other XML, is refused; a status publication without a record is an empty one."""
    with pytest.raises(Refused, match="not_a_status"):
        read_status(v3().replace(b"ParkingStatusPublication", b"ParkingTablePublication"))
    assert read_status(v3()) == []


def test_memory_holds_one_record_and_not_all() -> None:
    """Each record is let go once the next one is asked for."""
    alive: list[int] = []
    seen: list[weakref.ref[object]] = []
    for record in Publication(v3(*[place(VACANT)] * 50)).records():
        seen.append(weakref.ref(record))
        alive.append(sum(one() is not None for one in seen))
    assert alive == [1] * 50
