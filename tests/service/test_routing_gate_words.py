"""Gate staff count the queue and pause diversions: everybody sees it, and no car is sent elsewhere meanwhile."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from bowei.domain.gate import GateWord
from bowei.domain.lots import HospitalId
from bowei.records.registering import key_sha256_of
from services.routing import hints
from tests.service.routing_block import FIRST, MALL, MONDAY_9H, World, code, running_block, until

KEY = "first-hospital.a-key-of-the-gate"
QUEUE, PAUSE = f"/v1/hospitals/{FIRST}/gate/queue", f"/v1/hospitals/{FIRST}/gate/pause"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give the block, whose hospital's gate has a key, with routing running on it."""
    async with running_block() as world:
        await world.register.put_gate_key(FIRST, key_sha256_of(KEY))
        yield world


async def _say(world: World, method: str, path: str, body: Any = None, *, key: str | None = KEY) -> httpx2.Response:
    return await world.request(method, path, key, **({} if body is None else {"json": body}))


async def _paused(world: World, minutes: int = 30) -> None:
    answer = await _say(world, "PUT", PAUSE, {"minutes": minutes})
    assert answer.status_code == 200, answer.text
    await until(lambda: FIRST in world.mirror.gate_words)


async def test_a_queue_that_was_counted_is_shown_for_a_while(world: World) -> None:
    """It reaches the live state, with the instant by the city's clock; saying it again is harmless."""
    for _ in range(2):
        answer = await _say(world, "PUT", QUEUE, {"vehicles": 12})
        assert answer.json() == {
            "vehicles": 12,
            "said_at": "2026-03-02T01:00:00.000Z",
            "shown_until": "2026-03-02T01:15:00.000Z",
        }
    await until(lambda: world.mirror.gate_words == {FIRST: GateWord(FIRST, 12, MONDAY_9H)})


async def test_a_paused_gate_sends_nobody_elsewhere_and_says_why(world: World) -> None:
    """Neither the gate's cars nor drivers with an app get a space; the pause over, they do."""
    await _paused(world)
    driver = await world.driver()
    said = await driver.asks()
    assert said["outcome"] == "none"
    assert {one["excluded"] for one in said["considered"]} == {"gate_paused"}
    assert said["text"] == said["why"]
    assert "医院暂停向周边停车场引导" in said["text"]["zh"]
    assert "sends nobody elsewhere for now" in said["text"]["en"]
    sent = {"diversion_id": "gate-1-0001"}
    at_gate = await _say(world, "POST", f"/v1/hospitals/{FIRST}/diversions", sent)
    assert at_gate.json()["diversion"]["outcome"] == "none"
    await world.step(minutes=30)
    assert (await driver.asks())["outcome"] == "held"


async def test_who_has_a_space_keeps_it_through_a_pause(world: World) -> None:
    """The same id gives the same hold, and a lot that turns the driver away is replaced."""
    driver = await world.driver()
    first = await driver.asks()
    await _paused(world)
    assert (await driver.asks())["hold"] == first["hold"]
    await world.reports_and_is_seen(MALL, free=0)
    refused = await driver.is_refused()
    assert (refused["outcome"], refused["hold"]["ordinal"]) == ("held", 2)


async def test_a_pause_can_be_ended(world: World) -> None:
    """At once; where there is none that changes nothing."""
    assert (await _say(world, "DELETE", PAUSE)).status_code == 204
    await _paused(world)
    assert (await _say(world, "DELETE", PAUSE)).status_code == 204
    await until(lambda: FIRST not in world.mirror.gate_words)
    assert (await (await world.driver()).asks())["outcome"] == "held"


async def test_a_pause_holds_while_the_live_state_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the word comes from the ledger."""
    monkeypatch.setattr(hints, "_LEDGER_READ_EVERY_S", 0.0)
    world.live_state.away = True
    await until(lambda: not world.mirror.is_current())
    assert (await _say(world, "PUT", PAUSE, {"minutes": 5})).status_code == 200
    assert (await (await world.driver()).asks())["outcome"] == "none"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (QUEUE, {"vehicles": -1}),
        (QUEUE, {"vehicles": 501}),
        (QUEUE, {"vehicles": "12"}),
        (QUEUE, {}),
        (PAUSE, {"minutes": 0}),
        (PAUSE, {"minutes": 241}),
        (PAUSE, {"minutes": 30, "why": "none"}),
    ],
)
async def test_what_is_no_word_is_refused(world: World, path: str, body: Any) -> None:
    """With the field named."""
    assert code(await _say(world, "PUT", path, body)) == (422, "invalid_request")


async def test_only_the_gates_own_key_speaks_for_it(world: World) -> None:
    """No other hospital's, no driver's, none at all; and nothing is noted of it."""
    other = "second-hospital.a-key-of-the-gate"
    second = replace(world.records.hospitals[FIRST], hospital_id=HospitalId("second-hospital"))
    await world.register.put_hospitals([second])
    await world.register.put_gate_key(second.hospital_id, key_sha256_of(other))
    token = (await world.driver()).token
    for key, wanted in ((None, (401, "key_missing")), (token, (401, "key_wrong")), (other, (403, "not_allowed"))):
        for method, path, body in (
            ("PUT", QUEUE, {"vehicles": 1}),
            ("PUT", PAUSE, {"minutes": 1}),
            ("DELETE", PAUSE, None),
        ):
            assert code(await _say(world, method, path, body, key=key)) == wanted
    assert world.records.audit == []


async def test_the_audit_says_which_gate_said_what(world: World) -> None:
    """The operation, the subject and a digest of the body; in the commit that keeps the word."""
    await _say(world, "PUT", QUEUE, {"vehicles": 12})
    await _say(world, "PUT", PAUSE, {"minutes": 5})
    await _say(world, "DELETE", PAUSE)
    acts = [entry.act for entry in world.records.audit]
    assert [(act.actor, act.act, act.subject, act.outcome) for act in acts] == [
        (f"gate:{FIRST}", "say_queue", QUEUE, "done"),
        (f"gate:{FIRST}", "pause_diversions", PAUSE, "done"),
        (f"gate:{FIRST}", "resume_diversions", PAUSE, "done"),
    ]
    assert [act.body_sha256 is None for act in acts] == [False, False, True]
