"""Lots report their counts: what is recorded, what is shown, and what the sender is told."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import LotState, Outcome
from bowei.records.failures import OutcomeUnknown, Overloaded, StoreAway
from bowei.records.registering import Source, SourceKind, key_sha256_of
from services.ingest.native.params import Batch, ObservationItem, PassageItem
from tests.service.ingest_app import (
    EMPORIUM,
    KEY,
    MALL,
    NOW,
    OTHER_KEY,
    SUSPENDED_KEY,
    SlowLiveState,
    a_lot,
    ingest,
    observation,
    passage,
    results,
    wait_until,
)


async def test_what_is_acknowledged_is_in_the_record_and_is_shown() -> None:
    """Proves the way of one observation: record, live state, answer."""
    async with ingest() as world:
        answer = await world.observe(observation(free_by_class={"disabled": 4}, queue_vehicles=3, method="camera"))

        assert answer.json() == {"accepted": 1, "results": [{"result": "applied", "lot_id": "mall"}]}
        [(judged, outcome)] = world.records.observations
        assert (judged.observation.free, judged.observation.open, outcome) == (118, 280, Outcome.APPLIED)
        assert judged.observation.source_id == "malls"
        shown = await world.seen()
        assert shown is not None
        assert (shown.free, shown.open, shown.capacity, shown.queue_vehicles) == (118, 280, 300, 3)
        assert shown.observed_at == datetime(2026, 3, 2, 0, 59, 57, tzinfo=UTC)


async def test_a_time_with_another_offset_is_the_same_instant() -> None:
    """Proves that a lot may write its local time, as long as it says so."""
    async with ingest() as world:
        await world.observe(observation(observed_at="2026-03-02T08:59:57+08:00"))

        shown = await world.seen()
        assert shown is not None
        assert shown.observed_at == datetime(2026, 3, 2, 0, 59, 57, tzinfo=UTC)


async def test_a_bad_item_never_stops_the_others() -> None:
    """Proves that each item has its own result, in the order sent, whatever stands next to it."""
    async with ingest() as world:
        answer = await world.observe(
            observation(lot_id="nowhere"),
            observation(),
            "not an item",
            observation(lot_id="office"),
            observation(free=304),
            observation(lot_id="emporium", capacity=50, open=None, free=7),
        )

        assert results(answer) == [
            ("rejected", "unknown_lot"),
            ("applied", None),
            ("rejected", "wrong_type"),
            ("rejected", "not_your_lot"),
            ("quarantined", "free_above_capacity"),
            ("applied", None),
        ]
        assert answer.json()["accepted"] == 2
        assert set(world.records.reports) == {MALL, EMPORIUM}


async def test_a_source_may_call_a_lot_by_its_own_code() -> None:
    """Proves that a lot's system need not learn our ids."""
    async with ingest() as world:
        answer = await world.observe(observation(lot_id="1001"))

        assert answer.json()["results"] == [{"result": "applied", "lot_id": "1001"}]
        assert set(world.records.reports) == {MALL}


async def test_impossible_counts_are_kept_as_said_and_the_last_good_value_stays_shown() -> None:
    """Proves that 8,259 free of 300 is neither believed nor lost."""
    async with ingest() as world:
        await world.observe(observation(free=118))
        answer = await world.observe(observation(free=8259, observed_at="2026-03-02T01:00:00Z"))

        assert results(answer) == [("quarantined", "free_above_capacity")]
        shown = await world.seen()
        assert shown is not None
        assert shown.free == 118
        assert world.records.observations[-1][0].observation.free == 8259


async def test_counts_without_a_capacity_are_held_against_the_registered_one() -> None:
    """Proves the edge: as many free as registered is believed, and what a barrier's slip does not explain is not."""
    async with ingest() as world:
        full = await world.observe(observation(lot_id="emporium", capacity=None, open=None, free=50))
        above = await world.observe(
            observation(lot_id="emporium", capacity=None, open=None, free=52, observed_at="2026-03-02T01:00:00Z")
        )

        assert results(full) == [("applied", None)]
        assert results(above) == [("quarantined", "free_above_capacity")]


async def test_an_older_report_is_history_and_a_repeat_is_nothing() -> None:
    """Proves that reports may come late, twice and out of order, and the newest is what is shown."""
    async with ingest() as world:
        await world.observe(observation(free=118))
        answer = await world.observe(observation(free=200, observed_at="2026-03-02T00:50:00Z"), observation(free=118))

        assert results(answer) == [("stale", None), ("duplicate", None)]
        assert answer.json()["accepted"] == 2
        shown = await world.seen()
        assert shown is not None
        assert shown.free == 118
        assert [outcome for _, outcome in world.records.observations] == [Outcome.APPLIED, Outcome.STALE]


async def test_two_reports_of_a_lot_in_one_batch_keep_their_order() -> None:
    """Proves that a batch sent after an outage ends with its newest report shown, oldest first or not."""
    async with ingest() as world:
        old, new = observation(free=10, seq=1), observation(free=11, seq=2)
        assert results(await world.observe(old, new)) == [("applied", None), ("applied", None)]
        shown = await world.seen()
        assert shown is not None
        assert shown.free == 11


async def test_a_closed_lot_says_so_without_a_count() -> None:
    """Proves that closed is not full, and unknown is not 0."""
    async with ingest() as world:
        answer = await world.observe(observation(capacity=None, open=None, free=None, state="closed"))

        assert results(answer) == [("applied", None)]
        shown = await world.seen()
        assert shown is not None
        assert (shown.state, shown.free) == (LotState.CLOSED, None)


async def test_half_a_minute_ahead_is_believed_and_a_second_more_is_not() -> None:
    """Proves the edge of the tolerance for a lot's clock."""
    async with ingest() as world:
        assert results(await world.observe(observation(observed_at="2026-03-02T01:00:30Z"))) == [("applied", None)]
        ahead = await world.observe(observation(observed_at="2026-03-02T01:00:31Z"))
        assert results(ahead) == [("rejected", "future_time")]
        assert len(world.records.observations) == 1


@pytest.mark.parametrize("behind", [timedelta(minutes=10), timedelta(hours=2)])
async def test_a_clock_that_is_behind_turns_no_true_report_away(behind: timedelta) -> None:
    """Proves that the ledger's clock says what comes from the future, not the one of the machine that was asked."""
    async with ingest() as world:
        world.clock.step_to(now := NOW + behind)
        assert results(await world.report_passages(passage(passed_at=now.isoformat()))) == [("applied", None)]
        assert results(await world.observe(observation(observed_at=now.isoformat()))) == [("applied", None)]
        too_far = (now + timedelta(seconds=31)).isoformat()
        assert results(await world.observe(observation(observed_at=too_far))) == [("rejected", "future_time")]
        assert results(await world.report_passages(passage(passed_at=too_far))) == [("rejected", "future_time")]
        world.journal.failing = StoreAway()
        assert (await world.observe(observation(observed_at=now.isoformat()))).status_code == 503


async def test_with_the_live_state_away_reports_are_recorded_acknowledged_and_shown_later() -> None:
    """Proves that a lost Redis costs no report: the copier brings back all of them, unasked."""
    async with ingest() as world:
        await wait_until(world.live.reports_copied)
        world.live.away = True
        answer = await world.observe(observation(), observation(lot_id="emporium", capacity=None, open=None, free=3))

        assert results(answer) == [("applied", None), ("applied", None)]
        assert await world.metric("bowei_ingest_show_failures_total") == 1
        world.live.away = False

        async def both_shown() -> bool:
            return await world.seen() is not None and await world.seen(EMPORIUM) is not None

        await wait_until(both_shown)


async def test_a_flushed_live_state_is_filled_again() -> None:
    """Proves that the copy comes back though no lot reports again."""
    async with ingest() as world:
        await world.observe(observation())
        await wait_until(world.live.reports_copied)
        world.live.flush()

        async def shown() -> bool:
            return await world.seen() is not None

        await wait_until(shown)


async def test_a_live_state_that_hangs_does_not_slow_every_lot_down() -> None:
    """Proves that after one lost wait the others are acknowledged without waiting."""
    live = SlowLiveState()
    async with ingest(live=live) as world:
        for number in range(20):
            answer = await world.observe(observation(seq=number))
            assert results(answer) == [("applied", None)]

        assert live.times_asked <= 3, "once by a report, and now and then by the copier"
        assert await world.metric("bowei_ingest_show_failures_total") == 20


async def test_with_the_record_away_reports_are_shown_and_the_sender_is_asked_to_repeat() -> None:
    """Proves that boards stay live, that nothing is acknowledged, and that the repeat is recorded."""
    async with ingest() as world:
        world.journal.failing = StoreAway("gone")
        answer = await world.observe(observation(), observation(lot_id="emporium", capacity=None, free=51))

        assert (answer.status_code, answer.json()["code"]) == (503, "store_away")
        assert int(answer.headers["retry-after"]) >= 1
        shown = await world.seen()
        assert shown is not None
        assert shown.free == 118
        assert await world.seen(EMPORIUM) is None, "what is not believed is not shown either"
        assert world.records.observations == []

        world.journal.failing = None
        assert results(await world.observe(observation())) == [("applied", None)]
        assert len(world.records.observations) == 1
        assert (await world.seen()) == world.records.reports[MALL]


async def test_with_the_record_away_an_older_report_does_not_replace_a_newer_one() -> None:
    """Proves that the live state keeps the order by itself."""
    async with ingest() as world:
        await world.observe(observation(free=118))
        world.journal.failing = StoreAway("gone")
        await world.observe(observation(free=5, observed_at="2026-03-02T00:10:00Z"))

        shown = await world.seen()
        assert shown is not None
        assert shown.free == 118


async def test_a_report_whose_outcome_is_unknown_may_be_repeated() -> None:
    """Proves that a commit whose answer was lost is found again as a duplicate, and shown."""
    async with ingest() as world:
        world.journal.failing, world.journal.commits_first = OutcomeUnknown("cut off"), True
        answer = await world.observe(observation())
        assert (answer.status_code, answer.json()["code"]) == (503, "outcome_unknown")
        world.live.flush()
        world.journal.failing = None

        assert results(await world.observe(observation())) == [("duplicate", None)]
        shown = await world.seen()
        assert shown is not None
        assert shown.free == 118


async def test_too_much_at_once_is_refused_and_changes_nothing() -> None:
    """Proves that shedding load also sheds the work of showing."""
    async with ingest() as world:
        world.journal.failing = Overloaded("the queue is full")
        answer = await world.observe(observation())

        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert await world.seen() is None


async def test_a_source_that_was_registered_a_moment_ago_may_report() -> None:
    """Proves that a new key works without a restart, and at once: its first report waits for the next reading."""
    async with ingest() as world:
        await world.observe(observation())
        new_key = "new.a-secret-that-is-a-second-old"
        await world.register.put_lots([a_lot(LotId("new-lot"), 20)])
        await world.register.put_sources(
            [Source(SourceId("new"), SourceKind.NATIVE, key_sha256_of(new_key), lots=(("new-lot", LotId("new-lot")),))]
        )
        item = observation(lot_id="new-lot", capacity=20, open=None, free=2)

        assert results(await world.observe(item, key=new_key)) == [("applied", None)]


async def test_a_lot_that_was_given_to_a_source_a_moment_ago_is_found() -> None:
    """Proves that a source's new lot works without a restart."""
    async with ingest() as world:
        await world.observe(observation())
        await world.register.put_lots([a_lot(LotId("annex"), 20)])
        lots = (("1001", MALL), ("annex", LotId("annex")))
        await world.register.put_sources([Source(SourceId("malls"), SourceKind.NATIVE, key_sha256_of(KEY), lots=lots)])
        world.monotonic_s += 0.51

        answer = await world.observe(observation(lot_id="annex", capacity=20, open=None, free=2))

        assert results(answer) == [("applied", None)]


async def test_a_suspended_source_is_soon_not_heard_any_more() -> None:
    """Proves that suspending takes effect within two seconds, and says so with a code of its own."""
    async with ingest() as world:
        assert (await world.observe(observation(), key=OTHER_KEY)).status_code == 200
        office = next(one for one in await world.register.sources() if one.source_id == "office")
        await world.register.put_sources([Source(office.source_id, office.kind, office.key_sha256, suspended=True)])
        world.monotonic_s += 2.01

        answer = await world.observe(observation(), key=OTHER_KEY)

        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


async def test_a_suspended_source_changes_nothing() -> None:
    """Proves that what a liar says is not even kept."""
    async with ingest() as world:
        answer = await world.observe(observation(), key=SUSPENDED_KEY)

        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
        assert world.records.observations == []


async def test_operators_see_what_came_in_from_whom_and_how_late() -> None:
    """Proves the metrics that alerts are made of."""
    async with ingest() as world:
        await world.observe(observation(), observation(free=-1), observation(free=999))

        assert await world.metric('bowei_ingest_observations_total{result="applied",way="native"}') == 1
        assert await world.metric('bowei_ingest_observations_total{result="rejected",way="native"}') == 1
        assert await world.metric('bowei_ingest_doubts_total{code="free_above_capacity",way="native"}') == 1
        assert await world.metric("bowei_ingest_lag_seconds_sum") == 6.0
        last_heard = await world.metric('bowei_ingest_source_last_heard_timestamp_seconds{source="malls"}')
        assert last_heard == world.clock.now().timestamp()


async def test_the_api_describes_itself_with_examples_that_work() -> None:
    """Proves that OpenAPI names every operation, defines every shape, and that its examples can be pasted."""
    async with ingest(citybrain=True) as world:
        described = (await world.client.get("/v1/openapi.json")).json()

    operations = [operation for methods in described["paths"].values() for operation in methods.values()]
    ids = [operation["operationId"] for operation in operations]
    assert {"report_observations", "report_passages"} <= set(ids)
    assert len(set(ids)) == len(ids)
    for ref in _refs(described):
        assert ref.removeprefix("#/components/schemas/") in described["components"]["schemas"], ref
    assert _example_items(described, "/v1/observations", ObservationItem) == 2
    assert _example_items(described, "/v1/passages", PassageItem) == 1


def _example_items(described: object, path: str, item_type: type[ObservationItem] | type[PassageItem]) -> int:
    body = msgspec.convert(described, type=dict[str, object])
    examples = body["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"]  # type: ignore[index]
    return sum(len(msgspec.convert(one["value"], Batch[item_type]).items) for one in examples.values())  # type: ignore[valid-type]


def _refs(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for member in value.values() for ref in _refs(member)]
    return [ref for member in value for ref in _refs(member)] if isinstance(value, list) else []
