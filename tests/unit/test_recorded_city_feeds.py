"""Every file on record of the cities' own feeds: each says what a person reads in it, or is left out for a reason.

The names of the readers: `datex2`, the field maps of recorded_city_maps, and the converters of parkapi-sources.
"""

import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import requests

from bowei.domain.observations import LotState
from bowei.domain.problems import Refused
from services.ingest.datex2.reading import read_status
from services.ingest.pulling.parkapi_sources import LEFT_OUT, ConverterUnusable, load_converter, reading_of
from services.ingest.readings import CountReading, Reading, Unmeant
from tests.unit.recorded_city_maps import map_of

Said = tuple[str, str | None, int | None, int | None, LotState]
"""The lot, when (None: no time was said), its capacity, what is free, its state."""
OPEN, CLOSED, UNKNOWN = LotState.OPEN, LotState.CLOSED, LotState.UNKNOWN


@dataclass(frozen=True, slots=True)
class Case:
    """What one file says by one reader: how many counts, how many items that can't be meant, and the first count."""

    by: str
    counts: int
    unmeant: int
    first: Said


SITES: Mapping[str, tuple[Case, ...]] = {
    "aachen-realtime.xml": (
        Case("datex2", 17, 0, ("P1", "2025-02-07T19:05:34.176Z", 560, 412, OPEN)),
        Case("converter aachen", 17, 0, ("P1", "2025-02-07T19:05:34Z", 560, 412, OPEN)),
    ),
    "vrs_bondorf-realtime.xml": (
        Case("datex2", 1, 0, ("1035[P+R Bondorf]", "2025-05-09T19:41:58.546153Z", 313, 215, OPEN)),
        Case("converter vrs_bondorf", 1, 0, ("1035", "2025-05-09T19:41:58Z", 313, 215, OPEN)),
    ),
    "vrs_kirchheim-realtime.xml": (
        Case("datex2", 2, 0, ("1445", "2025-05-09T19:50:02Z", 16, 12, OPEN)),
        Case("converter vrs_kirchheim", 2, 0, ("1445", None, 16, 12, OPEN)),
    ),
    "vrs_neustadt-realtime.xml": (
        Case("datex2", 2, 0, ("1091", "2025-05-08T20:00:00Z", 84, 70, OPEN)),
        Case("converter vrs_neustadt", 2, 0, ("1091", None, 84, 70, OPEN)),
    ),
    "vrs_vaihingen-realtime.xml": (
        Case("datex2", 1, 0, ("1230[P+R Vaihingen an der Enz]", "2024-05-10T14:10:45.966847Z", 454, 356, OPEN)),
        Case("converter vrs_vaihingen", 1, 0, ("1230", "2024-05-10T14:10:45Z", 454, 356, OPEN)),
    ),
    "aalen.json": (
        Case("map aalen", 6, 0, ("P1 Rathaus", None, 170, 5, OPEN)),
        Case("converter aalen", 6, 0, ("P1 Rathaus", None, 170, 5, OPEN)),
    ),
    "bielefeld.csv": (Case("map bielefeld", 21, 0, ("PHT001", "2026-02-06T07:35:00Z", 383, 203, OPEN)),),
    "bietigheim-bissingen.csv": (
        Case("map bietigheim", 14, 0, ("Parkplatz Mühlwiesenstr.", "2025-02-27T10:17:47.085Z", 106, 25, OPEN)),
    ),
    "ellwangen_sensit.json": (Case("map ellwangen-sensit", 1, 0, ("1", None, 45, 2, OPEN)),),
    "freiburg.json": (
        Case("map freiburg", 19, 0, ("13", "2024-06-10T08:20:00Z", 105, 56, OPEN)),
        Case("converter freiburg", 18, 1, ("13", "2024-06-10T08:20:00Z", 105, 56, OPEN)),
    ),
    "freiburg_p_r_sensors.json": (
        Case("map freiburg-park-and-ride", 5, 0, ("PR165", "2025-05-05T10:34:03Z", 212, 72, OPEN)),
        Case("converter freiburg_p_r_sensors", 5, 0, ("PR165", "2025-05-05T10:34:03Z", 212, 72, OPEN)),
    ),
    "herrenberg.json": (
        Case("map herrenberg", 4, 0, ("herrenbergaltstadtgarage", "2025-02-25T12:20:03.588839Z", 97, 60, OPEN)),
        Case("converter herrenberg", 4, 1, ("herrenbergaltstadtgarage", "2025-02-25T12:20:03.588839Z", None, 60, OPEN)),
    ),
    "karlsruhe.json": (
        Case("map karlsruhe", 39, 0, ("1", "2024-11-27T18:39:00Z", 59, 16, OPEN)),
        Case("converter karlsruhe", 39, 14, ("1", "2024-11-27T18:39:00Z", 59, 16, OPEN)),
    ),
    "konstanz.json": (
        Case("map konstanz", 11, 0, ("Parkhaus LAGO", "2024-08-17T06:30:05Z", 930, 881, OPEN)),
        Case("converter konstanz", 11, 0, ("4", "2024-08-17T06:30:05Z", 930, 881, OPEN)),
    ),
    "p_m_bw.json": (
        Case("map p-m-bw", 2, 0, ("fcde2f18-c277-11ed-b3ce-0050563bb33b", "2024-06-18T07:59:51Z", 111, 31, OPEN)),
        Case("converter p_m_bw", 2, 0, ("fcde2f18-c277-11ed-b3ce-0050563bb33b", "2024-06-18T07:59:51Z", 111, 31, OPEN)),
    ),
    "pbw/object-dynamic-all.json": (Case("converter pbw", 101, 0, ("8", None, None, None, UNKNOWN)),),
    "ulm-sensors/realtime-parking-sites.json": (
        Case(
            "map ulm-sites", 7, 0, ("6c5a1b0b-d83c-4c25-a4af-4db29d7280a8", "2025-04-11T07:33:00.783Z", 549, 129, OPEN)
        ),
    ),
    "vrn_p_r.json": (
        Case("map vrn", 14, 2, ("2-2-2-1222006", "2026-07-06T17:06:28.985Z", 263, 234, OPEN)),
        Case("converter vrn_p_r", 16, 0, ("2-2-2-1222006-951", None, 264, 234, UNKNOWN)),
    ),
    "kienzler.json": (Case("converter kienzler_bike_and_ride", 5, 0, ("unit1676", None, 11, 10, OPEN)),),
    "kienzler_vvs.json": (Case("converter kienzler_vvs", 2, 0, ("unit2817", None, 40, 32, OPEN)),),
    "velobrix.json": (Case("converter velobrix", 3, 0, ("23", None, 16, 16, OPEN)),),
}
"""Those of parkapi-sources that hold live counts. Of Kienzler and Velobrix they are lockers for bikes."""
SITES_V1: Mapping[str, tuple[Case, ...]] = {
    "aarhus.json": (Case("map aarhus", 13, 0, ("NORREPORT", "2016-10-29T15:30:04Z", 65, 9, OPEN)),),
    "basel.json": (Case("map basel", 16, 0, ("baselparkhauselisabethen", "2025-02-01T10:58:00Z", 840, 354, OPEN)),),
    "freiburg.json": (
        Case("map freiburg", 15, 0, ("1", "2016-06-18T12:45:00Z", 312, 7, OPEN)),
        Case("converter freiburg", 14, 1, ("1", "2016-06-18T12:45:00Z", 312, 7, OPEN)),
    ),
    "heidelberg.json": (Case("map heidelberg", 20, 0, ("1", "2019-07-15T19:12:00Z", 18, 16, CLOSED)),),
    "koeln.json": (Case("map koeln", 52, 0, ("D_P003", "2019-06-04T22:02:17Z", None, 611, OPEN)),),
    "rosenheim.json": (Case("map rosenheim", 15, 0, ("4", None, 0, None, CLOSED)),),
}
"""Those of the older ParkAPI."""


def _files(names: str, suffix: str) -> list[str]:
    return [f"{name}{suffix}" for name in names.split()]


_PLACES = "where lots are, and no live counts"
_DESCRIBED = "DATEX II that describes lots: refused as not_a_status"
_SPOTS = "single spaces, which are no lots"
_PAGE = "a page for people: refused as wrong_content_type, and there is no reader that scrapes"
_OWN_XML = "XML of its own shape: refused as not_a_status, and field maps read no XML"
_OBJECTS = "4 7 9 10 11 12 15 17 18 19 31 32 33 34 42 48 49 51 52 60 61 62 71"
_STATIC_FILES = [
    *_files("bb_parkhaus ellwangen goldbeck huefner keltern pum_bw vrs_p_r", ".xlsx"),
    *_files("neckarsulm neckarsulm_bike reutlingen reutlingen_bike reutlingen_disabled", ".csv"),
    *_files("esslingen freiburg_disabled_static freiburg_scanner freiburg_vag_bike", ".geojson"),
    *_files("heidelberg_disabled jena karlsruhe_disabled_static kienzler konstanz_bike", ".geojson"),
    *_files("konstanz_disabled ladenburg_parkraumcheck", ".geojson"),
    *_files("park_raum_check_kehl park_raum_check_sachsenheim", ".geojson"),
    *_files("freiburg_p_r_static herrenberg_bike pbw/catalog-city", ".json"),
    *_files("patches/parking_sites/freiburg patches/parking_spots/freiburg_disabled_sensors", ".json"),
    *(f"pbw/object-by-city-{number}.json" for number in _OBJECTS.split()),
]
LEFT: Mapping[str, str] = {
    **dict.fromkeys(_STATIC_FILES, _PLACES),
    **dict.fromkeys(_files("aachen vrs_bondorf vrs_kirchheim vrs_neustadt vrs_vaihingen", "-static.xml"), _DESCRIBED),
    "freiburg_disabled_sensors.geojson": _SPOTS,
    "karlsruhe_disabled_realtime.json": _SPOTS,
    "ulm-sensors/realtime-parking-spots.json": _SPOTS,
    "kienzler_ulm.json": "lockers for bikes, of a source that this version of the library does not have",
}
LEFT_V1: Mapping[str, str] = {
    **dict.fromkeys(_files("aachen bonn dortmund dresden heilbronn ingolstadt karlsruhe konstanz", ".html"), _PAGE),
    **dict.fromkeys(_files("limburg luebeck magdeburg muenster oldenburg regensburg", ".html"), _PAGE),
    **dict.fromkeys(_files("sample_city ulm wiesbaden", ".html"), _PAGE),
    "aalborg.html": "text of its own shape, neither JSON nor CSV",
    **dict.fromkeys(_files("hamburg kaiserslautern zuerich", ".xml"), _OWN_XML),
}


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Say where the recordings are."""
    root = os.environ.get("BOWEI_RECORDINGS")
    if not root:
        missing = "BOWEI_RECORDINGS is not set: the recorded feeds of cities are not at hand"
        pytest.skip(missing)
    return Path(root)


class Recorded:
    """Answers whatever a converter asks with one recorded body, and with a token where it asks for one."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def get(self, **_: object) -> requests.Response:
        """Answer."""
        response = requests.Response()
        response.status_code = 200
        response.raw = io.BytesIO(self._body)
        response.encoding = "utf-8"
        return response

    post = get


def by_datex2(body: bytes) -> list[Reading]:
    """Read DATEX II."""
    return read_status(body)


def by_converter(uid: str) -> Callable[[bytes], list[Reading]]:
    """Read by a converter of the library, with the versions of its dependencies that are ours."""

    def read(body: bytes) -> list[Reading]:
        converter = load_converter(uid, dict.fromkeys(_settings_of(uid), "1"), Recorded(body))  # type: ignore[arg-type]
        began_at = datetime.now(UTC)
        said, faults = converter.get_realtime_parking_sites()
        zone = ZoneInfo(converter.source_info.timezone)
        counts: list[Reading] = [reading_of(one, began_at=began_at, zone=zone) for one in said]
        return [*counts, *(Unmeant("bad_value") for _ in faults)]

    return read


def _settings_of(uid: str) -> list[str]:
    """Give the settings that a converter needs, as it names those that are missing."""
    try:
        load_converter(uid, {}, None)
    except ConverterUnusable as unusable:
        return str(unusable).partition(": ")[2].rstrip(".").split(", ")
    return []


def reader(by: str) -> Callable[[bytes], list[Reading]]:
    """Give a reader by its name."""
    kind, _, name = by.partition(" ")
    if kind == "datex2":
        return by_datex2
    if kind == "converter":
        return by_converter(name)
    field_map = map_of(name)
    return lambda body: field_map.read(body, received_at=datetime(2026, 3, 2, tzinfo=UTC))


_CASES = [(f"payloads-parkapi/fixtures/{file}", case) for file, cases in SITES.items() for case in cases] + [
    (f"payloads-parkapi-v1/fixtures/{file}", case) for file, cases in SITES_V1.items() for case in cases
]


@pytest.mark.parametrize(("file", "case"), _CASES, ids=[f"{file} by {case.by}" for file, case in _CASES])
def test_a_recorded_feed_says_what_a_person_reads_in_it(file: str, case: Case, recordings: Path) -> None:
    """How many lots, how many that can't be meant, and all of the first one."""
    readings = reader(case.by)((recordings / file).read_bytes())
    counts = [one for one in readings if isinstance(one, CountReading)]
    first = counts[0]
    at = None if first.observed_at is None else first.observed_at.isoformat().replace("+00:00", "Z")
    written = (
        None if case.first[1] is None else datetime.fromisoformat(case.first[1]).isoformat().replace("+00:00", "Z")
    )
    assert (first.lot_code, at, first.capacity, first.free, first.state) == (case.first[0], written, *case.first[2:])
    assert (len(counts), len(readings) - len(counts)) == (case.counts, case.unmeant)


@pytest.mark.parametrize(
    ("folder", "read", "left"),
    [
        pytest.param("payloads-parkapi", SITES, LEFT, id="parkapi-sources"),
        pytest.param("payloads-parkapi-v1", SITES_V1, LEFT_V1, id="the older ParkAPI"),
    ],
)
def test_every_file_on_record_is_accounted_for(
    folder: str, read: Mapping[str, object], left: Mapping[str, str], recordings: Path
) -> None:
    """Each is read above, or left out for a reason that stands here; none is both."""
    root = recordings / folder / "fixtures"
    files = {str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()}
    assert files == set(read) | set(left)
    assert not set(read) & set(left)


def test_what_is_left_out_as_another_xml_is_refused_as_such(recordings: Path) -> None:
    """Descriptions and feeds of their own shape are no status publications, and that is said."""
    folders = {"payloads-parkapi": LEFT, "payloads-parkapi-v1": LEFT_V1}
    files = [
        recordings / folder / "fixtures" / file
        for folder, left in folders.items()
        for file in left
        if file.endswith(".xml")
    ]
    assert len(files) == 8
    for file in files:
        with pytest.raises(Refused, match="not_a_status"):
            read_status(file.read_bytes())


def test_a_sensor_that_reports_cars_is_not_read_as_free_spaces(recordings: Path) -> None:
    """The library's converter of Ulm's sensors says 420 of 549 are free where 420 cars stand; it is not used."""
    body = (recordings / "payloads-parkapi/fixtures/ulm-sensors/realtime-parking-sites.json").read_bytes()
    assert LEFT_OUT["ulm_sensors"]
    with pytest.raises(ConverterUnusable, match="how many cars"):
        load_converter("ulm_sensors", {}, None)
    free = [
        one.free
        for one in map_of("ulm-sites").read(body, received_at=datetime(2026, 3, 2, tzinfo=UTC))
        if isinstance(one, CountReading)
    ]
    assert free == [129, 368, 59, 240, 196, 152, 0]


def test_a_fault_that_a_converter_drops_is_kept_by_a_map(recordings: Path) -> None:
    """Karlsruhe says of a lot 392 of 392 free and "Störung": by a map nobody is sent there."""
    body = (recordings / "payloads-parkapi/fixtures/karlsruhe.json").read_bytes()
    by_map = {one.lot_code: one for one in reader("map karlsruhe")(body) if isinstance(one, CountReading)}
    by_library = {one.lot_code: one for one in reader("converter karlsruhe")(body) if isinstance(one, CountReading)}
    assert (by_map["59"].free, by_map["59"].state) == (392, LotState.OUT_OF_ORDER)
    assert (by_library["59"].free, by_library["59"].state) == (392, OPEN)
