"""HTTP in, HTTP out, of open data: for everybody, from any page of the web, without a key."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import AwareDatetime

from bowei.domain.problems import Refused
from bowei.observability.problems import problem_responses
from services.availability.opendata import own_json, parkapi
from services.availability.opendata.csv_text import CsvText
from services.availability.opendata.datex2 import Datex2Status, Datex2Table
from services.availability.opendata.editions import TTL_S, Rendition, Shape
from services.availability.opendata.geojson import GeoJson
from services.availability.opendata.ngsi_ld import NgsiLd
from services.availability.wiring import Wired

_AWAY = problem_responses(said={503: "store_away: nothing was ever copied from the live state."})
router = APIRouter(prefix="/open/v1", tags=["open data"], responses=_AWAY)

_STATUS = own_json.StatusJson()
_SHAPES: Mapping[str, tuple[str, Shape]] = MappingProxyType(
    {
        "lots": ("lots", own_json.LotsJson()),
        "status": ("status", _STATUS),
        "geojson": ("lots.geojson", GeoJson()),
        "csv": ("lots.csv", CsvText()),
        "datex2-table": ("datex2/table", Datex2Table()),
        "datex2-status": ("datex2/status", Datex2Status()),
        "ngsi-ld": ("ngsi-ld/OffStreetParking", NgsiLd()),
        "parkapi-v3-sites": ("parkapi/v3/parking-sites", parkapi.ParkApiV3Sites()),
    }
)
"""By the name in the discovery file: where it is below /open/v1, and what writes it."""
_PARKAPI_V1 = parkapi.ParkApiV1()
CACHED = f"public, max-age={TTL_S}"
WHOLE_LISTS: Mapping[str, tuple[str, Shape]] = MappingProxyType(
    {f"{router.prefix}/{path}": (name, shape) for name, (path, shape) in _SHAPES.items()}
)
"""By path: the name under which a rendition is kept, and what writes it."""

_Known = Annotated[str | None, Header(alias="If-None-Match", max_length=200)]
_Encodings = Annotated[str, Header(alias="Accept-Encoding", max_length=200)]


@router.get("", operation_id="discover_open_data", summary="Which shapes there are, and where")
async def discover(request: Request, wired: Wired) -> Response:
    """Name every shape with its address; begin here."""
    edition = wired.editions.latest()
    base = (edition.publisher.url or str(request.base_url).rstrip("/")) + router.prefix
    feeds = {name: f"{base}/{path}" for name, (path, _) in _SHAPES.items()}
    feeds["parkapi-v1"] = f"{base}/parkapi/v1"
    feeds["parkapi-v3-sources"] = f"{base}/parkapi/v3/sources"
    if wired.history.given:
        feeds["history"] = f"{base}/history"
    body = own_json.discovery(edition.at, feeds, edition.publisher.terms())
    return Response(body, media_type="application/json", headers={"Cache-Control": CACHED})


@router.get("/status", operation_id="open_status", summary="How every lot stands; with updated_since, what changed")
async def show_status(
    wired: Wired,
    updated_since: Annotated[
        AwareDatetime | None,
        Query(description="The `as_of` of the answer before.", examples=["2026-03-02T00:30:04.000Z"]),
    ] = None,
    known: _Known = None,
    encodings: _Encodings = "",
) -> Response:
    """Give how every lot stands, or only those that changed at `updated_since` or after, and ids that are gone.

    `whole: true` beside these: so far back is not known, and all lots are there.
    """
    if updated_since is None:
        return _sent(await wired.editions.rendition("status", _STATUS), known, encodings)
    edition = wired.editions.latest()
    found = wired.editions.changed_since(updated_since, edition)
    lot_ids, deleted = (edition.lot_ids, ()) if found is None else found
    pieces = [_STATUS.piece(edition.lot(lot_id)) for lot_id in lot_ids]
    body = own_json.changes(pieces, deleted, edition, whole=found is None)
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-cache"})


@router.get("/parkapi/v1", operation_id="open_parkapi_v1_cities", summary="ParkAPI v1: the index")
async def show_cities(wired: Wired) -> Response:
    """Name the one city."""
    return _small(parkapi.cities_v1(wired.editions.latest()))


@router.get("/parkapi/v1/{city}", operation_id="open_parkapi_v1", summary="ParkAPI v1: the city's lots")
async def show_city(
    wired: Wired,
    city: Annotated[str, Path(max_length=64)],
    known: _Known = None,
    encodings: _Encodings = "",
) -> Response:
    """Give the city as version 1 has it."""
    if city != wired.editions.publisher.publisher_id:
        raise Refused("not_found")
    return _sent(await wired.editions.rendition("parkapi-v1", _PARKAPI_V1), known, encodings)


@router.get("/parkapi/v3/sources", operation_id="open_parkapi_v3_sources", summary="ParkAPI v3: the source")
async def show_sources(wired: Wired) -> Response:
    """Name the one source, and how it is."""
    return _small(parkapi.sources_v3(wired.editions.latest()))


def _small(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers={"Cache-Control": CACHED})


def _sent(rendition: Rendition, known: str | None, encodings: str) -> Response:
    headers = {
        "ETag": rendition.etag,
        "Last-Modified": rendition.last_modified,
        "Cache-Control": CACHED,
        "Vary": "Accept-Encoding",
    }
    if known is not None and rendition.etag in known:
        return Response(status_code=304, headers=headers)
    compressed = "gzip" in encodings
    if compressed:
        headers["Content-Encoding"] = "gzip"
    return Response(rendition.compressed if compressed else rendition.body, 200, headers, rendition.media_type)


def _serve(name: str, path: str, shape: Shape) -> None:
    async def show(wired: Wired, known: _Known = None, encodings: _Encodings = "") -> Response:
        return _sent(await wired.editions.rendition(name, shape), known, encodings)

    router.add_api_route(
        f"/{path}",
        show,
        methods=["GET"],
        operation_id=f"open_{name.replace('-', '_')}",
        summary=f"All lots: {name}",
        response_class=Response,
        responses={200: {"content": {shape.media_type: {}}, "description": "All lots, of the last ten seconds."}},
    )


for _name, (_path, _shape) in _SHAPES.items():
    if _name != "status":
        _serve(_name, _path, _shape)
