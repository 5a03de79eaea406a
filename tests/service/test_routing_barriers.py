"""Lots' systems: what a barrier is told, what it answers, and a car that shows its code."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry

from bowei.domain.lots import LotId, SourceId
from bowei.domain.plates import plate_hash
from bowei.records.in_memory import InMemoryBarrierBook
from bowei.records.registering import Source, SourceKind, key_sha256_of
from services.routing.measures import Measures
from services.routing.silences import Silences
from tests.service.routing_block import MALL, OFFICE, OWN, TOWER, Driver, World, code, running, running_block

KEY = "malls.a-key-that-is-long-enough-to-be-one"
OTHER_KEY = "offices.another-key-that-is-long-enough"


@dataclass
class Barrier:
    """The mall's system."""

    world: World

    async def polls(self, *, after: int = 0, wait_s: int = 0, lot: str = MALL, key: str = KEY) -> httpx2.Response:
        """Ask what there is to do."""
        path = f"/v1/lots/{lot}/barrier?after={after}&wait_s={wait_s}"
        return await self.world.request("GET", path, key)

    async def told(self, **asked: Any) -> list[dict[str, Any]]:
        """Give what there is to do."""
        answer = await self.polls(**asked)
        assert answer.status_code == 200, answer.text
        commands: list[dict[str, Any]] = answer.json()["commands"]
        return commands

    async def answers(self, command_id: int, *, key: str = KEY, **body: Any) -> httpx2.Response:
        """Accept or reject."""
        return await self.world.request("POST", f"/v1/lots/{MALL}/barrier/{command_id}", key, json=body)

    async def is_shown(self, digits: str, *, lot: str = MALL, key: str = KEY) -> httpx2.Response:
        """Tell of a code that somebody showed."""
        return await self.world.request("POST", "/v1/arrivals", key, json={"lot_id": lot, "code": digits})


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give the block, with a source of the mall and one of the others, and routing running on it."""
    async with running_block() as world:
        lots = {"m-1": MALL}
        await world.register.put_sources([_source("malls", KEY, lots), _source("offices", OTHER_KEY, {"o-1": OFFICE})])
        yield world


@pytest.fixture
async def barrier(world: World) -> Barrier:
    """Give the mall's system."""
    return Barrier(world)


def _source(source_id: str, key: str, lots: dict[str, LotId], **other: Any) -> Source:
    return Source(SourceId(source_id), SourceKind.NATIVE, key_sha256_of(key), lots=tuple(lots.items()), **other)


async def test_a_barrier_hears_of_a_hold_while_it_waits(world: World, barrier: Barrier) -> None:
    """The long poll answers with the hold's commit: the plate as its keyed hash, the code, from when until when."""
    waiting = asyncio.create_task(barrier.told(wait_s=20))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    driver = await world.driver()
    hold = (await driver.asks(plate="浙A12345"))["hold"]
    (command,) = await asyncio.wait_for(waiting, 5)
    assert (command["kind"], command["code"]) == ("authorise", hold["code"])
    assert (command["valid_from"], command["valid_until"]) == (hold["placed_at"], hold["expires_at"])
    assert command["plate_hash"] == plate_hash("浙A12345", b"a key of 32 bytes for the plates.").hex()
    assert "A12345" not in str(command)


async def test_commands_are_given_until_they_are_answered(world: World, barrier: Barrier) -> None:
    """A barrier that lost one asks again; one that goes on from its cursor gets only what is newer."""
    driver = await world.driver()
    await driver.asks()
    answer = (await barrier.polls(lot="m-1")).json()
    assert await barrier.told() == answer["commands"]
    assert await barrier.told(after=answer["cursor"]) == []
    await driver.extends(300)
    (longer,) = await barrier.told(after=answer["cursor"])
    for command in await barrier.told():
        accepted = await barrier.answers(command["id"], accepted=True)
        assert accepted.json() == {"id": command["id"], "kind": "authorise", "accepted": True}
    assert await barrier.told() == []
    await driver.gives_up()
    (revoke,) = await barrier.told(after=longer["id"])
    assert (revoke["kind"], revoke["code"]) == ("revoke", longer["code"])


async def test_a_driver_whom_the_barrier_rejects_goes_to_the_next_lot(world: World, barrier: Barrier) -> None:
    """The answer itself moves the driver; nobody waits for a sweep."""
    driver = await world.driver()
    await driver.asks()
    (command,) = await barrier.told()
    assert (await barrier.answers(command["id"], accepted=False, reason="lane closed")).status_code == 200
    said = await driver.looks()
    assert (said["hold"]["ordinal"], said["hold"]["lot_id"]) == (2, OFFICE)
    assert said["moved_from"] == {"lot_id": MALL, "reason": "barrier_refused"}
    (revoke,) = await barrier.told()
    assert revoke["kind"] == "revoke"


async def test_a_rejected_driver_for_whom_there_is_nothing_else_is_told(world: World, barrier: Barrier) -> None:
    """The hold stays, at risk, and is not at risk any more when the barrier accepts after all."""
    driver = await world.driver()
    await driver.asks()
    for lot_id in (OFFICE, TOWER):
        await world.reports_and_is_seen(lot_id, free=0)
    (command,) = await barrier.told()
    await barrier.answers(command["id"], accepted=False)
    said = await driver.looks()
    assert (said["hold"]["lot_id"], said["at_risk"]["reason"]) == (MALL, "barrier_refused")
    await barrier.answers(command["id"], accepted=True)
    assert "at_risk" not in await driver.looks()


async def test_a_command_is_answered_by_its_own_lot(world: World, barrier: Barrier) -> None:
    """An id that nobody has, another lot's key and a body that is none are refused, each in its own way."""
    driver = await world.driver()
    await driver.asks()
    (command,) = await barrier.told()
    assert code(await barrier.answers(command["id"] + 1_000, accepted=True)) == (404, "unknown_command")
    assert code(await barrier.answers(command["id"], key=OTHER_KEY, accepted=True)) == (403, "not_your_lot")
    assert code(await barrier.answers(command["id"], accepted="yes")) == (422, "invalid_request")


async def test_only_a_lots_own_source_polls_its_barrier(world: World, barrier: Barrier) -> None:
    """No key, a wrong one, another's and a suspended one; and five polls of one lot are one too many."""
    assert code(await world.request("GET", f"/v1/lots/{MALL}/barrier")) == (401, "key_missing")
    assert code(await barrier.polls(key="nobody's")) == (401, "key_wrong")
    assert code(await barrier.polls(key="x" * 300)) == (401, "key_wrong")
    assert code(await barrier.polls(lot=OFFICE)) == (403, "not_your_lot")
    await world.register.put_sources([_source("parks", "parks.key", {"m-1": MALL}, suspended=True)])
    await asyncio.sleep(0.6)
    assert code(await barrier.polls(key="parks.key")) == (403, "not_allowed")
    waiting = [asyncio.create_task(barrier.polls(wait_s=2)) for _ in range(4)]
    await asyncio.sleep(0.1)
    assert code(await barrier.polls(wait_s=1)) == (429, "too_many_requests")
    assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200] * 4


async def test_a_car_arrives_by_the_code_that_it_shows(world: World, barrier: Barrier) -> None:
    """Spaces between the digits are as they are printed; showing it twice is one arrival."""
    driver = await world.driver()
    digits = (await driver.asks())["hold"]["code"]
    for _ in range(2):
        answer = await barrier.is_shown(f"{digits[:4]} {digits[4:]}")
        assert (answer.status_code, answer.json()) == (200, {"lot_id": MALL, "state": "arrived", "class": "standard"})
    assert (await driver.looks())["hold"]["state"] == "arrived"


async def test_codes_are_refused_where_they_open_nothing(world: World, barrier: Barrier) -> None:
    """At another lot, with digits that nobody has, and as no code at all; who guesses is stopped."""
    driver = await world.driver()
    digits = (await driver.asks())["hold"]["code"]
    wrong = f"{(int(digits) + 1) % 10**8:08d}"
    assert code(await barrier.is_shown(digits, lot=OFFICE, key=OTHER_KEY)) == (404, "unknown_code")
    assert code(await barrier.is_shown(digits, lot=OFFICE)) == (403, "not_your_lot")
    assert code(await barrier.is_shown("12345")) == (422, "invalid_request")
    answers = [code(await barrier.is_shown(wrong)) for _ in range(21)]
    assert answers[0] == (404, "unknown_code")
    assert answers[-1] == (429, "too_many_requests")
    await driver.gives_up()
    assert (await driver.looks())["hold"]["state"] == "released"


async def test_who_guessed_too_often_is_not_heard_with_a_right_code(world: World, barrier: Barrier) -> None:
    """Else every guess after the twentieth would be as good as the first; other lots are heard, and nobody arrives."""
    driver, other = await world.driver(), await world.driver()
    digits = (await driver.asks())["hold"]["code"]
    for _ in range(30):
        assert (await barrier.is_shown(digits)).status_code == 200, "right codes cost nothing"
    digits = (await other.asks())["hold"]["code"]
    wrong = f"{(int(digits) + 1) % 10**8:08d}"
    answers = await asyncio.gather(*[barrier.is_shown(wrong) for _ in range(25)])
    assert sorted(map(code, answers)) == [(404, "unknown_code")] * 20 + [(429, "too_many_requests")] * 5
    refused = await barrier.is_shown(digits)
    assert code(refused) == (429, "too_many_requests")
    assert int(refused.headers["Retry-After"]) >= 1
    assert (await other.looks())["hold"]["state"] == "held"
    assert code(await barrier.is_shown(wrong, lot=OFFICE, key=OTHER_KEY)) == (404, "unknown_code")


async def test_a_source_of_many_lots_guesses_no_faster_than_three(world: World, barrier: Barrier) -> None:
    """Its guesses at all of its lots count together, too; those that its lots refuse do not."""
    many = {str(lot_id): lot_id for lot_id in (MALL, OFFICE, TOWER, OWN)}
    await world.register.put_sources([_source("malls", KEY, many)])
    for lot_id in (MALL, OFFICE, TOWER):
        answers = [code(await barrier.is_shown("00000000", lot=lot_id)) for _ in range(22)]
        assert answers.count((404, "unknown_code")) == 20
    assert code(await barrier.is_shown("00000000", lot=OWN)) == (429, "too_many_requests")


async def test_a_linked_barrier_that_does_not_answer_is_counted(world: World, barrier: Barrier) -> None:
    """After three minutes, though it polls; until it answers, or the car is in. Lots without a link owe no answer."""
    driver, other = await world.driver(), await world.driver()
    await driver.asks()
    await other.asks()
    await world.step(minutes=3)
    assert await _unanswered(world) == 0
    await world.step(seconds=1)
    commands = await barrier.told()
    assert await _unanswered(world) == 2
    await barrier.answers(commands[0]["id"], accepted=True)
    assert await _unanswered(world) == 1
    await other.arrives()
    assert await _unanswered(world) == 0
    await world.reports_and_is_seen(MALL, free=0)
    assert (await (await world.driver()).asks())["hold"]["lot_id"] == OFFICE
    await driver.gives_up()
    await world.step(minutes=4)
    assert [command["kind"] for command in await barrier.told()] == ["revoke"]
    assert await _unanswered(world) == 0


async def test_the_follower_shows_who_does_not_answer(world: World) -> None:
    """On its metrics, from its first look on."""
    await (await world.driver()).asks()
    await world.step(minutes=4)
    async with running(world):
        for _ in range(200):
            if "\nbowei_routing_barrier_unanswered 1.0\n" in (await world.request("GET", "/metrics")).text:
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("never shown")


async def test_a_lot_whose_barrier_is_silent_is_not_guaranteed(world: World, barrier: Barrier) -> None:
    """Its drivers are told so, those who hold a space and those who come next; until it answers."""
    driver = await world.driver()
    assert (await driver.asks())["guaranteed"] is True
    await world.step(minutes=4)
    async with running(world):
        await _becomes(driver, guaranteed=False)
        said = await (await world.driver()).asks()
        assert (said["hold"]["lot_id"], said["guaranteed"]) == (MALL, False)
        assert "not guaranteed" in said["text"]["en"]
        assert "不保证" in said["text"]["zh"]
        for command in await barrier.told():
            await barrier.answers(command["id"], accepted=True)
    async with running(world):
        await _becomes(driver, guaranteed=True)


async def test_a_barrier_that_let_a_hold_run_out_unheard_is_not_believed_for_the_next(world: World) -> None:
    """Nothing to let in is waiting any more; that it was to forget the car has no answer either."""
    await (await world.driver()).asks()
    await world.step(minutes=20)
    await world.book.sweep()
    await world.step(minutes=4)
    await world.reports_and_is_seen(MALL, free=50)
    async with running(world):
        driver = await world.driver()
        assert (await driver.asks())["hold"]["lot_id"] == MALL
        await _becomes(driver, guaranteed=False)


async def _becomes(driver: Driver, *, guaranteed: bool) -> None:
    for _ in range(200):
        if (await driver.looks())["guaranteed"] is guaranteed:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"never became {guaranteed=}")


async def _unanswered(world: World) -> float:
    registry = CollectorRegistry()
    await Silences(InMemoryBarrierBook(world.records), world.mirror, world.clock, Measures(registry)).look()
    counted = registry.get_sample_value("bowei_routing_barrier_unanswered")
    assert counted is not None
    return counted
