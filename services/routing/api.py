"""HTTP in, HTTP out: drivers and their diversions."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Response, status
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AwareDatetime

from bowei.domain.announcing import within_a_day
from bowei.domain.holds import HoldState
from bowei.domain.lots import DriverId, HospitalId
from bowei.domain.places import Point, to_wgs84
from services.routing.diverting import Announced, Ask, Diversion
from services.routing.drivers import TOKEN_LIFETIME
from services.routing.params import ArrivalIn, DiversionId, DiversionIn, ExtensionIn, Identifier, PositionIn, RefusalIn
from services.routing.streaming import version_of
from services.routing.views import DiversionOut, DriverOut, NearOut, diversion_out
from services.routing.wiring import Driver, Wired, Wiring, newcomer

router = APIRouter(prefix="/v1")

LONGEST_POLL_S = 30
_NEAR_M = 100

OwnId = Annotated[DiversionId, Path(description="Made by the caller; the same id again gets the same answer.")]

GATES_IDS = "gate-"
"""How the ids begin that only a gate may begin a diversion with: a gate counts its cars, and ids are everybody's."""


async def not_a_gates_next(diversion_id: OwnId, wired: Wired, driver_id: Driver) -> None:
    """Let no driver take an id that a gate will use. Raises Refused: unknown_diversion."""
    if diversion_id.startswith(GATES_IDS):
        await wired.diverting.find(diversion_id, driver_id)


NotAGatesNext = Depends(not_a_gates_next)


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
    dependencies=[NotAGatesNext],
    responses={201: {"model": DiversionOut, "description": "A space is held."}},
    response_model_exclude_none=True,
)
async def put_diversion(
    diversion_id: OwnId, body: DiversionIn, wired: Wired, driver_id: Driver, response: Response
) -> DiversionOut:
    """Choose the best lot with room and hold one space on it, in one commit.

    Repeat the same id after a time-out or a 503: the answer is the same hold. `outcome: none` means that no lot had
    room, and nothing was kept: ask again when you like. `outcome: guided` means that nothing is held. With `announce`,
    `outcome: proceed` means that the hospital should have room on arrival: nothing is held, wait at `watch`.
    """
    diversion = await divert(diversion_id, body, wired, driver_id)
    if diversion.fresh:
        response.status_code = status.HTTP_201_CREATED
    response.headers["ETag"] = etag(diversion)
    return _shown(diversion, wired)


async def divert(diversion_id: str, body: DiversionIn, wired: Wiring, driver_id: DriverId) -> Diversion:
    """Do what a driver asks for."""
    ask = Ask(
        diversion_id=diversion_id,
        hospital_id=HospitalId(body.hospital_id),
        need=body.need(),
        position=_point(body.position),
        plate_hashes=wired.plate_keys.hashes(body.plate) if body.plate and wired.plate_keys else (),
        announced=body.announce,
    )
    return await wired.diverting.divert(ask, driver_id)


async def _announced(
    wired: Wired,
    hospital_id: Annotated[Identifier | None, Query(description="Of an announced driver, with arrives_at.")] = None,
    arrives_at: Annotated[AwareDatetime | None, Query(description="As in `expected`; within a day.")] = None,
) -> Announced | None:
    if hospital_id is None or arrives_at is None:
        return None
    return Announced(HospitalId(hospital_id), within_a_day(arrives_at, wired.clock.now()))


WhoWasAnnounced = Annotated[Announced | None, Depends(_announced)]


@router.get(
    "/diversions/{diversion_id}",
    operation_id="get_diversion",
    summary="How does my hold stand? (and long poll)",
    response_model=DiversionOut,
    response_model_exclude_none=True,
    responses={304: {"description": "It stands as the ETag says, also after `wait_s`."}},
)
async def get_diversion(
    diversion_id: OwnId,
    wired: Wired,
    driver_id: Driver,
    announced: WhoWasAnnounced,
    response: Response,
    wait_s: Annotated[int, Query(ge=0, le=LONGEST_POLL_S, description="Wait so long for a change.")] = 0,
    if_none_match: Annotated[str | None, Header(max_length=200)] = None,
) -> DiversionOut | Response:
    """Give the diversion as it stands now, with its newest hold.

    Send its ETag as If-None-Match and you are answered 304 where nothing has changed; with `wait_s` only after so long.
    """
    diversion = await wired.diverting.find(diversion_id, driver_id, announced)
    if wait_s and _knows(if_none_match, diversion):
        with wired.stream_places.one_for(driver_id):
            diversion = await wired.streams.wait(diversion, driver_id, version_of(diversion), wait_s)
    if _knows(if_none_match, diversion):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers={"ETag": etag(diversion)})
    response.headers["ETag"] = etag(diversion)
    response.headers["Cache-Control"] = "no-store"
    return _shown(diversion, wired)


async def _followed(
    diversion_id: OwnId, wired: Wired, driver_id: Driver, announced: WhoWasAnnounced
) -> AsyncIterator[Diversion]:
    """Give the diversion to follow, with a place for the stream, before anything is sent."""
    with wired.stream_places.one_for(driver_id):
        yield await wired.diverting.find(diversion_id, driver_id, announced)


@router.get(
    "/diversions/{diversion_id}/stream",
    operation_id="stream_diversion",
    response_class=EventSourceResponse,
    summary="What becomes of my diversion, as it happens (server-sent events)",
)
async def stream_diversion(
    wired: Wired,
    driver_id: Driver,
    diversion: Annotated[Diversion, Depends(_followed)],
    last_event_id: Annotated[str | None, Header(max_length=64)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Follow one diversion: how it stands, then each change, a comment every 15 s; it ends when the diversion is over.

    Reconnect with Last-Event-ID, and nothing is said again that you know.
    """
    async for event in wired.streams.follow(diversion, driver_id, last_event_id):
        yield event


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
    dependencies=[NotAGatesNext],
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
async def arrive(diversion_id: OwnId, wired: Wired, driver_id: Driver, body: ArrivalIn | None = None) -> DiversionOut:
    """Note the arrival; the space stays held until the lot's count shows the car."""
    ordinal = None if body is None else body.ordinal
    return _shown(await wired.diverting.arrive(diversion_id, driver_id, ordinal), wired)


@router.post(
    "/diversions/{diversion_id}/position",
    operation_id="tell_position",
    summary="Am I there?",
)
async def tell_position(diversion_id: OwnId, body: PositionIn, wired: Wired, driver_id: Driver) -> NearOut:
    """Say how far it is to the entrance. The position is not kept.

    Near is within 100 m. At a lot whose barrier tells nothing of cars the operator may let a geofence say "arrived".
    """
    point = to_wgs84(body.lat, body.lon, body.datum)
    away_m, diversion = await wired.diverting.near(diversion_id, driver_id, point, wired.geofence_m)
    hold = diversion.decision.hold
    arrived = hold is not None and hold.state is not HoldState.HELD
    return NearOut(near=away_m <= _NEAR_M, distance_m=round(away_m), arrived=arrived)


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


def _knows(if_none_match: str | None, diversion: Diversion) -> bool:
    """Say whether a caller has it as it stands; some proxies take the W/ from an ETag."""
    return if_none_match is not None and f'"{version_of(diversion)}"' in if_none_match


def etag(diversion: Diversion) -> str:
    """Name how a diversion stands."""
    return f'W/"{version_of(diversion)}"'


def _shown(diversion: Diversion, wired: Wiring) -> DiversionOut:
    return diversion_out(diversion, wired.clock.now())


def _point(position: PositionIn | None) -> Point | None:
    return None if position is None else to_wgs84(position.lat, position.lon, position.datum)
