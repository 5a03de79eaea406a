"""What each service's role may do in Postgres: all that its stores need (every contract runs so), and nothing else."""

import re
from pathlib import Path

import asyncpg
import pytest

from bowei.records.migrating import migrate
from bowei.records.rights import AVAILABILITY, INGEST, REGISTRY, RIGHTS, ROUTING, as_role, make_roles

_RECORDS = Path(__file__).parents[2] / "bowei" / "records"
_NOTE = "SELECT bowei.note_act('a', 'b', 'c', 'd', 'e', NULL)"


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (AVAILABILITY, "SELECT * FROM bowei.hold"),
        (AVAILABILITY, "SELECT * FROM bowei.party"),
        (AVAILABILITY, "SELECT * FROM bowei.source"),
        (AVAILABILITY, "UPDATE bowei.clock SET mark = 'demo'"),
        (INGEST, "UPDATE bowei.lot SET paused = true"),
        (INGEST, "UPDATE bowei.agreement SET margin = 0"),
        (INGEST, "INSERT INTO bowei.gate_key (hospital_id, key_sha256) VALUES ('first', '\\x00')"),
        (INGEST, "SELECT * FROM bowei.party"),
        (INGEST, "DELETE FROM bowei.hold"),
        (INGEST, _NOTE),
        (ROUTING, "UPDATE bowei.report SET free = 99"),
        (ROUTING, "UPDATE bowei.lending_window SET spaces = 999"),
        (ROUTING, "UPDATE bowei.source SET suspended = false"),
        (ROUTING, "SELECT * FROM bowei.party"),
        (ROUTING, "SELECT * FROM bowei.audit"),
        (ROUTING, "SELECT bowei.drop_day(now())"),
        (REGISTRY, "UPDATE bowei.hold SET state = 'held'"),
        (REGISTRY, "INSERT INTO bowei.stay DEFAULT VALUES"),
        (REGISTRY, "DELETE FROM bowei.hold_step"),
        (REGISTRY, "INSERT INTO bowei.audit DEFAULT VALUES"),
        (REGISTRY, "UPDATE bowei.audit SET outcome = 'done'"),
        (REGISTRY, "SELECT bowei.make_day('2026-01-01')"),
        *((role, "CREATE TABLE bowei.mine (n integer)") for role in RIGHTS),
        *((role, "DROP TABLE bowei.hold_step") for role in RIGHTS),
        *((role, "TRUNCATE bowei.report") for role in RIGHTS),
    ],
)
async def test_what_is_not_a_services_business_is_refused(ledger_url: str, role: str, statement: str) -> None:
    """By the server, whatever the code may do."""
    connection = await asyncpg.connect(as_role(ledger_url, role))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match=r"permission denied|must be owner"):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_registry_may_bring_the_ledger_to_a_release_that_it_has(ledger_url: str) -> None:
    """As it does at each start; only an owner can do more."""
    assert await migrate(as_role(ledger_url, REGISTRY)) == []


async def test_a_right_that_is_none_of_the_roles_is_taken_from_it(fresh_database: str) -> None:
    """By the next release, whoever gave it; and roles that come later get theirs."""
    await migrate(fresh_database)
    await make_roles(fresh_database)
    await migrate(fresh_database)
    owner = await asyncpg.connect(fresh_database)
    try:
        held = "SELECT has_table_privilege($1, 'bowei.hold', $2)"
        await owner.execute(f"GRANT SELECT ON bowei.hold TO {AVAILABILITY}")
        assert await owner.fetchval(held, AVAILABILITY, "SELECT")
        await migrate(fresh_database)
        assert not await owner.fetchval(held, AVAILABILITY, "SELECT")
        assert await owner.fetchval(held, ROUTING, "UPDATE")
    finally:
        await owner.close()


def test_every_right_is_of_use_to_some_statement() -> None:
    """Who takes the last statement out takes the right out too."""
    files = (*_RECORDS.glob("postgres_*.py"), _RECORDS / "migrating.py", *_RECORDS.rglob("*.sql"))
    told = "\n".join(file.read_text("utf-8") for file in files)
    forms = {"a": r"INSERT INTO bowei\.{}\b", "w": r"UPDATE bowei\.{0}\b|bowei\.{0}\b[^;]*?(FOR UPDATE|DO UPDATE)"}
    forms |= {"d": r"DELETE FROM bowei\.{}\b", "r": r"bowei\.{}\b"}
    by_variable = {("road_speed", "d"), ("road_line_speed", "d")}
    unused = {
        (table, letter)
        for rights in RIGHTS.values()
        for table, letters in rights.items()
        for letter in letters
        if (table, letter) not in by_variable and not re.search(forms[letter].format(table), told)
    }
    assert unused == set()
