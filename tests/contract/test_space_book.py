"""What the book of sensed spaces promises, kept by every store: order, repeats, silence, and the count of a lot."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bowei.domain.clock import SteppedClock
from bowei.domain.lots import LotId, SourceId
from bowei.records.in_memory import InMemoryRecords, InMemorySpaceBook
from bowei.records.registering import Source, SourceKind
from bowei.records.sensing import SpaceCount, SpaceSign, SpacesNoted
from tests.contract.block import MALL, MONDAY_9H, OFFICE, Block, a_lot

SENSORS = SourceId("sensors")
SILENT_AFTER = timedelta(hours=2)


@pytest.fixture
async def sensed(block: Block) -> Block:
    """Give the block with a source of sensors."""
    lots = (("mall", MALL), ("office", OFFICE))
    await block.register.put_sources([Source(SENSORS, SourceKind.FEED, lots=lots)])
    return block


def sign(device: str, occupied: bool | None, f_cnt: int, *, after_s: float = 0, **other: object) -> SpaceSign:
    """Write what a sensor of the mall says, so long after nine o'clock."""
    said = {"lot_id": MALL, "source_id": SENSORS} | other
    at = MONDAY_9H + timedelta(seconds=after_s)
    return SpaceSign(device_id=device, occupied=occupied, f_cnt=f_cnt, said_at=at, **said)  # type: ignore[arg-type]


async def note(block: Block, *signs: SpaceSign) -> SpacesNoted:
    """Note what sensors say."""
    return await block.stores.spaces.note(signs, silent_after=SILENT_AFTER)


async def counts(block: Block, *signs: SpaceSign) -> tuple[int, int, int]:
    """Note what sensors of the mall say; give its free, known and all sensed spaces."""
    count = (await note(block, *signs)).counts[MALL]
    return count.free, count.known, count.spaces


async def test_a_lot_is_counted_from_its_spaces(sensed: Block) -> None:
    """Free is what is known to be empty; what nobody knows is neither free nor taken."""
    first = await counts(sensed, sign("a", occupied=True, f_cnt=1), sign("b", occupied=False, f_cnt=9))
    assert first == (1, 2, 2)
    assert await counts(sensed, sign("c", occupied=None, f_cnt=1)) == (1, 2, 3)
    assert await counts(sensed, sign("b", occupied=True, f_cnt=10, after_s=5)) == (0, 2, 3)


async def test_one_call_counts_every_lot_it_names(sensed: Block) -> None:
    """The counts are those after all signs of the call, whichever came first."""
    noted = await note(
        sensed,
        sign("a", occupied=True, f_cnt=1),
        sign("z", occupied=False, f_cnt=1, lot_id=OFFICE),
        sign("a", occupied=False, f_cnt=2, after_s=1),
    )
    assert noted.outcomes == ["applied", "applied", "applied"]
    assert noted.counts == {
        MALL: SpaceCount(2, MONDAY_9H + timedelta(seconds=1), free=1, known=1, spaces=1),
        OFFICE: SpaceCount(1, MONDAY_9H, free=1, known=1, spaces=1),
    }


@pytest.mark.parametrize(
    ("after_s", "f_cnt", "outcome", "free"),
    [
        (10, 7, "duplicate", 0),
        (10, 8, "applied", 1),
        (11, 8, "applied", 1),
        (11, 0, "applied", 1),
        (11, 7, "applied", 1),
        (10, 6, "stale", 0),
        (9, 6, "stale", 0),
        (9, 99, "stale", 0),
    ],
)
async def test_the_networks_time_orders_what_a_sensor_says(
    sensed: Block, after_s: float, f_cnt: int, outcome: str, free: int
) -> None:
    """A repeat changes nothing, and a sensor that joined again, whose count began anew, is heard."""
    await note(sensed, sign("a", occupied=True, f_cnt=7, after_s=10))
    noted = await note(sensed, sign("a", occupied=False, f_cnt=f_cnt, after_s=after_s))
    assert list(noted.outcomes) == [outcome]
    assert noted.counts[MALL].free == free


@pytest.mark.parametrize(("ahead_s", "outcome"), [(30, "applied"), (30.001, "rejected")])
async def test_what_lies_in_the_future_is_not_noted(sensed: Block, ahead_s: float, outcome: str) -> None:
    """By the ledger's clock: else a network whose clock ran ahead once would silence its sensors until then."""
    noted = await note(sensed, sign("a", occupied=True, f_cnt=1, after_s=ahead_s))
    assert noted.outcomes == [outcome]
    assert (MALL in noted.counts) is (outcome == "applied")
    if outcome == "rejected":
        assert await counts(sensed, sign("a", occupied=False, f_cnt=1)) == (1, 1, 1)


async def test_repeats_give_the_same_count_again(sensed: Block) -> None:
    """Who lost the answer asks again, and learns the count that stands."""
    said = [sign("a", occupied=False, f_cnt=1), sign("b", occupied=True, f_cnt=1)]
    before = await note(sensed, *said)
    again = await note(sensed, *said)
    assert again.outcomes == ["duplicate", "duplicate"]
    assert again.counts == before.counts


async def test_a_sensor_that_fell_silent_is_not_counted(sensed: Block) -> None:
    """At the very end of the time a space stops being known, and is known again when its sensor speaks."""
    await note(sensed, sign("a", occupied=False, f_cnt=1), sign("b", occupied=True, f_cnt=1))
    await sensed.pass_time(hours=2)
    assert await counts(sensed, sign("b", occupied=True, f_cnt=2, after_s=7200)) == (0, 1, 2)
    assert await counts(sensed, sign("a", occupied=False, f_cnt=2, after_s=7200)) == (1, 2, 2)


async def test_a_late_sign_of_another_space_never_takes_the_count_back(sensed: Block) -> None:
    """A count with an older sign in it is newer than the one before: its time stays, its version grows."""
    first = (await note(sensed, sign("a", occupied=True, f_cnt=1, after_s=20))).counts[MALL]
    second = (await note(sensed, sign("b", occupied=False, f_cnt=1, after_s=10))).counts[MALL]
    assert second.counted_at == first.counted_at
    assert (second.version, second.free) == (first.version + 1, 1)


async def test_a_sensor_counts_for_the_lot_it_is_in_now(sensed: Block) -> None:
    """A sensor that was moved leaves its old lot."""
    await note(sensed, sign("a", occupied=False, f_cnt=1), sign("b", occupied=False, f_cnt=1))
    noted = await note(sensed, sign("a", occupied=False, f_cnt=2, after_s=1, lot_id=OFFICE))
    assert noted.counts[OFFICE].free == 1
    assert await counts(sensed, sign("b", occupied=False, f_cnt=2, after_s=1)) == (1, 1, 1)


async def test_signs_of_one_lot_that_come_together_are_counted_in_the_order_of_their_versions(sensed: Block) -> None:
    """Of many signs noted at once, the count with the highest version has every space in it."""
    noted = await asyncio.gather(*(note(sensed, sign(f"s{n}", occupied=False, f_cnt=1, after_s=n)) for n in range(8)))
    by_version = sorted((one.counts[MALL] for one in noted), key=lambda count: count.version)
    assert [(count.version, count.free) for count in by_version] == [(n, n) for n in range(1, 9)]
    assert by_version[-1].counted_at == MONDAY_9H + timedelta(seconds=7)


async def test_batches_with_the_same_lots_never_wait_for_each_other(sensed: Block) -> None:
    """Whatever order their lots stand in, all are noted."""

    def batch(number: int) -> list[SpaceSign]:
        lots = (MALL, OFFICE) if number % 2 else (OFFICE, MALL)
        return [
            sign(f"{lot_id}-{number}-{device}", occupied=False, f_cnt=1, lot_id=lot_id)
            for lot_id in lots
            for device in range(30)
        ]

    await note(sensed, *batch(0))
    noted = await asyncio.gather(*(note(sensed, *batch(number)) for number in range(1, 9)))
    assert max(one.counts[MALL].free for one in noted) == max(one.counts[OFFICE].free for one in noted) == 9 * 30


async def test_nothing_said_is_nothing_noted(sensed: Block) -> None:
    """An empty call is no call."""
    assert await note(sensed) == SpacesNoted((), {})


SAID = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from([0, 1]),
    st.sampled_from([True, False, None]),
    st.integers(0, 3),
    st.sampled_from([0, 1, 2, 7199, 7200, 7231, 7232]),
)
"""Device, lot, occupied, count, and so many seconds after nine."""


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(st.lists(SAID, max_size=5), min_size=1, max_size=4))
async def test_any_history_ends_the_same_everywhere(
    sensed: Block, calls: list[list[tuple[str, int, bool | None, int, float]]]
) -> None:
    """Whatever sensors say, the store under test and the twin answer alike."""
    await sensed.step_to(MONDAY_9H + timedelta(seconds=7201))
    twin = InMemorySpaceBook(InMemoryRecords(SteppedClock(sensed.now)))
    of_its_own = uuid4().hex[:8]  # a history has two lots, and all sensors in them, for itself
    lots = [LotId(f"{of_its_own}-{number}") for number in range(2)]
    await sensed.register.put_lots([a_lot(lot_id, 50) for lot_id in lots])
    for call in calls:
        said = [
            sign(f"{of_its_own}-{device}", occupied, f_cnt, after_s=after_s, lot_id=lots[lot])
            for device, lot, occupied, f_cnt, after_s in call
        ]
        assert await note(sensed, *said) == await twin.note(said, silent_after=SILENT_AFTER)
