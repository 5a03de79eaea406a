"""HTTP in, HTTP out. Everything here is public and reads one snapshot per answer."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from bowei.domain.lots import HospitalId, LotId, LotKind
from bowei.domain.places import Datum
from bowei.domain.problems import FieldError, Refused
from bowei.observability.problems import problem_responses
from services.availability.closures import ClosuresView, ClosureView
from services.availability.gates import GateStatus
from services.availability.selecting import LARGEST_RADIUS_M, Filter, page_of, read_box, read_near, select
from services.availability.snapshots import Snapshot
from services.availability.streaming import MOST_LOTS
from services.availability.views import (
    GateView,
    HospitalsView,
    HospitalView,
    LotsView,
    LotView,
    OneLotView,
    TimeView,
)
from services.availability.wiring import Wired

_CACHED = "public, max-age=1"
_MOST_PER_PAGE = 500


_AWAY = problem_responses(
    said={503: "store_away: nothing was ever copied from the live state; overloaded: too many streams."}
)
_WRONG = problem_responses(said={422: "invalid_request: see errors."})
_UNKNOWN = problem_responses(said={404: "unknown_lot or unknown_hospital."})

router = APIRouter(prefix="/v1", tags=["availability"], responses=_AWAY)

_Id = Annotated[str, Path(min_length=1, max_length=64)]
_IdAsked = Annotated[str | None, Query(min_length=1, max_length=64)]
_BoxAsked = Annotated[
    str | None,
    Query(
        max_length=100, description="west,south,east,north in WGS-84 degrees", examples=["120.15,30.25,120.17,30.26"]
    ),
]


def _lot_filter(
    bbox: _BoxAsked = None,
    near: Annotated[
        str | None, Query(max_length=60, description="lat,lon; nearest first", examples=["30.2576,120.1621"])
    ] = None,
    radius_m: Annotated[float, Query(gt=0, le=LARGEST_RADIUS_M, description="Around `near`.")] = 1_000,
    datum: Annotated[Datum, Query(description="Of `near`: phones in China give gcj02.")] = Datum.WGS84,
    kind: LotKind | None = None,
    block: _IdAsked = None,
    hospital: Annotated[
        str | None,
        Query(min_length=1, max_length=64, description="Its own lot and those that share with it."),
    ] = None,
) -> Filter:
    return Filter(
        box=None if bbox is None else read_box(bbox),
        near=None if near is None else read_near(near, radius_m, datum),
        kind=kind,
        block=block,
        hospital_id=None if hospital is None else HospitalId(hospital),
    )


def _stream_filter(
    lots: Annotated[
        str | None,
        Query(max_length=65 * MOST_LOTS, description=f"Ids, at most {MOST_LOTS}.", examples=["gonglian-cc,in77"]),
    ] = None,
    bbox: _BoxAsked = None,
    hospital: _IdAsked = None,
) -> Filter:
    lot_ids = None if lots is None else frozenset(LotId(lot_id) for lot_id in lots.split(","))
    if lot_ids is not None and len(lot_ids) > MOST_LOTS:
        raise Refused("invalid_request", errors=(FieldError("lots", "wrong_length", f"(lots <= {MOST_LOTS})"),))
    return Filter(
        lot_ids=lot_ids,
        box=None if bbox is None else read_box(bbox),
        hospital_id=None if hospital is None else HospitalId(hospital),
    )


@router.get(
    "/hospitals", operation_id="list_hospitals", response_model_exclude_none=True, summary="Every hospital and its gate"
)
async def list_hospitals(wired: Wired, response: Response) -> HospitalsView:
    """List the hospitals, each with its gate in short."""
    response.headers["Cache-Control"] = _CACHED
    snapshot = wired.snapshots.latest()
    items = [HospitalView.of(snapshot.gates[hospital_id]) for hospital_id in sorted(snapshot.gates)]
    return HospitalsView(as_of=snapshot.as_of, stale=snapshot.stale, items=items, total=len(items))


@router.get(
    "/hospitals/{hospital_id}/gate",
    operation_id="get_gate",
    response_model_exclude_none=True,
    responses=_UNKNOWN,
    summary="A gate's state, and where to send the next car",
)
async def get_gate(hospital_id: _Id, wired: Wired, response: Response) -> GateView:
    """Show one hospital's gate: state, free, where the next car should go and why, in zh and en."""
    snapshot = wired.snapshots.latest()
    response.headers["Cache-Control"] = _CACHED
    return GateView.cut(_gate_in(snapshot, hospital_id), snapshot, wired.snapshots.silent_s)


def _gate_in(snapshot: Snapshot, hospital_id: str) -> GateStatus:
    gate = snapshot.gates.get(HospitalId(hospital_id))
    if gate is None:
        raise Refused("unknown_hospital")
    return gate


def _followed_gate(hospital_id: _Id, wired: Wired) -> Iterator[str]:
    _gate_in(wired.snapshots.latest(), hospital_id)
    with wired.places.taken():
        yield hospital_id


@router.get(
    "/hospitals/{hospital_id}/gate/stream",
    operation_id="stream_gate",
    response_class=EventSourceResponse,
    responses=_UNKNOWN,
    summary="A gate, as it changes (server-sent events)",
)
async def stream_gate(
    wired: Wired, hospital_id: Annotated[str, Depends(_followed_gate)]
) -> AsyncIterator[ServerSentEvent]:
    """Follow a gate: `gate` events are whole, and a `beat` comes every 3 s in which nothing changed."""
    async for event in wired.gate_streams.follow(lambda snapshot: _gate_in(snapshot, hospital_id)):
        wired.measures.events.inc()
        yield event


@router.get(
    "/lots",
    operation_id="list_lots",
    response_model_exclude_none=True,
    responses=_WRONG | _UNKNOWN,
    summary="Lots, by place, kind, block or hospital",
)
async def list_lots(
    request: Request,
    response: Response,
    wired: Wired,
    asked: Annotated[Filter, Depends(_lot_filter)],
    limit: Annotated[int, Query(ge=1, le=_MOST_PER_PAGE)] = 100,
    cursor: Annotated[str | None, Query(max_length=200, description="From `next`.")] = None,
) -> LotsView:
    """List lots in pages: nearest first where `near` is given, else by id."""
    snapshot = wired.snapshots.latest()
    page = page_of(select(snapshot, asked), asked.near, limit=limit, cursor=cursor)
    following = None
    if page.next_cursor is not None:
        url = request.url.include_query_params(cursor=page.next_cursor)
        following = f"{url.path}?{url.query}"
        response.headers["Link"] = f'<{following}>; rel="next"'
    response.headers["X-Total-Count"] = str(page.total)
    response.headers["Cache-Control"] = _CACHED
    return LotsView(
        as_of=snapshot.as_of,
        stale=snapshot.stale,
        items=[LotView.cut(status, snapshot) for status in page.lots],
        total=page.total,
        next=following,
    )


@router.get(
    "/lots/{lot_id}",
    operation_id="get_lot",
    response_model_exclude_none=True,
    responses=_UNKNOWN,
    summary="One lot",
)
async def get_lot(lot_id: _Id, wired: Wired, response: Response) -> OneLotView:
    """Show one lot: what it sees free, what is held, what may be promised to whom."""
    snapshot = wired.snapshots.latest()
    status = snapshot.lots.get(LotId(lot_id))
    if status is None:
        raise Refused("unknown_lot")
    response.headers["Cache-Control"] = _CACHED
    return OneLotView.cut(status, snapshot)


def _admitted(wired: Wired, asked: Annotated[Filter, Depends(_stream_filter)]) -> Iterator[Filter]:
    with wired.streams.admitted(asked):
        yield asked


@router.get(
    "/stream",
    operation_id="stream",
    response_class=EventSourceResponse,
    responses=_WRONG | _UNKNOWN,
    summary="What changes, as it changes (server-sent events)",
)
async def stream(
    wired: Wired,
    asked: Annotated[Filter, Depends(_admitted)],
    last_event_id: Annotated[str | None, Header(max_length=64)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Follow lots and gates: a `snapshot` first, then `lot`, `gate` and `status` events, a comment every 15 s.

    Reconnect with Last-Event-ID, and the snapshot holds only what changed since.
    """
    async for event in wired.streams.follow(asked, last_event_id):
        wired.measures.events.inc()
        yield event


@router.get(
    "/closures", operation_id="list_open_closures", response_model_exclude_none=True, summary="Closed roads, as areas"
)
async def list_closures(wired: Wired, response: Response) -> ClosuresView:
    """List what is closed, and what will be, as every process that drives has it."""
    response.headers["Cache-Control"] = _CACHED
    now = wired.clock.now()
    items = [ClosureView.at(one, now) for one in wired.closures() if one.ends_at > now]
    return ClosuresView(items=items, total=len(items))


@router.get("/time", operation_id="get_time", response_model_exclude_none=True, summary="The city's clock")
async def get_time(wired: Wired, response: Response) -> TimeView:
    """Tell the time that Bowei runs on: real time, or a demo's."""
    response.headers["Cache-Control"] = "no-store"
    return TimeView(now=wired.clock.now(), speed=wired.speed)
