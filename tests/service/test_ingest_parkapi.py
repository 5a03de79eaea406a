"""ParkAPI's generic push: what its tools send is taken, and answered in the shape that they read."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import Response
from hypothesis import given
from hypothesis import strategies as st

from bowei.domain.field_kinds import FIELD_KINDS
from bowei.domain.lots import LARGEST_COUNT, SpaceClass
from bowei.domain.observations import LotState
from bowei.records.failures import StoreAway
from services.ingest.parkapi.reading import read_item
from services.ingest.readings import CountReading, Unmeant
from tests.service.ingest_app import EMPORIUM, KEY, NOW, OTHER_KEY, SUSPENDED_KEY, IngestWorld, a_lot, ingest

PATH = "/api/admin/v1/generic/json"


def site(**changes: Any) -> dict[str, Any]:
    """Write what a tool says of the mall now; a change to None leaves the field out."""
    item = {
        "uid": "1001",
        "realtime_data_updated_at": "2026-03-02T00:59:57Z",
        "realtime_opening_status": "OPEN",
        "realtime_capacity": 300,
        "realtime_free_capacity": 118,
    }
    return {name: value for name, value in (item | changes).items() if value is not None}


STATIC = {
    "uid": "1001",
    "name": "商场",
    "purpose": "CAR",
    "type": "UNDERGROUND",
    "lat": 30.2552,
    "lon": 120.1582,
    "capacity": 300,
    "has_realtime_data": True,
    "static_data_updated_at": "2026-03-01T00:00:00Z",
}


async def push(
    world: IngestWorld, *items: object, user: str = "malls", key: str = KEY, path: str = PATH, **headers: str
) -> Response:
    """Push items."""
    basic = base64.b64encode(f"{user}:{key}".encode()).decode()
    said = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"} | headers
    return await world.client.post(path, content=json.dumps({"items": items}).encode(), headers=said)


def summary(answer: Response, what: str = "parking_sites") -> tuple[int, int, int]:
    """Give how many items were static, of now, and wrong."""
    assert answer.status_code == 200, answer.text
    counts = answer.json()[what]["summary"]
    return counts["static_success_count"], counts["realtime_success_count"], counts["error_count"]


async def test_what_a_site_says_of_now_is_shown() -> None:
    """Proves the way from a tool's push to what everyone sees, with spaces for the disabled and for charging."""
    async with ingest() as world:
        restrictions = [
            {"type": "DISABLED", "realtime_capacity": 6, "realtime_free_capacity": 4},
            {"type": "CHARGING", "realtime_free_capacity": "2"},
            {"type": "CHARGING", "realtime_free_capacity": 1},
            {"type": "WOMEN", "realtime_free_capacity": 9},
            {"type": "DISABLED"},
        ]
        answer = await push(world, site(restrictions=restrictions))
        assert summary(answer) == (0, 1, 0)
        assert answer.json()["parking_sites"]["errors"] == []
        assert summary(answer, "parking_spots") == (0, 0, 0)
        seen = await world.seen()
        assert seen is not None
        assert (seen.free, seen.capacity, seen.state) == (118, 300, LotState.OPEN)
        assert seen.free_by_class == {SpaceClass.DISABLED: 4, SpaceClass.EV: 3}
        assert seen.observed_at == NOW - timedelta(seconds=3)
        assert await world.metric('bowei_ingest_observations_total{result="applied",way="parkapi"}') == 1


async def test_what_a_site_is_is_counted_and_not_kept() -> None:
    """Proves it alone and together with what is so now; a repeat counts as taken."""
    async with ingest() as world:
        assert summary(await push(world, STATIC)) == (1, 0, 0)
        assert world.records.observations == []
        assert summary(await push(world, STATIC | site(), site())) == (1, 2, 0)
        assert len(world.records.observations) == 1


async def test_each_wrong_item_is_named_and_stops_no_other() -> None:
    """Proves the shape of errors that ParkAPI's clients read: what, which, whose."""
    async with ingest() as world:
        wrong: list[object] = [
            site(uid="nowhere"),
            site(uid="office"),
            site(uid=None),
            site(uid=["x"]),
            site(realtime_free_capacity=-1),
            site(realtime_free_capacity="many"),
            site(realtime_free_capacity=304),
            site(realtime_free_capacity=None, realtime_opening_status=None),
            site(realtime_opening_status="AJAR"),
            site(realtime_data_updated_at=None),
            site(realtime_data_updated_at="yesterday"),
            site(realtime_data_updated_at="2026-03-02T02:00:00Z"),
            {"name": "nameless"},
            {},
            "site",
        ]
        answer = await push(world, *wrong, site())
        assert summary(answer) == (0, 1, len(wrong))
        errors = answer.json()["parking_sites"]["errors"]
        assert [(error["message"].split(":")[0], error["parking_site_uid"]) for error in errors] == [
            ("unknown_lot", "nowhere"),
            ("not_your_lot", "office"),
            ("missing_field (uid)", None),
            ("bad_id (uid)", None),
            ("out_of_range (realtime_free_capacity)", "1001"),
            ("wrong_type (realtime_free_capacity)", "1001"),
            ("free_above_capacity", "1001"),
            ("missing_field (realtime_free_capacity)", "1001"),
            ("unknown_option (realtime_opening_status)", "1001"),
            ("missing_field (realtime_data_updated_at)", "1001"),
            ("bad_time (realtime_data_updated_at)", "1001"),
            ("future_time", "1001"),
            ("missing_field (uid)", None),
            ("missing_field (uid)", None),
            ("wrong_type (items)", None),
        ]
        assert {error["source_uid"] for error in errors} == {"malls"}
        assert all(error["message"].partition(": ")[2] for error in errors)


async def test_closed_is_not_full_and_unknown_is_not_zero() -> None:
    """Proves both states without a count; an hour without an offset is UTC, as ParkAPI reads it."""
    async with ingest() as world:
        closed = site(
            realtime_opening_status="CLOSED",
            realtime_free_capacity=None,
            realtime_data_updated_at="2026-03-02T00:59:58",
        )
        assert summary(await push(world, closed)) == (0, 1, 0)
        seen = await world.seen()
        assert seen is not None
        assert (seen.state, seen.free) == (LotState.CLOSED, None)
        assert seen.observed_at == NOW - timedelta(seconds=2)


async def test_a_spot_is_a_lot_of_one_space() -> None:
    """Proves that spots are answered apart from sites."""
    async with ingest() as world:
        await world.register.put_lots([a_lot(EMPORIUM, 1)])
        at = "2026-03-02T00:59:57Z"
        answer = await push(
            world,
            {"uid": "emporium", "realtime_data_updated_at": at, "realtime_status": "AVAILABLE"},
            {"uid": "emporium", "realtime_data_updated_at": at, "realtime_status": "PERHAPS"},
            {"uid": "nowhere", "realtime_data_updated_at": at, "realtime_status": "TAKEN"},
        )
        assert summary(answer, "parking_spots") == (0, 1, 2)
        assert summary(answer) == (0, 0, 0)
        assert answer.json()["parking_spots"]["errors"][1]["parking_spot_uid"] == "nowhere"
        seen = await world.seen(EMPORIUM)
        assert seen is not None
        assert (seen.free, seen.capacity) == (1, 1)


@pytest.mark.parametrize(
    ("user", "key", "status", "code"),
    [
        ("malls", OTHER_KEY, 401, "key_wrong"),
        ("office", KEY, 401, "key_wrong"),
        ("malls", "", 401, "key_wrong"),
        ("liar", SUSPENDED_KEY, 403, "not_allowed"),
    ],
)
async def test_a_key_opens_only_its_own_source(user: str, key: str, status: int, code: str) -> None:
    """Proves that user and password must be of the same source, and that nothing of others is kept."""
    async with ingest() as world:
        before = world.everything_kept()
        answer = await push(world, site(), user=user, key=key)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert world.everything_kept() == before
        assert await world.metric(f'bowei_ingest_pushes_refused_total{{code="{code}"}}') == 1


@pytest.mark.parametrize("authorization", ["", "Basic", "Basic !!!", "Basic bm9jb2xvbg==", f"Bearer {KEY}"])
async def test_without_basic_nobody_is_known(authorization: str) -> None:
    """Proves that no malformed header gets in, or breaks the service."""
    async with ingest() as world:
        answer = await push(world, site(), Authorization=authorization)
        assert answer.status_code == 401


@pytest.mark.parametrize("form", ["csv", "xml", "xlsx"])
async def test_other_forms_are_told_to_use_json(form: str) -> None:
    """Proves that a sender of tables hears what to do."""
    async with ingest() as world:
        answer = await push(world, path=f"/api/admin/v1/generic/{form}", **{"Content-Type": "text/csv"})
        assert (answer.status_code, answer.json()["code"]) == (415, "use_json")
        assert "/api/admin/v1/generic/json" in answer.json()["detail"]
        assert (await push(world, path="/api/admin/v1/generic/yaml")).status_code == 404


async def test_a_push_that_can_t_be_read_or_is_too_much_is_refused_whole() -> None:
    """Proves it for no list, no object, too many items, and a record that is away."""
    async with ingest() as world:
        basic = {"Authorization": "Basic " + base64.b64encode(f"malls:{KEY}".encode()).decode()}
        typed = basic | {"Content-Type": "application/json"}
        for body, status in ((b"[]", 422), (b'{"items":{}}', 422), (b"{", 400), (b"", 422)):
            assert (await world.client.post(PATH, content=body, headers=typed)).status_code == status
        assert (await push(world, *[{}] * 5_001)).status_code == 413
        assert (await push(world, site(), **{"Content-Type": "text/csv"})).status_code == 415
        assert summary(await push(world, *[site()] * 501)) == (0, 501, 0)
        world.journal.failing = StoreAway()
        assert (await push(world, site(realtime_free_capacity=1))).status_code == 503


NAMES = st.sampled_from([*site(), *STATIC, "restrictions", "realtime_status", "realtime_free_capacity_disabled", "x"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["OPEN", "1", "-9"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.just("type"), inner, max_size=4),
    max_leaves=8,
)


@given(item=st.dictionaries(NAMES, VALUES, max_size=9) | VALUES)
def test_no_item_breaks_the_reading_or_makes_an_impossible_count(item: object) -> None:
    """Proves that whatever a tool sends is a reading or named as wrong."""
    read = read_item(item).realtime
    if isinstance(read, CountReading):
        counts = [read.free, read.capacity, *read.free_by_class.values()]
        assert all(count is None or 0 <= count <= LARGEST_COUNT for count in counts)
    elif isinstance(read, Unmeant):
        assert read.code in FIELD_KINDS
