"""HTTP in, HTTP out, of the audit: who did what, for those who may see it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from bowei.domain.acts import Entry
from bowei.observability.instants import rfc3339
from bowei.observability.problems import problem_responses
from bowei.records.audit import MOST_AT_ONCE
from services.registry.asking import asker
from services.registry.views import View
from services.registry.wiring import Wired

router = APIRouter(
    prefix="/v1", tags=["audit"], dependencies=[Depends(asker)], responses=problem_responses(401, 403, 422, 503)
)


@router.get("/audit", operation_id="list_acts", summary="Who did what, oldest first")
async def list_acts(
    wired: Wired,
    after: Annotated[int, Query(ge=0, description="The last `serial` that you have; 0: from the beginning.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 100,
) -> View:
    """List acts. `head` is the newest entry of all: where its hash is kept elsewhere, a change before it shows."""
    entries = await wired.audit.entries(after, limit)
    newest = await wired.audit.newest()
    said: View = {"items": [_shown(entry) for entry in entries]}
    if newest is not None:
        said["head"] = {"serial": newest.serial, "hash": newest.hash.hex()}
    return said


def _shown(entry: Entry) -> View:
    act = entry.act
    shown: View = {
        "serial": entry.serial,
        "at": rfc3339(entry.at),
        "actor": act.actor,
        "act": act.act,
        "subject": act.subject,
        "outcome": act.outcome,
        "request_id": act.request_id,
        "hash": entry.hash.hex(),
    }
    if act.body_sha256 is not None:
        shown["body_sha256"] = act.body_sha256.hex()
    return shown
