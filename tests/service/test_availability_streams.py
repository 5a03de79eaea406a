"""A board or app follows lots and gates: first all of it, then what changes, nothing twice and nothing lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bowei.domain.lots import LotId
from tests.service.availability_block import (
    FIRST,
    LOTS,
    MALL,
    OWN,
    SQUARE,
    TOWER,
    Block,
    EventReader,
    lot,
    running_block,
    until,
)


@pytest.fixture
async def block() -> AsyncIterator[Block]:
    """A block whose hospital has 45 spaces free and whose mall has 118; four streams at once."""
    async with running_block(most_streams=4) as made:
        await made.register()
        await made.ready()
        await made.report(OWN, 45)
        await made.report(MALL, 118)
        await made.gate(lambda gate: gate["state"] == "open" and "next" in gate)
        yield made


async def test_the_first_message_is_all_that_was_asked_for(block: Block) -> None:
    """Lots in short, gates whole, and how current they are."""
    async with EventReader(block.app, f"/v1/stream?hospital={FIRST}") as reader:
        first = await reader.event()
    assert first.event == "snapshot"
    assert first.data["whole"] is True
    assert first.data["stale"] is False
    assert {one["id"]: one.get("free") for one in first.data["lots"]} == {
        OWN: 45,
        MALL: 118,
        TOWER: None,
        SQUARE: None,
    }
    assert "free" not in next(one for one in first.data["lots"] if one["id"] == TOWER)
    assert [gate["state"] for gate in first.data["gates"]] == ["open"]


async def test_a_change_arrives_with_the_lot_and_the_gate_that_it_changed(block: Block) -> None:
    """The hospital fills: its lot and its sign are sent, and nothing else."""
    async with EventReader(block.app, f"/v1/stream?hospital={FIRST}") as reader:
        await reader.event()
        await block.report(OWN, 0)
        changed = [await reader.event(), await reader.event()]
    assert [(event.event, event.data.get("id", event.data.get("hospital_id"))) for event in changed] == [
        ("lot", OWN),
        ("gate", FIRST),
    ]
    assert (changed[0].data["free"], changed[1].data["state"]) == (0, "diverting")
    assert changed[1].data["text"]["zh"].startswith("本院车位已满，请前往工联CC停车场")


async def test_only_the_lots_that_were_asked_for_are_sent(block: Block) -> None:
    """The tower is followed: the mall's change before it is not sent."""
    async with EventReader(block.app, f"/v1/stream?lots={TOWER}") as reader:
        first = await reader.event()
        assert [one["id"] for one in first.data["lots"]] == [TOWER]
        assert first.data["gates"] == []
        await block.report(MALL, 1)
        await block.lot(MALL, lambda body: body.get("free") == 1)
        await block.report(TOWER, 9)
        assert (await reader.event()).data["id"] == TOWER


async def test_changes_between_two_frames_are_sent_once_as_they_are_then() -> None:
    """Twenty reports within one frame gap: one event, with the last number."""
    async with running_block(frame_gap_s=0.5) as block:
        await block.register()
        await block.ready()
        async with EventReader(block.app, f"/v1/stream?lots={MALL}") as reader:
            await reader.event()
            for free in range(20, 0, -1):
                block.pass_time(seconds=1)
                await block.report(MALL, free)
                await block.lot(MALL, lambda body, free=free: body.get("free") == free)  # type: ignore[misc]
            assert (await reader.event()).data["free"] == 1
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.event(), 0.6)


async def test_after_a_break_only_what_changed_since_is_sent(block: Block) -> None:
    """The id of the last event that arrived is enough; nothing that happened in between is lost."""
    path = f"/v1/stream?hospital={FIRST}"
    async with EventReader(block.app, path) as reader:
        last = (await reader.event()).id
    await block.report(TOWER, 9)
    await block.lot(TOWER, lambda body: body.get("free") == 9)
    async with EventReader(block.app, path, last_event_id=last) as reader:
        first = await reader.event()
    assert (first.event, first.data["whole"]) == ("snapshot", False)
    assert [one["id"] for one in first.data["lots"]] == [TOWER]


async def test_a_client_cut_off_inside_a_frame_gets_the_whole_frame_again(block: Block) -> None:
    """Two lots change at once; the id that came with the first of them does not skip the second."""
    path = f"/v1/stream?lots={TOWER},{SQUARE}"
    async with EventReader(block.app, path) as reader:
        begin = await reader.event()
        await asyncio.gather(block.report(TOWER, 9), block.report(SQUARE, 9))
        half = await reader.event()
    assert half.id == begin.id
    async with EventReader(block.app, path, last_event_id=half.id) as reader:
        again = await reader.event()
    assert {one["id"] for one in again.data["lots"]} == {TOWER, SQUARE}


@pytest.mark.parametrize("last_event_id", ["00000000-1", "nonsense", "", "00000000-99999999999999999"])
async def test_an_id_of_another_process_is_answered_with_everything(block: Block, last_event_id: str) -> None:
    """After a restart or on another machine nobody knows what was missed."""
    async with EventReader(block.app, f"/v1/stream?hospital={FIRST}", last_event_id=last_event_id) as reader:
        first = await reader.event()
    assert first.data["whole"] is True
    assert len(first.data["lots"]) == 4


async def test_a_new_directory_begins_again_with_everything(block: Block) -> None:
    """A lot that joins the hospital's agreements appears on boards that are already open."""
    async with EventReader(block.app, "/v1/stream") as reader:
        assert len((await reader.event()).data["lots"]) == 4
        await block.register(lots=(*LOTS, lot(LotId("new"), "新", "New", 30.25, 120.16)))
        again = await reader.event_that(lambda event: event.event == "snapshot")
        assert again.data["whole"] is True
        assert "new" in {one["id"] for one in again.data["lots"]}


async def test_a_lost_live_state_is_told_and_its_return_too(block: Block) -> None:
    """A board shows that its numbers are old although no number changed."""
    async with EventReader(block.app, f"/v1/stream?lots={MALL}") as reader:
        await reader.event()
        block.live_state.away = True
        assert (await reader.event_that(lambda event: event.event == "status")).data["stale"] is True
        block.live_state.away = False
        assert (await reader.event_that(lambda event: event.event == "status")).data["stale"] is False


async def test_numbers_vanish_from_an_open_stream_when_they_expire(block: Block) -> None:
    """Nobody reports anything; time alone takes the number away."""
    async with EventReader(block.app, f"/v1/stream?lots={MALL}") as reader:
        await reader.event()
        block.pass_time(minutes=11)
        gone = await reader.event_that(lambda event: event.data["freshness"] == "expired")
    assert "free" not in gone.data
    assert gone.data["faults"] == ["comms_lost"]


async def test_more_streams_than_there_are_places_are_refused_and_a_place_is_given_back(block: Block) -> None:
    """Four are open, the fifth is told when to come back; one leaves, and there is room."""
    readers = [EventReader(block.app, "/v1/stream") for _ in range(4)]
    for reader in readers:
        await reader.__aenter__()
        await reader.event()
    refused = await block.client.get("/v1/stream")
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert int(refused.headers["retry-after"]) >= 5
    await readers[0].__aexit__(None, None, None)
    await until(lambda: open_streams(block), lambda count: count == 3)
    async with EventReader(block.app, "/v1/stream") as reader:
        assert (await reader.event()).event == "snapshot"
    for reader in readers[1:]:
        await reader.__aexit__(None, None, None)
    await until(lambda: open_streams(block), lambda count: count == 0)


async def test_streams_end_by_themselves_when_the_process_stops() -> None:
    """A server that waits for open answers to end does not wait for ever."""
    async with running_block() as block:
        await block.register()
        await block.ready()
        reader = EventReader(block.app, "/v1/stream")
        await reader.__aenter__()
        await reader.event()
    assert await reader.next_event() is None
    await reader.__aexit__(None, None, None)


async def test_more_lots_than_a_stream_may_follow_are_refused(block: Block) -> None:
    """Whether they are named or found: 200 is the most."""
    named = await block.client.get("/v1/stream?lots=" + ",".join(f"lot-{number}" for number in range(201)))
    many = tuple(lot(LotId(f"lot-{number}"), "车场", "Lot", 30.25, 120.16) for number in range(201))
    await block.register(lots=many, hospitals=(), agreements=())
    await block.until("/v1/lots", lambda body: body["total"] == 201)
    found = await block.client.get("/v1/stream?bbox=120,30,121,31")
    for response in (named, found):
        assert response.status_code == 422
        assert response.json()["errors"][0]["code"] == "wrong_length"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("lots=nowhere", 404, "unknown_lot"),
        (f"lots={MALL},", 404, "unknown_lot"),
        ("hospital=nowhere", 404, "unknown_hospital"),
        ("bbox=1,2", 422, "invalid_request"),
    ],
)
async def test_a_stream_of_what_is_not_there_is_refused_before_it_begins(
    block: Block, query: str, status: int, code: str
) -> None:
    """As a problem, not as an empty stream."""
    response = await block.client.get(f"/v1/stream?{query}")
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert await open_streams(block) == 0


async def open_streams(block: Block) -> int:
    """Read how many streams are open, as an operator would."""
    text = (await block.client.get("/metrics")).text
    value = next(line for line in text.splitlines() if line.startswith("bowei_availability_streams "))
    return int(float(value.split()[1]))
