"""Forward-only migrations: numbered SQL files, each applied once, in one transaction, under one lock."""

import hashlib
from importlib import resources

import asyncpg

from bowei.records.connecting import PRIMARY_ONLY, translated
from bowei.records.rights import give_rights

_LOCK_KEY = 0x626F776569  # "bowei": any fixed number that nobody else uses


class MigrationChanged(Exception):
    """A migration that this database already has differs from the one in this release."""


class DatabaseNewer(Exception):
    """The database has migrations that this release does not know. Start a newer release."""


def migrations() -> list[tuple[int, str, str]]:
    """List (version, name, sql) in order."""
    folder = resources.files("bowei.records") / "migrations"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".sql")), key=lambda item: item.name)
    return [(int(item.name.split("_")[0]), item.name, item.read_text(encoding="utf-8")) for item in files]


async def migrate(url: str) -> list[str]:
    """Bring the database to this release, and each service's role to its rights; give what was applied now, by name.

    Who does not own the schema may ask too, where nothing is missing.

    Raises:
        StoreAway: the server can't be reached.
        MigrationChanged, DatabaseNewer: see there.
    """
    with translated():
        connection = await asyncpg.connect(url, timeout=5.0, target_session_attrs=PRIMARY_ONLY)
        try:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK_KEY)
                applied = await _apply_missing(connection)
                await give_rights(connection)
                return applied
        finally:
            await connection.close(timeout=5.0)


async def _apply_missing(connection: asyncpg.Connection) -> list[str]:
    if not await connection.fetchval("SELECT to_regclass('bowei.migration') IS NOT NULL"):
        await connection.execute(
            """
            CREATE SCHEMA IF NOT EXISTS bowei;
            CREATE TABLE bowei.migration (
                version integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
            )
            """
        )
    had = {
        row["version"]: row["sha256"] for row in await connection.fetch("SELECT version, sha256 FROM bowei.migration")
    }
    known = migrations()
    if set(had) - {version for version, _, _ in known}:
        raise DatabaseNewer
    applied: list[str] = []
    for version, name, sql in known:
        digest = hashlib.sha256(sql.encode()).hexdigest()
        if version in had:
            if had[version] != digest:
                raise MigrationChanged(name)
            continue
        await connection.execute(sql, timeout=60.0)
        await connection.execute(
            "INSERT INTO bowei.migration (version, name, sha256) VALUES ($1, $2, $3)", version, name, digest
        )
        applied.append(name)
    return applied
