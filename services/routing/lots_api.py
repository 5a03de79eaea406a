"""HTTP in, HTTP out: lots' systems, by the key of their source. Commands to barriers, their answers, and codes."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response

from bowei.domain.lots import LotId
from bowei.observability.problems import problem_responses
from services.routing.knowing import lot_named
from services.routing.lots_bodies import (
    ArrivalIn,
    ArrivalOut,
    BarrierAnswerIn,
    BarrierAnswerOut,
    CommandOut,
    CommandsOut,
)
from services.routing.wiring import Wired

router = APIRouter(prefix="/v1", responses=problem_responses(401, 403, 404, 429, 503))

LONGEST_POLL_S = 30

_Name = Annotated[str, Path(alias="lot_id", max_length=64, description="The lot's id, or your own code of it.")]
_Key = Annotated[str | None, Header(alias="Authorization")]


async def _own_lot(name: _Name, wired: Wired, authorization: _Key = None) -> LotId:
    """Give the lot that the sender's key opens. Raises Refused: key_missing, key_wrong, not_allowed, not_your_lot."""
    return await wired.keys.lot_of(authorization, name)


OwnLot = Annotated[LotId, Depends(_own_lot)]


def _place(lot_id: OwnLot, wired: Wired) -> Iterator[None]:
    with wired.polls.one_for(lot_id):
        yield


@router.get(
    "/lots/{lot_id}/barrier",
    operation_id="poll_barrier",
    summary="What is my barrier to do? (long poll)",
    response_model_exclude_none=True,
    dependencies=[Depends(_place)],
)
async def poll_barrier(
    lot_id: OwnLot,
    wired: Wired,
    response: Response,
    after: Annotated[int, Query(ge=0, description="The last `cursor`; absent: all that was not answered.")] = 0,
    wait_s: Annotated[int, Query(ge=0, le=LONGEST_POLL_S)] = 0,
) -> CommandsOut:
    """Give the commands that were not answered, oldest first; with `wait_s`, wait for the first.

    Each is given at least once: obey one that you know again, and answer each. After a restart ask without `after`.
    """
    response.headers["Cache-Control"] = "no-store"
    told = await wired.barriers.commands(lot_id, after, wait_s)
    return CommandsOut(
        lot_id=lot_id,
        commands=[CommandOut.of(command) for command in told],
        cursor=told[-1].command_id if told else after,
    )


@router.post(
    "/lots/{lot_id}/barrier/{command_id}",
    operation_id="answer_barrier",
    summary="My barrier accepts or rejects a command",
)
async def answer_barrier(
    lot_id: OwnLot,
    command_id: Annotated[int, Path(ge=1, lt=2**63)],
    body: BarrierAnswerIn,
    wired: Wired,
) -> BarrierAnswerOut:
    """Keep the answer, the last one given. A car that is rejected is sent to the next lot at once."""
    kind = await wired.barriers.answer(lot_id, command_id, accepted=body.accepted, reason=body.reason)
    return BarrierAnswerOut(id=command_id, kind=kind, accepted=body.accepted)


@router.post(
    "/arrivals",
    operation_id="arrive_by_code",
    summary="A driver showed a code at my lot",
)
async def arrive_by_code(body: ArrivalIn, wired: Wired, authorization: _Key = None) -> ArrivalOut:
    """Let the car arrive whose code was shown. Repeat after a time-out: the answer is the same."""
    source = await wired.keys.source_of(authorization)
    lot_id = lot_named(source, body.lot_id)
    decision = await wired.barriers.arrive(source.source_id, lot_id, body.code)
    return ArrivalOut.of(lot_id, decision)
