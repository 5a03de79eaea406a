"""With the live state away, people go on reading what was last known, and are told how old it is."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.availability import examples
from services.availability.boards.views import BoardView, LineView
from services.availability.views import GateView, LotNowView, LotView
from tests.service.availability_block import FIRST, MALL, MONDAY_MORNING, OWN, Block, running_block, until


@pytest.fixture
async def block() -> AsyncIterator[Block]:
    """A block whose hospital is full and whose mall has 118 spaces free."""
    async with running_block() as made:
        await made.register()
        await made.ready()
        await made.report(OWN, 0)
        await made.report(MALL, 118)
        await made.gate(lambda gate: gate["state"] == "diverting")
        yield made


async def test_before_anything_was_ever_copied_the_answer_is_try_again() -> None:
    """An empty list would say that the city has no lots."""
    async with running_block() as made:
        for path in ("/v1/lots", "/v1/hospitals", f"/v1/hospitals/{FIRST}/gate", f"/v1/lots/{MALL}", "/v1/stream"):
            response = await made.client.get(path)
            assert (response.status_code, response.json()["code"]) == (503, "store_away")
            assert int(response.headers["retry-after"]) >= 1
        ready = await made.client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "unready")
        assert (await made.client.get("/livez")).status_code == 200


async def test_a_city_in_which_nothing_is_registered_yet_is_empty_not_broken() -> None:
    """The ledger was copied, and it holds nothing."""
    async with running_block() as made:
        await made.register((), (), ())
        await made.ready()
        assert (await made.get("/v1/lots"))["total"] == 0


async def test_with_the_live_state_away_the_last_copy_goes_on_and_turns_stale(block: Block) -> None:
    """The numbers stay, `as_of` stops, `stale` is said after a while, ages go on; then all is well again by itself."""
    block.live_state.away = True
    block.pass_time(seconds=30)
    gate = await block.gate(lambda gate: gate["stale"])
    assert (gate["state"], gate["free"], gate["next"]["lot_id"]) == ("diverting", 0, MALL)
    lots = await block.get("/v1/lots")
    assert lots["stale"] is True
    stopped_at = lots["as_of"]
    block.pass_time(seconds=60)
    seen = await block.lot(MALL, lambda body: body["age_s"] == 90)
    assert (seen["free"], seen["as_of"], seen["freshness"]) == (118, stopped_at, "ageing")
    block.pass_time(minutes=10)
    seen = await block.lot(MALL, lambda body: body["freshness"] == "expired")
    assert "free" not in seen

    ready = await block.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["dependencies"]["live_state"]["state"] == "away"

    block.live_state.away = False
    await block.report(MALL, 77)
    seen = await block.lot(MALL, lambda body: body.get("free") == 77 and not body["stale"])
    assert seen["as_of"] == (MONDAY_MORNING + timedelta(seconds=690)).isoformat(timespec="milliseconds").replace(
        "+00:00", "Z"
    )


async def test_an_emptied_live_state_takes_nothing_from_the_boards(block: Block) -> None:
    """After a flush the last copy is shown until the ledger was copied again."""
    block.live_state.flush()
    await block.register()
    await block.report(OWN, 5)
    gate = await block.gate(lambda gate: gate["state"] == "filling")
    assert gate["next"]["lot_id"] == MALL


async def test_the_age_of_the_copy_and_the_open_streams_are_measured(block: Block) -> None:
    """Operators are warned by it."""
    text = (await block.client.get("/metrics")).text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("bowei_availability"))
    assert 0 <= float(values["bowei_availability_mirror_age_seconds"]) < 5
    assert float(values["bowei_availability_streams"]) == 0
    block.live_state.away = True

    async def up() -> str:
        return (await block.client.get("/metrics")).text

    await until(up, lambda text: 'bowei_dependency_up{dependency="live_state"} 0.0' in text)


async def test_any_page_may_read_it_and_may_keep_it_for_a_second(block: Block) -> None:
    """A city map on another site reads the lots."""
    response = await block.client.get("/v1/lots", headers={"Origin": "https://map.example"})
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["cache-control"] == "public, max-age=1"


async def test_the_description_names_every_operation_and_its_examples_are_true(block: Block) -> None:
    """A client is generated from it: each operation has an id, and each example has the shape of its schema."""
    document = await block.get("/v1/openapi.json")
    operations = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(operations) == len(set(operations)) > 20
    assert all(LineView.model_validate(line) for line in examples.BOARD["lines"])
    for view, example in (
        (LotNowView, examples.LOT_NOW),
        (LotView, examples.LOT),
        (GateView, examples.GATE),
        (BoardView, examples.BOARD),
    ):
        needed = {name for name, field in view.model_fields.items() if field.is_required()}
        assert needed <= example.keys() <= view.model_fields.keys()
    assert document["components"]["schemas"]["GateView"]["examples"] == [examples.GATE]
