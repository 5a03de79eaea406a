"""What a guard and a driver see at the hospital's gate: its state, where to go next, and why."""

from collections.abc import AsyncIterator
from datetime import time, timedelta
from decimal import Decimal

import pytest

from bowei.domain.agreements import LendingWindow, MarginRule
from bowei.domain.dirt import Doubt
from bowei.domain.gate import GateWord
from bowei.domain.lots import SpaceClass
from bowei.domain.observations import Bound, LotState
from bowei.domain.offering import PoolPromise
from bowei.domain.tariffs import Tariff
from tests.service.availability_block import (
    AGREEMENTS,
    FIRST,
    MALL,
    OWN,
    SQUARE,
    TOWER,
    Block,
    EventReader,
    agreement,
    running_block,
)


@pytest.fixture
async def block() -> AsyncIterator[Block]:
    """A registered block; the mall has 118 spaces free, 4 of them held, the tower and the square are full."""
    async with running_block() as made:
        await made.register()
        await made.ready()
        await made.report(MALL, 118)
        await made.report(TOWER, 0)
        await made.report(SQUARE, 0)
        await made.promise(MALL, 4, {f"{MALL}.{FIRST}/standard": PoolPromise(held=4)})
        await made.gate(lambda gate: gate.get("next", {}).get("offered") == 112)
        yield made


async def test_an_open_hospital_says_how_many_spaces_it_has(block: Block) -> None:
    """And already knows where the next car would go."""
    await block.report(OWN, 45)
    gate = await block.gate(lambda gate: gate.get("free") == 45)
    assert (gate["state"], gate["capacity"], gate["freshness"]) == ("open", 127, "fresh")
    assert gate["text"] == {"zh": "本院余45位。", "en": "Hospital: 45 spaces free."}
    assert gate["next"]["lot_id"] == MALL


async def test_a_hospital_that_fills_says_so_before_it_is_full(block: Block) -> None:
    """Drivers who set out now may choose the mall at once."""
    await block.report(OWN, 1)
    gate = await block.gate(lambda gate: gate["state"] == "filling")
    assert gate["text"] == {
        "zh": "本院仅余1位，也可前往工联CC停车场：余112位，步行5分钟。",
        "en": "Hospital: only 1 space left. Or go to Gonglian CC: 112 spaces, 5 min walk.",
    }


@pytest.mark.parametrize(
    ("free", "bound", "state", "zh", "en"),
    [
        (30, Bound.AT_LEAST, "open", "本院余30+位。", "Hospital: 30+ spaces free."),
        (1, Bound.AT_LEAST, "filling", "本院有空位，也可前往", "Hospital: some spaces free. Or go to"),
        (9, Bound.AT_MOST, "filling", "本院仅余少量车位，至多9位，也可", "Hospital: few spaces left, at most 9. Or"),
    ],
)
async def test_a_hospital_that_knows_only_a_bound_says_it(
    block: Block, free: int, bound: Bound, state: str, zh: str, en: str
) -> None:
    """It says "30+" of thirty or more, no number where only a yes is known, and few where there may be none."""
    await block.report(OWN, free, bound=bound)
    gate = await block.gate(lambda gate: gate["state"] == state)
    assert gate["text"]["zh"].startswith(zh)
    assert gate["text"]["en"].startswith(en)
    assert gate["free_bound"] == bound
    assert (gate.get("free"), gate.get("free_at_most")) == ((free, None) if bound is Bound.AT_LEAST else (None, free))


async def test_the_next_car_is_told_the_fewest_spaces_that_there_are(block: Block) -> None:
    """The mall has thirty or more; two are kept back and four held."""
    await block.report(MALL, 30, bound=Bound.AT_LEAST)
    await block.report(OWN, 0)
    gate = await block.gate(lambda gate: gate["state"] == "diverting" and gate["next"]["offered"] == 24)
    assert "余24+位" in gate["text"]["zh"]
    assert "24+ spaces" in gate["text"]["en"]
    assert gate["considered"][0]["free_bound"] == "at_least"


async def test_a_doubted_lot_is_a_fault_and_a_doubted_hospital_is_unknown(block: Block) -> None:
    """Nobody is sent by a counter that is stuck, and a gate does not say open or full by one."""
    await block.report(OWN, 45, doubt=Doubt.STUCK)
    await block.report(MALL, 118, doubt=Doubt.STUCK)
    gate = await block.gate(lambda gate: "next" not in gate)
    assert {one["lot_id"]: one["excluded"] for one in gate["considered"]}[MALL] == "fault"
    assert (gate["state"], gate["text"]["en"]) == ("unknown", "No data from the hospital's car park.")
    assert "free" not in gate


async def test_a_full_hospital_sends_the_next_car_on_and_says_why(block: Block) -> None:
    """The sentence, the choice and its reason, in zh and en, with the entrance to drive to."""
    await block.report(OWN, 0, queue_vehicles=9)
    gate = await block.gate(lambda gate: gate["state"] == "diverting")
    assert gate["text"] == {
        "zh": "本院车位已满，请前往工联CC停车场：余112位，步行5分钟。",
        "en": "Hospital full. Go to Gonglian CC: 112 spaces, 5 min walk.",
    }
    assert (gate["free"], gate["queue_vehicles"]) == (0, 9)
    chosen = gate["next"]
    assert (chosen["lot_id"], chosen["offered"], chosen["estimated"]) == (MALL, 112, True)
    assert chosen["entrance"] == {
        "id": "e1",
        "name": {"zh": "入口", "en": "Entrance"},
        "lat": 30.2563,
        "lon": 120.16,
        "datum": "wgs84",
    }
    assert chosen["why"]["code"] == "only_one"
    assert 200 < chosen["walk_s"] < 300
    assert chosen["drive_s"] > 0


async def test_every_lot_that_was_looked_at_is_explained(block: Block) -> None:
    """The chosen one with its cost by part, the others with the reason why not."""
    await block.report(SQUARE, 30, state=LotState.CLOSED)
    gate = await block.gate(lambda gate: any(one.get("excluded") == "closed" for one in gate["considered"]))
    best, *others = gate["considered"]
    assert best["lot_id"] == MALL
    assert best["cost_s"] == pytest.approx(best["drive_s"] + best["walk_s"] + best["fill_s"], abs=2)
    assert {one["lot_id"]: one["excluded"] for one in others} == {TOWER: "full", SQUARE: "closed"}
    assert not any("cost_s" in one for one in others)


async def test_the_board_the_gate_and_the_lot_list_show_the_same_number(block: Block) -> None:
    """The number in the sentence is the one that the list offers this hospital."""
    for free in (118, 90, 61):
        block.pass_time(seconds=10)
        await block.report(MALL, free)
        gate = await block.gate(lambda gate, free=free: gate["next"]["offered"] == free - 6)  # type: ignore[misc]
        lots = await block.get("/v1/lots?kind=mall")
        assert lots["items"][0]["sharing"][0]["offered"] == gate["next"]["offered"] == lots["items"][0]["offered"]


async def test_a_full_sign_stays_until_several_spaces_are_free(block: Block) -> None:
    """Full at 0, still full at 2, left at 3; filling is left at 18: one car does not flip the sign."""
    states = []
    for free in (0, 2, 3, 13, 17, 18, 13, 12):
        block.pass_time(seconds=10)
        await block.report(OWN, free)
        states.append((await block.gate(lambda gate, free=free: gate.get("free") == free))["state"])  # type: ignore[misc]
    assert states == ["diverting", "diverting", "filling", "filling", "filling", "open", "open", "filling"]


async def test_asking_often_does_not_move_the_sign(block: Block) -> None:
    """The state follows what is reported, not how many look."""
    await block.report(OWN, 0)
    await block.gate(lambda gate: gate["state"] == "diverting")
    await block.report(OWN, 3)
    states = {(await block.gate(lambda gate: gate.get("free") == 3))["state"] for _ in range(50)}
    assert states == {"filling"}


async def test_full_with_nowhere_to_go_is_full_and_not_diverting(block: Block) -> None:
    """The mall fills too: no lot is named, and the sentence says so."""
    await block.report(OWN, 0)
    await block.gate(lambda gate: gate["state"] == "diverting")
    await block.report(MALL, 0)
    gate = await block.gate(lambda gate: gate["state"] == "full")
    assert "next" not in gate
    assert gate["text"] == {
        "zh": "本院车位已满，周边共享停车场暂无可用车位。",
        "en": "Hospital full. No shared car park nearby has a space to offer now.",
    }


async def test_silence_of_every_lot_is_no_data_and_never_zero(block: Block) -> None:
    """Eleven minutes without any report: no number anywhere, neither open nor full."""
    await block.report(OWN, 0)
    await block.gate(lambda gate: gate["state"] == "diverting")
    block.pass_time(minutes=11)
    gate = await block.gate(lambda gate: gate["state"] == "unknown")
    assert not {"free", "next", "queue_vehicles"} & gate.keys()
    assert (gate["freshness"], gate["age_s"]) == ("expired", 660)
    assert gate["text"] == {"zh": "本院车位暂无数据。", "en": "No data from the hospital's car park."}
    assert not any("free" in one or "offered" in one for one in gate["considered"])
    assert {one["excluded"] for one in gate["considered"]} == {"stale_data"}


async def test_full_among_silent_lots_says_that_there_is_no_data(block: Block) -> None:
    """Not that they are full: nobody knows."""
    block.pass_time(minutes=11)
    await block.report(OWN, 0)
    gate = await block.gate(lambda gate: gate["state"] == "full")
    assert gate["text"]["zh"] == "本院车位已满，周边共享停车场暂无数据。"
    assert gate["text"]["en"] == "Hospital full. No data from the shared car parks nearby."


async def test_a_silent_hospital_still_names_a_lot_with_spaces(block: Block) -> None:
    """Its own counter never reported; the mall's did."""
    gate = await block.gate(lambda gate: "next" in gate)
    assert (gate["state"], gate["next"]["lot_id"]) == ("unknown", MALL)
    assert gate["text"]["zh"] == "本院车位暂无数据，也可前往工联CC停车场：余112位，步行5分钟。"


async def test_a_closed_hospital_lot_is_closed_and_not_full(block: Block) -> None:
    """Drivers are sent on, and are told the truth."""
    await block.report(OWN, 60, state=LotState.CLOSED)
    gate = await block.gate(lambda gate: gate["lot_state"] == "closed")
    assert gate["state"] not in ("full", "diverting")
    assert gate["text"]["en"] == "Hospital car park closed. Go to Gonglian CC: 112 spaces, 5 min walk."


async def test_the_nearest_is_passed_over_when_it_is_nearly_used_up(block: Block) -> None:
    """110 of the mall's 200 lent spaces are held: the tower is a little farther but emptier, and it is said."""
    await block.report(OWN, 0)
    await block.report(TOWER, 80)
    gate = await block.gate(lambda gate: gate["next"]["why"]["code"] != "only_one")
    assert (gate["next"]["why"]["code"], gate["next"]["lot_id"]) == ("nearest", MALL)
    await block.promise(MALL, 110, {f"{MALL}.{FIRST}/standard": PoolPromise(held=110)})
    gate = await block.gate(lambda gate: gate["next"]["lot_id"] == TOWER)
    assert gate["next"]["why"]["code"] == "emptier"
    assert gate["next"]["why"]["en"] == "a little farther, but emptier"


async def test_the_nearest_is_passed_over_when_it_may_be_full_on_arrival(block: Block) -> None:
    """Five were free two minutes ago, and maybe none is by now: a surer lot is a little farther."""
    await block.register(agreements=(agreement(MALL, 200, margin_rule=MarginRule.FIXED), *AGREEMENTS[1:]))
    await block.report(MALL, 5)
    block.pass_time(minutes=2)
    for lot_id, free in ((OWN, 0), (TOWER, 80)):
        await block.report(lot_id, free)
    gate = await block.gate(lambda gate: gate["next"]["lot_id"] == TOWER)
    assert gate["next"]["why"]["code"] == "surer"
    mall = next(one for one in gate["considered"] if one["lot_id"] == MALL)
    assert mall["unsure"]
    assert 0.5 < mall["chance"] < 0.9


async def test_the_nearest_is_passed_over_when_it_is_dear(block: Block) -> None:
    """Twenty an hour for a usual stay of two hours, for a walk that is little shorter."""
    dear = agreement(MALL, 200, tariff=Tariff(Decimal(20)))
    await block.register(agreements=(dear, *AGREEMENTS[1:]))
    await block.report(OWN, 0)
    await block.report(TOWER, 80)
    gate = await block.gate(lambda gate: gate["next"]["lot_id"] == TOWER)
    assert gate["next"]["why"]["code"] == "cheaper"
    mall = next(one for one in gate["considered"] if one["lot_id"] == MALL)
    assert (mall["fee"], mall["fee_s"]) == ("40.00 CNY", 2400)


async def test_the_gate_follows_the_agreed_hours_by_itself(block: Block) -> None:
    """At 09:00 local the mall stops lending: nobody reported anything, and nobody is sent there any more."""
    morning = LendingWindow(SpaceClass.STANDARD, 200, starts=time(7), stops=time(9))
    await block.register(agreements=(agreement(MALL, 0, windows=(morning,)), *AGREEMENTS[1:]))
    block.pass_time(minutes=29, seconds=59)
    await block.report(OWN, 0)
    await block.report(MALL, 118)
    await block.gate(lambda gate: gate["state"] == "diverting")
    block.pass_time(seconds=1)
    gate = await block.gate(lambda gate: gate["state"] == "full")
    assert {"lot_id": MALL, "excluded": "not_shared_now"}.items() <= gate["considered"][0].items()


async def test_hospitals_are_listed_with_their_gates(block: Block) -> None:
    """One look at all of them."""
    await block.report(OWN, 0)
    await block.gate(lambda gate: gate["state"] == "diverting")
    body = await block.get("/v1/hospitals")
    assert body["total"] == 1
    hospital = body["items"][0]
    assert (hospital["hospital_id"], hospital["state"], hospital["free"]) == (FIRST, "diverting", 0)
    assert hospital["text"]["en"].startswith("Hospital full.")
    assert hospital["gate"] == {"lat": 30.2577, "lon": 120.162, "datum": "wgs84"}


async def test_the_citys_clock_can_be_read(block: Block) -> None:
    """A board that counts ages needs it; a clock that runs in real time says no speed."""
    block.pass_time(minutes=5)
    response = await block.client.get("/v1/time")
    assert response.json() == {"now": "2026-03-02T00:35:00.000Z"}
    assert response.headers["cache-control"] == "no-store"


async def test_a_gate_is_followed_as_it_changes_with_signs_of_life_between(block: Block) -> None:
    """A guard's console must know when it has lost contact: silence can't be told from a quiet gate without them."""
    async with EventReader(block.app, f"/v1/hospitals/{FIRST}/gate/stream") as reader:
        first = await reader.event()
        assert (first.event, first.data["next"]["lot_id"]) == ("gate", MALL)
        await reader.event_that(lambda event: event.event == "beat" and event.data["silent_s"] == 0)
        await block.report(OWN, 1)
        changed = await reader.event_that(lambda event: event.event == "gate" and event.data.get("free") == 1)
        assert changed.data["hospital_id"] == FIRST
        block.live_state.away = True
        await reader.event_that(lambda event: event.data["silent_s"] >= 2)


async def test_the_stream_of_an_unknown_gate_is_refused(block: Block) -> None:
    """Before anything is sent."""
    response = await block.client.get("/v1/hospitals/nowhere/gate/stream")
    assert (response.status_code, response.json()["code"]) == (404, "unknown_hospital")


async def test_the_staffs_count_of_the_queue_is_shown_before_the_lots(block: Block) -> None:
    """Somebody who looks knows better than a loop in the road; a quarter of an hour later the lot speaks again."""
    await block.report(OWN, 0, queue_vehicles=3)
    assert "queue_said_at" not in await block.gate(lambda gate: gate.get("queue_vehicles") == 3)
    now = block.clock.now()
    await block.live_state.show_gate_words([GateWord(FIRST, 14, now)])
    gate = await block.gate(lambda gate: gate.get("queue_vehicles") == 14)
    assert gate["queue_said_at"] == "2026-03-02T00:30:00.000Z"
    block.clock.step_to(now + timedelta(minutes=15))
    await block.report(OWN, 0, queue_vehicles=2)
    assert "queue_said_at" not in await block.gate(lambda gate: gate.get("queue_vehicles") == 2)


async def test_a_gate_that_pauses_sends_no_car_on(block: Block) -> None:
    """It is full, not diverting, says so in both languages, and goes on by itself when the pause is over."""
    await block.report(OWN, 0)
    await block.gate(lambda gate: gate["state"] == "diverting")
    until = block.clock.now() + timedelta(minutes=10)
    await block.live_state.show_gate_words([GateWord(FIRST, paused_until=until)])
    gate = await block.gate(lambda gate: gate["state"] == "full")
    assert gate["paused_until"] == "2026-03-02T00:40:00.000Z"
    assert "next" not in gate
    assert gate["text"] == {
        "zh": "本院车位已满，暂停引导至其他停车场。",
        "en": "Hospital full. No cars are sent elsewhere for now.",
    }
    assert {one["excluded"] for one in gate["considered"]} == {"gate_paused"}
    block.clock.step_to(until)
    for lot_id, free in ((OWN, 0), (MALL, 118)):
        await block.report(lot_id, free)
    assert "paused_until" not in await block.gate(lambda gate: gate["state"] == "diverting")
