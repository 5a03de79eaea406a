"""HTTP in, HTTP out. Each address says in `access` who may ask; putting the same again changes nothing."""

import asyncio
import json
import logging
from collections.abc import Iterable, Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from bowei.domain.directory import Directory
from bowei.domain.lots import HospitalId, Lot, LotId, SourceId
from bowei.domain.problems import FieldError, Refused
from bowei.observability import yaml_text
from bowei.observability.bodies import RequestLimits
from bowei.observability.problems import problem_responses
from bowei.records.registering import Source, key_sha256_of
from services.registry import plausible
from services.registry.answering import answered, refuse_faulty
from services.registry.asking import Asking, asker
from services.registry.auditing import audited
from services.registry.enrolling import enrolled, faults_of_source, made_key
from services.registry.params import HospitalIn, IdInPath, LotIn, SourceIn
from services.registry.scene import check_scene, read_scene
from services.registry.views import View, hospital_view, listed, lot_view, source_view, warned
from services.registry.wiring import Wired

_log = logging.getLogger(__name__)
_YAML = "application/yaml"
_SCENE_PATH = "/v1/scene"

LIMITS = {
    _SCENE_PATH: RequestLimits(
        body_bytes=yaml_text.LARGEST_BYTES, total_s=60.0, content_types=("application/json", _YAML)
    )
}
"""A scene is larger than other bodies, may be YAML, and takes longer to read."""

router = APIRouter(
    prefix="/v1",
    dependencies=[Depends(asker), Depends(audited)],
    responses=problem_responses(400, 401, 403, 404, 409, 422, 503),
)

LotIdPath = Annotated[IdInPath, Path(alias="lot_id")]
HospitalIdPath = Annotated[IdInPath, Path(alias="hospital_id")]
CalendarIdPath = Annotated[IdInPath, Path(alias="calendar_id")]
SourceIdPath = Annotated[IdInPath, Path(alias="source_id")]


@router.get("/lots", operation_id="list_registered_lots")
async def list_lots(asking: Asking) -> View:
    """List all lots."""
    directory = await asking.directory()
    return listed([lot_view(lot) for _, lot in sorted(directory.lots.items())])


@router.get("/lots/{lot_id}", operation_id="get_registered_lot")
async def get_lot(lot_id: LotIdPath, asking: Asking) -> View:
    """Show one lot."""
    return lot_view(_known_lot(await asking.directory(), lot_id))


@router.put("/lots/{lot_id}", operation_id="put_lot", responses={201: {"description": "Registered"}})
async def put_lot(lot_id: LotIdPath, sent: LotIn, wired: Wired, response: Response) -> View:
    """Register a lot, or change it; `warnings` says where an entrance lies too far from any road."""
    directory = await wired.register.directory()
    known = directory.lots.get(LotId(lot_id))
    lot = sent.lot(lot_id, sent.timezone, paused_now=known is not None and known.paused)
    refuse_faulty(
        [
            *plausible.of_lot(lot),
            *plausible.of_lots_calendar(lot, directory.calendars.keys()),
            *plausible.of_own_lot(lot, directory.hospitals.values()),
        ]
    )
    with answered():
        await wired.register.put_lots([lot])
    response.status_code = 200 if known else 201
    _log.info("lot_registered", extra={"lot_id": lot_id})
    return lot_view(lot) | warned(plausible.off_road_of_lot(lot, wired.road_places))


@router.post("/lots/{lot_id}/pause", operation_id="pause_lot")
async def pause_lot(lot_id: LotIdPath, wired: Wired, asking: Asking) -> View:
    """Stop all new holds on a lot, at once; drivers on their way there are moved where another lot has room."""
    await asking.check_lot(lot_id)
    return await _pause(lot_id, wired, paused=True)


@router.post("/lots/{lot_id}/resume", operation_id="resume_lot")
async def resume_lot(lot_id: LotIdPath, wired: Wired, asking: Asking) -> View:
    """Let a paused lot take holds again."""
    await asking.check_lot(lot_id)
    return await _pause(lot_id, wired, paused=False)


@router.get("/hospitals", operation_id="list_registered_hospitals")
async def list_hospitals(asking: Asking) -> View:
    """List all hospitals."""
    directory = await asking.directory()
    return listed([hospital_view(hospital) for _, hospital in sorted(directory.hospitals.items())])


@router.get("/hospitals/{hospital_id}", operation_id="get_registered_hospital")
async def get_hospital(hospital_id: HospitalIdPath, asking: Asking) -> View:
    """Show one hospital."""
    hospital = (await asking.directory()).hospitals.get(HospitalId(hospital_id))
    if hospital is None:
        raise Refused("unknown_hospital")
    return hospital_view(hospital)


@router.put("/hospitals/{hospital_id}", operation_id="put_hospital", responses={201: {"description": "Registered"}})
async def put_hospital(hospital_id: HospitalIdPath, sent: HospitalIn, wired: Wired, response: Response) -> View:
    """Register a hospital, or change it. Its lot comes first. `warnings`: what lies far from road or footway."""
    directory = await wired.register.directory()
    hospital = sent.hospital(hospital_id)
    refuse_faulty(plausible.of_hospital(hospital, directory.lots))
    with answered():
        await wired.register.put_hospitals([hospital])
    response.status_code = 200 if hospital.hospital_id in directory.hospitals else 201
    _log.info("hospital_registered", extra={"hospital_id": hospital_id})
    return hospital_view(hospital) | warned(plausible.off_road_of_hospital(hospital, wired.road_places))


@router.post("/hospitals/{hospital_id}/gate-key", operation_id="make_gate_key", status_code=201)
async def make_gate_key(hospital_id: HospitalIdPath, wired: Wired, asking: Asking) -> View:
    """Make the key by which the staff at a hospital's gate diverts cars; the one before ends at once.

    It is in this answer and never again: only its hash is kept.
    """
    await asking.check_hospital(hospital_id)
    key = made_key(hospital_id)
    with answered():
        await wired.register.put_gate_key(HospitalId(hospital_id), key_sha256_of(key))
    _log.info("gate_key_made", extra={"hospital_id": hospital_id})
    return {"hospital_id": hospital_id, "key": key}


@router.get("/sources", operation_id="list_sources")
async def list_sources(asking: Asking) -> View:
    """List all sources; keys are not kept and not shown."""
    sources = await asking.sources()
    return listed([source_view(source) for source in sorted(sources, key=lambda one: one.source_id)])


@router.get("/sources/{source_id}", operation_id="get_source")
async def get_source(source_id: SourceIdPath, asking: Asking) -> View:
    """Show one source."""
    known = _find_source(await asking.sources(), source_id)
    if known is None:
        raise Refused("unknown_source")
    return source_view(known)


@router.put("/sources/{source_id}", operation_id="put_source", responses={201: {"description": "Registered"}})
async def put_source(source_id: SourceIdPath, sent: SourceIn, wired: Wired, response: Response) -> View:
    """Register a source, or change it. A native one's `key` is in the answer that made it, and never again."""
    directory = await wired.register.directory()
    refuse_faulty(faults_of_source(sent, directory.lots))
    known = _find_source(await wired.register.sources(), source_id)
    source, key = enrolled(source_id, sent, known)
    with answered():
        await wired.register.put_sources([source])
    response.status_code = 200 if known else 201
    _log.info("source_registered", extra={"source_id": source_id, "key_made": key is not None})
    return source_view(source, key)


@router.put(
    "/scene",
    operation_id="put_scene",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {_YAML: {"schema": {"type": "string"}}, "application/json": {"schema": {"type": "object"}}},
        }
    },
)
async def put_scene(request: Request, wired: Wired) -> View:
    """Register a whole scene (docs/scene-file.md); `keys` holds the keys made for new native sources, once."""
    body = await request.body()
    directory, sources = await wired.register.directory(), await wired.register.sources()
    is_yaml = request.headers.get("content-type", "").lower().startswith(_YAML)
    # In a thread: half a megabyte of YAML takes seconds to read.
    sent = await asyncio.to_thread(lambda: read_scene(yaml_text.read_yaml(body) if is_yaml else json.loads(body)))
    scene = check_scene(sent, directory, sources)
    with answered():
        await wired.register.put_calendars(scene.calendars)
        await wired.register.put_lots(scene.lots)
        await wired.register.put_hospitals(scene.hospitals)
        await wired.register.put_agreements(scene.agreements)
        await wired.register.put_sources(scene.sources)
    places = wired.road_places
    counts = {name: len(getattr(scene, name)) for name in ("calendars", "lots", "hospitals", "agreements", "sources")}
    _log.info("scene_registered", extra=counts)
    off_road = [
        *(f for i, lot in enumerate(scene.lots) for f in _under("lots", i, plausible.off_road_of_lot(lot, places))),
        *(
            f
            for i, hospital in enumerate(scene.hospitals)
            for f in _under("hospitals", i, plausible.off_road_of_hospital(hospital, places))
        ),
    ]
    return {**counts, "keys": dict(scene.keys)} | warned(off_road)


async def _pause(lot_id: str, wired: Wired, *, paused: bool) -> View:
    with answered():
        await wired.register.pause_lot(LotId(lot_id), paused=paused)
    _log.info("lot_paused" if paused else "lot_resumed", extra={"lot_id": lot_id})
    return lot_view(_known_lot(await wired.register.directory(), lot_id))


def _under(kind: str, index: int, faults: Iterable[FieldError]) -> Iterator[FieldError]:
    return plausible.under(f"{kind}[{index}]", faults)


def _known_lot(directory: Directory, lot_id: str) -> Lot:
    lot = directory.lots.get(LotId(lot_id))
    if lot is None:
        raise Refused("unknown_lot")
    return lot


def _find_source(sources: Iterable[Source], source_id: str) -> Source | None:
    return next((source for source in sources if source.source_id == SourceId(source_id)), None)
