"""HTTP in, HTTP out, of agreements: what is in force, what was, and what one side proposes to the other."""

import dataclasses
import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from bowei.domain.agreement_versions import Version, VersionState
from bowei.domain.agreements import Agreement, AgreementId
from bowei.domain.problems import Refused
from bowei.observability.instants import rfc3339
from bowei.observability.problems import problem_responses
from bowei.records.agreement_book import AlreadyDecided
from services.registry import plausible
from services.registry.agreement_params import AgreementIn
from services.registry.answering import answered, refuse_faulty
from services.registry.asking import Asker, Asking, asker
from services.registry.auditing import audited
from services.registry.params import IdInPath
from services.registry.views import View, agreement_view, listed
from services.registry.wiring import Wired, Wiring

_log = logging.getLogger(__name__)

router = APIRouter(
    prefix="/v1",
    tags=["agreements"],
    dependencies=[Depends(asker), Depends(audited)],
    responses=problem_responses(400, 401, 403, 404, 409, 422, 503),
)
_Id = Annotated[IdInPath, Path(alias="agreement_id")]
_Number = Annotated[int, Path(ge=1, le=1_000_000)]


@router.get("/agreements", operation_id="list_agreements")
async def list_agreements(asking: Asking) -> View:
    """List all agreements in force."""
    directory = await asking.directory()
    return listed([agreement_view(one) for one in sorted(directory.agreements, key=lambda one: one.agreement_id)])


@router.get("/agreements/{agreement_id}", operation_id="get_agreement")
async def get_agreement(agreement_id: _Id, asking: Asking) -> View:
    """Show one agreement as it is in force."""
    agreement = (await asking.directory()).find_agreement(AgreementId(agreement_id))
    if agreement is None:
        raise Refused("unknown_agreement")
    return agreement_view(agreement)


@router.put("/agreements/{agreement_id}", operation_id="put_agreement", responses={201: {"description": "Registered"}})
async def put_agreement(agreement_id: _Id, sent: AgreementIn, wired: Wired, asking: Asking, response: Response) -> View:
    """Set what both sides agreed, as who coordinates them: a version that is accepted at once.

    It comes in force on its first day; where nothing was in force, now. Lending less than is held only stops new holds.
    """
    directory = await asking.directory()
    known = (await wired.register.directory()).find_agreement(AgreementId(agreement_id))
    await asking.check_agreement(known)
    agreement = sent.agreement(agreement_id, paused_now=known is not None and known.paused)
    refuse_faulty(plausible.of_agreement(agreement, directory.lots, directory.hospitals))
    await asking.check_agreement(agreement)
    with answered():
        if known is None or _terms(known) != _terms(agreement):
            await wired.agreements.propose(_terms(agreement), await asking.side_of(agreement), asking.party.party_id)
        await _set_pause(wired, agreement)
    response.status_code = 201 if known is None else 200
    _log.info("agreement_registered", extra={"agreement_id": agreement_id})
    return agreement_view(agreement)


@router.delete("/agreements/{agreement_id}", operation_id="remove_agreement", status_code=204)
async def remove_agreement(agreement_id: _Id, wired: Wired, asking: Asking) -> None:
    """End an agreement that was never used; one that was is paused, or given a last day."""
    await asking.check_agreement((await wired.register.directory()).find_agreement(AgreementId(agreement_id)))
    with answered():
        await wired.register.remove_agreement(AgreementId(agreement_id))
    _log.info("agreement_removed", extra={"agreement_id": agreement_id})


@router.get("/proposals", operation_id="list_proposals", summary="What waits for the other side's word")
async def list_proposals(wired: Wired, asking: Asking) -> View:
    """List the versions that were proposed to you, or by you, and are not decided."""
    pending = await wired.agreements.pending()
    return listed([_version_view(one) for one in pending if await asking.sees_agreement(one.agreement)])


@router.get("/agreements/{agreement_id}/versions", operation_id="list_versions")
async def list_versions(agreement_id: _Id, wired: Wired, asking: Asking) -> View:
    """List all versions of an agreement, oldest first: who proposed each, who decided, and when."""
    versions = await wired.agreements.versions(AgreementId(agreement_id))
    if not versions or not await asking.sees_agreement(versions[0].agreement):
        raise Refused("unknown_agreement")
    return listed([_version_view(one) for one in versions])


@router.post("/agreements/{agreement_id}/versions", operation_id="propose_version", status_code=201)
async def propose_version(agreement_id: _Id, sent: AgreementIn, wired: Wired, asking: Asking) -> View:
    """Propose an agreement, or another version of it, to the other side. Nothing changes until that accepts."""
    whole = await wired.register.directory()
    known = whole.find_agreement(AgreementId(agreement_id))
    if known is not None and not await asking.sees_agreement(known):
        raise Refused("unknown_agreement")
    agreement = _terms(sent.agreement(agreement_id, paused_now=False))
    refuse_faulty(plausible.of_agreement(agreement, whole.lots, whole.hospitals))
    side = await asking.side_of(agreement)
    with answered():
        version = await wired.agreements.propose(agreement, side, asking.party.party_id)
    _log.info("version_proposed", extra={"agreement_id": agreement_id, "number": version.number})
    return _version_view(version)


@router.post("/agreements/{agreement_id}/versions/{number}/accept", operation_id="accept_version")
async def accept_version(agreement_id: _Id, number: _Number, wired: Wired, asking: Asking) -> View:
    """Accept what the other side proposed; it comes in force on its first day."""
    return await _decide(wired, asking, agreement_id, number, VersionState.ACCEPTED)


@router.post("/agreements/{agreement_id}/versions/{number}/decline", operation_id="decline_version")
async def decline_version(agreement_id: _Id, number: _Number, wired: Wired, asking: Asking) -> View:
    """Decline what the other side proposed; it may propose something else."""
    return await _decide(wired, asking, agreement_id, number, VersionState.DECLINED)


@router.post("/agreements/{agreement_id}/versions/{number}/withdraw", operation_id="withdraw_version")
async def withdraw_version(agreement_id: _Id, number: _Number, wired: Wired, asking: Asking) -> View:
    """Withdraw what your own side proposed, while it waits."""
    return await _decide(wired, asking, agreement_id, number, VersionState.WITHDRAWN)


async def _decide(wired: Wiring, asking: Asker, agreement_id: str, number: int, decision: VersionState) -> View:
    versions = await wired.agreements.versions(AgreementId(agreement_id))
    version = next((one for one in versions if one.number == number), None)
    if version is None or not await asking.sees_agreement(version.agreement):
        raise Refused("unknown_version")
    if not version.may_decide(await asking.side_of(version.agreement), decision):
        raise Refused("other_side_decides")
    try:
        with answered():
            decided = await wired.agreements.decide(
                version.agreement.agreement_id, number, decision, asking.party.party_id
            )
    except AlreadyDecided as error:
        raise Refused("already_decided") from error
    _log.info("version_decided", extra={"agreement_id": agreement_id, "number": number, "state": decision})
    return _version_view(decided)


async def _set_pause(wired: Wiring, wanted: Agreement) -> None:
    """Pause what is in force, or let it go on: a pause is no version, and holds for whichever is in force."""
    current = (await wired.register.directory()).find_agreement(wanted.agreement_id)
    if current is not None and current.paused != wanted.paused:
        await wired.register.put_agreements([dataclasses.replace(current, paused=wanted.paused)])


def _terms(agreement: Agreement) -> Agreement:
    """Give what was agreed, whether or not it is paused."""
    return dataclasses.replace(agreement, paused=False)


def _version_view(version: Version) -> View:
    shown = agreement_view(version.agreement)
    del shown["paused"]
    view: View = {
        "number": version.number,
        "state": version.state,
        "side": version.side,
        "proposed_by": version.proposed_by,
        "proposed_at": rfc3339(version.proposed_at),
        "agreement": shown,
    }
    if version.decided_at is not None:
        view |= {"decided_by": version.decided_by, "decided_at": rfc3339(version.decided_at)}
    return view
