"""What the command `bowei` does to a ledger: it checks one, and the demo begins anew only on its own."""

from datetime import UTC, datetime

import pytest

from bowei.domain.lots import Entrance, Lot, LotId, LotKind, Name
from bowei.domain.places import Point
from bowei.observability.environment import Environment
from bowei.records.clock import mark_demo
from bowei.records.connecting import acquired, connect
from bowei.records.migrating import migrate
from bowei.records.postgres_registering import PostgresRegister
from services.local.demo.starting import begin_anew
from services.local.ledger_checking import broken_promises, check_ledger
from services.local.setup_problem import SetupProblem

PLACE = Point(30.2576, 120.1621)
LOT = Lot(
    LotId("mall"),
    LotKind.MALL,
    Name("商场", "Mall"),
    "Asia/Shanghai",
    50,
    PLACE,
    (Entrance("e1", Name("入口", "Entrance"), PLACE),),
)


async def _ledger_with_a_lot(url: str, *, demo: bool) -> None:
    await migrate(url)
    pool = await connect(url, most_connections=1)
    try:
        await PostgresRegister(pool).put_lots([LOT])
        if demo:
            await mark_demo(pool, datetime(2026, 3, 1, 23, tzinfo=UTC), 60.0)
    finally:
        await pool.close()


async def _lots(url: str) -> int:
    pool = await connect(url, most_connections=1)
    try:
        return len((await PostgresRegister(pool).directory()).lots)
    finally:
        await pool.close()


async def test_the_demo_empties_the_ledger_of_the_last_demo(fresh_database: str) -> None:
    """Its clock goes back to Monday morning, so nothing of the last one may stay; it says so."""
    await _ledger_with_a_lot(fresh_database, demo=True)
    said: list[str] = []
    await begin_anew(fresh_database, said.append)
    assert await _lots(fresh_database) == 0
    assert "emptied" in said[0]


async def test_the_demo_never_empties_a_ledger_that_somebody_means(fresh_database: str) -> None:
    """A database with lots that is not marked as a demo's is refused, and keeps them."""
    await _ledger_with_a_lot(fresh_database, demo=False)
    with pytest.raises(SetupProblem) as caught:
        await begin_anew(fresh_database, lambda _: None)
    assert caught.value.code == "not_a_demo"
    assert await _lots(fresh_database) == 1


async def test_a_sound_ledger_has_no_broken_promise_and_a_tampered_one_is_seen(fresh_database: str) -> None:
    """A counter that differs from the live holds is listed with its lot."""
    await _ledger_with_a_lot(fresh_database, demo=False)
    assert await broken_promises(fresh_database) == []
    pool = await connect(fresh_database, most_connections=1)
    try:
        async with acquired(pool) as connection:
            await connection.execute("UPDATE bowei.lot_promise SET held = 1 WHERE lot_id = 'mall'")
    finally:
        await pool.close()
    assert ("held_differs_from_live_holds", "mall") in await broken_promises(fresh_database)


def test_a_ledger_that_does_not_answer_is_neither_sound_nor_broken(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, one line, and no password in it."""
    environment = Environment({"BOWEI_DATABASE_URL": "postgresql://bowei:very-secret@127.0.0.1:9/none"})
    assert check_ledger(environment) == 2
    said = capsys.readouterr().err
    assert "can't be checked" in said
    assert "very-secret" not in said
