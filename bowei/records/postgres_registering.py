"""The register in Postgres (migrations/0001). Documents are the domain's own values as JSON."""

import dataclasses
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import asyncpg
import msgspec
from typing_extensions import override

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow, MarginRule, QuotaStep
from bowei.domain.calendars import Calendar
from bowei.domain.directory import Directory
from bowei.domain.lots import CalendarId, Hospital, HospitalId, Lot, LotId, Name, SourceId, SpaceClass, Standing
from bowei.domain.tariffs import Tariff
from bowei.records.connecting import acquired, translated
from bowei.records.postgres_trusting import enrol
from bowei.records.registering import Register, Source, SourceKind, StillInUse, UnknownReference

_TIMEOUT_S = 10.0
_CODES = {
    "hospital_lot_id_fkey": "unknown_lot",
    "agreement_lot_id_fkey": "unknown_lot",
    "agreement_hospital_id_fkey": "unknown_hospital",
    "source_lot_lot_id_fkey": "unknown_lot",
    "gate_key_hospital_id_fkey": "unknown_hospital",
    "lot_calendar_id_fkey": "unknown_calendar",
    "version_lot": "unknown_lot",
    "version_hospital": "unknown_hospital",
}


class PostgresRegister(Register):
    """The register; each call is one transaction and raises the directory's version."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @override
    async def directory(self) -> Directory:
        async with acquired(self._pool) as connection:
            with translated():
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    version = await connection.fetchval("SELECT version FROM bowei.directory_version")
                    lots = await connection.fetch("SELECT document, paused FROM bowei.lot")
                    hospitals = await connection.fetch("SELECT document FROM bowei.hospital")
                    agreements = await connection.fetch("SELECT * FROM bowei.agreement ORDER BY agreement_id")
                    windows = await connection.fetch(
                        "SELECT * FROM bowei.lending_window ORDER BY agreement_id, ordinal"
                    )
                    calendars = await connection.fetch(
                        """
                        SELECT c.*,
                               ARRAY(SELECT day FROM bowei.calendar_day d WHERE d.calendar_id = c.calendar_id
                                     ORDER BY day) AS days,
                               ARRAY(SELECT counts_as FROM bowei.calendar_day d WHERE d.calendar_id = c.calendar_id
                                     ORDER BY day) AS kinds
                        FROM bowei.calendar c
                        """
                    )
        by_agreement: dict[str, list[LendingWindow]] = {}
        for row in windows:
            by_agreement.setdefault(row["agreement_id"], []).append(_window(row))
        return Directory.of(
            int(version),
            (_lot(row["document"], paused=row["paused"]) for row in lots),
            (msgspec.json.decode(row["document"], type=Hospital) for row in hospitals),
            (_agreement(row, tuple(by_agreement.get(row["agreement_id"], ()))) for row in agreements),
            (_calendar(row) for row in calendars),
        )

    @override
    async def directory_version(self) -> int:
        async with acquired(self._pool) as connection:
            with translated():
                return int(await connection.fetchval("SELECT version FROM bowei.directory_version"))

    @override
    async def put_calendars(self, calendars: Sequence[Calendar]) -> None:
        async with changing_directory(self._pool) as connection:
            for one in calendars:
                await connection.execute(
                    """
                    INSERT INTO bowei.calendar (calendar_id, name_zh, name_en) VALUES ($1, $2, $3)
                    ON CONFLICT (calendar_id) DO UPDATE SET name_zh = excluded.name_zh, name_en = excluded.name_en
                    """,
                    one.calendar_id,
                    one.name.zh,
                    one.name.en,
                )
                await connection.execute("DELETE FROM bowei.calendar_day WHERE calendar_id = $1", one.calendar_id)
                await connection.executemany(
                    "INSERT INTO bowei.calendar_day (calendar_id, day, counts_as) VALUES ($1, $2, $3)",
                    [(one.calendar_id, day, counts_as) for day, counts_as in one.days.items()],
                )

    @override
    async def put_lots(self, lots: Sequence[Lot]) -> None:
        async with changing_directory(self._pool) as connection:
            await connection.executemany(
                """
                INSERT INTO bowei.lot (lot_id, document, timezone, capacity, paused, calendar_id)
                VALUES ($1, $2::jsonb, $3, $4, $5, $6)
                ON CONFLICT (lot_id) DO UPDATE SET document = excluded.document, timezone = excluded.timezone,
                    capacity = excluded.capacity, paused = excluded.paused, calendar_id = excluded.calendar_id
                """,
                [(lot.lot_id, _json(lot), lot.timezone, lot.capacity, lot.paused, lot.calendar) for lot in lots],
            )
            await connection.executemany(
                """
                INSERT INTO bowei.lot_promise AS p (lot_id, capacity) VALUES ($1, $2)
                ON CONFLICT (lot_id) DO UPDATE SET capacity = excluded.capacity, version = p.version + 1,
                    changed_in = pg_current_xact_id() WHERE p.capacity <> excluded.capacity
                """,
                sorted((lot.lot_id, lot.capacity) for lot in lots),
            )

    @override
    async def put_hospitals(self, hospitals: Sequence[Hospital]) -> None:
        async with changing_directory(self._pool) as connection:
            await connection.executemany(
                """
                INSERT INTO bowei.hospital (hospital_id, lot_id, document) VALUES ($1, $2, $3::jsonb)
                ON CONFLICT (hospital_id) DO UPDATE SET lot_id = excluded.lot_id, document = excluded.document
                """,
                [(hospital.hospital_id, hospital.lot_id, _json(hospital)) for hospital in hospitals],
            )

    @override
    async def put_agreements(self, agreements: Sequence[Agreement]) -> None:
        async with changing_directory(self._pool) as connection:
            await _lock_lots_of(connection, [agreement.agreement_id for agreement in agreements])
            for agreement in agreements:
                await _put_agreement(connection, agreement)

    @override
    async def put_sources(self, sources: Sequence[Source]) -> None:
        async with changing_directory(self._pool) as connection:
            for source in sources:
                await connection.execute(
                    """
                    INSERT INTO bowei.source (source_id, kind, key_sha256, public_key, suspended)
                    VALUES ($1, $2, $3, $4, $5)
                    ON CONFLICT (source_id) DO UPDATE SET kind = excluded.kind, key_sha256 = excluded.key_sha256,
                        public_key = excluded.public_key, suspended = excluded.suspended
                    """,
                    source.source_id,
                    str(source.kind),
                    source.key_sha256,
                    source.public_key,
                    source.suspended,
                )
                await connection.execute("DELETE FROM bowei.source_lot WHERE source_id = $1", source.source_id)
                await connection.executemany(
                    "INSERT INTO bowei.source_lot (source_id, code, lot_id) VALUES ($1, $2, $3)",
                    [(source.source_id, code, lot_id) for code, lot_id in source.lots],
                )
            await enrol(connection, sources)

    @override
    async def pause_lot(self, lot_id: LotId, *, paused: bool) -> None:
        async with changing_directory(self._pool) as connection:
            done = await connection.execute("UPDATE bowei.lot SET paused = $2 WHERE lot_id = $1", lot_id, paused)
            if done == "UPDATE 0":
                raise UnknownReference("unknown_lot")

    @override
    async def remove_agreement(self, agreement_id: AgreementId) -> None:
        async with changing_directory(self._pool) as connection:
            await _lock_lots_of(connection, [agreement_id])
            done = await connection.execute("DELETE FROM bowei.agreement WHERE agreement_id = $1", agreement_id)
            # What waits for its day, or for the other side, would bring it back.
            await connection.execute(
                "DELETE FROM bowei.agreement_version WHERE agreement_id = $1 AND in_force_at IS NULL", agreement_id
            )
            if done == "DELETE 0":
                raise UnknownReference("unknown_agreement")

    @override
    async def sources(self) -> Sequence[Source]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(
                    """
                    SELECT s.*, coalesce(array_agg(ARRAY[l.code, l.lot_id] ORDER BY l.code)
                                         FILTER (WHERE l.code IS NOT NULL), '{}') AS lots,
                           coalesce((SELECT bool_and(t.state <> 'probation') FROM bowei.source_trust t
                                     WHERE t.source_id = s.source_id), true) AS trusted
                    FROM bowei.source s LEFT JOIN bowei.source_lot l USING (source_id) GROUP BY s.source_id
                    """,
                    timeout=_TIMEOUT_S,
                )
        return [
            Source(
                source_id=SourceId(row["source_id"]),
                kind=SourceKind(row["kind"]),
                key_sha256=row["key_sha256"],
                public_key=row["public_key"],
                suspended=row["suspended"],
                trusted=row["trusted"],
                lots=tuple((code, LotId(lot_id)) for code, lot_id in row["lots"]),
            )
            for row in rows
        ]

    @override
    async def put_gate_key(self, hospital_id: HospitalId, key_sha256: bytes) -> None:
        async with changing_directory(self._pool) as connection:
            await connection.execute(
                """
                INSERT INTO bowei.gate_key (hospital_id, key_sha256) VALUES ($1, $2)
                ON CONFLICT (hospital_id) DO UPDATE SET key_sha256 = excluded.key_sha256
                """,
                hospital_id,
                key_sha256,
            )

    @override
    async def gate_keys(self) -> Mapping[bytes, HospitalId]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch("SELECT * FROM bowei.gate_key", timeout=_TIMEOUT_S)
        return {row["key_sha256"]: HospitalId(row["hospital_id"]) for row in rows}

    @override
    async def find_hospital(self, hospital_id: HospitalId) -> Hospital | None:
        async with acquired(self._pool) as connection:
            with translated():
                document = await connection.fetchval(
                    "SELECT document FROM bowei.hospital WHERE hospital_id = $1", hospital_id, timeout=_TIMEOUT_S
                )
        return None if document is None else msgspec.json.decode(document, type=Hospital)


@asynccontextmanager
async def changing_directory(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
    """One transaction that raises the directory's version and wakes whoever copies it; one at a time.

    Raises:
        UnknownReference, StillInUse: what is written refers to what there is not, or something needs what was there.
    """
    async with acquired(pool) as connection:
        with translated():
            try:
                async with connection.transaction():
                    await connection.execute("UPDATE bowei.directory_version SET version = version + 1")
                    yield connection
                    await connection.execute("SELECT pg_notify('bowei_promised', 'directory')")
            except asyncpg.exceptions.ForeignKeyViolationError as error:
                code = _CODES.get(error.constraint_name or "")
                if code is None:
                    raise StillInUse from error
                raise UnknownReference(code) from error
            except asyncpg.exceptions.CheckViolationError as error:
                raise StillInUse from error


async def _lock_lots_of(connection: asyncpg.pool.PoolConnectionProxy, agreements: Sequence[AgreementId]) -> None:
    """Keep agreements from being counted against while they are moved or removed."""
    await connection.execute(
        "SELECT bowei.lock_lots(ARRAY(SELECT lot_id FROM bowei.agreement WHERE agreement_id = ANY ($1)))", agreements
    )


async def put_agreement(connection: asyncpg.pool.PoolConnectionProxy, agreement: Agreement) -> None:
    """Put one agreement in a transaction of `changing_directory`; it stays paused if it is."""
    await _lock_lots_of(connection, [agreement.agreement_id])
    paused = await connection.fetchval(
        "SELECT paused FROM bowei.agreement WHERE agreement_id = $1", agreement.agreement_id
    )
    await _put_agreement(connection, dataclasses.replace(agreement, paused=agreement.paused or bool(paused)))


async def _put_agreement(connection: asyncpg.pool.PoolConnectionProxy, agreement: Agreement) -> None:
    moved = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM bowei.pool_promise
                       WHERE agreement_id = $1 AND lot_id <> $2 AND (held > 0 OR stays > 0))
        """,
        agreement.agreement_id,
        agreement.lot_id,
    )
    if moved:
        raise StillInUse
    await connection.execute(
        """
        INSERT INTO bowei.agreement (agreement_id, lot_id, hospital_id, margin, max_stay, valid_from, valid_to, paused,
                                     margin_rule, latest_leave, terms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb)
        ON CONFLICT (agreement_id) DO UPDATE SET lot_id = excluded.lot_id, hospital_id = excluded.hospital_id,
            margin = excluded.margin, max_stay = excluded.max_stay, valid_from = excluded.valid_from,
            valid_to = excluded.valid_to, paused = excluded.paused, margin_rule = excluded.margin_rule,
            latest_leave = excluded.latest_leave, terms = excluded.terms
        """,
        agreement.agreement_id,
        agreement.lot_id,
        agreement.hospital_id,
        agreement.margin,
        agreement.max_stay,
        agreement.valid_from,
        agreement.valid_to,
        agreement.paused,
        str(agreement.margin_rule),
        agreement.latest_leave,
        _json(_Terms(agreement.tariff, dict(agreement.protects))),
    )
    await connection.execute(
        "UPDATE bowei.pool_promise SET lot_id = $2 WHERE agreement_id = $1 AND lot_id <> $2",
        agreement.agreement_id,
        agreement.lot_id,
    )
    await connection.execute("DELETE FROM bowei.lending_window WHERE agreement_id = $1", agreement.agreement_id)
    await connection.executemany(
        """
        INSERT INTO bowei.lending_window (agreement_id, ordinal, space_class, spaces, days, starts, stops,
                                          step_times, step_spaces)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        [
            (
                agreement.agreement_id,
                n,
                str(w.space_class),
                w.spaces,
                sorted(w.days),
                w.starts,
                w.stops,
                [step.at for step in w.steps],
                [step.spaces for step in w.steps],
            )
            for n, w in enumerate(agreement.windows, start=1)
        ],
    )


class _Terms(msgspec.Struct, omit_defaults=True):
    """What an agreement says that only the ranking weighs."""

    tariff: Tariff | None = None
    protects: dict[Standing, int] = {}


def _json(value: Lot | Hospital | _Terms) -> str:
    return msgspec.json.encode(value).decode()


def _lot(document: str, *, paused: bool) -> Lot:
    return dataclasses.replace(msgspec.json.decode(document, type=Lot), paused=paused)


def _calendar(row: asyncpg.Record) -> Calendar:
    name = Name(row["name_zh"], row["name_en"])
    return Calendar(CalendarId(row["calendar_id"]), name, dict(zip(row["days"], row["kinds"], strict=True)))


def _window(row: asyncpg.Record) -> LendingWindow:
    return LendingWindow(
        space_class=SpaceClass(row["space_class"]),
        spaces=row["spaces"],
        days=frozenset(row["days"]),
        starts=row["starts"],
        stops=row["stops"],
        steps=tuple(QuotaStep(at, spaces) for at, spaces in zip(row["step_times"], row["step_spaces"], strict=True)),
    )


def _agreement(row: asyncpg.Record, windows: tuple[LendingWindow, ...]) -> Agreement:
    terms = msgspec.json.decode(row["terms"], type=_Terms)
    return Agreement(
        agreement_id=AgreementId(row["agreement_id"]),
        lot_id=LotId(row["lot_id"]),
        hospital_id=HospitalId(row["hospital_id"]),
        windows=windows,
        margin=row["margin"],
        max_stay=row["max_stay"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        paused=row["paused"],
        margin_rule=MarginRule(row["margin_rule"]),
        latest_leave=row["latest_leave"],
        tariff=terms.tariff,
        protects=terms.protects,
    )
