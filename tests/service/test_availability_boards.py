"""A board shows the numbers of the lot list, in few lines, and tells how current they are."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bowei.domain.observations import Bound, LotState
from tests.service.availability_block import (
    FIRST,
    HOSPITAL,
    LOTS,
    MALL,
    OWN,
    PATIENCE_S,
    SQUARE,
    TOWER,
    Block,
    EventReader,
    agreement,
    running_block,
)


@pytest.fixture
async def block() -> AsyncIterator[Block]:
    """A block whose hospital is full and whose mall has 118 spaces; two streams at once."""
    async with running_block(most_streams=2) as made:
        await made.register()
        await made.ready()
        await made.report(OWN, 0)
        await made.report(MALL, 118)
        await made.gate(lambda gate: gate["state"] == "diverting")
        yield made


def _lines(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {line["lot_id"]: line for line in board["lines"]}


async def _line(block: Block, lot_id: str, shows: str) -> dict[str, Any]:
    board = await block.until(f"/v1/boards/{FIRST}", lambda board: _lines(board)[lot_id]["shows"] == shows)
    return _lines(board)[lot_id]


async def test_a_hospitals_board_has_its_own_lot_and_those_that_serve_it(block: Block) -> None:
    """The own lot stands first, the others nearest first, and the lot for the next car is marked."""
    board = await block.get(f"/v1/boards/{FIRST}")
    assert (board["kind"], board["state"], board["timezone"]) == ("hospital", "diverting", "Asia/Shanghai")
    assert [line["lot_id"] for line in board["lines"]] == [OWN, MALL, TOWER, SQUARE]
    lines = _lines(board)
    assert (lines[OWN]["own"], lines[OWN]["shows"]) == (True, "full")
    assert (lines[MALL]["shows"], lines[MALL]["number"], lines[MALL]["next"]) == ("count", 118, True)
    assert (lines[TOWER]["shows"], "number" in lines[TOWER]) == ("unknown", False)
    assert lines[MALL]["walk_s"] == (await block.get(f"/v1/hospitals/{FIRST}/gate"))["next"]["walk_s"]


async def test_each_kind_of_number_is_said_as_it_is(block: Block) -> None:
    """At least, at most, some, closed: none of them is a plain number, and closed is not full."""
    await block.report(MALL, 30, bound=Bound.AT_LEAST)
    assert (await _line(block, MALL, "at_least"))["number"] == 30
    await block.report(MALL, 1, bound=Bound.AT_LEAST)
    assert "number" not in await _line(block, MALL, "some")
    await block.report(MALL, 5, bound=Bound.AT_MOST)
    assert (await _line(block, MALL, "at_most"))["number"] == 5
    await block.report(MALL, 80, state=LotState.CLOSED)
    assert (await _line(block, MALL, "closed"))["level"] == "closed"
    await block.report(MALL, None, state=LotState.FULL_AT_ENTRANCE)
    assert (await _line(block, MALL, "full"))["level"] == "full"
    await block.report(MALL, None)
    assert "number" not in await _line(block, MALL, "unknown")


async def test_a_full_lot_does_not_flicker(block: Block) -> None:
    """One car leaves and another enters: full stays full until its level says otherwise, as in the lot list."""
    await block.report(MALL, 0)
    await _line(block, MALL, "full")
    await block.report(MALL, 2)
    lot = await block.lot(MALL, lambda lot: lot["free"] == 2)
    assert lot["level"] == "full"
    assert (await _line(block, MALL, "full"))["level"] == "full"
    await block.report(MALL, 30)
    assert (await _line(block, MALL, "count"))["number"] == 30


async def test_nobody_is_sent_to_a_lot_that_is_said_to_be_full(block: Block) -> None:
    """Four spaces come free in a full lot, two of which can be promised: its level is still full, its line says 4."""
    await block.report(MALL, 0)
    await _line(block, MALL, "full")
    await block.report(MALL, 4)
    gate = await block.gate(lambda gate: gate.get("next", {}).get("lot_id") == MALL)
    assert (gate["next"]["offered"], (await block.get(f"/v1/lots/{MALL}"))["level"]) == (2, "full")
    line = await _line(block, MALL, "count")
    assert (line["number"], line["level"], line["next"]) == (4, "almost_full", True)


async def test_what_a_board_has_no_room_for_is_what_serves_least(block: Block) -> None:
    """Two lines: the own lot and the one that can be used, though an unknown one is as near."""
    board = await block.get(f"/v1/boards/{FIRST}?rows=2")
    assert [line["lot_id"] for line in board["lines"]] == [OWN, MALL]
    await block.report(TOWER, 50)
    board = await block.until(f"/v1/boards/{FIRST}?rows=3", lambda board: TOWER in _lines(board))
    assert SQUARE not in _lines(board)


async def test_a_lot_and_a_block_have_boards(block: Block) -> None:
    """One line of one lot; of a block its lots, what can be used first."""
    board = await block.get(f"/v1/boards/{MALL}")
    assert (board["kind"], [line["number"] for line in board["lines"]]) == ("lot", [118])
    board = await block.get("/v1/boards/hubin?rows=1")
    assert (board["kind"], [line["lot_id"] for line in board["lines"]], "name" in board) == ("block", [MALL], False)
    assert {line["lot_id"] for line in (await block.get("/v1/boards/hubin"))["lines"]} == {OWN, MALL, TOWER}


@pytest.mark.parametrize(
    ("hangs", "arrow"),
    [
        ("facing=s", "ahead_right"),
        ("facing=180", "ahead_right"),
        ("facing=w", "ahead_left"),
        ("facing=N", "back_left"),
        ("facing=s&at=30.2563,120.1500", "left"),
        (f"facing=s&arrows={MALL}=back,{TOWER}=left", "back"),
        (f"arrows={MALL}=ahead", "ahead"),
    ],
)
async def test_an_arrow_points_from_where_the_board_hangs(block: Block, hangs: str, arrow: str) -> None:
    """The mall is south-west of the gate; who hung the board may know better than a bearing."""
    assert _lines(await block.get(f"/v1/boards/{FIRST}?{hangs}"))[MALL]["arrow"] == arrow


async def test_there_is_no_arrow_where_nobody_said_how_the_board_hangs(block: Block) -> None:
    """A wrong arrow is worse than none."""
    assert all("arrow" not in line for line in (await block.get(f"/v1/boards/{FIRST}"))["lines"])


@pytest.mark.parametrize(
    ("query", "field"),
    [("facing=up", "facing"), ("facing=361", "facing"), ("at=120.16,30.25", "at"), ("arrows=in77=up", "arrows"),
     ("arrows=left", "arrows"), ("rows=0", "rows"), ("rows=13", "rows")],
)  # fmt: skip
async def test_a_mistake_in_a_boards_address_is_named(block: Block, query: str, field: str) -> None:
    """Who hangs the board corrects it at once."""
    response = await block.client.get(f"/v1/boards/{FIRST}?{query}")
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert (await block.client.get(f"/v1/boards/{FIRST}/stream?{query}")).status_code == 422


async def test_an_unknown_board_is_refused(block: Block) -> None:
    """Also as a stream, before anything is sent."""
    for path in ("/v1/boards/nowhere", "/v1/boards/nowhere/stream"):
        response = await block.client.get(path)
        assert (response.status_code, response.json()["code"]) == (404, "unknown_board")


async def test_a_stream_sends_the_whole_board_when_it_changes_and_beats_when_it_does_not(block: Block) -> None:
    """What another lot says is no event of this board, but a sign of life comes all the same."""
    async with EventReader(block.app, f"/v1/boards/{MALL}/stream") as reader:
        assert (await reader.event()).event == "board"
        busy = asyncio.create_task(_keep_reporting(block))
        beat = await reader.event()
        busy.cancel()
        assert (beat.event, beat.data["silent_s"], beat.data["stale"]) == ("beat", 0, False)
        await block.report(MALL, 90)
        changed = await reader.event_that(lambda event: event.event == "board")
        assert [line["number"] for line in changed.data["lines"]] == [90]


async def _keep_reporting(block: Block) -> None:
    """Change another lot faster than signs of life are due."""
    while True:
        for free in (70, 20):
            await block.report(TOWER, free)
            await asyncio.sleep(0.01)


async def test_a_board_says_for_how_long_the_live_state_has_been_silent(block: Block) -> None:
    """In real seconds, whatever the city's clock: a screen counts its own minute from there."""
    async with EventReader(block.app, f"/v1/boards/{FIRST}/stream") as reader:
        await reader.event()
        block.live_state.away = True
        beat = await reader.event_that(lambda event: event.data["silent_s"] >= 2)
        assert beat.data["stale"] is True
        assert (await block.get(f"/v1/boards/{FIRST}"))["silent_s"] >= 2
        block.live_state.away = False
        await reader.event_that(lambda event: event.data["silent_s"] == 0)


async def test_boards_share_the_places_of_all_streams(block: Block) -> None:
    """Two places: a third is told to come back."""
    paths = (f"/v1/boards/{FIRST}/stream", f"/v1/stream?lots={MALL}")
    async with EventReader(block.app, paths[0]) as one, EventReader(block.app, paths[1]) as two:
        await asyncio.wait_for(asyncio.gather(one.event(), two.event()), PATIENCE_S)
        assert [(await block.client.get(path)).status_code for path in paths] == [503, 503]


async def test_an_own_lot_that_lends_to_its_hospital_has_one_line(block: Block) -> None:
    """An agreement of a hospital with itself is odd, and no reason to say a lot twice."""
    await block.register(agreements=(agreement(OWN, 20), agreement(MALL, 200)))
    board = await block.until(f"/v1/boards/{FIRST}", lambda board: TOWER not in _lines(board))
    assert [line["lot_id"] for line in board["lines"]] == [OWN, MALL]


async def test_a_new_directory_changes_a_board(block: Block) -> None:
    """An agreement that ends takes its lot off the board that is open."""
    async with EventReader(block.app, f"/v1/boards/{FIRST}/stream") as reader:
        await reader.event()
        await block.register(LOTS, (HOSPITAL,), (agreement(MALL, 200, margin=2),))
        changed = await reader.event_that(lambda event: event.event == "board")
        assert list(_lines(changed.data)) == [OWN, MALL]
