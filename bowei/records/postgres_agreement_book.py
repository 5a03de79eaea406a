"""The agreement book in Postgres (migrations/0019). What comes in force is put as the register puts it."""

from collections.abc import Sequence

import asyncpg
import msgspec
from typing_extensions import override

from bowei.domain.agreement_versions import Version, VersionState
from bowei.domain.agreements import Agreement, AgreementId
from bowei.domain.parties import PartyId, Side
from bowei.records.agreement_book import AgreementBook, AlreadyDecided
from bowei.records.connecting import acquired, translated
from bowei.records.postgres_registering import changing_directory, put_agreement
from bowei.records.registering import StillInUse, UnknownReference

_TIMEOUT_S = 10.0
_DUE = """
    SELECT v.* FROM bowei.agreement_version v JOIN bowei.lot l USING (lot_id)
    WHERE v.state = 'accepted' AND v.in_force_at IS NULL
      AND (v.first_day IS NULL OR v.first_day <= (bowei.now() AT TIME ZONE l.timezone)::date
           OR NOT EXISTS (SELECT FROM bowei.agreement a WHERE a.agreement_id = v.agreement_id))
      AND NOT EXISTS (SELECT FROM bowei.agreement_version later WHERE later.agreement_id = v.agreement_id
                      AND later.number > v.number AND later.in_force_at IS NOT NULL)
      AND ($1::text IS NULL OR v.agreement_id = $1)
    ORDER BY v.agreement_id, v.number
"""


class PostgresAgreementBook(AgreementBook):
    """The agreement book; each change is one transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @override
    async def versions(self, agreement_id: AgreementId) -> Sequence[Version]:
        return await self._fetch(
            "SELECT * FROM bowei.agreement_version WHERE agreement_id = $1 ORDER BY number", agreement_id
        )

    @override
    async def pending(self) -> Sequence[Version]:
        return await self._fetch(
            "SELECT * FROM bowei.agreement_version WHERE state = 'proposed' ORDER BY agreement_id, number"
        )

    @override
    async def propose(self, agreement: Agreement, side: Side, by: PartyId) -> Version:
        async with changing_directory(self._pool) as connection:
            # One at a time: the directory's version is raised first.
            newest = await connection.fetchrow(
                "SELECT * FROM bowei.agreement_version WHERE agreement_id = $1 ORDER BY number DESC LIMIT 1",
                agreement.agreement_id,
                timeout=_TIMEOUT_S,
            )
            before = await connection.fetchrow(
                "SELECT lot_id, hospital_id FROM bowei.agreement WHERE agreement_id = $1", agreement.agreement_id
            )
            for kept in (newest, before):
                if kept is not None and (kept["lot_id"], kept["hospital_id"]) != (
                    agreement.lot_id,
                    agreement.hospital_id,
                ):
                    raise StillInUse
            known = None if newest is None else _version(newest)
            if known is not None and (known.agreement, known.state, known.side) == (
                agreement,
                VersionState.PROPOSED,
                side,
            ):
                return known
            number = 1 if known is None else known.number + 1
            accepted = side is Side.BOTH
            row = await connection.fetchrow(
                """
                INSERT INTO bowei.agreement_version (agreement_id, number, lot_id, hospital_id, document, first_day,
                                                     state, side, proposed_by, decided_by, decided_at)
                VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, $10, CASE WHEN $11 THEN bowei.now() END)
                RETURNING *
                """,
                agreement.agreement_id,
                number,
                agreement.lot_id,
                agreement.hospital_id,
                msgspec.json.encode(agreement).decode(),
                agreement.valid_from,
                str(VersionState.ACCEPTED if accepted else VersionState.PROPOSED),
                str(side),
                by,
                by if accepted else None,
                accepted,
                timeout=_TIMEOUT_S,
            )
            await _bring_in_force(connection, agreement.agreement_id)
        return _version(row)

    @override
    async def decide(self, agreement_id: AgreementId, number: int, decision: VersionState, by: PartyId) -> Version:
        async with changing_directory(self._pool) as connection:
            row = await connection.fetchrow(
                "SELECT * FROM bowei.agreement_version WHERE agreement_id = $1 AND number = $2 FOR UPDATE",
                agreement_id,
                number,
                timeout=_TIMEOUT_S,
            )
            if row is None:
                raise UnknownReference("unknown_version")
            known = _version(row)
            if known.state is decision:
                return known
            if known.state is not VersionState.PROPOSED:
                raise AlreadyDecided
            row = await connection.fetchrow(
                """
                UPDATE bowei.agreement_version SET state = $3, decided_by = $4, decided_at = bowei.now()
                WHERE agreement_id = $1 AND number = $2 RETURNING *
                """,
                agreement_id,
                number,
                str(decision),
                by,
                timeout=_TIMEOUT_S,
            )
            await _bring_in_force(connection, agreement_id)
        return _version(row)

    @override
    async def bring_in_force(self) -> Sequence[AgreementId]:
        async with acquired(self._pool) as connection:
            with translated():
                if not await connection.fetch(_DUE, None, timeout=_TIMEOUT_S):
                    return []
        async with changing_directory(self._pool) as connection:
            return await _bring_in_force(connection, None)

    async def _fetch(self, statement: str, *arguments: object) -> list[Version]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(statement, *arguments, timeout=_TIMEOUT_S)
        return [_version(row) for row in rows]


async def _bring_in_force(
    connection: asyncpg.pool.PoolConnectionProxy, agreement_id: AgreementId | None
) -> list[AgreementId]:
    """Put each version whose time has come, in order; who paused the agreement keeps it paused."""
    brought = []
    for row in await connection.fetch(_DUE, agreement_id, timeout=_TIMEOUT_S):
        version = _version(row)
        await put_agreement(connection, version.agreement)
        await connection.execute(
            "UPDATE bowei.agreement_version SET in_force_at = bowei.now() WHERE agreement_id = $1 AND number = $2",
            version.agreement.agreement_id,
            version.number,
            timeout=_TIMEOUT_S,
        )
        brought.append(version.agreement.agreement_id)
    return list(dict.fromkeys(brought))


def _version(row: asyncpg.Record | None) -> Version:
    assert row is not None  # noqa: S101 (a statement that returns its row)
    return Version(
        number=row["number"],
        agreement=msgspec.json.decode(row["document"], type=Agreement),
        state=VersionState(row["state"]),
        side=Side(row["side"]),
        proposed_by=PartyId(row["proposed_by"]),
        proposed_at=row["proposed_at"],
        decided_by=None if row["decided_by"] is None else PartyId(row["decided_by"]),
        decided_at=row["decided_at"],
    )
