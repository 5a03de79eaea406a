"""Bowei's own messages over MQTT: whose they are, what they say, and whose time they have."""

import json
from datetime import UTC, datetime

import pytest

from bowei.domain.heartbeats import Sign
from bowei.domain.lots import SpaceClass
from bowei.domain.observations import LotState, PassageKind
from services.ingest.mqtt.native import read_message
from services.ingest.mqtt.topics import Kind, NativeTopic, read_topic
from services.ingest.readings import CarReading, CountReading, LifeReading, Reading, Unmeant

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
AT = "2026-03-02T00:59:57Z"


def read(kind: Kind, said: object, *, waited: bool = False) -> list[Reading]:
    """Read a message of the mall; what is not bytes is written as JSON."""
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    return read_message(kind, "mall-a", payload, waited=waited, now=NOW)


def codes(readings: list[Reading]) -> list[tuple[str, str | None]]:
    """Give why each reading can't be meant."""
    return [(one.code, one.at_field) for one in readings if isinstance(one, Unmeant)]


def test_a_state_says_all_that_a_report_says() -> None:
    """The fields of the native protocol, with the lot from the topic."""
    said = {
        "observed_at": AT,
        "seq": 7,
        "capacity": 300,
        "open": 280,
        "free": 118,
        "state": "open",
        "method": "space_sensor",
        "free_by_class": {"disabled": 4},
        "queue_vehicles": 2,
        "reset": True,
    }
    assert read(Kind.STATE, said) == [
        CountReading(
            "mall-a",
            datetime(2026, 3, 2, 0, 59, 57, tzinfo=UTC),
            seq=7,
            capacity=300,
            open=280,
            free=118,
            free_by_class={SpaceClass.DISABLED: 4},
            queue_vehicles=2,
            method="space_sensor",
            reset=True,
        )
    ]
    [closed] = read(Kind.STATE, {"observed_at": AT, "state": "closed"})
    assert isinstance(closed, CountReading)
    assert (closed.state, closed.free) == (LotState.CLOSED, None)


def test_only_what_can_t_have_waited_is_believed_without_a_time() -> None:
    """A message that was retained, or kept while nobody was there, is of no known age."""
    [live] = read(Kind.STATE, {"free": 5})
    assert isinstance(live, CountReading)
    assert live.observed_at is None
    assert codes(read(Kind.STATE, {"free": 5}, waited=True)) == [("waited_without_time", "observed_at")]
    [dated] = read(Kind.STATE, {"free": 5, "observed_at": AT}, waited=True)
    assert isinstance(dated, CountReading)


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"observed_at": AT}, "missing_field", "free"),
        ({"observed_at": AT, "free": -1}, "out_of_range", "free"),
        ({"observed_at": AT, "free": "5"}, "wrong_type", "free"),
        ({"observed_at": AT, "free": None}, "wrong_type", "free"),
        ({"observed_at": AT, "fre": 5}, "unknown_field", "fre"),
        ({"observed_at": "2026-03-02T00:59:57", "free": 5}, "naive_time", "observed_at"),
        ({"observed_at": "noon", "free": 5}, "bad_time", "observed_at"),
        ({"observed_at": AT, "state": "crowded"}, "unknown_option", "state"),
        (118, "wrong_type", None),
        (b"118 free", "malformed_json", None),
        (b"\xff", "malformed_json", None),
        (b'{"free":5,"free":6}', "malformed_json", None),
    ],
)
def test_a_state_that_can_t_be_meant_says_why(said: object, code: str, field: str | None) -> None:
    """By the same codes as over HTTP."""
    readings = read(Kind.STATE, said)
    assert codes(readings) == [(code, field)]


def test_a_message_that_takes_a_retained_one_back_says_nothing() -> None:
    """An empty message is how it is done."""
    assert read(Kind.STATE, b"") == read(Kind.EVENT, b"") == read(Kind.ONLINE, b"") == []


def test_cars_come_one_by_one_or_several_at_once() -> None:
    """One that is wrong never stops the others, and no plate is kept of one that can't be read."""
    good = {"passage_id": "p-1", "kind": "enter", "passed_at": AT, "plate": "浙A12345", "shared": True}
    at = datetime(2026, 3, 2, 0, 59, 57, tzinfo=UTC)
    car = CarReading("mall-a", "p-1", PassageKind.ENTER, at, plate="浙A12345", shared=True)
    assert read(Kind.EVENT, good) == [car]
    several = read(Kind.EVENT, [good, good | {"kind": "flies"}, good | {"passed_at": "2026-03-02T00:59:57"}])
    assert several[0] == car
    assert codes(several) == [("unknown_option", "kind"), ("naive_time", "passed_at")]
    assert "A12345" not in repr(several[1:])
    assert all(one.raw is None for one in several if isinstance(one, Unmeant))
    assert codes(read(Kind.EVENT, [])) == [("wrong_length", None)]
    assert codes(read(Kind.EVENT, [good] * 501)) == [("wrong_length", None)]
    assert codes(read(Kind.EVENT, b"[{]")) == [("malformed_json", None)]


@pytest.mark.parametrize(
    ("payload", "sign"),
    [
        (b"1", Sign.COMMS_RESTORED),
        (b" true\n", Sign.COMMS_RESTORED),
        (b"0", Sign.COMMS_LOST),
        (b"false", Sign.COMMS_LOST),
    ],
)
@pytest.mark.parametrize("waited", [True, False])
def test_the_last_will_says_that_the_link_is_lost(payload: bytes, sign: Sign, waited: bool) -> None:
    """The broker keeps it up to date, so it is true as of now however long it was retained."""
    assert read(Kind.ONLINE, payload, waited=waited) == [LifeReading("mall-a", sign)]


def test_a_will_that_says_neither_is_refused() -> None:
    """Nothing is guessed."""
    assert codes(read(Kind.ONLINE, b"2")) == [("unknown_option", "online")]


def test_a_heartbeat_is_one_of_now_or_has_a_time() -> None:
    """One that may have waited says that the equipment lived once; without a time that is nothing."""
    assert read(Kind.HEARTBEAT, b"") == read(Kind.HEARTBEAT, b"17") == [LifeReading("mall-a", Sign.HEARTBEAT)]
    assert read(Kind.HEARTBEAT, b"", waited=True) == []
    at = datetime(2026, 3, 2, 0, 59, 57, tzinfo=UTC)
    assert read(Kind.HEARTBEAT, {"sent_at": AT}, waited=True) == [LifeReading("mall-a", Sign.HEARTBEAT, at)]
    assert codes(read(Kind.HEARTBEAT, {"sent_at": "2026-03-02T02:00:00Z"})) == [("future_time", "sent_at")]
    assert codes(read(Kind.HEARTBEAT, {"sent_at": "2026-03-02T00:00:00"})) == [("naive_time", "sent_at")]
    assert codes(read(Kind.HEARTBEAT, b"{")) == [("malformed_json", None)]


@pytest.mark.parametrize(
    ("topic", "read_as"),
    [
        ("parking/east/mall-a/state", NativeTopic("east", "mall-a", Kind.STATE)),
        ("parking/east/mall-a/online", NativeTopic("east", "mall-a", Kind.ONLINE)),
        ("parking/east/mall-a/cmd", None),
        ("parking/east/mall-a", None),
        ("parking/east/mall-a/state/x", None),
        ("parkings/east/mall-a/state", None),
        ("state", None),
        ("", None),
    ],
)
def test_a_topic_names_source_lot_and_kind(topic: str, read_as: NativeTopic | None) -> None:
    """What is none of the convention is nobody's."""
    assert read_topic(topic, "parking") == read_as


def test_the_convention_may_stand_below_other_levels() -> None:
    """A broker that is shared with others has a place for us."""
    assert read_topic("city/parking/east/a/state", "city/parking") == NativeTopic("east", "a", Kind.STATE)
