"""Lots that speak the Hangzhou City Brain protocol: what their uploads become here."""

from datetime import datetime, timedelta

import pytest

from bowei.domain.observations import Outcome, PassageKind
from bowei.domain.plates import plate_hash
from bowei.records.failures import StoreAway
from services.ingest.citybrain.fields import CHINA_TIME
from tests.service.ingest_app import CITYBRAIN_KEY, MALL, NOW, PLATE_KEY, ingest, passage, public_pem, wait_until

STATE, STATE_V2 = "/tcjg/api/uploadParkingState", "/api/v2/cp/uploadParkingState"
CAR_IN, CAR_OUT = "/api/v2/cp/uploadCarInData", "/tcjg/api/uploadCarOutData"
COUNTS = {"totalBerthNum": 300, "openBerthNum": "280", "freeBerthNum": 100}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def written(at: datetime) -> str:
    """Write a time as lots do."""
    return at.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M:%S")


def state(at: datetime = NOW, **changes: object) -> dict[str, object]:
    """Write the lot's counts."""
    return {"parkingCode": "330106", **COUNTS, "uploadTime": written(at)} | changes


def car_in(**changes: object) -> dict[str, object]:
    """Write a car that came in ten seconds ago."""
    arrived = written(NOW - timedelta(seconds=10))
    car = {"uid": "stay-1", "arriveID": "a-1", "plateNo": "浙A12345", "plateColor": 1, "carType": 1, "entryNum": "1"}
    return state() | car | {"arriveTime": arrived, "parkingType": 3} | changes


def car_out(**changes: object) -> dict[str, object]:
    """Write a car that went out five seconds ago."""
    left = written(NOW - timedelta(seconds=5))
    money = {"chargeFee": 1000, "shouldPay": 1000, "dealFee": 1000, "paidType": 3}
    return car_in() | money | {"endID": "e-1", "endTime": left, "outNum": "2"} | changes


async def test_the_protocol_is_off_until_it_is_turned_on() -> None:
    """Proves that its weak cryptography is nobody's risk by default."""
    async with ingest() as world:
        answer = await world.client.post(STATE, content=b"accessID=brain&cipher=x&sign=x", headers=_FORM)

        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", [STATE, STATE_V2])
async def test_a_lots_counts_are_recorded_and_shown(path: str) -> None:
    """Proves both versions: total is capacity, open is open, free is free, and the time is Beijing's."""
    async with ingest(citybrain=True) as world:
        answer = await world.upload(path, state(NOW - timedelta(seconds=3)))

        assert answer["resultCode"] == 200
        shown = await world.seen()
        assert shown is not None
        assert (shown.capacity, shown.open, shown.free) == (300, 280, 100)
        assert shown.observed_at == NOW - timedelta(seconds=3)
        assert shown == world.records.reports[MALL]


async def test_a_car_in_is_recorded_before_the_counts_that_have_it() -> None:
    """Proves that an arrival precedes its count, that the count is not moved twice, and that the plate is hashed."""
    async with ingest(citybrain=True) as world:
        answer = await world.upload(CAR_IN, car_in())

        assert answer["resultCode"] == 200
        assert world.journal.order == ["passage", "observation"]
        [(kept, moves_count)] = world.journal.passages
        assert (kept.passage_id, kept.kind, kept.shared) == ("stay-1", PassageKind.ENTER, True)
        assert kept.passed_at == NOW - timedelta(seconds=10)
        assert kept.plate_hashes == (plate_hash("浙A12345", PLATE_KEY),)
        assert not moves_count
        shown = await world.seen()
        assert shown is not None
        assert (shown.free, shown.observed_at) == (100, NOW)


async def test_a_car_out_is_a_passage_and_counts_too() -> None:
    """Proves that the exit has its own time and the same stay's id."""
    async with ingest(citybrain=True) as world:
        await world.upload(CAR_IN, car_in())
        world.step(0.2)
        answer = await world.upload(CAR_OUT, car_out(freeBerthNum=101, parkingType=1))

        assert answer["resultCode"] == 200
        kept, _ = world.journal.passages[-1]
        assert (kept.passage_id, kept.kind, kept.shared) == ("stay-1", PassageKind.EXIT, False)
        assert kept.passed_at == NOW - timedelta(seconds=5)
        shown = await world.seen()
        assert shown is not None
        assert shown.free == 101


async def test_without_a_key_plates_are_dropped() -> None:
    """Proves that the legacy way keeps no plate either."""
    async with ingest(citybrain=True, plate_keys=None) as world:
        assert (await world.upload(CAR_IN, car_in()))["resultCode"] == 200
        [(kept, _)] = world.journal.passages
        assert kept.plate_hashes == ()


async def test_a_repeated_upload_changes_nothing_and_is_answered_with_yes() -> None:
    """Proves that a lot whose answer was lost may send again."""
    async with ingest(citybrain=True) as world:
        await world.upload(CAR_IN, car_in())
        before = world.everything_kept()

        assert (await world.upload(CAR_IN, car_in()))["resultCode"] == 200
        assert world.everything_kept() == before


async def test_a_heartbeat_shows_that_the_source_lives_and_nothing_else() -> None:
    """Proves that operators see a lot that has nothing to say."""
    async with ingest(citybrain=True) as world:
        answer = await world.upload(
            "/api/v2/tcjg/uploadHeartbeat", {"parkingCode": "330106", "uploadTime": written(NOW)}
        )

        assert answer["resultCode"] == 200
        heard = await world.metric('bowei_ingest_source_last_heard_timestamp_seconds{source="brain"}')
        assert heard == NOW.timestamp()
        assert world.records.observations == []


async def test_a_heartbeat_is_a_sign_of_the_lot_s_life() -> None:
    """Proves that what City Brain's lots send counts like anybody's heartbeat."""
    async with ingest(citybrain=True) as world:
        beat = {"parkingCode": "330106", "uploadTime": written(NOW)}
        assert (await world.upload("/tcjg/api/uploadHeartbeat", beat))["resultCode"] == 200
        assert await world.metric('bowei_ingest_link_signs_total{sign="heartbeat"}') == 1


@pytest.mark.parametrize("off_s", [-60, 60])
async def test_a_heartbeat_is_of_the_instant_at_which_it_came(off_s: int) -> None:
    """Proves that a lot is not taken for lost, or for alive, because its clock is off by a minute."""
    async with ingest(citybrain=True) as world:
        beat = {"parkingCode": "330106", "uploadTime": written(NOW + timedelta(seconds=off_s))}
        assert (await world.upload("/tcjg/api/uploadHeartbeat", beat))["resultCode"] == 200
        await world.notes.write()
        (link,) = (await world.quality.city()).links
        assert link.last_at == NOW


def _asks(day: str, kind: int) -> dict[str, object]:
    return {"parkingCode": "330106", "accountDate": day, "type": kind, "uploadTime": written(NOW)}


async def test_a_lot_learns_which_of_its_cars_of_a_day_are_here() -> None:
    """Proves that a lot can send again exactly what was lost: by Beijing's day, by direction, and nobody else's."""
    midnight = NOW.replace(hour=16, minute=0) - timedelta(days=1)  # 2 March, 00:00 in Hangzhou
    arrivals = {
        "yesterday": midnight - timedelta(seconds=1),
        "first": midnight,
        "later": midnight + timedelta(hours=8),
    }
    async with ingest(citybrain=True) as world:
        for uid, at in reversed(arrivals.items()):
            await world.upload(CAR_IN, car_in(uid=uid, arriveTime=written(at)))
        await world.report_passages(passage(lot_id="emporium", passage_id="of-another-lot"))

        assert (await world.upload("/tcjg/api/downUID", _asks("2026-03-02", 0)))["data"] == {"uids": ["first", "later"]}
        assert (await world.upload("/api/v2/cp/downUID", _asks("2026-03-01", 0)))["data"] == {"uids": ["yesterday"]}
        assert (await world.upload("/tcjg/api/downUID", _asks("2026-03-02", 1)))["data"] == {"uids": []}


async def test_a_lot_that_asks_while_the_record_is_away_is_told_to_ask_again() -> None:
    """Proves that no empty list is given for one that can't be read: the lot would send its whole day."""
    async with ingest(citybrain=True) as world:
        await world.upload(CAR_IN, car_in())
        world.journal.failing = StoreAway()
        answer = await world.upload("/tcjg/api/downUID", _asks("2026-03-02", 0))
        assert (answer["resultCode"], "data" in answer) == (50301, False)


async def test_calls_that_are_none_of_our_business_are_answered_and_dropped() -> None:
    """Proves that a lot's queue is not blocked by what Bowei has no use for."""
    async with ingest(citybrain=True) as world:
        tally = {"parkingCode": "330106", "checkDate": "2026-03-01", "arriveNum": 1, "leaveNum": 1, "payTotal": 0}
        answers = [
            await world.upload("/tcjg/api/uploadPayRecord", {"anything": 1}),
            await world.upload("/tcjg/api/uploadCheckRecord", tally | {"uploadTime": written(NOW)}),
        ]
        photo = await world.client.post("/api/v2/cp/uploadPhoto", content=b"x=" + b"y" * 600_000, headers=_FORM)

        assert [answer["resultCode"] for answer in (*answers, photo.json())] == [200, 200, 200]
        assert world.records.observations == []


@pytest.mark.parametrize(
    ("path", "data", "result_code", "code"),
    [
        pytest.param(STATE, state(parkingCode="9"), 40402, "unknown_lot", id="a lot that nobody registered"),
        pytest.param(STATE, state(parkingCode="office"), 40301, "not_your_lot", id="another's lot"),
        pytest.param(STATE, state(freeBerthNum=-1), 40005, "bad_number", id="-1 free"),
        pytest.param(STATE, state(freeBerthNum="开放中"), 40005, "bad_number", id="open, in words"),
        pytest.param(STATE, state(totalBerthNum=2**31 - 1), 40005, "bad_number", id="two thousand million spaces"),
        pytest.param(STATE, state(uploadTime=None), 40004, "missing_field", id="no time"),
        pytest.param(STATE, state(uploadTime="2026-03-02T09:00:00Z"), 40006, "bad_time", id="another form of time"),
        pytest.param(STATE, state(NOW - timedelta(seconds=601)), 40901, "stale_upload_time", id="ten minutes late"),
        pytest.param(STATE, state(NOW + timedelta(seconds=601)), 40901, "stale_upload_time", id="ten minutes early"),
        pytest.param(CAR_IN, car_in(uid="a b"), 40007, "bad_id", id="an id with a space"),
        pytest.param(CAR_IN, car_in(plateNo="浙" * 17), 40008, "bad_text", id="a plate of 17"),
        pytest.param(
            CAR_IN, car_in(arriveTime=written(NOW + timedelta(hours=1))), 40006, "bad_time", id="arrived in an hour"
        ),
        pytest.param("/tcjg/api/uploadNonsense", state(), 40401, "unknown_method", id="no such call"),
    ],
)
async def test_a_bad_upload_is_refused_with_its_number_and_changes_nothing(
    path: str, data: dict[str, object], result_code: int, code: str
) -> None:
    """Proves that `resultCode` is never 200 for what was not kept, and that `msg` starts with the stable code."""
    async with ingest(citybrain=True) as world:
        await world.upload(STATE, state(NOW - timedelta(seconds=30)))
        before, shown = world.everything_kept(), await world.seen()

        answer = await world.upload(path, data)

        assert answer["resultCode"] == result_code
        assert str(answer["msg"]).startswith(f"{code}: ")
        assert "浙" not in str(answer)
        assert world.everything_kept() == before
        assert await world.seen() == shown


async def test_a_stranger_is_not_heard() -> None:
    """Proves that an id without a key, and a key without its id, are both refused."""
    async with ingest(citybrain=True) as world:
        assert (await world.upload(STATE, state(), access_id="nobody"))["resultCode"] == 40101
        answer = await world.client.post(STATE, content=b"accessID=brain&cipher=AAAA&sign=AAAA", headers=_FORM)
        assert answer.json()["resultCode"] == 40102
        assert world.records.observations == []


async def test_a_suspended_client_is_not_heard() -> None:
    """Proves that the register's word also holds for the legacy way."""
    async with ingest(citybrain=True) as world:
        brain = next(one for one in await world.register.sources() if one.source_id == "brain")
        await world.register.put_sources([type(brain)(brain.source_id, brain.kind, None, public_pem(), suspended=True)])
        world.monotonic_s += 3

        assert (await world.upload(STATE, state()))["resultCode"] == 40302
        assert world.records.observations == []


async def test_counts_that_cannot_be_true_are_kept_and_the_lot_is_told() -> None:
    """Proves that a wrong count does not block the lot's queue, and is not believed."""
    async with ingest(citybrain=True) as world:
        answer = await world.upload(STATE, state(freeBerthNum=8259))

        assert answer["resultCode"] == 200
        assert str(answer["msg"]).startswith("free_above_capacity: ")
        assert await world.seen() is None
        assert world.records.observations[0][1] is Outcome.QUARANTINED


async def test_with_the_record_away_the_lot_is_asked_to_send_again() -> None:
    """Proves that nothing is acknowledged, that boards stay live, and that the repeat is recorded."""
    async with ingest(citybrain=True) as world:
        world.journal.failing = StoreAway("gone")
        answer = await world.upload(STATE, state())
        assert answer["resultCode"] == 50301
        assert await world.seen() is not None
        assert world.records.observations == []

        world.journal.failing = None
        assert (await world.upload(STATE, state()))["resultCode"] == 200
        assert len(world.records.observations) == 1


async def test_with_the_live_state_away_the_lot_is_answered_with_yes() -> None:
    """Proves that the copier makes up for it, whichever way the report came."""
    async with ingest(citybrain=True) as world:
        await wait_until(world.live.reports_copied)
        world.live.away = True
        assert (await world.upload(STATE, state()))["resultCode"] == 200
        world.live.away = False

        async def shown() -> bool:
            return await world.seen() is not None

        await wait_until(shown)


async def test_a_lots_clock_that_runs_ahead_does_not_make_reports_from_the_future() -> None:
    """Proves that what such a lot says ages from now on, keeps its order, and can't be caught and played again."""
    async with ingest(citybrain=True) as world:
        ahead = timedelta(minutes=9)
        await world.upload(STATE, state(NOW + ahead, freeBerthNum=100))
        world.step(10)
        await world.upload(STATE, state(NOW + ahead + timedelta(seconds=10), freeBerthNum=90))
        world.step(10)
        replayed = await world.upload(STATE, state(NOW + ahead, freeBerthNum=100))

        assert replayed["resultCode"] == 200
        shown = await world.seen()
        assert shown is not None
        assert (shown.free, shown.observed_at) == (90, NOW + timedelta(seconds=10))


async def test_a_clock_that_was_put_right_is_heard_again() -> None:
    """Proves that a lot is not shut out by a time that it said by mistake."""
    async with ingest(citybrain=True) as world:
        await world.upload(STATE, state(NOW + timedelta(minutes=9), freeBerthNum=100))
        world.step(20)
        await world.upload(STATE, state(NOW + timedelta(seconds=20), freeBerthNum=80))

        shown = await world.seen()
        assert shown is not None
        assert shown.free == 80


def test_the_clients_key_is_no_secret_of_ours() -> None:
    """Proves that the register holds only the public half."""
    assert "PRIVATE" not in public_pem()
    assert CITYBRAIN_KEY.key_size == 1024
