"""Barriers in Postgres (migrations/0013): commands read from the steps of holds, answers kept beside them."""

from collections.abc import Collection, Sequence

import asyncpg
from typing_extensions import override

from bowei.domain.lots import LotId, SpaceClass
from bowei.records.barriers import BarrierBook, BarrierCommand, CommandKind
from bowei.records.connecting import acquired, translated
from bowei.records.hold_rows import hold_of
from bowei.records.holding import Decision, Outcome

_TIMEOUT_S = 4.0
_TO_LET_IN = frozenset({"held", "extended"})


class PostgresBarrierBook(BarrierBook):
    """What barriers are told, and what they answered; each call is one statement."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @override
    async def commands(self, lot_ids: Collection[LotId]) -> Sequence[BarrierCommand]:
        rows = await self._fetch("SELECT * FROM bowei.barrier_commands($1) WHERE answered IS NULL", list(lot_ids))
        return [_command(row) for row in rows]

    @override
    async def answer(
        self, lot_id: LotId, command_id: int, *, accepted: bool, reason: str | None
    ) -> tuple[CommandKind, Decision] | None:
        rows = await self._fetch(
            "SELECT * FROM bowei.answer_barrier($1, $2, $3, $4)", lot_id, command_id, accepted, reason
        )
        if rows[0]["outcome"] != "answered":
            return None
        return _kind(rows[0]["state"]), Decision(Outcome.REPEATED, *hold_of(rows[0]["hold"]))

    async def _fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        async with acquired(self._pool) as connection:
            with translated():
                return await connection.fetch(statement, *arguments, timeout=_TIMEOUT_S)


def _kind(state: str) -> CommandKind:
    return CommandKind.AUTHORISE if state in _TO_LET_IN else CommandKind.REVOKE


def _command(row: asyncpg.Record) -> BarrierCommand:
    hold = row["hold"]
    return BarrierCommand(
        command_id=row["serial"],
        kind=_kind(row["state"]),
        diversion_id=hold["diversion_id"],
        ordinal=hold["ordinal"],
        lot_id=LotId(row["lot_id"]),
        space_class=SpaceClass(hold["space_class"]),
        given_at=row["step_at"],
        valid_from=hold["placed_at"],
        valid_until=hold["expires_at"],
        code=hold["code"],
        plate_hash=hold["plate_hash"],
    )
