"""Every payload on record is read as what a person reads in it, or is listed with the reason why it is not.

A line of an expectation is `lot free capacity state instant dirt`, with - for what is not said, in the order of the
payload. Each was written from the payload, and not from what the code gave.
"""

import os
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

import pytest

from bowei.domain.observations import PassageKind
from services.ingest.fieldmaps.field_map import FieldMap
from services.ingest.readings import CarReading, CountReading, Reading
from tests.unit.recorded_cities import CITIES
from tests.unit.recorded_fiware import FIWARE

RECEIVED_AT = datetime(2026, 11, 1, tzinfo=UTC)
OWN_MAPS = Path(__file__).parent / "field_maps"
FOLDERS = ("payloads-vendors-mqtt", "payloads-taiwan", "payloads-fiware-apds", "payloads-parkapi-v1")

VENDORS = {
    ("payloads-vendors-mqtt/szymzh_space_change_callback.json", "szymzh"): (
        "1708773681705596 495 500 open 2024-02-27T06:44:28.737Z -"
    ),
    ("payloads-vendors-mqtt/itwy_lot_query_response.json", "itwy"): "the-lot 994 994 open - no_time",
    ("payloads-vendors-mqtt/mqtt_aws_carpark_sensor.json", "aws-carpark-sensor"): "1 1 1 open 2019-02-11T00:24:49Z -",
    ("payloads-vendors-mqtt/mqtt_aws_shadow.json", "aws-shadow"): "the-lot 0 1 open 2019-02-11T11:12:40Z -",
    ("payloads-vendors-mqtt/mqtt_ttn_v2_parkstate.json", "ttn-v2-parkstate"): (
        "53 0 1 open 2020-03-03T23:09:10.982884Z -"
    ),
    ("payloads-taiwan/hsinchu_GetParkInfo.json", "hsinchu"): """
        004 0 287 open 2026-09-16T03:50:34.207Z naive_time
        020 1340 3000 open 2026-09-16T03:51:06.400Z naive_time
        029 91 429 open 2026-09-16T03:50:59.740Z naive_time
        062 181 585 open 2026-09-16T03:51:01.843Z naive_time
        079 0 0 open 2026-09-16T03:51:09.937Z capacity_zero,naive_time
        121 191 355 open 2026-09-16T03:51:01.760Z naive_time
        """,
    ("payloads-taiwan/tainan_parking.json", "tainan"): """
        B00001 348 909 open 2026-09-16T03:30:02Z naive_time
        A01221 0 28 open 2026-09-16T03:27:37Z naive_time
        A01341 85 133 open 2026-06-17T08:00:03Z naive_time
        B00078 7 15 open 2024-06-04T00:30:30Z naive_time
        """,
    ("payloads-taiwan/taipei_TCMSV_allavailable_head.json", "taipei"): """
        TPE0001 9 - open 2026-09-04T02:13:00Z naive_time
        TPE0002 0 - open 2026-09-04T02:13:00Z naive_time
        TPE0005 1201 - open 2026-09-04T02:13:00Z naive_time
        TPE0014 - - open 2026-09-04T02:13:00Z naive_time,sentinel
        """,
    ("payloads-taiwan/taoyuan_parking.json", "taoyuan"): """
        P-BD-001 12 207 open - no_time
        P-BD-009 - 50 open - no_time,sentinel
        P-GS-006 0 391 open - no_time
        P-TY-022 - 0 open - capacity_zero,no_time,sentinel
        """,
}

NOT_READ = {
    "*/README.md": "about the recording",
    "*/LICENSE*": "a licence",
    "payloads-fiware-apds/apds/*": "a description of APDS, no payload",
    "payloads-fiware-apds/*/schema.json": "a schema",
    "payloads-parkapi-v1/cities/*.geojson": "what lots are, for a register; nothing of now",
    "payloads-parkapi-v1/fixtures/*.html": "a page for people; a field map reads JSON, CSV and forms",
    "payloads-parkapi-v1/fixtures/*.xml": "XML; a field map reads JSON, CSV and forms",
    "payloads-vendors-mqtt/mqtt_lorademo_topic.txt": "words about a topic, whose payload is no document",
}
EXPECTED = VENDORS | CITIES | FIWARE
CARS = "payloads-vendors-mqtt/ytb_sharing_enter_uplink.json"
DROPPED = {
    ("payloads-vendors-mqtt/ytb_sharing_hourly_downlink.json", "ytb-sharing"): "a permit that goes down to a lot",
    ("payloads-vendors-mqtt/ytb_sharing_monthly_downlink.json", "ytb-sharing"): "a permit that goes down to a lot",
    **{
        (f"payloads-fiware-apds/fiware/ParkingAccess/examples/{name}", map_name): "where an entrance is"
        for map_name, names in {
            "fiware": ("example.json", "example.jsonld", "example-normalized.json", "example-normalized.jsonld"),
            "fiware-csv": (
                "example.json.csv",
                "example.jsonld.csv",
                "example-normalized.json.csv",
                "example-normalized.jsonld.csv",
            ),
        }.items()
        for name in names
    },
}


@pytest.fixture(scope="module")
def recordings() -> Path:
    """Say where the recordings are."""
    root = os.environ.get("BOWEI_RECORDINGS")
    if not root:
        missing = "BOWEI_RECORDINGS is not set: the recorded payloads are not at hand"
        pytest.skip(missing)
    return Path(root)


def read(file: Path, map_name: str) -> list[Reading]:
    """Read a payload by a map that ships, or one of these tests' own."""
    own = OWN_MAPS / f"{map_name}.yaml"
    field_map = FieldMap.load(own) if own.exists() else FieldMap.shipped(map_name)
    return field_map.read(file.read_bytes(), received_at=RECEIVED_AT, lot_code="the-lot")


def line_of(reading: Reading) -> str:
    """Write a reading as an expectation is written."""
    if not isinstance(reading, CountReading):
        return repr(reading)
    at = reading.observed_at
    parts = [
        reading.lot_code,
        "-" if reading.free is None else str(reading.free),
        "-" if reading.capacity is None else str(reading.capacity),
        reading.state,
        "-" if at is None else _written(at),
        ",".join(sorted(reading.dirt)) or "-",
    ]
    return " ".join(parts)


def _written(at: datetime) -> str:
    whole = at.isoformat(timespec="auto").removesuffix("+00:00")
    return f"{whole[:-3] if at.microsecond % 1000 == 0 and at.microsecond else whole}Z"


@pytest.mark.parametrize(("file", "map_name"), EXPECTED, ids=str)
def test_a_recorded_payload_says_what_a_person_reads_in_it(recordings: Path, file: str, map_name: str) -> None:
    """Proves lot, counts, state, instant and dirt of each item, in its order."""
    expected = [line.strip() for line in EXPECTED[(file, map_name)].strip().splitlines()]
    assert [line_of(reading) for reading in read(recordings / file, map_name)] == expected


@pytest.mark.parametrize(("file", "map_name"), DROPPED, ids=str)
def test_a_recorded_payload_that_is_none_of_our_business_says_nothing(
    recordings: Path, file: str, map_name: str
) -> None:
    """Proves that it is taken and not kept: a vendor who sends it as well hears yes."""
    assert read(recordings / file, map_name) == []


def test_the_recorded_car_is_read_with_its_shared_space(recordings: Path) -> None:
    """Proves the one message on record about a car: where, when, and that it parks as a shared one."""
    assert read(recordings / CARS, "ytb-sharing") == [
        CarReading(
            "877538407917617152",
            "A001:2020-04-27 15:40",
            PassageKind.ENTER,
            datetime(2020, 4, 27, 7, 40, tzinfo=UTC),
            "苏A12345",
            shared=True,
        )
    ]


def test_every_file_on_record_is_accounted_for(recordings: Path) -> None:
    """Proves that a payload without an expectation, or without a reason, is noticed."""
    read_here = {file for file, _ in EXPECTED} | {file for file, _ in DROPPED} | {CARS}
    files = {
        str(file.relative_to(recordings))
        for folder in FOLDERS
        for file in (recordings / folder).rglob("*")
        if file.is_file()
    }
    unread = files - read_here
    assert read_here <= files
    assert {file for file in unread if not any(fnmatch(file, pattern) for pattern in NOT_READ)} == set()
    assert all(any(fnmatch(file, pattern) for file in unread) for pattern in NOT_READ)
