"""HTTP in, HTTP out, of quality: how everything stands, for programs and for people, and a person's word on it.

Acts are here and not in ingest or availability, because the registry is where people act, and is the one service with
their tokens. Looking asks for a token, as `Bearer` or, from a browser, for the admin token as the password of `Basic`;
an operator may open it to everyone (`BOWEI_QUALITY_OPEN`). Acting takes `Bearer` only, which no other page can make a
browser send.
"""

import base64
import binascii
import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from bowei.domain.lots import LotId, SourceId
from bowei.domain.problems import Refused
from bowei.observability.problems import language_of, problem_responses
from bowei.records.registering import UnknownReference
from services.registry.access import Reach
from services.registry.asking import ADMINISTRATOR, Asker, asker, is_admin_token
from services.registry.auditing import audited
from services.registry.params import STRICT, IdInPath, Words
from services.registry.quality_page import CONTENT_POLICY, STYLE, page_of
from services.registry.quality_views import View, city_view, find_lot, lot_view, source_view
from services.registry.wiring import Wired

_log = logging.getLogger(__name__)
SourceIdPath = Annotated[IdInPath, Path(alias="source_id")]
LotIdPath = Annotated[IdInPath, Path(alias="lot_id")]


class WordIn(BaseModel):
    """A person's word: who, and why."""

    model_config = STRICT
    by: Words = Field(examples=["li.wei"])
    reason: Words = Field(examples=["The loop at the north gate is broken."])


class ReleaseIn(WordIn):
    """A person's word that something is to be believed."""

    pinned: bool = Field(default=False, description="Believe it whatever the rules find, until it is released again.")


async def looker(request: Request, wired: Wired) -> Asker:
    """Let pass who may look: by a token in either way, or everyone where the operator opened it.

    Raises:
        Refused: key_missing, key_wrong, not_allowed, store_away.
    """
    if wired.quality_open:
        return Asker(ADMINISTRATOR, Reach.ALL, wired)
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return await asker(request, wired)
    try:
        _, colon, password = base64.b64decode(sent.strip(), validate=True).partition(b":")
    except binascii.Error:
        colon = password = b""
    if not colon:
        raise Refused("key_missing")
    if not is_admin_token(wired, password.decode("utf-8", "surrogateescape")):
        raise Refused("key_wrong")
    return Asker(ADMINISTRATOR, Reach.ALL, wired)


Looking = Annotated[Asker, Depends(looker)]

looking = APIRouter(
    prefix="/v1/quality",
    tags=["quality"],
    dependencies=[Depends(looker)],
    responses=problem_responses(401, 403, 404, 422, 503),
)
acting = APIRouter(
    prefix="/v1/quality",
    tags=["quality"],
    dependencies=[Depends(asker), Depends(audited)],
    responses=problem_responses(400, 401, 403, 404, 422, 503),
)
pages = APIRouter(include_in_schema=False)


@looking.get("", operation_id="get_quality", summary="How the city's data stands")
async def get_quality(wired: Wired) -> View:
    """Show coverage, ages, trust, faults and what is pending, for the city and each source."""
    return city_view(await wired.quality.city(), await wired.register.directory())


@looking.get("/sources/{source_id}", operation_id="get_source_quality", summary="How one source stands")
async def get_source_quality(source_id: SourceIdPath, wired: Wired, looking_on: Looking) -> View:
    """Show a source with its lots, links, pending lots and what changed, the newest first."""
    await looking_on.check_source(source_id)
    city = await wired.quality.city()
    if (SourceId(source_id), None) not in city.trusts:
        raise Refused("unknown_source")
    events = await wired.quality.events(source_id=SourceId(source_id))
    return source_view(city, SourceId(source_id), await wired.register.directory(), events)


@looking.get("/lots/{lot_id}", operation_id="get_lot_quality", summary="How one lot stands")
async def get_lot_quality(lot_id: LotIdPath, wired: Wired, looking_on: Looking) -> View:
    """Show a lot with all that was found of it, the evidence, and what changed, the newest first."""
    if LotId(lot_id) not in (await looking_on.directory()).lots:
        raise Refused("unknown_lot")
    city = await wired.quality.city()
    lot = find_lot(city, LotId(lot_id))
    if lot is None:
        raise Refused("unknown_lot")
    events = await wired.quality.events(lot_id=LotId(lot_id))
    return lot_view(city, lot, await wired.register.directory(), events)


@acting.post("/sources/{source_id}/suspend", operation_id="suspend_source", status_code=204)
async def suspend_source(source_id: SourceIdPath, sent: WordIn, wired: Wired) -> None:
    """Refuse all that a source says, and believe none of its lots, until a person releases it."""
    await _suspend(wired, source_id, None, sent)


@acting.post("/sources/{source_id}/release", operation_id="release_source", status_code=204)
async def release_source(source_id: SourceIdPath, sent: ReleaseIn, wired: Wired) -> None:
    """Take in what a source says and believe it, from now on; also ends its probation."""
    await _release(wired, source_id, None, sent)


@acting.post("/sources/{source_id}/lots/{lot_id}/suspend", operation_id="suspend_lot", status_code=204)
async def suspend_lot(source_id: SourceIdPath, lot_id: LotIdPath, sent: WordIn, wired: Wired) -> None:
    """Offer nothing of one lot of a source until a person releases it; what it says is still kept."""
    await _suspend(wired, source_id, LotId(lot_id), sent)


@acting.post("/sources/{source_id}/lots/{lot_id}/release", operation_id="release_lot", status_code=204)
async def release_lot(source_id: SourceIdPath, lot_id: LotIdPath, sent: ReleaseIn, wired: Wired) -> None:
    """Believe one lot of a source from now on; also ends its probation."""
    await _release(wired, source_id, LotId(lot_id), sent)


@acting.delete("/sources/{source_id}/pending", operation_id="forget_pending_lot", status_code=204)
async def forget_pending_lot(
    source_id: SourceIdPath, code: Annotated[str, Query(min_length=1, max_length=200)], wired: Wired
) -> None:
    """Take a lot off a source's pending list; it comes back when it is heard again."""
    try:
        await wired.quality.forget_stranger(SourceId(source_id), code)
    except UnknownReference as error:
        raise Refused(error.code) from error


@pages.get("/quality")
async def show_page(request: Request, wired: Wired) -> Response:
    """Show how the city's data stands, as a page for people."""
    try:
        await looker(request, wired)
    except Refused:
        # A browser asks its user for the token only if it is asked in this way.
        return Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="Bowei", charset="UTF-8"'})
    view = city_view(await wired.quality.city(), await wired.register.directory())
    language = language_of(request.headers.get("accept-language"))
    headers = {
        "Content-Language": "zh-Hans" if language == "zh" else "en",
        "Content-Security-Policy": CONTENT_POLICY,
        "Vary": "Accept-Language",
    }
    return Response(page_of(view, language), media_type="text/html; charset=utf-8", headers=headers)


@pages.get("/quality.css")
async def show_style() -> Response:
    """Give the page's style."""
    return Response(STYLE, media_type="text/css; charset=utf-8")


async def _suspend(wired: Wired, source_id: str, lot_id: LotId | None, sent: WordIn) -> None:
    try:
        await wired.quality.suspend(SourceId(source_id), lot_id, said_by=sent.by, reason=sent.reason)
    except UnknownReference as error:
        raise Refused(error.code) from error
    _log.info("suspended_by_hand", extra={"source_id": source_id, "lot_id": lot_id})


async def _release(wired: Wired, source_id: str, lot_id: LotId | None, sent: ReleaseIn) -> None:
    try:
        await wired.quality.release(
            SourceId(source_id), lot_id, said_by=sent.by, reason=sent.reason, pinned=sent.pinned
        )
    except UnknownReference as error:
        raise Refused(error.code) from error
    _log.info("released_by_hand", extra={"source_id": source_id, "lot_id": lot_id})
