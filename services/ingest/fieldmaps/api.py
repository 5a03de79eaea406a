"""HTTP in, HTTP out: a push of whatever shape its field map reads, answered as its sender wants to hear.

An address is there only where the feeds file describes it: /v1/feeds/ and the source's id, or a path that the sender
can't change.
"""

from collections.abc import Mapping, Sequence

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from bowei.domain.observations import Outcome, Verdict
from bowei.domain.problems import Refused
from bowei.observability.bodies import RequestLimits
from bowei.observability.problems import PROBLEM_KEY, problem_responses
from bowei.records.failures import PROBLEM_CODES, StoreFailure
from services.ingest.fieldmaps.pushing import Push, Pushes, Taken
from services.ingest.fieldmaps.replying import AnswerIn
from services.ingest.fieldmaps.signing import places_of
from services.ingest.native.params import BatchResult, ItemResult
from services.ingest.readings import CarReading, Reading, Unmeant
from services.ingest.wiring import Wired, Wiring

USUAL = "/v1/feeds/"
BODY_BYTES_MAX = 1024 * 1024
_LIMITS = RequestLimits(
    body_bytes=BODY_BYTES_MAX,
    content_types=(
        "application/json",
        "application/x-www-form-urlencoded",
        "text/csv",
        "text/plain",
        "application/octet-stream",
        "",
    ),
    strict_json=False,
)
_ACCEPTED = frozenset({Outcome.APPLIED, Outcome.STALE, Outcome.DUPLICATE})
_DESCRIBED = problem_responses(
    said={
        400: "`malformed_body`",
        401: "`key_missing`, `key_wrong`, `signature_wrong`, `signature_old`",
        403: "`not_allowed`: the source is suspended",
        404: "`not_found`: the feeds file describes no push of this source",
        409: "`replayed`",
        413: "`body_too_large`: more than 1 MiB; `too_many_items`: more than 5,000",
        429: "`too_many_requests`",
        503: "`store_away`, `outcome_unknown`, `overloaded`: send it again after Retry-After",
    }
)
_ANYTHING = {"requestBody": {"required": True, "content": {"*/*": {"schema": {}}}}}


def limits_of(pushes: Pushes) -> Mapping[str, RequestLimits]:
    """Give what one push may cost, by the start of its path."""
    return dict.fromkeys((USUAL, *pushes.by_address), _LIMITS) if pushes.by_address else {}


def router_of(pushes: Pushes) -> APIRouter:
    """Give the addresses of pushes."""
    router = APIRouter(tags=["feeds"])

    @router.post(
        f"{USUAL}{{source_id}}",
        operation_id="push_feed",
        summary="Push in your own shape",
        openapi_extra=_ANYTHING,
        responses=_DESCRIBED,
    )
    async def push_feed(source_id: str, request: Request, wired: Wired) -> Response:
        """Push what the source's field map reads; the answer is as the map says, or a result for each item."""
        return await _answer(pushes, f"{USUAL}{source_id}", request, wired)

    async def push_elsewhere(request: Request, wired: Wired) -> Response:
        return await _answer(pushes, request.url.path, request, wired)

    for address in pushes.by_address:
        if not address.startswith(USUAL):
            router.add_api_route(address, push_elsewhere, methods=["POST"], include_in_schema=False)
    return router


async def _answer(pushes: Pushes, address: str, request: Request, wired: Wiring) -> Response:
    push = pushes.by_address.get(address)
    if push is None:
        raise Refused("not_found")
    reply = push.field_map.said.reply
    body = await request.body()
    try:
        taken = await push.take(body, request.headers, wired)
    except Refused as refused:
        wired.measures.push_refused(refused.code)
        if reply is None:
            raise
        return _reply(reply.refused, refused.code, body, push, request)
    except StoreFailure as failure:
        if reply is None or reply.try_again is None:
            raise
        return _reply(reply.try_again, PROBLEM_CODES[type(failure)], body, push, request)
    if reply is None:
        return _results(taken)
    code = _why_refused(taken.verdicts)
    return _reply(reply.accepted if code is None else reply.refused, code or "ok", body, push, request)


def _why_refused(verdicts: Sequence[Verdict]) -> str | None:
    """Say why a push was in vain; None: something of it was taken, or it said nothing."""
    if not verdicts or any(verdict.outcome is not Outcome.REJECTED for verdict in verdicts):
        return None
    return verdicts[0].code


def _reply(answer: AnswerIn, code: str, body: bytes, push: Push, request: Request) -> Response:
    if code != "ok":
        request.scope[PROBLEM_KEY] = code
    try:
        members = places_of(body, {}, form=push.field_map.said.document.format == "form")
    except Refused:
        members = {}
    return JSONResponse(answer.render(code, members), answer.status)


def _results(taken: Taken) -> Response:
    results = [_result(*pair) for pair in zip(taken.readings, taken.verdicts, strict=True)]
    accepted = sum(result.result in _ACCEPTED for result in results)
    return Response(msgspec.json.encode(BatchResult(accepted, results)), media_type="application/json")


def _result(reading: Reading, verdict: Verdict) -> ItemResult:
    at_field = reading.at_field if isinstance(reading, Unmeant) else None
    return ItemResult(
        result=verdict.outcome,
        lot_id=reading.lot_code or msgspec.UNSET,
        passage_id=reading.passage_id if isinstance(reading, CarReading) else msgspec.UNSET,
        code=verdict.code or msgspec.UNSET,
        field=at_field or msgspec.UNSET,
    )
