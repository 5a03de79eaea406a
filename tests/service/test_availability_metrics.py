"""The city in figures: what dashboards and alerts are made of is what boards and lists show."""

from prometheus_client.parser import text_string_to_metric_families

from tests.service.availability_block import FIRST, MALL, OWN, TOWER, Block, running_block

_Samples = dict[tuple[str, tuple[str, ...]], float]


async def _samples(block: Block) -> _Samples:
    text = (await block.client.get("/metrics")).text
    return {
        (sample.name.removeprefix("bowei_availability_"), tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_spaces_are_summed_up_by_block_and_what_is_unknown_is_left_out() -> None:
    """Two of three lots of a block report; the third is counted as unknown, not as empty or full."""
    async with running_block() as block:
        await block.register()
        await block.ready()
        await block.report(OWN, 0, queue_vehicles=9)
        await block.report(MALL, 118)
        await block.promise(MALL, 4)
        await block.lot(MALL, lambda body: body.get("free") == 118 and body["held"] == 4)
        await block.gate(lambda gate: gate.get("queue_vehicles") == 9)
        found = await _samples(block)
        assert found["spaces", ("hubin", "free")] == 118
        assert found["spaces", ("hubin", "held")] == 4
        assert found["lots_unknown", ("hubin",)] == 1
        assert found["lots_unknown", ("wulin",)] == 1
        listed = (await block.get(f"/v1/lots/{TOWER}")).keys()
        assert "free" not in listed


async def test_a_gate_shows_its_state_and_its_queue_and_nothing_that_is_not_known() -> None:
    """A hospital of which nothing is known has no count of free spaces, and is in the state unknown."""
    async with running_block() as block:
        await block.register()
        await block.ready()
        before = await _samples(block)
        assert before["gate_state", (FIRST, "unknown")] == 1
        assert ("gate_free_spaces", (FIRST,)) not in before
        await block.report(OWN, 0, queue_vehicles=9)
        await block.gate(lambda gate: gate["state"] in {"full", "diverting"})
        after = await _samples(block)
        assert (after["gate_free_spaces", (FIRST,)], after["gate_queue_vehicles", (FIRST,)]) == (0, 9)
        assert after["gate_state", (FIRST, "unknown")] == 0
