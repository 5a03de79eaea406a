"""The whole way in: paths, the window of time, what is dropped, the answers, and the recorded payloads."""

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from services.ingest.citybrain.envelope import open_envelope, read_form, seal
from services.ingest.citybrain.keys import Client, Keys
from services.ingest.citybrain.messages import (
    AttachedType,
    CarArrival,
    CarDeparture,
    CheckRecord,
    Counts,
    Dropped,
    Heartbeat,
    ParkingInfo,
    ParkingState,
    StayKind,
    Upload,
    read_upload,
)
from services.ingest.citybrain.methods import DROPPED, ROUTES, Method, Route, get_route
from services.ingest.citybrain.problems import (
    ACCEPTED,
    ANSWERS,
    CityBrainProblem,
    ProblemCode,
    accepted_answer,
    dropped_answer,
    refused_answer,
)
from services.ingest.citybrain.receiving import UPLOAD_WINDOW, Received, check_upload_time, receive

BITS = 1024
"""The size of the field's own keys."""

CLIENT_KEY, STRANGER_KEY = (rsa.generate_private_key(65537, BITS) for _ in range(2))
KEYS = Keys({"lots": Client("lots", CLIENT_KEY.public_key())})
UPLOADED_AT = datetime(2024, 5, 17, 1, 17, 2, tzinfo=UTC)

BEAT: dict[str, object] = {"parkingCode": "33010200101", "uploadTime": "2024-05-17 09:17:02"}
STATE: dict[str, object] = BEAT | {"totalBerthNum": 200, "openBerthNum": 160, "freeBerthNum": 3}
CAR_IN: dict[str, object] = STATE | {
    "uid": "330102001010120240517091700",
    "plateNo": "浙A12345",
    "arriveTime": "2024-05-17 09:17:00",
}
CHECK: dict[str, object] = BEAT | {"checkDate": "2024-05-16", "arriveNum": 812, "leaveNum": 809, "payTotal": 1}
MESSAGES: dict[Method, dict[str, object]] = {
    Method.PARKING_STATE: STATE,
    Method.HEARTBEAT: BEAT,
    Method.CAR_IN: CAR_IN,
    Method.CAR_OUT: CAR_IN | {"endTime": "2024-05-17 09:17:01"},
    Method.CHECK_RECORD: CHECK,
    Method.PARKING_INFO: STATE | {"parkingName": "示例"},
    Method.DOWN_UID: BEAT | {"accountDate": "2024-05-16", "type": 0},
}


def body_of(data: dict[str, object], key: rsa.RSAPrivateKey = CLIENT_KEY) -> bytes:
    """Give the body that a lot would post."""
    return seal(data, access_id="lots", client_key=key).to_form()


def test_each_version_has_its_paths() -> None:
    """v1 under one folder; v2 under another, but for the heartbeat."""
    assert get_route("/tcjg/api/uploadParkingState") == Route(1, Method.PARKING_STATE)
    assert get_route("/tcjg/api/uploadHeartbeat") == Route(1, Method.HEARTBEAT)
    assert get_route("/api/v2/cp/uploadCarInData") == Route(2, Method.CAR_IN)
    assert get_route("/api/v2/tcjg/uploadHeartbeat") == Route(2, Method.HEARTBEAT)
    assert len(ROUTES) == 2 * len(Method)
    for path in ("/api/v2/cp/uploadHeartbeat", "/api/v2/cp/", "/tcjg/api/nothing", "", "/api/v2/cp/uploadcarindata"):
        with pytest.raises(CityBrainProblem) as caught:
            get_route(path)
        assert caught.value.code is ProblemCode.UNKNOWN_METHOD


@pytest.mark.parametrize("ago", [UPLOAD_WINDOW, -UPLOAD_WINDOW, timedelta(0)])
def test_the_very_edge_of_the_window_is_inside(ago: timedelta) -> None:
    """Ten minutes early or late are let in."""
    check_upload_time(UPLOADED_AT, UPLOADED_AT + ago)


@pytest.mark.parametrize("ago", [UPLOAD_WINDOW, -UPLOAD_WINDOW])
def test_a_second_past_the_window_is_stale(ago: timedelta) -> None:
    """A caught message can't be posted again later, nor one prepared for the future."""
    beyond = ago + timedelta(seconds=1 if ago > timedelta(0) else -1)
    with pytest.raises(CityBrainProblem) as caught:
        check_upload_time(UPLOADED_AT, UPLOADED_AT + beyond)
    assert caught.value.code is ProblemCode.STALE_UPLOAD_TIME
    check_upload_time(UPLOADED_AT, UPLOADED_AT + beyond, window=timedelta(hours=1))


@pytest.mark.parametrize("method", MESSAGES)
def test_each_call_is_received_from_its_path_and_body(method: Method) -> None:
    """The whole way in, for both versions."""
    for path in (path for path, route in ROUTES.items() if route.method is method):
        received = receive(path, body_of(MESSAGES[method]), KEYS, now=UPLOADED_AT)
        assert received == Received("lots", read_upload(method, MESSAGES[method]))
        with pytest.raises(CityBrainProblem) as caught:
            receive(path, body_of(MESSAGES[method]), KEYS, now=UPLOADED_AT + timedelta(minutes=11))
        assert caught.value.code is ProblemCode.STALE_UPLOAD_TIME


def test_a_car_that_came_in_before_the_outage_is_not_stale() -> None:
    """The arriveTime may be a day old as long as uploadTime is now."""
    data = CAR_IN | {"arriveTime": "2024-05-16 07:00:00"}
    received = receive("/api/v2/cp/uploadCarInData", body_of(data), KEYS, now=UPLOADED_AT)
    assert isinstance(received.upload, CarArrival)


@pytest.mark.parametrize("method", sorted(DROPPED - {Method.PHOTO}))
def test_payments_are_verified_and_dropped(method: Method) -> None:
    """A lot's payment calls go through, but a wrong key is still told."""
    path = f"/api/v2/cp/{method}"
    assert receive(path, body_of({"billID": "1"}), KEYS, now=UPLOADED_AT) == Received("lots", Dropped(method))
    with pytest.raises(CityBrainProblem) as caught:
        receive(path, body_of({"billID": "1"}, STRANGER_KEY), KEYS, now=UPLOADED_AT)
    assert caught.value.code is ProblemCode.BAD_SIGNATURE


def test_photos_are_dropped_unread() -> None:
    """A picture far above the limit of a body is answered without being looked at."""
    received = receive("/tcjg/api/uploadPhoto", b"x" * 600_000, KEYS, now=UPLOADED_AT)
    assert received == Received(None, Dropped(Method.PHOTO))


def test_a_payment_can_not_pass_as_a_count() -> None:
    """The path is not signed, so a message posted to another path must fail by its fields or change nothing new."""
    for path, data in (
        ("/api/v2/cp/uploadCarOutData", CAR_IN),
        ("/api/v2/cp/uploadParkingState", CHECK),
        ("/api/v2/cp/uploadParkingState", BEAT),
    ):
        with pytest.raises(CityBrainProblem) as caught:
            receive(path, body_of(data), KEYS, now=UPLOADED_AT)
        assert caught.value.code is ProblemCode.MISSING_FIELD


def test_every_refusal_has_its_own_number_and_says_its_code() -> None:
    """No refusal can be taken for yes, and no two look alike."""
    answers = [refused_answer(CityBrainProblem(code, "freeBerthNum")) for code in ProblemCode]
    numbers = [answer["resultCode"] for answer in answers]
    assert len(set(numbers)) == len(ProblemCode)
    assert ACCEPTED not in numbers
    for code, answer in zip(ProblemCode, answers, strict=True):
        assert str(answer["msg"]).startswith(f"{code}: ")
        assert "freeBerthNum" in str(answer["msg"])
    assert CityBrainProblem(ProblemCode.BAD_NUMBER).result_code == 40005


def test_yes_is_the_answer_the_published_clients_look_for() -> None:
    """Clients test resultCode against 200 and nothing else."""
    for answer in (accepted_answer(), dropped_answer()):
        assert answer["resultCode"] == 200


def test_the_page_of_the_feed_lists_every_code_with_its_number() -> None:
    """What a vendor reads in the docs is what the service answers."""
    page = Path(__file__).parents[2].joinpath("docs/feeds/hangzhou-city-brain.md").read_text("utf-8")
    for code, (result_code, _) in ANSWERS.items():
        assert f"| {result_code} | `{code}` |" in page
    for method in Method:
        assert f"`{method}`" in page


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Say where the recordings are."""
    root = os.environ.get("BOWEI_RECORDINGS")
    if not root:
        missing = "BOWEI_RECORDINGS is not set: the recorded City Brain payloads are not at hand"
        pytest.skip(missing)
    return Path(root) / "payloads-hangzhou-citybrain"


def read_recorded(path: Path, method: Method) -> Upload | Dropped:
    """Read a recorded message after its whole way through seal, form and envelope."""
    data: dict[str, Any] = json.loads(path.read_text("utf-8"))["data"]
    return read_upload(method, open_envelope(read_form(body_of(data)), KEYS))


def test_the_recorded_samples_say_what_they_say(recordings: Path) -> None:
    """Every payload on record comes through as the values a person reads in it."""
    state = read_recorded(recordings / "uploadParkingState.sample.json", Method.PARKING_STATE)
    assert state == ParkingState("1001", Counts(150, 130, 10), datetime(2015, 9, 1, 1, 10, 11, tzinfo=UTC))
    beat = read_recorded(recordings / "constructed/uploadHeartbeat.json", Method.HEARTBEAT)
    assert beat == Heartbeat("33010200101", datetime(2024, 5, 17, 1, 18, tzinfo=UTC))
    car_in = read_recorded(recordings / "constructed/uploadCarInData.v2.json", Method.CAR_IN)
    assert isinstance(car_in, CarArrival)
    assert (car_in.counts, car_in.stay_kind) == (Counts(200, 160, 3), StayKind.TEMPORARY)
    car_out = read_recorded(recordings / "constructed/uploadCarOutData.v2.json", Method.CAR_OUT)
    assert isinstance(car_out, CarDeparture)
    assert (car_out.uid, car_out.counts.free, car_out.due_fen) == (car_in.uid, 4, 1000)
    check = read_recorded(recordings / "constructed/uploadCheckRecord.json", Method.CHECK_RECORD)
    assert isinstance(check, CheckRecord)
    assert (check.day, check.arrived_count, check.left_count) == (date(2024, 5, 16), 812, 809)


def test_the_recorded_lot_has_no_place_and_misspelt_fields(recordings: Path) -> None:
    """The published sample fills its coordinates with "1" and uses the spellings of v1."""
    info = read_recorded(recordings / "uploadParkingInfo.sample.json", Method.PARKING_INFO)
    assert isinstance(info, ParkingInfo)
    assert (info.lot_code, info.name) == ("yb0002", "云泊测试停车场2")
    assert (info.capacity, info.open, info.monthly_count, info.charging_count) == (100, 100, 50, 0)
    assert (info.location, info.attached_type) == (None, AttachedType.UNKNOWN)
    assert info.uploaded_at == datetime(2019, 2, 20, 3, 4, tzinfo=UTC)
