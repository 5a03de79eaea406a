"""HTTP in, HTTP out: the City Brain's addresses. They exist only where BOWEI_CITYBRAIN is set.

HTTP is 200 in this protocol whatever happened, and `resultCode` says the rest (docs/feeds/hangzhou-city-brain.md).
"""

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from bowei.domain.lots import Lot, LotId, SourceId
from bowei.domain.plausible_places import WRONG_DATUM, fault_of_readings
from bowei.observability.bodies import RequestLimits
from bowei.records.failures import StoreFailure
from bowei.records.quality import Reconciliation
from services.ingest.citybrain.messages import (
    CheckRecord,
    Dropped,
    Heartbeat,
    ParkingInfo,
    UidRequest,
    Upload,
)
from services.ingest.citybrain.problems import (
    ACCEPTED,
    CityBrainProblem,
    ProblemCode,
    accepted_answer,
    dropped_answer,
    refused_answer,
    uids_answer,
)
from services.ingest.citybrain.receiving import Received, receive
from services.ingest.citybrain.uploading import Reported
from services.ingest.sources import Registered, Reporter
from services.ingest.wiring import Wired, Wiring

BODY_BYTES_MAX = 32 * 1024
"""Twice what the protocol takes, so that most bodies over its 16 KiB are refused in the protocol's own words."""
PHOTO_BYTES_MAX = 1024 * 1024
"""Pictures are answered with yes and not read; the protocol allows 512 KiB of them in base64."""

_UPLOAD = RequestLimits(body_bytes=BODY_BYTES_MAX, content_types=("application/x-www-form-urlencoded",))
_PHOTO = RequestLimits(
    body_bytes=PHOTO_BYTES_MAX, content_types=("application/x-www-form-urlencoded", "multipart/form-data")
)
LIMITS: Mapping[str, RequestLimits] = MappingProxyType(
    {
        "/tcjg/": _UPLOAD,
        "/api/v2/": _UPLOAD,
        "/tcjg/api/uploadPhoto": _PHOTO,
        "/api/v2/cp/uploadPhoto": _PHOTO,
    }
)
"""What one upload may cost, by the start of its path."""

_UNREGISTERED: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "unknown_lot": (40402, "parkingCode 未登记"),
        "not_your_lot": (40301, "该 accessID 无权上报此 parkingCode"),
        "not_allowed": (40302, "该 accessID 已停用"),
    }
)
"""Refusals that the register gives reason for, and not the message: `resultCode` and words."""

_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["accessID", "cipher", "sign"],
                    "properties": {name: {"type": "string"} for name in ("accessID", "cipher", "sign")},
                },
                "example": {"accessID": "lot-operator-1", "cipher": "base64 of RSA blocks", "sign": "base64"},
            }
        },
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Kept where `resultCode` is 200, else refused.",
        "content": {"application/json": {"example": {"resultCode": 200, "msg": "操作成功"}}},
    }
}

router = APIRouter(tags=["city brain"])
_log = logging.getLogger(__name__)


@router.post("/tcjg/api/{method}", operation_id="upload_v1", openapi_extra=_FORM, responses=_ANSWERS)
async def upload_v1(method: str, request: Request, wired: Wired) -> JSONResponse:
    """Take an upload of v1."""
    return await _answer(f"/tcjg/api/{method}", request, wired)


@router.post("/api/v2/cp/{method}", operation_id="upload_v2", openapi_extra=_FORM, responses=_ANSWERS)
async def upload_v2(method: str, request: Request, wired: Wired) -> JSONResponse:
    """Take an upload of v2."""
    return await _answer(f"/api/v2/cp/{method}", request, wired)


@router.post("/api/v2/tcjg/{method}", operation_id="upload_v2_heartbeat", openapi_extra=_FORM, responses=_ANSWERS)
async def upload_v2_heartbeat(method: str, request: Request, wired: Wired) -> JSONResponse:
    """Take a heartbeat of v2."""
    return await _answer(f"/api/v2/tcjg/{method}", request, wired)


async def _answer(path: str, request: Request, wired: Wiring) -> JSONResponse:
    try:
        answer = await _take(path, await request.body(), wired)
    except CityBrainProblem as problem:
        wired.measures.upload_refused(problem.code)
        answer = refused_answer(problem)
    except StoreFailure:
        answer = refused_answer(CityBrainProblem(ProblemCode.TRY_AGAIN))
    return JSONResponse(answer)


async def _take(path: str, body: bytes, wired: Wiring) -> dict[str, object]:
    registered, received = await _read(path, body, wired)
    if received.access_id is None:
        return dropped_answer()
    reporter = registered.by_id[received.access_id]
    if reporter.source.suspended:
        return _refused("not_allowed", wired)
    wired.measures.heard(reporter.source.source_id, wired.clock.now())
    if isinstance(received.upload, Dropped):
        return dropped_answer()
    with wired.admission.admitted(reporter.source.source_id, len(body)):
        return await _find_and_keep(received.upload, registered, reporter, wired)


async def _find_and_keep(
    upload: Upload, registered: Registered, reporter: Reporter, wired: Wiring
) -> dict[str, object]:
    registered, reporter = await wired.sources.with_lots(registered, reporter, [upload.lot_code])
    lot_id = registered.find_lot(reporter, upload.lot_code)
    if lot_id is None:
        code = registered.why_not(upload.lot_code)
        if code == "unknown_lot":
            _note_stranger(upload, reporter.source.source_id, wired)
        return _refused(code, wired)
    return await _keep(upload, lot_id, registered, reporter, wired)


async def _read(path: str, body: bytes, wired: Wiring) -> tuple[Registered, Received]:
    """Read an upload by the register's keys; by a younger reading of them where nobody is known by that id."""
    registered = await wired.sources.registered()
    try:
        return registered, receive(path, body, registered.citybrain_keys, now=wired.clock.now())
    except CityBrainProblem as problem:
        if problem.code is not ProblemCode.UNKNOWN_ACCESS_ID:
            raise
    registered = await wired.sources.registered(missed=True)
    return registered, receive(path, body, registered.citybrain_keys, now=wired.clock.now())


async def _keep(
    upload: Upload, lot_id: LotId, registered: Registered, reporter: Reporter, wired: Wiring
) -> dict[str, object]:
    if isinstance(upload, UidRequest):
        return uids_answer(await wired.uploads.uids(upload, lot_id))
    if isinstance(upload, Heartbeat):
        await wired.uploads.heard(lot_id, reporter.source.source_id, received_at=wired.clock.now())
        return accepted_answer()
    if isinstance(upload, CheckRecord):
        tally = (upload.day, upload.arrived_count, upload.left_count)
        await wired.notes.reconcile(Reconciliation(lot_id, reporter.source.source_id, *tally))
        return accepted_answer()
    if isinstance(upload, ParkingInfo):
        return _answer_place(upload, registered.directory.lots[lot_id])
    reported = Reported(upload, lot_id, reporter.source.source_id, wired.clock.now())
    verdict = await wired.uploads.take(reported, registered.capacity_of)
    if verdict.code is not None:
        return {"resultCode": ACCEPTED, "msg": f"{verdict.code}: 已保存，暂不采信，请核对车位数"}
    return accepted_answer()


def _note_stranger(upload: Upload, source_id: SourceId, wired: Wiring) -> None:
    """Put a lot that nobody registered on the pending list, with what it says of itself."""
    name, place = (upload.name, upload.location) if isinstance(upload, ParkingInfo) else (None, None)
    wired.notes.stranger(source_id, upload.lot_code, name=name, place=place)


def _answer_place(upload: ParkingInfo, lot: Lot) -> dict[str, object]:
    """Say whether the lot lies where it is registered, or off by just the shift of a datum that was not converted."""
    if upload.location is not None and fault_of_readings(upload.location, lot.location) == WRONG_DATUM:
        _log.warning("registered_place_shifted", extra={"lot_id": lot.lot_id})
        return {"resultCode": ACCEPTED, "msg": f"{WRONG_DATUM}: 与登记位置恰好相差 GCJ-02 偏移量，请核对坐标系"}
    return accepted_answer()


def _refused(code: str, wired: Wiring) -> dict[str, object]:
    wired.measures.upload_refused(code)
    result_code, words = _UNREGISTERED[code]
    return {"resultCode": result_code, "msg": f"{code}: {words}"}
