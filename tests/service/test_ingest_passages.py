"""Lots report cars in and out."""

from bowei.domain.plates import plate_hash
from bowei.records.failures import StoreAway
from tests.service.ingest_app import MALL, PLATE_KEY, ingest, observation, passage, results


async def test_a_car_in_moves_the_count_that_is_shown() -> None:
    """Proves that a lot which reports cars between its counts is shown right in between."""
    async with ingest() as world:
        await world.observe(observation(free=118))
        answer = await world.report_passages(
            passage(), passage(passage_id="p-2"), passage(passage_id="p-3", kind="exit")
        )

        assert answer.json() == {
            "accepted": 3,
            "results": [
                {"result": "applied", "lot_id": "mall", "passage_id": "p-1"},
                {"result": "applied", "lot_id": "mall", "passage_id": "p-2"},
                {"result": "applied", "lot_id": "mall", "passage_id": "p-3"},
            ],
        }
        shown = await world.seen()
        assert shown is not None
        assert shown.free == 117
        assert shown == world.records.reports[MALL]


async def test_the_same_car_twice_is_one_car() -> None:
    """Proves that a sender may repeat what it is not sure of, in one batch or the next."""
    async with ingest() as world:
        await world.observe(observation(free=118))
        first = await world.report_passages(passage(), passage())
        again = await world.report_passages(passage())

        assert results(first) == [("applied", None), ("duplicate", None)]
        assert results(again) == [("duplicate", None)]
        shown = await world.seen()
        assert shown is not None
        assert shown.free == 117


async def test_a_car_from_before_the_last_full_count_is_history() -> None:
    """Proves that a count which already has the car is not moved by it."""
    async with ingest() as world:
        await world.observe(observation(free=118))
        answer = await world.report_passages(passage(passed_at="2026-03-02T00:59:00Z"))

        assert results(answer) == [("stale", None)]
        shown = await world.seen()
        assert shown is not None
        assert shown.free == 118


async def test_a_plate_is_kept_only_as_a_keyed_hash() -> None:
    """Proves that what reaches the record is what routing computes from the plate that a driver states."""
    async with ingest() as world:
        await world.report_passages(passage(plate=" 浙a·12345"))

        [(kept, moves_count)] = world.journal.passages
        assert kept.plate_hashes == (plate_hash("浙A12345", PLATE_KEY),)
        assert moves_count
        assert "浙" not in repr(kept)


async def test_without_a_key_plates_are_dropped() -> None:
    """Proves that a plate is never kept in a way that could be undone, not even by accident of configuration."""
    async with ingest(plate_keys=None) as world:
        assert results(await world.report_passages(passage(plate="浙A12345"))) == [("applied", None)]
        [(kept, _)] = world.journal.passages
        assert kept.plate_hashes == ()


async def test_with_the_record_away_cars_are_not_acknowledged() -> None:
    """Proves that the sender repeats, and that the repeat is taken."""
    async with ingest() as world:
        world.journal.failing = StoreAway("gone")
        answer = await world.report_passages(passage())
        assert (answer.status_code, answer.json()["code"]) == (503, "store_away")
        assert "retry-after" in answer.headers

        world.journal.failing = None
        assert results(await world.report_passages(passage())) == [("applied", None)]


async def test_cars_of_one_lot_are_recorded_in_the_order_sent() -> None:
    """Proves that a car's entry is never recorded after its exit, however many lots share a batch."""
    async with ingest() as world:
        sent = [
            passage(lot_id=lot_id, passage_id=f"{lot_id}-{number}", kind="enter" if number % 2 else "exit")
            for number in range(60)
            for lot_id in ("mall", "emporium")
        ]
        await world.report_passages(*sent)

        for lot_id in ("mall", "emporium"):
            kept = [one.passage_id for one, _ in world.journal.passages if one.lot_id == lot_id]
            assert kept == [f"{lot_id}-{number}" for number in range(60)]
