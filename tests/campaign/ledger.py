"""What the ledger and the copy hold when all is over."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from bowei.domain.choosing import LotNow
from bowei.domain.lots import LotId
from bowei.domain.offering import LotPromise, Report
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.redis_store import RedisLiveState
from bowei.records.connecting import connect
from bowei.records.postgres_holding import PostgresHoldBook
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.postgres_reporting import PostgresReportJournal

Row = asyncpg.Record

_HOLDS = """
    SELECT diversion_id, ordinal, driver_id, hospital_id, lot_id, agreement_id, space_class, state, placed_at,
           expires_at, extended_by, arrived_at, ended_at, reason
    FROM bowei.hold
"""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything the checks need, read in one snapshot."""

    at: datetime
    holds: Mapping[tuple[str, int], Row]
    steps: tuple[Row, ...]
    stays: tuple[Row, ...]
    observations: tuple[Row, ...]
    passages: tuple[Row, ...]
    broken: tuple[tuple[str, str], ...]


async def read_ledger(url: str) -> Ledger:
    """Read it all, from the server itself."""
    connection = await asyncpg.connect(url, timeout=10.0)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            holds = await connection.fetch(_HOLDS)
            return Ledger(
                at=await connection.fetchval("SELECT bowei.now()"),
                holds={(row["diversion_id"], row["ordinal"]): row for row in holds},
                steps=tuple(await connection.fetch("SELECT * FROM bowei.hold_step")),
                stays=tuple(await connection.fetch("SELECT * FROM bowei.stay")),
                observations=tuple(await connection.fetch("SELECT * FROM bowei.observation ORDER BY observation_id")),
                passages=tuple(await connection.fetch("SELECT * FROM bowei.passage")),
                broken=tuple(
                    (row["kind"], row["subject"])
                    for row in await connection.fetch("SELECT kind, subject FROM bowei.broken_promise")
                ),
            )
    finally:
        await connection.close()


def kept_for_study(ledger: Ledger) -> dict[str, Any]:
    """Give all of it in plain values, for whoever studies a violation."""
    return {
        "holds": [dict(row) for row in ledger.holds.values()],
        "steps": [dict(row) for row in ledger.steps],
        "stays": [dict(row) for row in ledger.stays],
        "observations": [dict(row) for row in ledger.observations],
        "passages": [dict(row) for row in ledger.passages],
    }


def deadlocks(log: Path) -> list[str]:
    """List what the server's log says of deadlocks: the ledger's order of locks allows none."""
    return [line for line in log.read_text("utf-8", "replace").splitlines() if "deadlock detected" in line]


async def differences(url: str, redis_url: str) -> list[str]:
    """Compare the copy with the ledger, lot by lot; nothing differs once all has converged."""
    pool = await connect(url, most_connections=1, check_durable=False)
    live_state = RedisLiveState.connect(redis_url)
    try:
        reports = await PostgresReportJournal(pool).reports()
        registered = await PostgresRegister(pool).directory()
        book = PostgresHoldBook(pool)
        promises = (await book.promised(None)).promises
        overdue = await pool.fetchval(
            "SELECT count(*) FROM bowei.hold WHERE state = 'held' AND expires_at < bowei.now() - interval '2 minutes'"
        )
        shown = await live_state.lots(promises)
        directory = await live_state.directory()
    except LiveStateAway as away:
        return [f"the copy is away: {away}"]
    finally:
        await live_state.close()
        await pool.close()
    found = [f"{overdue} holds are overdue and not swept"] if overdue else []
    if directory != registered:
        found.append("the directory is not the registered one")
    for lot_id, promise in promises.items():
        found += _differs(lot_id, shown.get(lot_id), promise, reports.get(lot_id))
    return found


def _differs(lot_id: LotId, shown: LotNow | None, promise: LotPromise, report: Report | None) -> list[str]:
    if shown is None:
        return [f"{lot_id} is not shown"]
    found = []
    if shown.promise != promise:
        found.append(f"{lot_id} promised: shown {shown.promise}, is {promise}")
    if shown.report != report:
        found.append(f"{lot_id} seen: shown {shown.report}, is {report}")
    return found
