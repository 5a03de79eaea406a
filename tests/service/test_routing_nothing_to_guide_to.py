"""The ledger is away and every lot seems full: nobody is told that there is no room, for only the ledger knows."""

from bowei.records.failures import StoreAway
from tests.service.routing_block import MALL, OFFICE, TOWER, code, running_block


async def test_who_holds_a_space_is_never_told_that_there_is_none() -> None:
    """Proves that a repeat meets 503 while the ledger is away, and the same hold when it is back."""
    async with running_block() as world:
        driver = await world.driver()
        held = (await driver.asks())["hold"]
        for lot_id in (MALL, OFFICE, TOWER):
            await world.reports_and_is_seen(lot_id, free=0)
        world.book.failing = StoreAway("gone")

        answer = await driver.puts()

        assert code(answer) == (503, "store_away")
        world.book.failing = None
        assert (await driver.asks())["hold"] == held
