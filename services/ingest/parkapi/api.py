"""HTTP in, HTTP out: the address of ParkAPI's generic push, with HTTP Basic: a native source's id, and its key."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from bowei.domain.field_kinds import FIELD_KINDS
from bowei.domain.observations import Outcome, Verdict
from bowei.domain.problems import KINDS, FieldError, Refused
from bowei.observability.bodies import RequestLimits
from bowei.observability.problems import problem_responses
from services.ingest.fieldmaps.documents import ITEMS_MOST
from services.ingest.measures import Way
from services.ingest.parkapi.reading import Item, read_item
from services.ingest.readings import CountReading, Unmeant
from services.ingest.sources import basic_pair
from services.ingest.wiring import Wired, Wiring

_ITEMS_AT_ONCE = 500
_ANY_TABLE = (
    "text/csv",
    "application/xml",
    "text/xml",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/octet-stream",
    "application/json",
    "",
)
LIMITS: Mapping[str, RequestLimits] = MappingProxyType(
    {
        "/api/admin/v1/generic/": RequestLimits(body_bytes=1024 * 1024, content_types=_ANY_TABLE, strict_json=False),
        "/api/admin/v1/generic/json": RequestLimits(body_bytes=1024 * 1024),
    }
)
"""What one push may cost, by the start of its path."""

_NOT_COUNTED = frozenset({Outcome.REJECTED, Outcome.QUARANTINED})
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["items"],
                    "properties": {"items": {"type": "array", "items": {"type": "object"}, "maxItems": ITEMS_MOST}},
                },
                "example": {
                    "items": [
                        {
                            "uid": "mall-a",
                            "realtime_data_updated_at": "2026-03-02T00:30:03Z",
                            "realtime_opening_status": "OPEN",
                            "realtime_capacity": 300,
                            "realtime_free_capacity": 118,
                        }
                    ]
                },
            }
        },
    }
}
_PROBLEMS = problem_responses(
    said={
        400: "`malformed_json`",
        401: "`key_missing`, `key_wrong`: HTTP Basic, the source's id and its key",
        403: "`not_allowed`: the source is suspended",
        413: "`body_too_large`: more than 1 MiB; `too_many_items`: more than 5,000",
        415: "`wrong_content_type`; `use_json`",
        422: "`invalid_request`: there is no list `items`",
        503: "`store_away`, `outcome_unknown`, `overloaded`: push it again after Retry-After",
    }
)

router = APIRouter(prefix="/api/admin/v1/generic", tags=["ParkAPI"])


@router.post("/json", operation_id="push_parkapi", openapi_extra=_BODY, responses=_PROBLEMS)
async def push_parkapi(request: Request, wired: Wired) -> JSONResponse:
    """Push sites and spots as ParkAPI's tools do. What they are is counted and not kept; what is free now is taken."""
    try:
        answer = await _take(request, wired)
    except Refused as refused:
        wired.measures.push_refused(refused.code)
        raise
    return JSONResponse(answer)


@router.post("/{form}", operation_id="push_parkapi_otherwise", responses=_PROBLEMS, include_in_schema=False)
async def push_parkapi_otherwise(form: str) -> JSONResponse:
    """Refuse the forms of a push that are not taken."""
    raise Refused("use_json" if form in {"csv", "xml", "xlsx"} else "not_found")


async def _take(request: Request, wired: Wiring) -> dict[str, object]:
    user, password = basic_pair(request.headers.get("authorization"))
    _, reporter = await wired.sources.reporter_of(f"Bearer {password}")
    source_id = reporter.source.source_id
    if source_id != user:
        raise Refused("key_wrong")
    body = await request.body()
    verdicts: list[Verdict] = []
    with wired.admission.admitted(source_id, len(body)):
        items = [read_item(one) for one in _items_in(body)]
        now = [item.realtime for item in items if item.realtime is not None]
        for start in range(0, len(now), _ITEMS_AT_ONCE):
            verdicts += await wired.intake.take(source_id, now[start : start + _ITEMS_AT_ONCE], way=Way.PARKAPI)
    return _answer(items, verdicts, source_id)


def _items_in(body: bytes) -> Sequence[object]:
    """Give the items; the body was found to be strict JSON at the border."""
    document = json.loads(body) if body else None
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise Refused(
            "invalid_request", errors=(FieldError("items", "missing_field" if items is None else "wrong_type"),)
        )
    if len(items) > ITEMS_MOST:
        raise Refused("too_many_items")
    return items


def _answer(items: Sequence[Item], verdicts: Sequence[Verdict], source_id: str) -> dict[str, object]:
    following = iter(verdicts)
    counts = {is_spot: Counter({"static": 0, "realtime": 0, "error": 0}) for is_spot in (False, True)}
    errors: dict[bool, list[dict[str, object]]] = {False: [], True: []}
    for item in items:
        counted = counts[item.is_spot]
        counted["static"] += item.has_static and not isinstance(item.realtime, Unmeant)
        if item.realtime is None:
            continue
        verdict = next(following)
        if verdict.outcome not in _NOT_COUNTED:
            counted["realtime"] += 1
            continue
        counted["error"] += 1
        name = "parking_spot_uid" if item.is_spot else "parking_site_uid"
        errors[item.is_spot].append(
            {"message": _message(item.realtime, verdict), name: item.realtime.lot_code, "source_uid": source_id}
        )
    return {
        name: {
            "summary": {f"{what}{_ENDINGS[what]}": count for what, count in counts[is_spot].items()},
            "errors": errors[is_spot],
        }
        for name, is_spot in (("parking_sites", False), ("parking_spots", True))
    }


_ENDINGS = {"static": "_success_count", "realtime": "_success_count", "error": "_count"}


def _message(reading: CountReading | Unmeant, verdict: Verdict) -> str:
    """Say what was wrong: the stable code, the field, and what to do."""
    code = verdict.code or "internal"
    field = f" ({reading.at_field})" if isinstance(reading, Unmeant) and reading.at_field else ""
    kind = FIELD_KINDS.get(code) or KINDS.get(code)
    return f"{code}{field}: {'' if kind is None else kind.en}"
