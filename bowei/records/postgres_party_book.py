"""The party book in Postgres (migrations/0018)."""

from collections.abc import Sequence
from datetime import timedelta

import asyncpg
from typing_extensions import override

from bowei.domain.acts import Act
from bowei.domain.lots import HospitalId, LotId, Name
from bowei.domain.parties import Party, PartyId, Role
from bowei.records.connecting import acquired, translated
from bowei.records.party_book import PartyBook
from bowei.records.postgres_audit import note_beside

_TIMEOUT_S = 4.0
_PUT = """
    INSERT INTO bowei.party AS known (party_id, role, name_zh, name_en, lots, hospitals, blocks, suspended,
                                      secret_sha256)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (party_id) DO UPDATE SET role = excluded.role, name_zh = excluded.name_zh,
        name_en = excluded.name_en, lots = excluded.lots, hospitals = excluded.hospitals, blocks = excluded.blocks,
        suspended = excluded.suspended, secret_sha256 = coalesce(known.secret_sha256, excluded.secret_sha256)
    RETURNING xmax = 0
"""


class PostgresPartyBook(PartyBook):
    """The party book; each change is one transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @override
    async def parties(self) -> Sequence[Party]:
        return await self._fetch("SELECT * FROM bowei.party ORDER BY party_id")

    @override
    async def find(self, party_id: PartyId) -> Party | None:
        found = await self._fetch("SELECT * FROM bowei.party WHERE party_id = $1", party_id)
        return found[0] if found else None

    @override
    async def put(self, party: Party) -> bool:
        async with acquired(self._pool) as connection:
            with translated():
                return await _put(connection, party)

    @override
    async def change_secret(self, party_id: PartyId, secret_sha256: bytes) -> bool:
        async with acquired(self._pool) as connection:
            with translated():
                changed = await connection.fetchval(
                    "UPDATE bowei.party SET secret_sha256 = $2 WHERE party_id = $1 RETURNING true",
                    party_id,
                    secret_sha256,
                    timeout=_TIMEOUT_S,
                )
        return bool(changed)

    @override
    async def offer_code(self, code_sha256: bytes, valid: timedelta) -> bool:
        async with acquired(self._pool) as connection:
            with translated():
                offered = await connection.fetchval(
                    """
                    INSERT INTO bowei.first_code AS known (sha256, valid_until)
                    SELECT $1, bowei.now() + $2::interval
                    WHERE NOT EXISTS (SELECT FROM bowei.party WHERE role = 'administrator')
                    ON CONFLICT (one) DO UPDATE SET sha256 = excluded.sha256, valid_until = excluded.valid_until
                        WHERE known.valid_until <= bowei.now()
                    RETURNING true
                    """,
                    code_sha256,
                    valid,
                    timeout=_TIMEOUT_S,
                )
        return bool(offered)

    @override
    async def make_first(self, administrator: Party, code_sha256: bytes, act: Act) -> bool:
        async with acquired(self._pool) as connection:
            with translated():
                async with connection.transaction():
                    # Taking the code's row lets one through at a time.
                    taken = await connection.fetchval(
                        """
                        DELETE FROM bowei.first_code WHERE sha256 = $1 AND valid_until > bowei.now()
                            AND NOT EXISTS (SELECT FROM bowei.party WHERE role = 'administrator')
                        RETURNING true
                        """,
                        code_sha256,
                        timeout=_TIMEOUT_S,
                    )
                    if taken:
                        await _put(connection, administrator)
                        await note_beside(connection, act)
        return bool(taken)

    async def _fetch(self, statement: str, *arguments: object) -> list[Party]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(statement, *arguments, timeout=_TIMEOUT_S)
        return [_party(row) for row in rows]


async def _put(connection: asyncpg.pool.PoolConnectionProxy, party: Party) -> bool:
    fresh: bool = await connection.fetchval(
        _PUT,
        party.party_id,
        str(party.role),
        party.name.zh,
        party.name.en,
        sorted(party.lots),
        sorted(party.hospitals),
        sorted(party.blocks),
        party.suspended,
        party.secret_sha256,
        timeout=_TIMEOUT_S,
    )
    return fresh


def _party(row: asyncpg.Record) -> Party:
    return Party(
        party_id=PartyId(row["party_id"]),
        role=Role(row["role"]),
        name=Name(row["name_zh"], row["name_en"]),
        lots=frozenset(LotId(one) for one in row["lots"]),
        hospitals=frozenset(HospitalId(one) for one in row["hospitals"]),
        blocks=frozenset(row["blocks"]),
        suspended=row["suspended"],
        secret_sha256=row["secret_sha256"],
    )
