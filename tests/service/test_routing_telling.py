"""Barriers are told by a broker: each command until it is answered, as often as the budget allows."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from bowei.domain.lots import LotId, SourceId
from bowei.observability.background import in_background
from bowei.records.in_memory import InMemoryBarrierBook
from bowei.records.registering import Source, SourceKind, key_sha256_of
from services.routing.measures import Measures
from services.routing.telling import MOST_TIMES, BrokerAway, Line, Telling
from tests.service.routing_block import MALL, OFFICE, World, a_lot, running, until

TOPIC = "bowei/malls/m-1/barrier"


@dataclass
class ABroker:
    """A broker that hands everything on, until it is lost."""

    prefix: str = "bowei"
    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    inbox: list[tuple[str, bytes]] = field(default_factory=list)
    lost: bool = False
    connects: int = 0
    takes_not: str = ""
    """A topic that the client library does not let through."""

    async def connect(self, answers: str) -> Line:
        """Connect."""
        self.connects += 1
        assert answers == "bowei/+/+/barrier/answer"
        if self.lost:
            raise BrokerAway("refused")
        return self

    async def publish(self, topic: str, body: bytes) -> None:
        """Keep what is published."""
        if self.lost:
            raise BrokerAway("lost")
        if "+" in topic or "#" in topic or topic.count("/") != TOPIC.count("/") or topic == self.takes_not:
            raise ValueError("Publish topic cannot contain wildcards.")
        self.published.append((topic, json.loads(body)))

    def received(self) -> Iterable[tuple[str, bytes]]:
        """Give what came."""
        came, self.inbox = self.inbox, []
        yield from came

    async def close(self) -> None:
        """Leave."""

    def answers(self, command: dict[str, Any], *, accepted: bool, topic: str = f"{TOPIC}/answer") -> None:
        """Let a barrier answer."""
        self.inbox.append((topic, json.dumps({"id": command["id"], "accepted": accepted}).encode()))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give the block, whose mall has a source, with routing running on it."""
    world = World.empty()
    await world.settle_in()
    await _register(world, {"m-1": MALL, "o-1": OFFICE})
    world.broker = ABroker()
    async with running(world):
        yield world


async def _register(world: World, lots: dict[str, LotId]) -> None:
    source = Source(SourceId("malls"), SourceKind.NATIVE, key_sha256_of("malls.key"), lots=tuple(lots.items()))
    await world.register.put_sources([source])


def _broker(world: World) -> ABroker:
    assert isinstance(world.broker, ABroker)
    return world.broker


async def test_a_hold_is_published_to_its_lots_barrier(world: World) -> None:
    """On the topic of the source's own code, with code and times; a lot whose barrier is not linked is told nothing."""
    broker = _broker(world)
    hold = (await (await world.driver()).asks())["hold"]
    await until(lambda: bool(broker.published))
    ((topic, command),) = broker.published
    assert topic == TOPIC
    assert (command["kind"], command["code"], command["valid_until"]) == (
        "authorise",
        hold["code"],
        hold["expires_at"],
    )
    await world.reports_and_is_seen(MALL, free=1)
    assert (await (await world.driver()).asks())["hold"]["lot_id"] == OFFICE
    await asyncio.sleep(0.4)
    assert len(broker.published) == 1


async def test_a_rejected_car_goes_elsewhere_and_its_permission_is_revoked(world: World) -> None:
    """An answer by the broker does what one over HTTP does; the revocation follows on the same topic."""
    broker, driver = _broker(world), await world.driver()
    await driver.asks()
    await until(lambda: bool(broker.published))
    broker.answers(broker.published[0][1], accepted=False)
    await until(lambda: (driver.diversion_id, 2, OFFICE, "held") in world.holds())
    await until(lambda: len(broker.published) == 2)
    assert broker.published[1][1]["kind"] == "revoke"


async def test_answers_that_mean_nothing_are_passed_over(world: World) -> None:
    """No JSON, no such command, a topic of nobody's: the next answer is heard all the same."""
    broker, driver = _broker(world), await world.driver()
    await driver.asks()
    await until(lambda: bool(broker.published))
    command = broker.published[0][1]
    broker.inbox += [(f"{TOPIC}/answer", b"{"), (f"{TOPIC}/answer", b'{"id": 999999, "accepted": false}')]
    broker.answers(command, accepted=False, topic="bowei/malls/another/barrier/answer")
    broker.answers(command, accepted=True)
    await until(lambda: world.records.barrier_answers == {command["id"]: True})
    assert (await driver.looks())["hold"]["lot_id"] == MALL


async def test_a_lots_code_may_hold_what_topics_may_not(world: World) -> None:
    """It is percent-encoded in the topic; the lot answers under that one, or with its digits in lower case."""
    broker = ABroker()
    await _register(world, {"B2/+ #座": MALL})
    await (await world.driver()).asks()
    async with _telling(world, broker):
        await until(lambda: bool(broker.published))
        topic, command = broker.published[0]
        assert topic == "bowei/malls/B2%2F%2B%20%23%E5%BA%A7/barrier"
        broker.answers(command, accepted=True, topic="bowei/malls/B2%2f%2b%20%23%e5%ba%a7/barrier/answer")
        await until(lambda: world.records.barrier_answers == {command["id"]: True})


async def test_a_command_that_cannot_be_published_stops_no_other(world: World) -> None:
    """The other barrier is told, at once and later, by the same connection; the one is counted."""
    await world.register.put_lots([a_lot(OFFICE, barrier_link=True)])
    broker = _broker(world)
    broker.takes_not = TOPIC
    await (await world.driver()).asks()
    await world.reports_and_is_seen(MALL, free=1)
    for count in (1, 2):
        assert (await (await world.driver()).asks())["hold"]["lot_id"] == OFFICE
        await until(lambda count=count: len(broker.published) == count)  # type: ignore[misc]
    assert {topic for topic, _ in broker.published} == {"bowei/malls/o-1/barrier"}
    assert broker.connects == 1
    said = await world.request("GET", "/metrics")
    assert "\nbowei_routing_barrier_not_published_total 1.0\n" in said.text


async def test_what_is_not_answered_is_published_again_within_a_budget(world: World) -> None:
    """So many times, further and further apart, and then no more; who is connected anew is told anew."""
    broker = ABroker()
    await (await world.driver()).asks()
    async with _telling(world, broker):
        await until(lambda: len(broker.published) == MOST_TIMES)
        await asyncio.sleep(1.5)  # the next one would come after 0.64 s
        assert len(broker.published) == MOST_TIMES
        assert len({command["id"] for _, command in broker.published}) == 1
    fresh = ABroker()
    async with _telling(world, fresh):
        await until(lambda: len(fresh.published) >= 1)


async def test_what_was_answered_is_not_published_again(world: World) -> None:
    """One answer ends it, whichever way it came."""
    broker = ABroker()
    await (await world.driver()).asks()
    async with _telling(world, broker):
        await until(lambda: len(broker.published) >= 1)
        broker.answers(broker.published[0][1], accepted=True)
        await until(lambda: bool(world.records.barrier_answers))
        told = len(broker.published)
        await asyncio.sleep(0.5)
        assert len(broker.published) == told


async def test_a_broker_that_was_lost_is_told_what_it_missed(world: World) -> None:
    """Holds go on meanwhile; when the broker is back it hears of them."""
    broker = _broker(world)
    await until(lambda: broker.connects > 0)
    broker.lost = True
    driver = await world.driver()
    assert (await driver.asks())["outcome"] == "held"
    await asyncio.sleep(0.3)
    assert broker.published == []
    broker.lost = False
    await until(lambda: len(broker.published) >= 1)


@asynccontextmanager
async def _telling(world: World, broker: ABroker) -> AsyncIterator[None]:
    """Tell by a broker, with little patience."""
    assert world.app is not None
    telling = Telling(
        broker,
        world.book,
        InMemoryBarrierBook(world.records),
        world.app.state.wiring.barriers,
        world.register,
        world.app.state.wiring.streams._watching,
        Measures(CollectorRegistry()),
        first_again_s=0.02,
    )
    async with in_background(telling.run):
        yield
