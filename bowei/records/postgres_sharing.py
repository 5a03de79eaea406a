"""What sharing brings, read from the ledger in Postgres (migrations/0020). A month is one query, counted there."""

from collections.abc import Collection, Sequence
from datetime import timedelta

import asyncpg
from typing_extensions import override

from bowei.domain.agreements import AgreementId
from bowei.domain.holds import BARRIER_REFUSED, REFUSED_ON_ARRIVAL, HoldState
from bowei.domain.lots import HospitalId, LotId, SpaceClass
from bowei.domain.sharing_reports import Coming, Month, SharingLine
from bowei.records.connecting import acquired, translated
from bowei.records.sharing import ReadsSharing

_TIMEOUT_S = 30.0
_MOST_COMING = 1_000
_MONTH = """
    SELECT h.lot_id, h.hospital_id, h.agreement_id, h.space_class, count(*) AS held,
           count(*) FILTER (WHERE h.state = 'settled') AS honoured,
           count(*) FILTER (WHERE h.state = 'revoked' AND h.reason = ANY ($5)) AS refused,
           count(*) FILTER (WHERE h.state = 'revoked' AND h.reason <> ALL ($5)) AS moved,
           count(*) FILTER (WHERE h.state = 'expired') AS expired,
           count(*) FILTER (WHERE h.state = 'released') AS released,
           count(s.ended_at) AS stays,
           coalesce(sum(s.ended_at - coalesce(h.arrived_at, s.began_at)), interval '0') AS parked,
           sum(bowei.fee(t.tariff, s.ended_at - coalesce(h.arrived_at, s.began_at))) AS income,
           min(t.tariff ->> 'currency') FILTER (WHERE s.ended_at IS NOT NULL) AS currency
    FROM bowei.hold h
    JOIN bowei.lot l USING (lot_id)
    LEFT JOIN bowei.stay s USING (diversion_id, ordinal)
    LEFT JOIN LATERAL bowei.tariff_at(h.agreement_id, coalesce(h.arrived_at, s.began_at)) AS t (tariff)
        ON s.ended_at IS NOT NULL
    -- A day more at both ends, so that the index serves whatever the lot's zone.
    WHERE h.placed_at >= $1::timestamp AT TIME ZONE 'UTC' - interval '1 day'
      AND h.placed_at < $2::timestamp AT TIME ZONE 'UTC' + interval '1 day'
      AND h.placed_at AT TIME ZONE l.timezone >= $1 AND h.placed_at AT TIME ZONE l.timezone < $2
      AND ($3::text[] IS NULL AND $4::text[] IS NULL OR h.lot_id = ANY ($3) OR h.hospital_id = ANY ($4))
    GROUP BY h.lot_id, h.hospital_id, h.agreement_id, h.space_class
    ORDER BY h.lot_id, h.agreement_id, h.space_class
"""


class PostgresSharing(ReadsSharing):
    """Reads the ledger."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @override
    async def month(
        self, month: Month, lot_ids: Collection[LotId] | None, hospital_ids: Collection[HospitalId] | None
    ) -> Sequence[SharingLine]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(
                    _MONTH,
                    month.begins,
                    month.ends,
                    None if lot_ids is None else list(lot_ids),
                    None if hospital_ids is None else list(hospital_ids),
                    [REFUSED_ON_ARRIVAL, BARRIER_REFUSED],
                    timeout=_TIMEOUT_S,
                )
        return [_line(row) for row in rows]

    @override
    async def coming(self, lot_id: LotId) -> Sequence[Coming]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(
                    """
                    SELECT code, hospital_id, space_class, state, expires_at FROM bowei.hold
                    WHERE lot_id = $1 AND (state = 'held' AND expires_at > bowei.now() OR state = 'arrived')
                    ORDER BY expires_at, diversion_id LIMIT $2
                    """,
                    lot_id,
                    _MOST_COMING,
                    timeout=_TIMEOUT_S,
                )
        return [
            Coming(
                code=row["code"],
                hospital_id=HospitalId(row["hospital_id"]),
                space_class=SpaceClass(row["space_class"]),
                state=HoldState(row["state"]),
                expires_at=row["expires_at"],
            )
            for row in rows
        ]


def _line(row: asyncpg.Record) -> SharingLine:
    counted = {name: row[name] for name in ("held", "honoured", "refused", "moved", "expired", "released", "stays")}
    return SharingLine(
        lot_id=LotId(row["lot_id"]),
        hospital_id=HospitalId(row["hospital_id"]),
        agreement_id=AgreementId(row["agreement_id"]),
        space_class=SpaceClass(row["space_class"]),
        parked=row["parked"] or timedelta(),
        income=row["income"],
        currency=row["currency"],
        **counted,
    )
