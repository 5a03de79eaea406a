"""What a DATEX II publisher writes, v2 or v3, becomes what it means: no number is made up, and none is a forecast."""

import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from bowei.domain.dirt import Dirt
from bowei.domain.observations import Bound, LotState
from bowei.domain.problems import Refused
from services.ingest.datex2.reading import read_status
from services.ingest.readings import CountReading, Reading, Unmeant
from tests.unit.datex2_written import FORECAST, TOTAL, VACANT, WHOLE, number, place, v3

AT = datetime(2026, 3, 2, 0, 30, 3, tzinfo=UTC)


def only(body: bytes) -> CountReading:
    """Read a publication that says one thing of one lot."""
    (reading,) = read_status(body)
    assert isinstance(reading, CountReading)
    return reading


def said(readings: list[Reading]) -> list[tuple[object, ...]]:
    """Give what readings say, to compare with what a person reads in the document."""
    return [
        (one.lot_code, one.observed_at, one.capacity, one.free, one.state)
        for one in readings
        if isinstance(one, CountReading)
    ]


def test_a_publication_says_what_is_now_of_each_lot_and_not_what_may_come() -> None:
    """The forecast of 96 for the open lot is no count of now; the silent lot has no number."""
    readings = read_status(WHOLE)
    assert said(readings) == [
        ("mall-a", AT, 300, 118, LotState.OPEN),
        ("mall-b", AT, None, None, LotState.UNKNOWN),
        ("hospital-1", AT, 127, 0, LotState.FULL_AT_ENTRANCE),
    ]
    silent = readings[1]
    assert isinstance(silent, CountReading)
    assert silent.dirt == {Dirt.COMMS_LOST}
    assert silent.raw is not None
    assert "communicationsFailure" in silent.raw


def test_a_status_that_holds_from_now_is_no_forecast() -> None:
    """An offset of nought seconds is now."""
    now = FORECAST.replace(">900<", ">0<")
    assert only(v3(now)).free == 96


@pytest.mark.parametrize(
    ("inside", "free", "bound", "dirt"),
    [
        pytest.param(VACANT, 118, Bound.EXACT, set(), id="a count"),
        pytest.param(number("numberOfVacantSpaces", 0), 0, Bound.EXACT, set(), id="none"),
        pytest.param(number("numberOfVacantSpaces", "12.0"), 12, Bound.EXACT, set(), id="a whole number with a point"),
        pytest.param(
            number("numberOfVacantSpacesHigherThan", 29), 30, Bound.AT_LEAST, {Dirt.AT_LEAST}, id="30 or more"
        ),
        pytest.param(number("numberOfVacantSpacesLowerThan", 10), 9, Bound.AT_MOST, {Dirt.AT_MOST}, id="fewer than 10"),
        pytest.param(
            number("numberOfVacantSpacesGraded", "lessThan20SpacesAvailable"),
            19,
            Bound.AT_MOST,
            {Dirt.AT_MOST},
            id="a grade with a number",
        ),
        pytest.param(
            number("numberOfVacantSpacesGraded", "onlyAFewSpacesAvailable"), None, Bound.EXACT, set(), id="a few"
        ),
        pytest.param(
            number("numberOfVacantSpacesLowerThan", 20) + number("numberOfVacantSpacesHigherThan", 9),
            10,
            Bound.AT_LEAST,
            {Dirt.AT_LEAST},
            id="between: what is sure",
        ),
        pytest.param(number("numberOfVacantSpacesLowerThan", 0), None, Bound.EXACT, set(), id="fewer than none"),
        pytest.param(number("numberOfVacantSpaces", -1), None, Bound.EXACT, {Dirt.SENTINEL}, id="-1"),
        pytest.param(number("numberOfVacantSpaces", -3), None, Bound.EXACT, {Dirt.NEGATIVE_COUNT}, id="-3"),
        pytest.param(number("numberOfVacantSpaces", 999999999), None, Bound.EXACT, {Dirt.SENTINEL}, id="999999999"),
        pytest.param(number("numberOfVacantSpaces", "open"), None, Bound.EXACT, {Dirt.NOT_A_NUMBER}, id="a word"),
        pytest.param(number("numberOfVacantSpaces", "11.5"), None, Bound.EXACT, {Dirt.FRACTION}, id="a fraction"),
        pytest.param(number("occupancy", 60.7), None, Bound.EXACT, set(), id="only a percentage"),
        pytest.param(TOTAL + number("numberOfOccupiedSpaces", 182), 118, Bound.EXACT, set(), id="what is occupied"),
        pytest.param(
            TOTAL + number("numberOfOccupiedSpaces", 305), None, Bound.EXACT, {Dirt.OVERFLOW}, id="more than fit"
        ),
        pytest.param(
            TOTAL + number("numberOfVacantSpaces", -1) + number("numberOfOccupiedSpaces", 182),
            None,
            Bound.EXACT,
            {Dirt.SENTINEL},
            id="-1 is not mended by what is occupied",
        ),
        pytest.param(
            TOTAL + VACANT + number("numberOfOccupiedSpaces", 150),
            118,
            Bound.EXACT,
            {Dirt.COUNTS_DISAGREE},
            id="counts that do not add up",
        ),
    ],
)
def test_a_count_is_what_was_said_or_unknown(inside: str, free: int | None, bound: Bound, dirt: set[Dirt]) -> None:
    """No word, sentinel or percentage becomes a number, and a bound stays one."""
    reading = only(v3(place(inside)))
    assert (reading.free, reading.bound, set(reading.dirt)) == (free, bound, dirt)


@pytest.mark.parametrize(
    ("record", "free", "state"),
    [
        pytest.param(place(VACANT), 118, LotState.OPEN, id="open"),
        pytest.param(place(VACANT, opening=""), 118, LotState.OPEN, id="a count and no opening status"),
        pytest.param(place(opening=""), None, LotState.UNKNOWN, id="nothing at all"),
        pytest.param(place(VACANT, opening="closedOnHoliday"), 118, LotState.CLOSED, id="a holiday"),
        pytest.param(place(VACANT, opening="temporarilyClosed"), 118, LotState.CLOSED, id="closed for a while"),
        pytest.param(place(VACANT, opening="_extended"), 118, LotState.UNKNOWN, id="a word of a later model"),
        pytest.param(place(VACANT, opening="closed", status="full"), 118, LotState.CLOSED, id="closed is not full"),
        pytest.param(place(status="full"), None, LotState.FULL_AT_ENTRANCE, id="full without a number"),
        pytest.param(place(VACANT, status="full"), 118, LotState.OPEN, id="full by a threshold, with a number"),
        pytest.param(place(VACANT, status="almostFull"), 118, LotState.OPEN, id="almost full"),
        pytest.param(place(opening="", status="spacesAvailable"), None, LotState.OPEN, id="room without a number"),
        pytest.param(place(VACANT, fault="barrierMalfunction"), 118, LotState.OUT_OF_ORDER, id="a broken barrier"),
        pytest.param(place(VACANT, fault="paymentMachinesInoperative"), 118, LotState.OPEN, id="a broken till"),
        pytest.param(place(VACANT, fault="erroneousOccupancyInformation"), None, LotState.OPEN, id="a wrong count"),
        pytest.param(place(VACANT + number("parkingNotAllowed", "true")), 118, LotState.CLOSED, id="not allowed"),
    ],
)
def test_a_lot_is_in_the_state_that_was_said(record: str, free: int | None, state: LotState) -> None:
    """Closed is not full, and unknown is neither."""
    reading = only(v3(record))
    assert (reading.free, reading.state) == (free, state)


@pytest.mark.parametrize(
    "record",
    [
        place(number("numberOfVacantSpaces", 0), fault="noParkingInformationAvailable"),
        place(number("numberOfVacantSpaces", 0), opening="statusUnknown"),
    ],
)
def test_no_data_written_as_nought_is_no_full_lot(record: str) -> None:
    """A lot whose link is down, or of which nothing is known, says 0 free: it is unknown."""
    reading = only(v3(record))
    assert (reading.free, set(reading.dirt)) == (None, {Dirt.NO_DATA_AS_ZERO})


@pytest.mark.parametrize("kind", ["SpaceStatus", "AccessStatus"])
def test_the_status_of_one_space_or_entrance_says_nothing_of_the_lot(kind: str) -> None:
    """They are no lots, and not reported as unknown ones either."""
    record = place(VACANT).replace("prk:PlaceStatus", f"prk:{kind}")
    assert read_status(v3(record)) == []


V2 = """<n:d2LogicalModel xmlns:n="http://datex2.eu/schema/2/2_0" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"
    modelBaseVersion="2"><n:payloadPublication i:type="n:GenericPublication" lang="de">
  <n:publicationTime>2026-03-02T01:31:00.1234567+01:00</n:publicationTime>
  <n:genericPublicationName>ParkingStatusPublication</n:genericPublicationName>
  <n:genericPublicationExtension><n:parkingStatusPublication>
    <n:parkingRecordStatus i:type="n:ParkingSiteStatus">
      <n:parkingRecordReference id="P1" targetClass="ParkingRecord" version="1"/>
      <n:parkingStatusOriginTime>2026-03-02T01:30:03+01:00</n:parkingStatusOriginTime>
      <n:parkingOccupancy>
        <n:parkingNumberOfSpacesOverride>560</n:parkingNumberOfSpacesOverride>
        <n:parkingNumberOfVacantSpaces>412</n:parkingNumberOfVacantSpaces>
        <n:parkingNumberOfOccupiedSpaces>148</n:parkingNumberOfOccupiedSpaces>
        <n:parkingOccupancy>26.43</n:parkingOccupancy>
      </n:parkingOccupancy>
      <n:parkingSiteStatus>spacesAvailable</n:parkingSiteStatus>
      <n:parkingSiteOpeningStatus>open</n:parkingSiteOpeningStatus>
    </n:parkingRecordStatus>
    <n:parkingRecordStatus i:type="n:ParkingSiteStatus">
      <n:parkingRecordReference id="P2" targetClass="ParkingRecord" version="1"/>
      <n:parkingSiteOpeningStatus>closed</n:parkingSiteOpeningStatus>
    </n:parkingRecordStatus>
  </n:parkingStatusPublication></n:genericPublicationExtension>
</n:payloadPublication></n:d2LogicalModel>"""


def test_the_older_model_is_read_alike() -> None:
    """Other names, another prefix, seven decimals of a second; a record without a time has the publication's."""
    assert said(read_status(V2.encode())) == [
        ("P1", AT, 560, 412, LotState.OPEN),
        ("P2", datetime(2026, 3, 2, 0, 31, 0, 123456, tzinfo=UTC), None, None, LotState.CLOSED),
    ]


OLD_V2 = """<d2LogicalModel xmlns="http://datex2.eu/schema/2/2_0" modelBaseVersion="2"><payloadPublication lang="de">
  <publicationTime>2026-03-02T00:31:00Z</publicationTime>
  <genericPublicationName>ParkingFacilityTableStatusPublication</genericPublicationName>
  <genericPublicationExtension><parkingFacilityTableStatusPublication>
    <parkingFacilityStatus>
      <parkingFacilityOccupancy>0.26</parkingFacilityOccupancy>
      <parkingFacilityReference targetClass="ParkingFacility" version="1" id="7[hall]"/>
      <parkingFacilityStatus>open</parkingFacilityStatus>
      <parkingFacilityStatus>spacesAvailable</parkingFacilityStatus>
      <parkingFacilityStatusTime>2026-03-02T00:30:03Z</parkingFacilityStatusTime>
      <totalNumberOfOccupiedParkingSpaces>82</totalNumberOfOccupiedParkingSpaces>
      <totalNumberOfVacantParkingSpaces>230</totalNumberOfVacantParkingSpaces>
      <totalParkingCapacityOverride>312</totalParkingCapacityOverride>
    </parkingFacilityStatus>
    <parkingFacilityStatus>
      <parkingFacilityReference targetClass="ParkingFacility" version="1" id="8"/>
      <parkingFacilityStatus>closed</parkingFacilityStatus>
    </parkingFacilityStatus>
    <parkingFacilityStatus>
      <parkingFacilityReference targetClass="ParkingFacility" version="1" id="9"/>
      <parkingFacilityStatus>statusUnknown</parkingFacilityStatus>
      <totalNumberOfVacantParkingSpaces>0</totalNumberOfVacantParkingSpaces>
    </parkingFacilityStatus>
  </parkingFacilityTableStatusPublication></genericPublicationExtension>
</payloadPublication></d2LogicalModel>"""


def test_the_oldest_shape_is_read_alike() -> None:
    """Until 2.2 counts stood in the record itself, and words of its state were called as the record is."""
    published = datetime(2026, 3, 2, 0, 31, tzinfo=UTC)
    assert said(read_status(OLD_V2.encode())) == [
        ("7[hall]", AT, 312, 230, LotState.OPEN),
        ("8", published, None, None, LotState.CLOSED),
        ("9", published, None, None, LotState.UNKNOWN),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_a_byte_order_mark_or_another_encoding_changes_nothing(encoding: str) -> None:
    """What the declaration says, or the mark, is what is read."""
    named = V2.replace('id="P1"', 'id="Süd"')
    declared = "utf-8" if encoding == "utf-8-sig" else encoding
    body = f'<?xml version="1.0" encoding="{declared}"?>{named}'.encode(encoding)
    assert said(read_status(body))[0][:2] == ("Süd", AT)


def test_a_time_without_offset_is_not_taken_unless_the_feed_says_its_zone() -> None:
    """Read as UTC it would be an hour off; the one item is refused, the others are not."""
    naive = V2.replace("01:30:03+01:00", "01:30:03").encode()
    refused, other = read_status(naive)
    assert isinstance(refused, Unmeant)
    assert (refused.code, refused.lot_code) == ("naive_time", "P1")
    assert isinstance(other, CountReading)
    taken = read_status(naive, zone=ZoneInfo("Europe/Berlin"))[0]
    assert isinstance(taken, CountReading)
    assert (taken.observed_at, set(taken.dirt)) == (AT, {Dirt.NAIVE_TIME})


@pytest.mark.parametrize("written", ["yesterday", "2026-03-02", "0001-01-01T00:00:00+14:00", "2026-13-02T00:30:03Z"])
def test_a_time_that_nobody_can_read_is_none(written: str) -> None:
    """Then the time of receipt is taken, and said so."""
    assert only(v3(place(VACANT).replace("2026-03-02T00:30:03Z", written))).observed_at is None


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Say where the recordings are."""
    root = os.environ.get("BOWEI_RECORDINGS")
    if not root:
        missing = "BOWEI_RECORDINGS is not set: the recorded publications are not at hand"
        pytest.skip(missing)
    return Path(root) / "payloads-parkapi" / "fixtures"


@pytest.mark.parametrize(
    ("name", "count", "first"),
    [
        ("aachen", 17, ("P1", datetime(2025, 2, 7, 19, 5, 34, 176000, tzinfo=UTC), 560, 412, LotState.OPEN)),
        (
            "vrs_bondorf",
            1,
            ("1035[P+R Bondorf]", datetime(2025, 5, 9, 19, 41, 58, 546153, tzinfo=UTC), 313, 215, LotState.OPEN),
        ),
        ("vrs_kirchheim", 2, ("1445", datetime(2025, 5, 9, 19, 50, 2, tzinfo=UTC), 16, 12, LotState.OPEN)),
        ("vrs_neustadt", 2, ("1091", datetime(2025, 5, 8, 20, 0, tzinfo=UTC), 84, 70, LotState.OPEN)),
        (
            "vrs_vaihingen",
            1,
            (
                "1230[P+R Vaihingen an der Enz]",
                datetime(2024, 5, 10, 14, 10, 45, 966847, tzinfo=UTC),
                454,
                356,
                LotState.OPEN,
            ),
        ),
    ],
)
def test_the_recorded_publications_say_what_they_say(
    name: str, count: int, first: tuple[object, ...], recordings: Path
) -> None:
    """Five publishers on record come through as the values a person reads in them; their descriptions are refused."""
    readings = read_status((recordings / f"{name}-realtime.xml").read_bytes())
    assert len(readings) == count
    assert said(readings)[0] == first
    with pytest.raises(Refused, match="not_a_status"):
        read_status((recordings / f"{name}-static.xml").read_bytes())


@pytest.fixture(scope="session")
def schema() -> etree.XMLSchema:
    """Read the schemas of DATEX II v3."""
    root = os.environ.get("BOWEI_SCHEMAS")
    if not root:
        missing = "BOWEI_SCHEMAS is not set: the schemas of DATEX II are not at hand"
        pytest.skip(missing)
    return etree.XMLSchema(etree.parse(Path(root) / "datex2-v3.6" / "DATEXII_3_D2Payload.xsd"))


def test_our_examples_of_v3_are_what_the_standard_allows(schema: etree.XMLSchema) -> None:
    """What these tests read was not made up to fit: it is valid by the schemas of the standard."""
    for body in (WHOLE, v3(place(number("numberOfVacantSpacesLowerThan", 10))), v3(place(status="full"))):
        schema.assertValid(etree.fromstring(body))
