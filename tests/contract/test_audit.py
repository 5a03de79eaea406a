"""What the audit promises, kept by every store; and what Postgres lets nobody do to it."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from bowei.domain.acts import Act, Anchor, Break, first_break
from tests.contract.block import MONDAY_9H
from tests.contract.stores import Stores

ACT = Act("administrator", "pause_lot", "/v1/lots/in77/pause", "asked", "request-1", b"\x07" * 32)
ODD = Act("交警 🚓", "put_closure", '/v1/closures/"7:, \\', "done")


async def test_an_act_comes_back_as_it_was_noted_by_the_ledgers_clock(stores: Stores) -> None:
    """In order, in pages, and the newest by itself; an empty audit has none."""
    assert await stores.audit.newest() is None
    assert await stores.audit.entries(0) == []
    noted = [await stores.audit.note(act) for act in (ACT, ODD, replace(ACT, outcome="done"))]
    assert [one.serial for one in noted] == [1, 2, 3]
    assert {one.at for one in noted} == {MONDAY_9H}
    assert [one.act for one in noted] == [ACT, ODD, replace(ACT, outcome="done")]
    assert list(await stores.audit.entries(0)) == noted
    assert list(await stores.audit.entries(1, 1)) == noted[1:2]
    assert await stores.audit.newest() == noted[-1]


async def test_every_store_makes_the_same_chain(stores: Stores) -> None:
    """The hashes are those that anybody can compute from what is said."""
    for act in (ACT, ODD, ODD, ACT):
        await stores.audit.note(act)
    assert first_break(await stores.audit.entries(0)) is None


async def test_acts_that_come_at_once_make_one_chain(stores: Stores) -> None:
    """None is lost, none has another's place."""
    await asyncio.gather(*(stores.audit.note(replace(ACT, request_id=f"r-{number}")) for number in range(40)))
    entries = await stores.audit.entries(0)
    assert first_break(entries) is None
    assert {one.act.request_id for one in entries} == {f"r-{number}" for number in range(40)}


@pytest.mark.parametrize(
    "statement",
    ["UPDATE bowei.audit SET outcome = 'done'", "DELETE FROM bowei.audit", "TRUNCATE bowei.audit"],
    ids=["change", "remove", "empty"],
)
async def test_postgres_refuses_to_change_what_was_noted(
    postgres_room: tuple[Stores, asyncpg.Pool], statement: str
) -> None:
    """Also to who owns the table."""
    stores, pool = postgres_room
    await stores.audit.note(ACT)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added to"):
        await pool.execute(statement)
    assert len(await stores.audit.entries(0)) == 1


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE bowei.audit SET actor = 'nobody' WHERE serial = 2", Break(2, "altered")),
        ("UPDATE bowei.audit SET body_sha256 = NULL WHERE serial = 3", Break(3, "altered")),
        ("UPDATE bowei.audit SET at = at - interval '1 microsecond' WHERE serial = 1", Break(1, "altered")),
        ("DELETE FROM bowei.audit WHERE serial = 2", Break(2, "missing")),
        ("DELETE FROM bowei.audit WHERE serial > 2", Break(4, "missing")),
        ("DELETE FROM bowei.audit", Break(4, "missing")),
    ],
    ids=["actor", "body", "time", "removed", "cut off", "emptied"],
)
async def test_who_gets_round_that_is_found_out(
    postgres_room: tuple[Stores, asyncpg.Pool], statement: str, found: Break
) -> None:
    """A superuser can switch triggers off; the chain and a hash that was kept elsewhere tell what was done then."""
    stores, pool = postgres_room
    for number in range(4):
        await stores.audit.note(replace(ACT, request_id=f"r-{number}"))
    newest = await stores.audit.newest()
    assert newest is not None
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(statement)
    assert first_break(await stores.audit.entries(0), [Anchor(newest.serial, newest.hash)]) == found
