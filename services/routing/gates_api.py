"""HTTP in, HTTP out: the staff at a hospital's gate, by the gate's key.

They divert cars without an app, count the queue and pause diversions.
"""

import hashlib
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Request, Response, status

from bowei.domain.acts import Act
from bowei.domain.gate import QUEUE_WORD_HOLDS
from bowei.domain.lots import HospitalId
from bowei.domain.plates import hashes_if_read
from bowei.domain.problems import Refused
from bowei.observability.logs import request_id
from bowei.observability.problems import problem_responses
from services.routing.diverting import Ask, Diversion
from services.routing.explaining import considered_lot
from services.routing.gate_bodies import PauseIn, PauseOut, QueueIn, QueueOut
from services.routing.params import DiversionId, GateDiversionIn
from services.routing.slips import Slip, drawn, page_of
from services.routing.views import GateDiversionOut, diversion_out
from services.routing.wiring import Wired

router = APIRouter(prefix="/v1/hospitals", responses=problem_responses(401, 403, 404, 409, 422, 503))


async def _own_gate(
    hospital_id: Annotated[str, Path(max_length=64)],
    wired: Wired,
    authorization: Annotated[str | None, Header()] = None,
) -> HospitalId:
    """Give the hospital whose gate's key was sent. Raises Refused: key_missing, key_wrong, not_allowed."""
    if await wired.keys.gate_of(authorization) != hospital_id:
        raise Refused("not_allowed")
    return HospitalId(hospital_id)


OwnGate = Annotated[HospitalId, Depends(_own_gate)]


@router.post(
    "/{hospital_id}/diversions",
    operation_id="divert_at_gate",
    summary="Divert a car without an app",
    responses={201: {"model": GateDiversionOut, "description": "A space is held."}},
    response_model_exclude_none=True,
)
async def divert_at_gate(
    hospital_id: OwnGate, body: GateDiversionIn, wired: Wired, response: Response
) -> GateDiversionOut:
    """Hold a space for the car at the gate, as for a driver of its own, and give what its slip says.

    Repeat the same `diversion_id` after a time-out: the answer is the same hold.
    """
    driver_id = wired.tokens.driver_at_gate(hospital_id, body.diversion_id)
    ask = Ask(
        diversion_id=body.diversion_id,
        hospital_id=hospital_id,
        need=body.need(),
        plate_hashes=hashes_if_read(body.plate, wired.plate_keys),
    )
    diversion = await wired.diverting.divert(ask, driver_id)
    if diversion.fresh:
        response.status_code = status.HTTP_201_CREATED
    held = diversion.decision.hold is not None
    return GateDiversionOut(
        diversion=diversion_out(diversion, wired.clock.now()),
        driver_token=wired.tokens.token_of(driver_id),
        slip=f"/v1/hospitals/{hospital_id}/diversions/{body.diversion_id}/slip" if held else None,
    )


@router.get(
    "/{hospital_id}/diversions/{diversion_id}/slip",
    operation_id="print_slip",
    summary="A slip to print: lot, code, QR",
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {}}, "description": "One SVG, 80 mm wide."}},
)
async def print_slip(hospital_id: OwnGate, diversion_id: DiversionId, wired: Wired) -> Response:
    """Draw the slip of a diversion that this gate made, for the hold as it stands now."""
    driver_id = wired.tokens.driver_at_gate(hospital_id, diversion_id)
    diversion = await wired.diverting.find(diversion_id, driver_id)
    page = page_of(wired.pages_url, diversion_id, wired.tokens.token_of(driver_id))
    return Response(drawn(_slip(diversion, page)), media_type="image/svg+xml", headers={"Cache-Control": "no-store"})


def _slip(diversion: Diversion, page: str | None) -> Slip:
    hold = diversion.decision.hold
    lot = None if hold is None else diversion.known.directory.lots.get(hold.lot_id)
    if hold is None or lot is None or not hold.state.live:
        raise Refused("hold_over")
    walk_s = considered_lot(diversion.explanation, lot.lot_id).get("walk_s")
    return Slip(hold, lot, walk_s, page)


@router.put("/{hospital_id}/gate/queue", operation_id="say_queue", summary="So many cars wait at our gate")
async def say_queue(hospital_id: OwnGate, body: QueueIn, wired: Wired, request: Request) -> QueueOut:
    """Show how many cars wait, as somebody at the gate counted them. The newest word holds, for 15 minutes."""
    act = await _act(request, hospital_id)
    said_at = await wired.gates.say_queue(hospital_id, body.vehicles, act)
    return QueueOut(vehicles=body.vehicles, said_at=said_at, shown_until=said_at + QUEUE_WORD_HOLDS)


@router.put("/{hospital_id}/gate/pause", operation_id="pause_diversions", summary="Send no car elsewhere for a while")
async def pause_diversions(hospital_id: OwnGate, body: PauseIn, wired: Wired, request: Request) -> PauseOut:
    """Hold no further space for this hospital's drivers until the pause is over; who has one keeps it."""
    act = await _act(request, hospital_id)
    return PauseOut(paused_until=await wired.gates.pause(hospital_id, timedelta(minutes=body.minutes), act))


@router.delete(
    "/{hospital_id}/gate/pause",
    operation_id="resume_diversions",
    summary="Send cars elsewhere again",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def resume_diversions(hospital_id: OwnGate, wired: Wired, request: Request) -> None:
    """End a pause now. Where there is none, nothing changes."""
    await wired.gates.resume(hospital_id, await _act(request, hospital_id))


async def _act(request: Request, hospital_id: HospitalId) -> Act:
    """Describe what the staff does, for the audit: it is noted in the commit that does it."""
    body = await request.body()
    return Act(
        actor=f"gate:{hospital_id}",
        act=request.scope["route"].operation_id,
        subject=request.scope["path"],
        outcome="done",
        request_id=request_id.get() or "",
        body_sha256=hashlib.sha256(body).digest() if body else None,
    )
