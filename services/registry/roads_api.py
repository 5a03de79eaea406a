"""HTTP in, HTTP out, of roads: speeds as they are, and what is closed. Each process that drives hears of it at once.

Both end by themselves. What is put again is harmless, so a feed may simply send all it knows each minute.
"""

import logging
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from bowei.domain.places import Datum
from bowei.domain.problems import FieldError, Refused
from bowei.domain.road_conditions import LONGEST_CLOSURE, LONGEST_SPEED, Area, Closure, Ring
from bowei.observability.bodies import RequestLimits
from bowei.observability.instants import rfc3339
from bowei.observability.problems import problem_responses
from bowei.records.registering import UnknownReference
from services.registry.asking import asker
from services.registry.auditing import audited
from services.registry.params import IdInPath
from services.registry.roads_params import ClosureIn, SpeedsIn
from services.registry.views import View, listed
from services.registry.wiring import Wired

_log = logging.getLogger(__name__)
_SPEEDS_PATH = "/v1/road-speeds"

LIMITS: Mapping[str, RequestLimits] = {_SPEEDS_PATH: RequestLimits(body_bytes=8 * 1024 * 1024, total_s=30.0)}
"""All roads of a large city in one batch."""

router = APIRouter(
    prefix="/v1",
    tags=["roads"],
    dependencies=[Depends(asker), Depends(audited)],
    responses=problem_responses(400, 401, 403, 404, 413, 422, 503),
)
ClosureId = Annotated[IdInPath, Path(alias="closure_id")]


@router.put("/road-speeds", operation_id="put_road_speeds")
async def put_road_speeds(sent: SpeedsIn, wired: Wired) -> View:
    """Say how fast some roads are, until an instant within 24 h; of a road said twice the last holds."""
    now = await wired.roads.now()
    if not now < sent.valid_until <= now + LONGEST_SPEED:
        raise Refused("invalid_request", errors=(FieldError("valid_until", "bad_period"),))
    speeds = [speed for one in sent.speeds for speed in one.speeds()]
    await wired.roads.put_speeds(speeds, sent.valid_until)
    _log.info("road_speeds_put", extra={"speeds": len(speeds)})
    return {"speeds": len(speeds), "valid_until": rfc3339(sent.valid_until)}


@router.get("/road-speeds", operation_id="get_road_speeds")
async def get_road_speeds(wired: Wired) -> View:
    """Count the roads of which a speed is said now."""
    conditions = await wired.roads.conditions()
    return {"version": conditions.version, "ways": len(conditions.ways), "lines": len(conditions.lines)}


@router.get("/closures", operation_id="list_closures")
async def list_closures(wired: Wired) -> View:
    """List the closures in force and to come."""
    return listed([closure_view(one) for one in await wired.roads.closures()])


@router.get("/closures/{closure_id}", operation_id="get_closure")
async def get_closure(closure_id: ClosureId, wired: Wired) -> View:
    """Show one closure."""
    found = [one for one in await wired.roads.closures() if one.closure_id == closure_id]
    if not found:
        raise Refused("unknown_closure")
    return closure_view(found[0])


@router.put("/closures/{closure_id}", operation_id="put_closure", responses={201: {"description": "Set"}})
async def put_closure(closure_id: ClosureId, sent: ClosureIn, wired: Wired, response: Response) -> View:
    """Close the roads of an area for a while, or change that."""
    now = await wired.roads.now()
    if not now < sent.ends_at <= now + LONGEST_CLOSURE:
        raise Refused("invalid_request", errors=(FieldError("ends_at", "bad_period"),))
    closure = sent.closure(closure_id)
    response.status_code = 201 if await wired.roads.put_closure(closure) else 200
    _log.info("closure_put", extra={"closure_id": closure_id})
    return closure_view(closure)


@router.delete("/closures/{closure_id}", operation_id="remove_closure", status_code=204)
async def remove_closure(closure_id: ClosureId, wired: Wired) -> None:
    """Open the roads of an area again, now."""
    try:
        await wired.roads.remove_closure(closure_id)
    except UnknownReference as error:
        raise Refused(error.code) from error
    _log.info("closure_removed", extra={"closure_id": closure_id})


def closure_view(closure: Closure) -> View:
    """Show a closure in the shape in which it is put; places are WGS-84."""
    return {
        "closure_id": closure.closure_id,
        "area": _geojson(closure.area),
        "datum": Datum.WGS84,
        "starts_at": rfc3339(closure.starts_at),
        "ends_at": rfc3339(closure.ends_at),
        "reason": {"zh": closure.reason.zh, "en": closure.reason.en},
        "by": closure.by,
    }


def _geojson(area: Area) -> View:
    polygons = [[_pairs(ring) for ring in rings] for rings in area]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _pairs(ring: Ring) -> list[list[float]]:
    return [[round(point.lon, 7), round(point.lat, 7)] for point in ring]
