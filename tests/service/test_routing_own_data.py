"""A driver sees what is kept, and is forgotten: on demand, and when the time is over."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from bowei.records.in_memory import InMemoryForgetting
from services.routing.forgetting import Forgetting
from services.routing.measures import Measures
from tests.service.routing_block import World, code, running_block

ME = "/v1/drivers/me"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give the block, with routing running on it."""
    async with running_block() as world:
        yield world


async def test_a_driver_sees_all_that_is_kept_and_nothing_of_others(world: World) -> None:
    """Each hold with its lot and times; no plate, no position; and it is kept by nobody on the way."""
    driver, other = await world.driver(), await world.driver()
    held = await driver.asks(plate="浙A12345", position={"lat": 30.25, "lon": 120.16, "datum": "wgs84"})
    await other.asks()
    answer = await world.request("GET", ME, driver.token)
    assert answer.headers["cache-control"] == "no-store"
    (hold,) = answer.json()["holds"]
    assert (hold["diversion_id"], hold["lot_id"], hold["state"], hold["code"]) == (
        driver.diversion_id,
        held["lot"]["lot_id"],
        "held",
        held["hold"]["code"],
    )
    assert "plate" not in answer.text
    assert "30.25" not in answer.text


async def test_a_driver_is_forgotten_on_demand(world: World) -> None:
    """Not while a space is held, which the answer says; then for good. Who was never here is forgotten too."""
    driver = await world.driver()
    await driver.asks()
    assert code(await world.request("DELETE", ME, driver.token)) == (409, "driver_has_hold")
    await world.request("DELETE", driver.path, driver.token)
    assert (await world.request("DELETE", ME, driver.token)).status_code == 204
    assert (await world.request("GET", ME, driver.token)).json()["holds"] == []
    assert code(await world.request("GET", driver.path, driver.token)) == (404, "unknown_diversion")
    assert (await world.request("DELETE", ME, (await world.driver()).token)).status_code == 204


async def test_nobody_asks_without_a_token(world: World) -> None:
    """Neither to see nor to erase."""
    for method in ("GET", "DELETE"):
        assert code(await world.request(method, ME)) == (401, "key_missing")
        assert code(await world.request(method, ME, "forged")) == (401, "key_wrong")


async def test_what_is_over_its_time_is_forgotten_and_the_proof_is_a_metric(world: World) -> None:
    """One round forgets all that is due; nothing is left that should not be."""
    driver = await world.driver()
    await driver.asks()
    await world.request("DELETE", driver.path, driver.token)
    world.clock.step_to(world.clock.now() + timedelta(days=31))
    registry = CollectorRegistry()
    forgetting = Forgetting(InMemoryForgetting(world.records), timedelta(days=30), Measures(registry))
    await forgetting.forget()
    assert (await world.request("GET", ME, driver.token)).json()["holds"] == []
    taken = [registry.get_sample_value("bowei_routing_forgotten_total", {"what": one}) for one in ("plates", "drivers")]
    assert taken == [1.0, 1.0]
    assert registry.get_sample_value("bowei_routing_kept_too_long") == 0.0
