"""HTTP in, HTTP out: observations, passages and heartbeats in Bowei's own words."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TypeVar

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import UNSET

from bowei.domain.heartbeats import Heartbeat
from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import BELIEVED, Observation, Outcome, Passage, Verdict
from bowei.domain.problems import Refused
from bowei.observability.bodies import RequestLimits
from bowei.records.failures import StoreFailure
from services.ingest.measures import Way
from services.ingest.native.describing import (
    HEARTBEATS_DESCRIBED,
    OBSERVATIONS_DESCRIBED,
    PASSAGES_DESCRIBED,
    RESPONSES_DESCRIBED,
)
from services.ingest.native.direct import Endpoint
from services.ingest.native.params import (
    BatchResult,
    HeartbeatItem,
    ObservationItem,
    PassageItem,
    Unread,
    item_result,
    to_heartbeat,
    to_observation,
    to_passage,
    to_reading,
    unread,
)
from services.ingest.native.reading import BatchReader
from services.ingest.native.signing import check as check_signature
from services.ingest.native.signing import read_signed
from services.ingest.sources import Registered, Reporter
from services.ingest.wiring import Wired, Wiring

LINES = "application/x-ndjson"
"""One item of a batch in each line, instead of `{"items": […]}`."""
_BATCH = RequestLimits(content_types=("application/json", LINES), strict_json=False)
LIMITS: Mapping[str, RequestLimits] = MappingProxyType(
    {"/v1/observations": _BATCH, "/v1/passages": _BATCH, "/v1/heartbeats": _BATCH}
)
"""What one batch may cost, by its path."""

router = APIRouter(prefix="/v1", tags=["reports"])

_OBSERVATIONS = BatchReader(ObservationItem)
_PASSAGES = BatchReader(PassageItem)
_HEARTBEATS = BatchReader(HeartbeatItem)
_REJECTED, _QUARANTINED = Outcome.REJECTED, Outcome.QUARANTINED
"""All else is part of the record."""

Item = TypeVar("Item", ObservationItem, PassageItem, HeartbeatItem)
Meant = TypeVar("Meant", Observation, Passage, Heartbeat)
_UNKNOWN_LOT = "unknown_lot"

_log = logging.getLogger(__name__)


@router.post(
    "/observations",
    operation_id="report_observations",
    summary="Report the counts of lots",
    openapi_extra=OBSERVATIONS_DESCRIBED,
    responses=RESPONSES_DESCRIBED,
)
async def report_observations(request: Request, wired: Wired) -> Response:
    """Report what was counted, for 1 to 500 lots or instants at once; each item gets its own result.

    What is answered was recorded first. Repeat the whole batch after a 503 or a lost answer: repeats are harmless.
    """
    async with _reading(request, wired, _OBSERVATIONS) as (registered, reporter, read):
        meant = [_meaning(item, registered, reporter, to_observation) for item in read]
        verdicts = await wired.receiving.observations(
            [one for one in meant if not isinstance(one, Unread)], capacity_of=registered.capacity_of, way=Way.NATIVE
        )
        if len(verdicts) < len(meant):
            received_at = wired.clock.now()
            for one in meant:
                if isinstance(one, Unread):
                    wired.measures.observed(Way.NATIVE, Verdict(Outcome.REJECTED, one.code), None, received_at)
            await _keep_unknown(read, meant, reporter, wired)
        return _answer(read, meant, verdicts)


@router.post(
    "/passages",
    operation_id="report_passages",
    summary="Report cars that came in or out",
    openapi_extra=PASSAGES_DESCRIBED,
    responses=RESPONSES_DESCRIBED,
)
async def report_passages(request: Request, wired: Wired) -> Response:
    """Report 1 to 500 cars in or out; each item gets its own result, and a repeated `passage_id` changes nothing.

    A passage later than the lot's last full count moves that count by one. A plate is kept only as a keyed hash; it
    lets a driver's hold end by itself.
    """
    async with _reading(request, wired, _PASSAGES) as (registered, reporter, read):

        def mean(item: PassageItem, lot_id: LotId, source_id: SourceId) -> Passage | Unread:
            return to_passage(item, lot_id, source_id, wired.plate_keys)

        meant = [_meaning(item, registered, reporter, mean) for item in read]
        verdicts = await wired.receiving.passages(
            [one for one in meant if not isinstance(one, Unread)], moves_count=True, way=Way.NATIVE
        )
        for one in meant:
            if isinstance(one, Unread):
                wired.measures.passed(Way.NATIVE, Verdict(Outcome.REJECTED, one.code))
        await _keep_unknown(read, meant, reporter, wired)
        return _answer(read, meant, verdicts)


@router.post(
    "/heartbeats",
    operation_id="report_heartbeats",
    summary="Report that lots, or the link to them, are there",
    openapi_extra=HEARTBEATS_DESCRIBED,
    responses=RESPONSES_DESCRIBED,
)
async def report_heartbeats(request: Request, wired: Wired) -> Response:
    """Report 1 to 500 signs of life, or of its end; each item gets its own result.

    Every 30 s is usual. A link that used to send them and misses three is taken for lost.
    """
    async with _reading(request, wired, _HEARTBEATS) as (registered, reporter, read):
        now = wired.clock.now()

        def mean(item: HeartbeatItem, lot_id: LotId | None, source_id: SourceId) -> Heartbeat | Unread:
            return to_heartbeat(item, lot_id, source_id, now)

        meant = [
            mean(item, None, reporter.source.source_id)
            if isinstance(item, HeartbeatItem) and item.lot_id is UNSET
            else _meaning(item, registered, reporter, mean)
            for item in read
        ]
        heard = [one for one in meant if not isinstance(one, Unread)]
        await wired.receiving.heartbeats(heard)
        return _answer(read, meant, [BELIEVED] * len(heard))


@asynccontextmanager
async def _reading(
    request: Request, wired: Wiring, reader: BatchReader[Item]
) -> AsyncIterator[tuple[Registered, Reporter, list[Item | Unread]]]:
    """Find out who reports, and read what if there is room; the register is as young as the lots named need it."""
    registered, reporter = await _reporter(request, wired)
    wired.measures.heard(reporter.source.source_id, wired.clock.now())
    body = await request.body()
    with wired.admission.admitted(reporter.source.source_id, len(body)):
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        read = reader.read_lines(body) if media_type == LINES else reader.read(body)
        named = {item.lot_id for item in read if not isinstance(item, Unread) and isinstance(item.lot_id, str)}
        registered, reporter = await wired.sources.with_lots(registered, reporter, named)
        yield registered, reporter, read


async def _reporter(request: Request, wired: Wiring) -> tuple[Registered, Reporter]:
    """Find out who reports, by a signature or by a key, if a key alone will do."""
    authorization = request.headers.get("authorization")
    signed = read_signed(authorization)
    if signed is None:
        if wired.signed_only:
            raise Refused("signature_missing")
        return await wired.sources.reporter_of(authorization)
    body, method, path = await request.body(), request.method, str(request.scope["path"])

    def check(key_sha256: bytes | None) -> None:
        check_signature(signed, key_sha256, method, path, body, wired.clock.now())

    return await wired.sources.signer(signed.source_id, check)


def _meaning(
    item: Item | Unread,
    registered: Registered,
    reporter: Reporter,
    mean: Callable[[Item, LotId, SourceId], Meant | Unread],
) -> Meant | Unread:
    if isinstance(item, Unread):
        return item
    lot_id = registered.find_lot(reporter, str(item.lot_id))
    if lot_id is None:
        return unread(registered.why_not(str(item.lot_id)), "lot_id", item)
    return mean(item, lot_id, reporter.source.source_id)


async def _keep_unknown(
    read: Sequence[Item | Unread], meant: Sequence[Meant | Unread], reporter: Reporter, wired: Wiring
) -> None:
    """Keep what is about lots that nobody registered yet: the sender is told so, and need not send it again later."""
    unknown = [
        reading
        for item, one in zip(read, meant, strict=True)
        if isinstance(one, Unread)
        and one.code == _UNKNOWN_LOT
        and isinstance(item, ObservationItem | PassageItem)
        and (reading := to_reading(item)) is not None
    ]
    if not unknown:
        return
    source_id, now = reporter.source.source_id, wired.clock.now()
    for reading in unknown:
        wired.notes.stranger(source_id, reading.lot_code)
    try:
        await wired.letters.keep_readings(source_id, Way.NATIVE, unknown, received_at=now)
    except StoreFailure as failure:
        # The items are answered as rejected, so nothing that was acknowledged is lost.
        wired.measures.history.letters_dropped("away", len(unknown))
        _log.warning("letters_not_kept", extra={"cause": type(failure).__name__})


def _answer(read: Sequence[Item | Unread], meant: Sequence[Meant | Unread], verdicts: Sequence[Verdict]) -> Response:
    following = iter(verdicts)
    results = [
        one.to_result() if isinstance(one, Unread) else item_result(item, next(following))
        for item, one in zip(read, meant, strict=True)
    ]
    accepted = sum(result.result is not _REJECTED and result.result is not _QUARANTINED for result in results)
    return Response(msgspec.json.encode(BatchResult(accepted, results)), media_type="application/json")


DIRECT: Mapping[str, Endpoint] = MappingProxyType({"/v1/observations": report_observations})
"""Where thousands a second come in."""
