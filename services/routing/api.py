"""HTTP in, HTTP out: drivers and their diversions."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Response, status

from bowei.domain.choosing import Need
from bowei.domain.lots import HospitalId
from bowei.domain.places import Point, to_wgs84
from bowei.domain.plates import plate_hash
from services.routing.diverting import Ask, Diversion
from services.routing.drivers import TOKEN_LIFETIME
from services.routing.params import DiversionId, DiversionIn, ExtensionIn, PositionIn, RefusalIn
from services.routing.views import DiversionOut, DriverOut, diversion_out
from services.routing.wiring import Driver, Wired, Wiring, newcomer

router = APIRouter(prefix="/v1")

OwnId = Annotated[DiversionId, Path(description="Made by the caller; the same id again gets the same answer.")]


@router.post(
    "/drivers",
    operation_id="make_driver",
    status_code=status.HTTP_201_CREATED,
    summary="Become an anonymous driver",
    dependencies=[Depends(newcomer)],
)
async def make_driver(wired: Wired, _body: Annotated[dict[str, Any] | None, Body(max_length=0)] = None) -> DriverOut:
    """Make a token that opens only this driver's diversions. No account, no name, no phone number."""
    return DriverOut(driver_token=wired.tokens.make(), expires_at=datetime.now(UTC) + TOKEN_LIFETIME)


@router.put(
    "/diversions/{diversion_id}",
    operation_id="put_diversion",
    summary="The hospital is full: find a space and hold it",
    responses={201: {"model": DiversionOut, "description": "A space is held."}},
    response_model_exclude_none=True,
)
async def put_diversion(
    diversion_id: OwnId, body: DiversionIn, wired: Wired, driver_id: Driver, response: Response
) -> DiversionOut:
    """Choose the best lot with room and hold one space on it, in one commit.

    Repeat the same id after a time-out or a 503: the answer is the same hold. `outcome: none` means that no lot had
    room, and nothing was kept: ask again when you like. `outcome: guided` means that nothing is held.
    """
    hashed = plate_hash(body.plate, wired.plate_key) if body.plate and wired.plate_key else None
    ask = Ask(
        diversion_id=diversion_id,
        hospital_id=HospitalId(body.hospital_id),
        need=_need(body),
        position=_point(body.position),
        plate_hash=hashed,
    )
    diversion = await wired.diverting.divert(ask, driver_id)
    if diversion.fresh:
        response.status_code = status.HTTP_201_CREATED
    return _shown(diversion, wired)


@router.get(
    "/diversions/{diversion_id}",
    operation_id="get_diversion",
    summary="How does my hold stand?",
    response_model_exclude_none=True,
)
async def get_diversion(diversion_id: OwnId, wired: Wired, driver_id: Driver) -> DiversionOut:
    """Give the diversion as it stands now, with its newest hold."""
    return _shown(await wired.diverting.find(diversion_id, driver_id), wired)


@router.patch(
    "/diversions/{diversion_id}",
    operation_id="extend_diversion",
    summary="Keep the space longer",
    response_model_exclude_none=True,
)
async def extend_diversion(diversion_id: OwnId, body: ExtensionIn, wired: Wired, driver_id: Driver) -> DiversionOut:
    """Extend the hold, once, by 15 minutes at most."""
    return _shown(await wired.diverting.extend(diversion_id, driver_id, timedelta(seconds=body.extend_s)), wired)


@router.delete(
    "/diversions/{diversion_id}",
    operation_id="give_up_diversion",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Give the space up",
)
async def give_up_diversion(diversion_id: OwnId, wired: Wired, driver_id: Driver) -> None:
    """Free the space at once. Deleting an id that is still on its way makes sure that it grants nothing later."""
    await wired.diverting.give_up(diversion_id, driver_id)


@router.post(
    "/diversions/{diversion_id}/arrive",
    operation_id="arrive",
    summary="I am in the lot",
    response_model_exclude_none=True,
)
async def arrive(diversion_id: OwnId, wired: Wired, driver_id: Driver) -> DiversionOut:
    """Note the arrival; the space stays held until the lot's count shows the car."""
    return _shown(await wired.diverting.arrive(diversion_id, driver_id), wired)


@router.post(
    "/diversions/{diversion_id}/leave",
    operation_id="leave",
    summary="I have left the lot",
    response_model_exclude_none=True,
)
async def leave(diversion_id: OwnId, wired: Wired, driver_id: Driver) -> DiversionOut:
    """Note that the stay is over."""
    return _shown(await wired.diverting.leave(diversion_id, driver_id), wired)


@router.post(
    "/diversions/{diversion_id}/refused",
    operation_id="refused",
    summary="There was no space",
    response_model_exclude_none=True,
)
async def refused(diversion_id: OwnId, body: RefusalIn, wired: Wired, driver_id: Driver) -> DiversionOut:
    """Take note that the promise failed, and answer with a replacement hold on another lot."""
    return _shown(await wired.diverting.refused(diversion_id, driver_id, body.ordinal), wired)


def _shown(diversion: Diversion, wired: Wiring) -> DiversionOut:
    return diversion_out(diversion, wired.clock.now())


def _need(body: DiversionIn) -> Need:
    return Need(
        space_class=body.space_class,
        height_cm=body.height_cm,
        stay=None if body.stay_s is None else timedelta(seconds=body.stay_s),
        slow_walker=body.slow_walker,
        standing=body.standing,
    )


def _point(position: PositionIn | None) -> Point | None:
    return None if position is None else to_wgs84(position.lat, position.lon, position.datum)
