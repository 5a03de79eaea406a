"""HTTP in, HTTP out: uplinks that a network server posts, one at a time (docs/feeds/lorawan.md)."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import UNSET, Struct, UnsetType

from bowei.domain.lots import SourceId
from bowei.domain.observations import Outcome
from bowei.domain.problems import Refused
from bowei.observability.problems import problem_responses
from services.ingest.lorawan.uplinks import Uplink, read_uplink
from services.ingest.wiring import Wired

router = APIRouter(prefix="/v1/lorawan", tags=["lorawan"])


class UplinkResult(Struct, frozen=True, omit_defaults=True):
    """What became of an uplink; `code` says why it was not believed."""

    result: Outcome
    device_id: str | UnsetType = UNSET
    code: str | UnsetType = UNSET


_EXAMPLE = {
    "end_device_ids": {"device_id": "tpl110-017"},
    "received_at": "2026-03-02T00:30:03.120Z",
    "uplink_message": {"f_port": 1, "f_cnt": 812, "frm_payload": "AQ=="},
}
_DESCRIBED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}},
    }
}
_PROBLEMS = {
    400: "`malformed_json`",
    401: "`key_missing`, `key_wrong`",
    404: "`unknown_source`: the feeds file has no network server for it",
    413: "`body_too_large`",
    415: "`wrong_content_type`",
    503: "`store_away`, `outcome_unknown`, `overloaded`: post the same again after Retry-After",
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Read; what became of it.",
        "content": {"application/json": {"example": {"result": "applied", "device_id": "tpl110-017"}}},
    },
    **problem_responses(said=_PROBLEMS),
}


@router.post(
    "/{source_id}",
    operation_id="report_uplink",
    summary="Report an uplink of a sensor",
    openapi_extra=_DESCRIBED,
    responses=_ANSWERS,
)
async def report_uplink(source_id: str, request: Request, wired: Wired) -> Response:
    """Report one uplink, as The Things Stack's webhooks do; what is answered was recorded first.

    The secret of the feed stands in the header that the feeds file names. A repeat changes nothing.
    """
    webhook = wired.webhooks.get(source_id)
    if webhook is None:
        raise Refused("unknown_source")
    webhook.check(request.headers.get(webhook.header))
    body = await request.body()
    with wired.admission.admitted(SourceId(source_id), len(body)):
        uplink = read_uplink(body)
        [verdict] = await webhook.sensing.take([uplink])
    result = UplinkResult(
        verdict.outcome,
        uplink.device_id if isinstance(uplink, Uplink) else UNSET,
        verdict.code or UNSET,
    )
    return Response(msgspec.json.encode(result), media_type="application/json")
