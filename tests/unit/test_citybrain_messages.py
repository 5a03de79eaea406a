"""What City Brain messages mean: fields, times, places, and what is refused with which code."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowei.domain.observations import PassageKind
from bowei.domain.places import Datum, Point, distance_m
from services.ingest.citybrain.fields import MapPoint
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
    UidRequest,
    read_upload,
)
from services.ingest.citybrain.methods import Method
from services.ingest.citybrain.problems import (
    CityBrainProblem,
    ProblemCode,
    refused_answer,
)

UPLOADED_AT = datetime(2024, 5, 17, 1, 17, 2, tzinfo=UTC)

STATE: dict[str, object] = {
    "parkingCode": "33010200101",
    "totalBerthNum": 200,
    "openBerthNum": "160",
    "freeBerthNum": 3,
    "uploadTime": "2024-05-17 09:17:02",
}
CAR_IN: dict[str, object] = STATE | {
    "uid": "330102001010120240517091700",
    "arriveID": "1a2b3",
    "plateNo": "浙A12345",
    "plateColor": 1,
    "entryNum": "01",
    "gateNo": "无",
    "operatorCode": "无",
    "arriveTime": "2024-05-17 09:17:00",
    "parkingType": 3,
}
CAR_OUT: dict[str, object] = CAR_IN | {
    "endID": "1a2b9",
    "outNum": "02",
    "endTime": "2024-05-17 10:40:12",
    "chargeFee": 1000,
    "shouldPay": "800",
}
CHECK: dict[str, object] = {
    "parkingCode": "33010200101",
    "checkDate": "2024-05-16",
    "arriveNum": 812,
    "leaveNum": "809",
    "payTotal": 654300,
    "uploadTime": "2024-05-17 01:00:00",
}
INFO: dict[str, object] = STATE | {
    "parkingName": "示例商场",
    "address": "杭州市上城区\r\n示例路 1 号",
    "regionCode": "330102",
    "attachedType": "13",
    "parkingLocate": 1,
    "bmapX": "120.176249",
    "bmapY": "30.253344",
    "gmapX": 120.169663,
    "gmapY": "30.247651",
    "tempTotalNum": 80,
    "intrinsicTotalNum": 50,
    "visitorTotalNum": "",
    "chargeTotalNum": None,
}
UIDS: dict[str, object] = {
    "parkingCode": "33010200101",
    "accountDate": "2024-05-16",
    "type": 1,
    "uploadTime": "2024-05-17 01:00:00",
}
MESSAGES: dict[Method, dict[str, object]] = {
    Method.PARKING_STATE: STATE,
    Method.HEARTBEAT: {name: STATE[name] for name in ("parkingCode", "uploadTime")},
    Method.CAR_IN: CAR_IN,
    Method.CAR_OUT: CAR_OUT,
    Method.CHECK_RECORD: CHECK,
    Method.PARKING_INFO: INFO,
    Method.DOWN_UID: UIDS,
}


def refusal(method: Method, data: dict[str, object]) -> tuple[ProblemCode, str]:
    """Read what can't be read, and say why and where."""
    with pytest.raises(CityBrainProblem) as caught:
        read_upload(method, data)
    return caught.value.code, caught.value.detail


def test_counts_and_times_are_read_as_the_lot_means_them() -> None:
    """Digits as text count as numbers; a time without zone is Beijing time."""
    assert read_upload(Method.PARKING_STATE, STATE) == ParkingState("33010200101", Counts(200, 160, 3), UPLOADED_AT)
    assert read_upload(Method.HEARTBEAT, MESSAGES[Method.HEARTBEAT]) == Heartbeat("33010200101", UPLOADED_AT)


def test_a_car_in_and_its_car_out_share_a_uid() -> None:
    """Both passages of one stay, with the terms that say it was a shared space."""
    car_in, car_out = read_upload(Method.CAR_IN, CAR_IN), read_upload(Method.CAR_OUT, CAR_OUT)
    assert isinstance(car_in, CarArrival)
    assert isinstance(car_out, CarDeparture)
    assert car_in.uid == car_out.uid == "330102001010120240517091700"
    assert (car_in.arrival_id, car_out.departure_id) == ("1a2b3", "1a2b9")
    assert (car_in.entrance, car_out.exit) == ("01", "02")
    assert car_in.stay_kind is StayKind.SHARED
    assert car_in.counts == Counts(200, 160, 3)
    assert car_in.arrived_at == car_out.arrived_at == datetime(2024, 5, 17, 1, 17, tzinfo=UTC)
    assert car_out.left_at == datetime(2024, 5, 17, 2, 40, 12, tzinfo=UTC)
    assert (car_out.charged_fen, car_out.due_fen) == (1000, 800)


def test_a_plate_is_handed_over_and_never_shown() -> None:
    """The caller gets the plate to hash it; logs of the value do not."""
    for method, data in ((Method.CAR_IN, CAR_IN), (Method.CAR_OUT, CAR_OUT)):
        upload = read_upload(method, data)
        assert isinstance(upload, CarArrival | CarDeparture)
        assert upload.plate == "浙A12345"
        assert "12345" not in repr(upload)
        assert "浙" not in str(upload)


def test_version_1_says_less_about_a_car_and_is_understood() -> None:
    """v1 has no arriveID, endID, carType or plateColor, and spells shouldpay small."""
    v1_in = {name: value for name, value in CAR_IN.items() if name not in {"arriveID", "plateColor"}}
    car_in = read_upload(Method.CAR_IN, v1_in)
    assert isinstance(car_in, CarArrival)
    assert car_in.arrival_id is None
    v1_out = {name: value for name, value in CAR_OUT.items() if name not in {"endID", "shouldPay"}}
    car_out = read_upload(Method.CAR_OUT, v1_out | {"shouldpay": 700, "arriveTime": "", "plateNo": ""})
    assert isinstance(car_out, CarDeparture)
    assert (car_out.departure_id, car_out.due_fen) == (None, 700)
    assert (car_out.arrived_at, car_out.plate) == (None, None)


def test_unknown_terms_of_parking_are_unknown_and_not_an_error() -> None:
    """A new or missing parkingType does not lose the car's passage."""
    for sent in (9, "", None, "x", True, 3.0, [3]):
        car_in = read_upload(Method.CAR_IN, CAR_IN | {"parkingType": sent})
        assert isinstance(car_in, CarArrival)
        assert car_in.stay_kind is StayKind.UNKNOWN


def test_the_days_tally_and_the_question_for_uids_are_read() -> None:
    """Reconciliation: counts of one day, and which way of passage the lot asks about."""
    uploaded_at = datetime(2024, 5, 16, 17, tzinfo=UTC)
    day = date(2024, 5, 16)
    assert read_upload(Method.CHECK_RECORD, CHECK) == CheckRecord("33010200101", day, 812, 809, 654300, uploaded_at)
    assert read_upload(Method.DOWN_UID, UIDS) == UidRequest("33010200101", day, PassageKind.EXIT, uploaded_at)
    entering = read_upload(Method.DOWN_UID, UIDS | {"type": "0"})
    assert isinstance(entering, UidRequest)
    assert entering.kind is PassageKind.ENTER
    assert refusal(Method.DOWN_UID, UIDS | {"type": 2}) == (ProblemCode.BAD_NUMBER, "type")


def test_a_lot_describes_itself() -> None:
    """Names, use, counts by use, and one place from two datums."""
    info = read_upload(Method.PARKING_INFO, INFO)
    assert isinstance(info, ParkingInfo)
    assert (info.name, info.address) == ("示例商场", "杭州市上城区 示例路 1 号")
    assert (info.attached_type, info.on_street) == (AttachedType.MALL, False)
    assert (info.capacity, info.open, info.temporary_count, info.monthly_count) == (200, 160, 80, 50)
    assert (info.visitor_count, info.charging_count) == (None, None)
    assert info.bmap == MapPoint(30.253344, 120.176249, Datum.BD09)
    assert info.gmap == MapPoint(30.247651, 120.169663, Datum.GCJ02)
    assert info.location is not None
    assert distance_m(info.location, Point(30.25, 120.165)) < 1


def test_the_misspelt_fields_of_version_1_are_read_for_what_they_mean() -> None:
    """The intrinsicTotal of v1 is the monthly spaces, and visitorTotalNu the charging points, not the visitors."""
    v1 = {name: value for name, value in INFO.items() if name not in {"intrinsicTotalNum", "chargeTotalNum"}}
    info = read_upload(Method.PARKING_INFO, v1 | {"intrinsicTotal": 40, "visitorTotalNum": 30, "visitorTotalNu": 20})
    assert isinstance(info, ParkingInfo)
    assert (info.monthly_count, info.visitor_count, info.charging_count) == (40, 30, 20)


@pytest.mark.parametrize("placeholder", ["1", "0", "", None, 0, 1.0])
def test_placeholder_coordinates_are_no_place(placeholder: object) -> None:
    """Lots that fill in "1","1" have not said where they are."""
    nowhere = dict.fromkeys(("bmapX", "bmapY", "gmapX", "gmapY"), placeholder)
    info = read_upload(Method.PARKING_INFO, INFO | nowhere)
    assert isinstance(info, ParkingInfo)
    assert (info.bmap, info.gmap, info.location) == (None, None, None)


def test_one_datum_is_enough_to_know_the_place() -> None:
    """A lot may give only Baidu's pair."""
    info = read_upload(Method.PARKING_INFO, INFO | {"gmapX": "", "gmapY": ""})
    assert isinstance(info, ParkingInfo)
    assert info.location is not None
    assert distance_m(info.location, Point(30.25, 120.165)) < 1


def test_one_pair_copied_into_both_datums_is_refused() -> None:
    """Real clients send one pair as both; that is over a kilometre of doubt, and has its own code."""
    copied = {"bmapX": INFO["gmapX"], "bmapY": INFO["gmapY"]}
    assert refusal(Method.PARKING_INFO, INFO | copied)[0] is ProblemCode.DATUMS_DISAGREE


@pytest.mark.parametrize(("metres", "agree"), [(15, True), (25, False)])
def test_two_datums_may_differ_by_the_width_of_a_car_park(metres: int, agree: bool) -> None:
    """Around the limit of 20 m."""
    north = 30.247651 + metres / 111_195
    if agree:
        assert isinstance(read_upload(Method.PARKING_INFO, INFO | {"gmapY": north}), ParkingInfo)
    else:
        assert refusal(Method.PARKING_INFO, INFO | {"gmapY": north})[0] is ProblemCode.DATUMS_DISAGREE


@pytest.mark.parametrize(
    "wrong",
    [
        {"gmapX": "30.247651", "gmapY": "120.169663"},
        {"gmapX": "13377000", "gmapY": "3533000"},
        {"gmapX": 13377000.0},
        {"gmapX": ""},
        {"gmapX": "1"},
        {"gmapX": "120,169"},
        {"gmapX": "东"},
        {"gmapX": True},
        {"gmapX": [120]},
        {"gmapX": "-120.169663"},
        {"gmapX": "8.54", "gmapY": "47.37"},
    ],
)
def test_impossible_coordinates_are_refused(wrong: dict[str, object]) -> None:
    """Swapped axes, metres, half a pair, text, and places outside the mainland where GCJ-02 means nothing."""
    assert refusal(Method.PARKING_INFO, INFO | wrong)[0] is ProblemCode.BAD_COORDINATES


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "-1",
        -1,
        "开放中",
        True,
        False,
        10.0,
        1.5,
        "1.5",
        " 10",
        "+1",
        "1e3",
        "٣",
        "３",
        [],
        {},
        100_001,
        2**31,
        2**63,
        2**64,
        str(2**63),
        "9" * 400,
        float("nan"),
        float("inf"),
    ],
)
@pytest.mark.parametrize("name", ["totalBerthNum", "openBerthNum", "freeBerthNum"])
def test_what_is_not_a_count_is_refused_by_name(name: str, sent: object) -> None:
    """Sentinels, words, floats and numbers larger than any lot are not counts."""
    assert refusal(Method.PARKING_STATE, STATE | {name: sent}) == (ProblemCode.BAD_NUMBER, name)


def test_what_can_not_be_true_is_still_read() -> None:
    """More free than the lot has is well-formed: belief judges it later, and what was said is kept."""
    state = read_upload(Method.PARKING_STATE, STATE | {"freeBerthNum": "8259"})
    assert isinstance(state, ParkingState)
    assert state.counts.free == 8259


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "2024-05-17T09:17:02",
        "2024-05-17 09:17:02Z",
        "2024-05-17 09:17",
        "2024-5-17 9:17:02",
        "2024-02-30 09:17:02",
        "2024-05-17 24:00:00",
        "2024-05-17 09:17:60",
        "0000-00-00 00:00:00",
        "1970-01-01 08:00:00",
        "9999-12-31 23:59:59",
        "２０２４-05-17 09:17:02",
        " 2024-05-17 09:17:02",
        1715908622,
        True,
        [],
    ],
)
def test_what_is_not_a_time_is_refused(sent: object) -> None:
    """Other forms, days that do not exist, and the zeros of empty databases."""
    assert refusal(Method.HEARTBEAT, {"parkingCode": "1", "uploadTime": sent}) == (
        ProblemCode.BAD_TIME,
        "uploadTime",
    )


@pytest.mark.parametrize("sent", ["2024-02-30", "2024-05-16 00:00:00", "20240516", "", 20240516])
def test_what_is_not_a_day_is_refused(sent: object) -> None:
    """The tally needs a day of the calendar."""
    assert refusal(Method.CHECK_RECORD, CHECK | {"checkDate": sent}) == (ProblemCode.BAD_TIME, "checkDate")


@pytest.mark.parametrize("name", ["uid", "parkingCode", "arriveID"])
@pytest.mark.parametrize("sent", ["a" * 65, "a b", "a/b", "停车场", "a\n", "a\x00", 7, True, []])
def test_what_is_not_an_id_is_refused(name: str, sent: object) -> None:
    """Ids become keys and paths, so their letters and length are bounded."""
    assert refusal(Method.CAR_IN, CAR_IN | {name: sent}) == (ProblemCode.BAD_ID, name)


@pytest.mark.parametrize("sent", ["浙A12345" * 3, "浙A\x0012", "浙A\u202e12", 12345, ["浙A12345"]])
def test_a_plate_that_is_none_is_refused_without_repeating_it(sent: object) -> None:
    """Neither the problem nor the answer to the lot holds what was in the field."""
    with pytest.raises(CityBrainProblem) as caught:
        read_upload(Method.CAR_IN, CAR_IN | {"plateNo": sent})
    assert (caught.value.code, caught.value.detail) == (ProblemCode.BAD_TEXT, "plateNo")
    assert "浙A" not in str(caught.value) + str(refused_answer(caught.value))


OPTIONAL = {
    "arriveID", "endID", "plateNo", "plateColor", "entryNum", "outNum", "gateNo", "operatorCode", "parkingType",
    "chargeFee", "shouldPay", "address", "regionCode", "attachedType", "parkingLocate",
    "tempTotalNum", "intrinsicTotalNum", "visitorTotalNum", "chargeTotalNum",
}  # fmt: skip


@pytest.mark.parametrize("method", MESSAGES)
def test_each_field_that_must_be_there_is_missed_by_name(method: Method) -> None:
    """Left out or null: `missing_field`, naming it; the rest may be left out."""
    needed = set(MESSAGES[method]) - OPTIONAL
    if method is Method.CAR_OUT:
        needed -= {"arriveTime"}
    if method is Method.PARKING_INFO:
        needed -= {"freeBerthNum", "bmapX", "bmapY", "gmapX", "gmapY"}
    if method is Method.DOWN_UID:
        needed -= {"type"}
    for name in needed:
        without = {key: value for key, value in MESSAGES[method].items() if key != name}
        assert refusal(method, without) == (ProblemCode.MISSING_FIELD, name)
        assert refusal(method, without | {name: None}) == (ProblemCode.MISSING_FIELD, name)
    read_upload(method, {name: value for name, value in MESSAGES[method].items() if name not in OPTIONAL})


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(MESSAGES)), st.data())
@settings(deadline=timedelta(seconds=1), max_examples=400)
def test_no_json_value_does_more_than_be_refused(method: Method, data: st.DataObject) -> None:
    """A good message with any of its fields replaced by any JSON value is read or refused, never an error."""
    names = st.sampled_from(sorted(MESSAGES[method]))
    changes = data.draw(st.dictionaries(names, JSON_VALUES, min_size=1, max_size=4))
    try:
        upload = read_upload(method, MESSAGES[method] | changes)
    except CityBrainProblem as problem:
        named = problem.detail
    else:
        named = ""
        assert not isinstance(upload, Dropped)
        assert upload.uploaded_at.tzinfo is UTC
    assert named in {"", *MESSAGES[method], "bmap", "gmap", "bmap, gmap"}


@given(st.text(max_size=25) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", fullmatch=True))
@settings(deadline=timedelta(seconds=1))
def test_a_time_is_read_back_as_it_was_written_or_refused(sent: str) -> None:
    """Eight hours behind Beijing's wall clock, and nothing else, for every text that is a time."""
    with suppress(CityBrainProblem):
        upload = read_upload(Method.HEARTBEAT, {"parkingCode": "1", "uploadTime": sent})
        assert isinstance(upload, Heartbeat)
        assert (upload.uploaded_at + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S") == sent
