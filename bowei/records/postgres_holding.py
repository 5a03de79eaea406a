"""The ledger in Postgres: batches of requests, one call of `bowei.place` each, one commit (migrations/0002)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import asyncpg
import msgspec
from typing_extensions import override

from bowei.domain.agreements import AgreementId
from bowei.domain.holds import HoldState
from bowei.domain.lots import DriverId, LotId, SpaceClass
from bowei.domain.offering import LotPromise, PoolPromise
from bowei.records.connecting import Borrow, acquired, kept, translated
from bowei.records.failures import StoreAway
from bowei.records.group_commit import Commit, GroupCommit
from bowei.records.hold_rows import hold_of
from bowei.records.holding import (
    Candidate,
    Decision,
    HoldBook,
    HoldSteps,
    Json,
    LiveHold,
    Outcome,
    PlaceRequest,
    PromiseChanges,
    StepsCursor,
    Swept,
)

_Answer = TypeVar("_Answer")
_MOST_SWEPT_LOTS = 500
_MOST_STEPS = 5_000
_READ_AT_ONCE = 500
_PATIENCE_S = 3.0
_COMMIT_TIMEOUT_S = 4.0

# Where standbys are waited for, the hold may be one whose own wait was cancelled: this server alone has it, and a
# promotion would forget it. The message is a write, so the answer waits until the standby has all that came before.
_AS_IT_STANDS = """
    SELECT h, CASE WHEN h.state = 'held' AND h.expires_at <= bowei.now() THEN 'expired' ELSE h.state END AS state_now,
        CASE WHEN current_setting('synchronous_standby_names') <> ''
             THEN pg_logical_emit_message(true, 'bowei', 'read') END AS after
    FROM bowei.hold h WHERE h.diversion_id = $1 AND ($2::text IS NULL OR h.driver_id = $2)
    ORDER BY h.ordinal DESC LIMIT 1
"""

_LIVE = """
    SELECT h.diversion_id, h.ordinal, h.driver_id, h.lot_id, h.state FROM bowei.hold h
    WHERE h.lot_id = ANY ($1) AND {so}
    ORDER BY h.placed_at DESC, h.diversion_id
"""
_LIVE_ON = _LIVE.format(so="h.state IN ('held', 'arrived') AND (h.state = 'arrived' OR h.expires_at > bowei.now())")
_BARRED_ON = _LIVE.format(so="h.state = 'held' AND h.expires_at > bowei.now() AND h.barred")

_HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_STEPS = """
    SELECT s.serial, s.diversion_id, h.lot_id FROM bowei.hold_step s JOIN bowei.hold h USING (diversion_id, ordinal)
    WHERE s.changed_in >= $1::bigint::text::xid8 LIMIT $2
"""


class PostgresHoldBook(HoldBook):
    """The ledger. Placing is batched by group commit; the other calls are one statement and one commit each."""

    def __init__(self, pool: asyncpg.Pool, *, writers: int = 1, queue_limit: int = 2_000) -> None:
        self._pool = pool
        self._placing: GroupCommit[PlaceRequest, Decision] = GroupCommit(
            self._writing,
            keys=lambda request: (f"id:{request.diversion_id}", f"driver:{request.driver_id}"),
            writers=writers,
            queue_limit=queue_limit,
            patience_s=_PATIENCE_S,
        )

    async def close(self) -> None:
        """Let commits in flight finish."""
        await self._placing.close()

    @property
    def waiting(self) -> int:
        """How many placements wait for a commit."""
        return self._placing.waiting

    @override
    async def place(self, request: PlaceRequest) -> Decision:
        return await self._placing.submit(request)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Commit[PlaceRequest, Decision]]:
        async with kept(self._pool) as borrow:
            yield partial(self._place_batch, borrow)

    async def _place_batch(self, borrow: Borrow, batch: Sequence[PlaceRequest]) -> Sequence[Decision | Exception]:
        try:
            return await _outliving_a_deadlock(lambda: self._place_once(borrow, batch))
        except StoreAway as error:
            if not isinstance(error.__cause__, asyncpg.exceptions.LockNotAvailableError):
                raise
            # One lot that somebody keeps locked must not fail the others.
            return await self._place_together(borrow, batch, passes_by=True)

    async def _place_once(self, borrow: Borrow, batch: Sequence[PlaceRequest]) -> Sequence[Decision | Exception]:
        if len(batch) == 1:
            return [await self._place_alone(borrow, batch[0])]
        return await self._place_together(borrow, batch)

    async def _place_alone(self, borrow: Borrow, request: PlaceRequest) -> Decision:
        rows = await self._fetch(
            "SELECT * FROM bowei.place_one($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10, $11)",
            request.diversion_id,
            request.driver_id,
            request.request_hash,
            request.hospital_id,
            request.plate_hash,
            msgspec.json.encode(request.answer).decode(),
            *_as_arrays(request.candidates),
            borrow=borrow,
        )
        return _decision(rows[0])

    async def _place_together(
        self, borrow: Borrow, batch: Sequence[PlaceRequest], *, passes_by: bool = False
    ) -> Sequence[Decision | Exception]:
        options: dict[tuple[AgreementId, SpaceClass], int] = {}
        requests: list[int] = []
        chosen: list[int] = []
        lifetimes: list[float] = []
        margins: list[int] = []
        stays: list[float | None] = []
        for number, request in enumerate(batch, start=1):
            for candidate in request.candidates:
                option = (candidate.agreement_id, candidate.space_class)
                requests.append(number)
                chosen.append(options.setdefault(option, len(options) + 1))
                lifetimes.append(candidate.lifetime.total_seconds())
                margins.append(candidate.margin)
                stays.append(_gone_after_s(candidate))
        rows = await self._fetch(
            "SELECT * FROM bowei.place($1, $2, $3, $4, $5, $6::jsonb[], $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            [request.diversion_id for request in batch],
            [request.driver_id for request in batch],
            [request.request_hash for request in batch],
            [request.hospital_id for request in batch],
            [request.plate_hash for request in batch],
            [msgspec.json.encode(request.answer).decode() for request in batch],
            [None] * len(batch),
            [agreement_id for agreement_id, _ in options],
            [str(space_class) for _, space_class in options],
            requests,
            chosen,
            lifetimes,
            passes_by,
            margins,
            stays,
            borrow=borrow,
        )
        return [StoreAway("the lot is locked") if row["outcome"] == "lot_locked" else _decision(row) for row in rows]

    @override
    async def find(self, diversion_id: str, driver_id: DriverId | None) -> Decision:
        rows = await self._fetch(_AS_IT_STANDS, diversion_id, driver_id)
        if rows:
            hold, answer = hold_of(rows[0]["h"], state=rows[0]["state_now"])
            return Decision(Outcome.REPEATED, hold, answer)
        given_up = await self._fetch(
            "SELECT FROM bowei.given_up WHERE diversion_id = $1 AND ($2::text IS NULL OR driver_id = $2)",
            diversion_id,
            driver_id,
        )
        return Decision(Outcome.GIVEN_UP if given_up else Outcome.UNKNOWN_DIVERSION)

    @override
    async def release(self, diversion_id: str, driver_id: DriverId) -> Decision:
        return await self._decide("SELECT * FROM bowei.release($1, $2)", diversion_id, driver_id)

    @override
    async def extend(self, diversion_id: str, driver_id: DriverId, longer: timedelta) -> Decision:
        return await self._decide("SELECT * FROM bowei.extend($1, $2, $3)", diversion_id, driver_id, longer)

    @override
    async def arrive(self, diversion_id: str, driver_id: DriverId, of_ordinal: int | None = None) -> Decision:
        return await self._decide("SELECT * FROM bowei.arrive($1, $2, NULL, $3)", diversion_id, driver_id, of_ordinal)

    @override
    async def leave(self, diversion_id: str, driver_id: DriverId) -> Decision:
        return await self._decide("SELECT * FROM bowei.leave($1, $2, 'driver')", diversion_id, driver_id)

    @override
    async def replace(
        self,
        diversion_id: str,
        driver_id: DriverId,
        ordinal: int,
        *,
        ends_as: HoldState,
        reason: str,
        candidates: Sequence[Candidate],
        answer: Json,
    ) -> Decision:
        return await self._decide(
            "SELECT * FROM bowei.replace($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10, $11)",
            diversion_id,
            driver_id,
            ordinal,
            str(ends_as),
            reason,
            msgspec.json.encode(answer).decode(),
            *_as_arrays(candidates),
        )

    @override
    async def move(
        self,
        diversion_id: str,
        driver_id: DriverId,
        ordinal: int,
        *,
        reason: str,
        candidates: Sequence[Candidate],
        answer: Json,
    ) -> Decision:
        return await self._decide(
            "SELECT * FROM bowei.move($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, $10)",
            diversion_id,
            driver_id,
            ordinal,
            reason,
            msgspec.json.encode(answer).decode(),
            *_as_arrays(candidates),
        )

    @override
    async def arrive_by_code(self, lot_id: LotId, code: str) -> Decision:
        return await self._decide("SELECT * FROM bowei.arrive_by_code($1, $2)", lot_id, code)

    @override
    async def live_on(self, lot_ids: Collection[LotId]) -> Sequence[LiveHold]:
        return [_live_hold(row) for row in await self._fetch(_LIVE_ON, list(lot_ids))]

    @override
    async def barred_on(self, lot_ids: Collection[LotId]) -> Sequence[LiveHold]:
        return [_live_hold(row) for row in await self._fetch(_BARRED_ON, list(lot_ids))]

    @override
    async def steps(self, cursor: StepsCursor | None) -> HoldSteps:
        since = cursor.since if cursor else None
        async with acquired(self._pool) as connection:
            with translated():
                # As with promises, the horizon is read before the rows.
                horizon = await connection.fetchval(_HORIZON, timeout=_COMMIT_TIMEOUT_S)
                rows = (
                    await connection.fetch(_STEPS, since, _MOST_STEPS + 1, timeout=_COMMIT_TIMEOUT_S) if since else []
                )
        if len(rows) > _MOST_STEPS:
            return HoldSteps([], StepsCursor(int(horizon)), left_out=True)
        # While any transaction is open all that came after its begin is read again each time.
        told = cursor.told if cursor else frozenset()
        taken = [(row["diversion_id"], LotId(row["lot_id"])) for row in rows if row["serial"] not in told]
        return HoldSteps(
            list(dict.fromkeys(taken)), StepsCursor(int(horizon), frozenset(row["serial"] for row in rows))
        )

    @override
    async def sweep(self) -> Swept:
        rows = await self._fetch("SELECT * FROM bowei.sweep($1)", _MOST_SWEPT_LOTS)
        return Swept(**dict(rows[0])) if rows else Swept()

    @override
    async def promised(self, cursor: int | None) -> PromiseChanges:
        async with acquired(self._pool) as connection:
            with translated():
                # The horizon is read before the rows: what commits in between is read twice rather than never.
                horizon = await connection.fetchval(_HORIZON, timeout=_COMMIT_TIMEOUT_S)
                rows = await connection.fetch(
                    "SELECT * FROM bowei.promised_since($1::bigint::text::xid8)", cursor, timeout=_COMMIT_TIMEOUT_S
                )
        return PromiseChanges(await _promises(rows), int(horizon))

    @override
    async def ever_promised(self) -> Mapping[LotId, LotPromise]:
        # The first version is that of a lot on which nothing happened yet.
        return await _promises(await self._fetch("SELECT * FROM bowei.promised_since(NULL) WHERE version > 1"))

    @override
    async def broken_promises(self) -> Sequence[tuple[str, str]]:
        rows = await self._fetch("SELECT kind, subject FROM bowei.broken_promise LIMIT 1000")
        return [(row["kind"], row["subject"]) for row in rows]

    @override
    async def server_identity(self) -> str:
        rows = await self._fetch(
            # The timeline is in the name of the log's file at once; in the last checkpoint minutes after a promotion.
            "SELECT s.system_identifier::text || '.' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '.' || d.oid"
            " AS identity FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()"
        )
        return str(rows[0]["identity"])

    @override
    async def now(self) -> datetime:
        rows = await self._fetch("SELECT bowei.now() AS now")
        now: datetime = rows[0]["now"]
        return now

    async def _decide(self, statement: str, *arguments: object) -> Decision:
        rows = await _outliving_a_deadlock(lambda: self._fetch(statement, *arguments))
        return _decision(rows[0])

    async def _fetch(self, statement: str, *arguments: object, borrow: Borrow | None = None) -> list[asyncpg.Record]:
        async with borrow() if borrow else acquired(self._pool) as connection:
            with translated():
                return await connection.fetch(statement, *arguments, timeout=_COMMIT_TIMEOUT_S)


async def _promises(rows: Sequence[asyncpg.Record]) -> dict[LotId, LotPromise]:
    promises: dict[LotId, LotPromise] = {}
    for first in range(0, len(rows), _READ_AT_ONCE):
        promises |= {LotId(row["lot_id"]): _promise(row) for row in rows[first : first + _READ_AT_ONCE]}
        await asyncio.sleep(0)  # let drivers be answered between: all of a large city take a third of a second
    return promises


def _as_arrays(
    candidates: Sequence[Candidate],
) -> tuple[list[AgreementId], list[str], list[float], list[int], list[float | None]]:
    """Give candidates as the ledger's functions take them: agreements, classes, lifetimes, margins, stays."""
    return (
        [candidate.agreement_id for candidate in candidates],
        [str(candidate.space_class) for candidate in candidates],
        [candidate.lifetime.total_seconds() for candidate in candidates],
        [candidate.margin for candidate in candidates],
        [_gone_after_s(candidate) for candidate in candidates],
    )


def _gone_after_s(candidate: Candidate) -> float | None:
    return None if candidate.gone_after is None else candidate.gone_after.total_seconds()


async def _outliving_a_deadlock(attempt: Callable[[], Awaitable[_Answer]]) -> _Answer:
    try:
        return await attempt()
    except StoreAway as error:
        if not isinstance(error.__cause__, asyncpg.exceptions.DeadlockDetectedError):
            raise
        # All of it was rolled back, and the other side is done: once more is enough.
        return await attempt()


def _decision(row: asyncpg.Record) -> Decision:
    outcome = Outcome(row["outcome"])
    if row["hold"] is None:
        return Decision(outcome)
    hold, answer = hold_of(row["hold"])
    return Decision(outcome, hold, answer)


def _live_hold(row: asyncpg.Record) -> LiveHold:
    return LiveHold(
        row["diversion_id"],
        row["ordinal"],
        DriverId(row["driver_id"]),
        LotId(row["lot_id"]),
        HoldState(row["state"]),
    )


def _promise(row: asyncpg.Record) -> LotPromise:
    pools = msgspec.json.decode(row["pools"], type=dict[str, PoolPromise])
    return LotPromise(
        held=row["held"],
        stays=row["stays"],
        version=row["version"],
        pools=pools,
        refusal_rate=row["refusal_rate"],
    )
