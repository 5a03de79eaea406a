"""HTTP in, HTTP out: a DATEX II status publication that a publisher sends to us."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import UNSET

from bowei.domain.observations import Outcome, Verdict
from bowei.domain.problems import Refused
from bowei.observability.bodies import RequestLimits
from bowei.observability.problems import problem_responses
from services.ingest.datex2.reading import read_status
from services.ingest.measures import Way
from services.ingest.native.params import BatchResult, ItemResult
from services.ingest.readings import Unmeant
from services.ingest.wiring import Wired

router = APIRouter(prefix="/v1", tags=["reports"])

_RECORDS_AT_ONCE = 500
_XML = ("application/xml", "text/xml")
LIMITS: Mapping[str, RequestLimits] = MappingProxyType(
    {"/v1/datex2/": RequestLimits(body_bytes=2 * 1024 * 1024, content_types=_XML, strict_json=False)}
)
"""What one publication may cost."""

_ACCEPTED = frozenset({Outcome.APPLIED, Outcome.STALE, Outcome.DUPLICATE})
_EXAMPLE = """<d2:payload xmlns:d2="http://datex2.eu/schema/3/d2Payload" xmlns:com="http://datex2.eu/schema/3/common"
    xmlns:prk="http://datex2.eu/schema/3/parking" xmlns:fac="http://datex2.eu/schema/3/facilities"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:type="prk:ParkingStatusPublication" lang="en" modelBaseVersion="3">
  <com:publicationTime>2026-03-02T00:30:05Z</com:publicationTime>
  <com:publicationCreator>
    <com:country>cn</com:country><com:nationalIdentifier>hangzhou</com:nationalIdentifier>
  </com:publicationCreator>
  <prk:parkingStatusInformation xsi:type="prk:PlaceStatus">
    <fac:reference targetClass="fac:FacilityObject" id="mall-a" version="1"/>
    <fac:lastUpdated>2026-03-02T00:30:03Z</fac:lastUpdated>
    <fac:openingStatus>open</fac:openingStatus>
    <prk:occupancy>
      <prk:numberOfSpacesOverride>300</prk:numberOfSpacesOverride>
      <prk:numberOfVacantSpaces>118</prk:numberOfVacantSpaces>
    </prk:occupancy>
    <prk:status>spacesAvailable</prk:status>
  </prk:parkingStatusInformation>
</d2:payload>
"""
_DESCRIBED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/xml": {"schema": {"type": "string"}, "example": _EXAMPLE}},
    },
    "security": [{"source_key": []}],
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Read; each record's result, in the order sent.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/BatchResult"}}},
    },
    **problem_responses(
        said={
            400: "`malformed_xml`",
            401: "`key_missing`, `key_wrong`",
            403: "`not_allowed`: this key is of another source, or the source is suspended",
            413: "`body_too_large`: more than 2 MiB; `too_many_items`: more than 20,000 records",
            415: "`wrong_content_type`: neither application/xml nor text/xml",
            422: "`not_a_status`",
            503: "`store_away`, `outcome_unknown`, `overloaded`: repeat the same publication after Retry-After",
        }
    ),
}


@router.post(
    "/datex2/{source_id}",
    operation_id="report_datex2_status",
    summary="Report the status of lots as DATEX II",
    openapi_extra=_DESCRIBED,
    responses=_RESPONSES,
)
async def report_datex2_status(source_id: str, request: Request, wired: Wired) -> Response:
    """Report a DATEX II v2 or v3 parking status publication; each record about a lot gets its own result.

    What is answered was recorded first. Repeat the whole publication after a 503 or a lost answer: that is harmless.
    """
    _, reporter = await wired.sources.reporter_of(request.headers.get("authorization"))
    if reporter.source.source_id != source_id:
        raise Refused("not_allowed")
    body = await request.body()
    verdicts: list[Verdict] = []
    with wired.admission.admitted(reporter.source.source_id, len(body)):
        readings = read_status(body)
        for start in range(0, len(readings), _RECORDS_AT_ONCE):
            batch = readings[start : start + _RECORDS_AT_ONCE]
            verdicts += await wired.intake.take(reporter.source.source_id, batch, way=Way.DATEX2)
    results = [
        ItemResult(
            result=verdict.outcome,
            lot_id=reading.lot_code or UNSET,
            code=verdict.code or UNSET,
            field=(reading.at_field if isinstance(reading, Unmeant) else None) or UNSET,
        )
        for reading, verdict in zip(readings, verdicts, strict=True)
    ]
    accepted = sum(result.result in _ACCEPTED for result in results)
    return Response(msgspec.json.encode(BatchResult(accepted, results)), media_type="application/json")
