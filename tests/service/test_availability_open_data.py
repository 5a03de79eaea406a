"""Open data: every shape is what its readers take, says what the list says, and never makes a number up."""

import csv
import gzip
import io
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
import shapely
from defusedxml import ElementTree
from parkapi_sources.models import RealtimeParkingSiteInput, StaticParkingSiteInput
from validataclass.validators import DataclassValidator

from bowei.domain.directory import Directory
from bowei.domain.dirt import Doubt
from bowei.domain.lots import LotKind, SpaceClass
from bowei.domain.observations import Bound, LotState
from services.availability.opendata.editions import TTL_S, Editions
from services.availability.opendata.own_json import StatusJson
from services.availability.opendata.publisher import Publisher
from tests.service.availability_block import (
    AGREEMENTS,
    HOSPITAL,
    LOTS,
    MALL,
    OWN,
    SQUARE,
    TOWER,
    Block,
    lot,
    running_block,
    until,
)
from tests.service.test_availability_forecasts import foreseen

_PUBLISHER = Publisher("demo-city", "Demo City", "cn", "CC-BY-4.0", "https://example.org/licence", "Demo & Sons")
_NAMESPACES = {
    "prk": "http://datex2.eu/schema/3/parking",
    "fac": "http://datex2.eu/schema/3/facilities",
    "com": "http://datex2.eu/schema/3/common",
}
ODD = lot(
    "odd",  # type: ignore[arg-type]
    "示例<\"&'>停车场 %(at)s",
    "=Example %(version)d",
    30.2530,
    120.1600,
    kind=LotKind.PUBLIC,
    max_height_cm=190,
)


@pytest.fixture
async def block() -> AsyncIterator[Block]:
    """The mall has 118 free and a forecast, the tower 30 or more; the square never reported; the odd one is closed."""
    async with running_block(publisher=_PUBLISHER) as made:
        await made.live_state.show_directory(Directory.of(7, (*LOTS, ODD), (HOSPITAL,), AGREEMENTS))
        await made.ready()
        await made.report(OWN, 0)
        await made.report(MALL, 118, free_by_class={SpaceClass.DISABLED: 4})
        await made.report(TOWER, 30, bound=Bound.AT_LEAST)
        await made.report(ODD.lot_id, None, state=LotState.CLOSED)
        await made.live_state.show_forecasts(foreseen(MALL))
        await made.lot(MALL, lambda body: body.get("free") == 118 and "forecast" in body)
        await made.lot(ODD.lot_id, lambda body: body["state"] == "closed")
        yield made


async def _json(block: Block, path: str) -> Any:
    response = await block.client.get(f"/open/v1{path}")
    assert response.status_code == 200, response.text
    return response.json()


async def _by_id(block: Block, path: str) -> Mapping[str, dict[str, Any]]:
    return {one["id"]: one for one in (await _json(block, path))["data"]["lots"]}


async def test_the_discovery_file_names_every_shape_and_each_is_there(block: Block) -> None:
    """Begin here, as with GBFS; licence and attribution are the operator's."""
    found = await _json(block, "")
    assert (found["license"], found["attribution"]) == ("CC-BY-4.0", "Demo & Sons")
    feeds = {feed["name"]: feed["url"] for feed in found["data"]["feeds"]}
    assert set(feeds) == {
        "lots", "status", "geojson", "csv", "datex2-table", "datex2-status", "ngsi-ld",
        "parkapi-v1", "parkapi-v3-sites", "parkapi-v3-sources",
    }  # fmt: skip
    for url in feeds.values():
        response = await block.client.get(url)
        assert response.status_code == 200
    asked_from = await block.client.get("/open/v1/status", headers={"Origin": "https://anybody.example"})
    assert asked_from.headers["access-control-allow-origin"] == "*"


async def test_every_shape_has_every_lot(block: Block) -> None:
    """Also the one of which nothing is known: an absence is not a silence."""
    ids = {one.lot_id for one in (*LOTS, ODD)}
    assert (await _by_id(block, "/lots")).keys() == (await _by_id(block, "/status")).keys() == ids
    assert {one["id"] for one in (await _json(block, "/lots.geojson"))["features"]} == ids
    assert {one["id"] for one in await _csv(block)} == ids
    assert {one["id"] for one in (await _json(block, "/parkapi/v1/demo-city"))["lots"]} == ids
    assert {one["original_uid"] for one in (await _json(block, "/parkapi/v3/parking-sites"))["items"]} == ids
    assert {one["id"].rpartition(":")[2] for one in await _json(block, "/ngsi-ld/OffStreetParking")} == ids
    table = await _xml(block, "/datex2/table")
    assert {one.get("id") for one in table.iterfind(".//prk:hierarchyElementGeneral", _NAMESPACES)} == ids


async def test_numbers_are_those_of_the_list_and_what_is_unknown_is_absent(block: Block) -> None:
    """Never 0 and never null: readers take null for 0."""
    status = await _by_id(block, "/status")
    for lot_id in (OWN, MALL, TOWER, SQUARE, ODD.lot_id):
        listed = (await block.client.get(f"/v1/lots/{lot_id}")).json()
        for key in ("state", "level", "free", "free_bound", "offered", "held", "faults"):
            assert status[lot_id].get(key) == listed.get(key), (lot_id, key)
    assert "free" not in status[SQUARE]
    assert "free" not in status[ODD.lot_id]
    for path in ("/status", "/lots", "/lots.geojson", "/parkapi/v1/demo-city", "/ngsi-ld/OffStreetParking"):
        assert "null" not in (await block.client.get(f"/open/v1{path}")).text, path


async def test_a_doubted_count_is_in_no_shape(block: Block) -> None:
    """What is not shown to drivers is not published either; DATEX II says why."""
    await block.report(MALL, 117, doubt=Doubt.STUCK)
    await block.lot(MALL, lambda body: "free" not in body)
    texts = [
        await _until_without(block, path, "117")
        for path in ("/status", "/lots.geojson", "/lots.csv", "/datex2/status", "/ngsi-ld/OffStreetParking")
    ]
    assert all("117" not in text for text in texts)
    faults = {
        state.find("fac:reference", _NAMESPACES).get("id"): state.findtext("prk:parkingFault", None, _NAMESPACES)  # type: ignore[union-attr]
        for state in (await _xml(block, "/datex2/status")).iterfind(".//prk:parkingStatusInformation", _NAMESPACES)
    }
    assert faults[MALL] == "erroneousOccupancyInformation"
    assert faults[SQUARE] == "noParkingInformationAvailable"
    assert faults[OWN] is None


async def _until_without(block: Block, path: str, words: str) -> str:
    return await _until_text(block, path, lambda text: words not in text)


async def _until_text(block: Block, path: str, holds: Callable[[str], bool]) -> str:
    async def ask() -> str:
        return (await block.client.get(f"/open/v1{path}")).text

    return await until(ask, holds)


async def test_what_is_known_is_answered_with_nothing_and_what_changed_with_another_name(block: Block) -> None:
    """304 by ETag; compressed where that is taken, with the same content; a change makes another ETag."""
    for path in ("/status", "/lots.geojson", "/lots.csv", "/datex2/status", "/datex2/table", "/parkapi/v1/demo-city"):
        whole = await block.client.get(f"/open/v1{path}", headers={"Accept-Encoding": "identity"})
        etag = whole.headers["etag"]
        again = await block.client.get(f"/open/v1{path}", headers={"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b""), path
        async with block.client.stream("GET", f"/open/v1{path}", headers={"Accept-Encoding": "gzip"}) as small:
            packed = b"".join([part async for part in small.aiter_raw()])
        assert small.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed) == whole.content
    await block.report(MALL, 90)

    await _until_text(block, "/status", lambda text: '"free":90' in text)
    assert (await block.client.get("/open/v1/status")).headers["etag"] != etag


async def test_only_what_changed_since_is_given_with_what_is_gone(block: Block) -> None:
    """An `as_of` is passed on; before anything was seen everything is given, and that is said."""
    first = await _json(block, "/status")
    block.pass_time(seconds=30)
    await block.report(MALL, 77)
    await block.lot(MALL, lambda body: body.get("free") == 77)
    changes = await _json(block, f"/status?updated_since={first['last_updated']}".replace("+", "%2B"))
    assert changes["whole"] is False
    assert {one["id"]: one.get("free") for one in changes["data"]["lots"]} == {MALL: 77} | {
        one["id"]: one.get("free") for one in changes["data"]["lots"] if one["id"] != MALL
    }
    block.pass_time(seconds=30)
    quiet = await _json(block, f"/status?updated_since={_later(block)}")
    assert (quiet["whole"], quiet["data"]["lots"], quiet["deleted"]) == (False, [], [])
    since = _later(block)
    await block.live_state.show_directory(Directory.of(8, LOTS, (HOSPITAL,), AGREEMENTS))

    async def gone() -> Any:
        return (await _json(block, f"/status?updated_since={since}"))["deleted"]

    assert await until(gone, bool) == [ODD.lot_id]
    everything = await _json(block, "/status?updated_since=2020-01-01T00:00:00Z")
    assert everything["whole"] is True
    assert len(everything["data"]["lots"]) == len(LOTS)
    wrong = await block.client.get("/open/v1/status?updated_since=yesterday")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_request")


def _later(block: Block) -> str:
    return block.clock.now().isoformat().replace("+00:00", "Z")


async def _csv(block: Block) -> list[dict[str, str]]:
    text = (await block.client.get("/open/v1/lots.csv")).text
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_a_table_is_read_by_any_reader_and_runs_nothing_in_a_spreadsheet(block: Block) -> None:
    """Commas and quotes stay in their cell; a name that begins like a formula is a text; unknown is empty."""
    rows = {one["id"]: one for one in await _csv(block)}
    assert rows[ODD.lot_id]["name_en"] == "'=Example %(version)d"
    assert rows[ODD.lot_id]["name_zh"] == ODD.name.zh
    assert (rows[MALL]["free"], rows[SQUARE]["free"], rows[OWN]["free"]) == ("118", "", "0")
    assert (rows[TOWER]["free"], rows[TOWER]["free_bound"]) == ("30", "at_least")


async def test_a_geojson_reader_finds_the_lots_where_they_are(block: Block) -> None:
    """Longitude first, as RFC 7946 wants it."""
    response = await block.client.get("/open/v1/lots.geojson")
    assert response.headers["content-type"] == "application/geo+json"
    found = shapely.from_geojson(response.text)
    points = {(round(point.x, 6), round(point.y, 6)) for point in shapely.get_parts(found)}
    assert points == {(one.location.lon, one.location.lat) for one in (*LOTS, ODD)}


async def test_opentripplanner_finds_what_it_reads(block: Block) -> None:
    """A state always, `lng`, counts as whole numbers or none, times without a zone; another city is not there."""
    cities = (await _json(block, "/parkapi/v1"))["cities"]
    assert cities == {"Demo City": "demo-city"}
    city = await _json(block, "/parkapi/v1/demo-city")
    assert len(city["last_updated"]) == len("2026-03-02T00:30:05")
    for one in city["lots"]:
        assert one["state"] in {"open", "closed", "nodata", "unknown"}
        assert isinstance(one["coords"]["lng"], float)
        assert isinstance(one["total"], int)
        assert isinstance(one.get("free", 0), int)
    by_id = {one["id"]: one for one in city["lots"]}
    assert (by_id[ODD.lot_id]["state"], by_id[SQUARE]["state"]) == ("closed", "nodata")
    assert by_id[MALL]["free:disabled"] == 4
    assert (await block.client.get("/open/v1/parkapi/v1/elsewhere")).status_code == 404


_OF_A_SITE = frozenset(
    {"name", "type", "purpose", "capacity", "has_realtime_data", "static_data_updated_at", "max_height", "lat", "lon"}
)
_IN_EUROPE = {"lat": "52.5200000", "lon": "13.4050000"}
"""Those models take places of Europe alone; ours are of their form."""


async def test_parkapis_own_models_take_every_site(block: Block) -> None:
    """Those by which it checks what its sources say: types, enumerations, numbers, times."""
    static, realtime = DataclassValidator(StaticParkingSiteInput), DataclassValidator(RealtimeParkingSiteInput)
    for site in (await _json(block, "/parkapi/v3/parking-sites"))["items"]:
        uid = {"uid": site["original_uid"]}
        assert {key: len(site[key].partition(".")[2]) for key in _IN_EUROPE} == {"lat": 7, "lon": 7}
        own = static.validate(uid | {key: site[key] for key in site if key in _OF_A_SITE} | _IN_EUROPE)
        assert (own.name, own.capacity) == (site["name"], site["capacity"])
        if "realtime_data_updated_at" in site:
            now = realtime.validate(uid | {key: site[key] for key in site if key.startswith("realtime_")})
            assert now.realtime_free_capacity == site.get("realtime_free_capacity")
    source = (await _json(block, "/parkapi/v3/sources"))["items"][0]
    assert (source["uid"], source["realtime_status"]) == ("demo-city", "ACTIVE")


async def _xml(block: Block, path: str) -> Element:
    response = await block.client.get(f"/open/v1{path}")
    assert response.headers["content-type"] == "application/xml"
    root: Element = ElementTree.fromstring(response.content)
    return root


async def test_datex2_says_what_is_counted_what_is_bounded_and_what_is_foreseen(block: Block) -> None:
    """A bound is a bound; what is foreseen has its offset; names with signs of markup come back as they are."""
    states = (await _xml(block, "/datex2/status")).findall(".//prk:parkingStatusInformation", _NAMESPACES)
    now: dict[str, Element] = {}
    ahead: list[tuple[str, str]] = []
    for state in states:
        reference = state.find("fac:reference", _NAMESPACES)
        assert reference is not None
        lot_id = str(reference.get("id"))
        offset = state.findtext(".//prk:statusTimeOffsetToOrigin", None, _NAMESPACES)
        if offset is None:
            now[lot_id] = state
        else:
            ahead.append((lot_id, offset))
    assert now[MALL].findtext(".//prk:numberOfVacantSpaces", None, _NAMESPACES) == "118"
    assert now[TOWER].findtext(".//prk:numberOfVacantSpacesHigherThan", None, _NAMESPACES) == "29"
    assert now[SQUARE].find("prk:occupancy", _NAMESPACES) is None
    assert now[OWN].findtext("prk:status", None, _NAMESPACES) == "full"
    assert now[ODD.lot_id].findtext("fac:openingStatus", None, _NAMESPACES) == "closed"
    assert ahead == [(MALL, offset) for offset in ("300", "900", "1800", "3600")]
    names = [one.text for one in (await _xml(block, "/datex2/table")).iterfind(".//com:value[@lang='zh']", _NAMESPACES)]
    assert ODD.name.zh in names


_SCHEMAS = os.environ.get("BOWEI_SCHEMAS")
needs_schemas = pytest.mark.skipif(_SCHEMAS is None, reason="BOWEI_SCHEMAS is not set")


@needs_schemas
@pytest.mark.parametrize("path", ["/datex2/table", "/datex2/status"])
async def test_the_schemas_of_datex2_take_both_publications(block: Block, path: str) -> None:
    """With an open lot, one that is bounded, one that is closed, one that never reported, faults and forecasts."""
    etree = pytest.importorskip("lxml.etree")
    assert _SCHEMAS is not None
    schema = etree.XMLSchema(etree.parse(str(Path(_SCHEMAS) / "datex2-v3.6" / "DATEXII_3_D2Payload.xsd")))
    document = etree.fromstring((await block.client.get(f"/open/v1{path}")).content)
    assert schema.validate(document), schema.error_log


@needs_schemas
async def test_the_smart_data_models_schema_takes_every_entity(block: Block) -> None:
    """Every attribute of ours is one of its own, of its type and its words."""
    assert _SCHEMAS is not None
    schema = json.loads((Path(_SCHEMAS) / "ngsi-ld" / "OffStreetParking.schema.json").read_text("utf-8"))
    own: dict[str, Any] = next(part["properties"] for part in schema["allOf"] if "properties" in part)
    common = {"id", "@context", "name", "alternateName", "location", "type"}
    for entity in await _json(block, "/ngsi-ld/OffStreetParking"):
        for key, value in entity.items():
            if key in common:
                continue
            assert key in own, key
            _fits(value, own[key], key)


def _fits(value: Any, schema: Mapping[str, Any], key: str) -> None:
    kinds: dict[str, tuple[type, ...]] = {"array": (list,), "string": (str,), "number": (int, float), "integer": (int,)}
    if "type" in schema:
        assert isinstance(value, kinds[schema["type"]]), key
    if "enum" in schema:
        assert value in schema["enum"], (key, value)
    for one in value if isinstance(value, list) else ():
        _fits(one, schema.get("items", {}), key)


async def test_a_list_that_was_true_a_moment_ago_is_answered_at_once_however_long_ago_it_was_made(block: Block) -> None:
    """After a quiet night the first change makes nobody wait; but what nobody looked at for too long is made anew."""
    seconds = [0.0]
    editions = Editions(block.app.state.wiring.snapshots, _PUBLISHER, monotonic=lambda: seconds[0])
    status = StatusJson()
    made = await editions.rendition("status", status)
    seconds[0] = 3_600.0
    assert editions.ready("status", status) is made
    await block.report(MALL, 117)
    await block.lot(MALL, lambda body: body["free"] == 117)
    assert editions.ready("status", status) is made

    async def newest() -> bytes:
        return (await editions.rendition("status", status)).body

    await until(newest, lambda body: b'"free":117' in body)
    await block.report(MALL, 116)
    await block.lot(MALL, lambda body: body["free"] == 116)
    seconds[0] += TTL_S + 1
    assert editions.ready("status", status) is None
