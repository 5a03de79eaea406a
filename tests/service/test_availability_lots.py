"""What people read of lots: what a lot sees, what is held and what may be promised, each by itself."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest

from bowei.domain.agreements import LendingWindow
from bowei.domain.calendars import HOLIDAY, Calendar
from bowei.domain.directory import Directory
from bowei.domain.dirt import Dirt, Doubt
from bowei.domain.lots import CalendarId, Hospital, Name, SpaceClass
from bowei.domain.observations import Bound, LotState
from bowei.domain.offering import PoolPromise
from bowei.domain.places import Point, to_gcj02
from tests.service.availability_block import (
    AGREEMENTS,
    FIRST,
    HOSPITAL,
    LOTS,
    MALL,
    OWN,
    SECOND,
    SQUARE,
    TOWER,
    Block,
    agreement,
    lot,
    running_block,
)


@pytest.fixture
async def block() -> AsyncIterator[Block]:
    """A registered block in which nothing has reported yet."""
    async with running_block() as made:
        await made.register()
        await made.ready()
        yield made


async def test_free_held_and_offered_are_three_numbers(block: Block) -> None:
    """118 seen, 4 of them held, 2 kept back: 112 may be promised, and the row of the agreement says so too."""
    await block.report(MALL, 118, open=280, capacity=300)
    await block.promise(MALL, 4, {f"{MALL}.{FIRST}/standard": PoolPromise(held=4)})
    seen = await block.lot(MALL, lambda body: body["held"] == 4 and "free" in body)
    assert (seen["free"], seen["held"], seen["offered"], seen["open"], seen["occupied"]) == (118, 4, 112, 280, 182)
    assert seen["sharing"] == [
        {
            "hospital_id": FIRST,
            "agreement_id": f"{MALL}.{FIRST}",
            "class": "standard",
            "lent": 200,
            "held": 4,
            "offered": 112,
        }
    ]
    assert (seen["state"], seen["level"], seen["freshness"], seen["faults"]) == ("open", "plenty", "fresh", [])
    assert seen["observed_at"] == "2026-03-02T00:30:00.000Z"
    assert seen["location"] == {"lat": 30.2563, "lon": 120.16, "datum": "wgs84"}
    assert seen["stale"] is False


async def test_age_follows_the_citys_clock_and_freshness_follows_age(block: Block) -> None:
    """The same report is fresh, ageing, stale and then expired, without anything new being said."""
    await block.report(MALL, 118)
    for minutes, word in ((1, "fresh"), (1, "ageing"), (2, "stale")):
        block.pass_time(minutes=minutes)
        await block.lot(MALL, lambda body, word=word: body.get("freshness") == word)  # type: ignore[misc]
    seen = await block.lot(MALL, lambda body: body["age_s"] == 240)
    assert seen["free"] == 118


async def test_an_expired_report_says_nothing_of_free_and_never_zero(block: Block) -> None:
    """Eleven minutes of silence: the counts are absent, and it is said why; what is held stays known."""
    await block.report(MALL, 118, free_by_class={SpaceClass.DISABLED: 3}, queue_vehicles=2)
    await block.promise(MALL, 4)
    await block.lot(MALL, lambda body: body.get("free") == 118 and body["held"] == 4)
    block.pass_time(minutes=11)
    seen = await block.lot(MALL, lambda body: body["freshness"] == "expired")
    assert not {"free", "offered", "open", "occupied", "free_by_class", "queue_vehicles"} & seen.keys()
    assert "offered" not in seen["sharing"][0]
    assert (seen["faults"], seen["state"], seen["level"], seen["held"]) == (["comms_lost"], "unknown", "unknown", 4)


async def test_a_lot_that_never_reported_is_unknown_not_empty_and_not_full(block: Block) -> None:
    """There is no observation, so there is no age either."""
    seen = await block.get(f"/v1/lots/{MALL}")
    assert not {"free", "offered", "observed_at", "age_s"} & seen.keys()
    assert (seen["level"], seen["faults"]) == ("unknown", ["never_reported"])


async def test_a_closed_lot_is_closed_and_not_full(block: Block) -> None:
    """Its empty spaces are seen, but none is offered."""
    await block.report(MALL, 118, state=LotState.CLOSED)
    seen = await block.lot(MALL, lambda body: body["state"] == "closed")
    assert (seen["level"], seen["free"], seen["offered"]) == ("closed", 118, 0)


async def test_a_lot_out_of_order_gives_no_numbers(block: Block) -> None:
    """What a broken counter says is not repeated."""
    await block.report(MALL, 118, state=LotState.OUT_OF_ORDER)
    seen = await block.lot(MALL, lambda body: body["state"] == "out_of_order")
    assert not {"free", "offered"} & seen.keys()
    assert (seen["level"], seen["faults"]) == ("unknown", ["out_of_order"])


async def test_an_open_lot_without_a_count_offers_nothing_known(block: Block) -> None:
    """It says that it is open and not how many are free: no 0 is made up."""
    await block.report(MALL, None)
    seen = await block.lot(MALL, lambda body: body["state"] == "open")
    assert not {"free", "offered"} & seen.keys()


@pytest.mark.parametrize("doubt", Doubt)
async def test_a_doubted_lot_shows_no_number_and_says_why(block: Block, doubt: Doubt) -> None:
    """However recent its report is; when the doubt is taken back, the numbers are there again."""
    await block.report(MALL, 118, doubt=doubt, revision=1, open=5, free_by_class={SpaceClass.DISABLED: 3})
    seen = await block.lot(MALL, lambda body: body["faults"] == [doubt])
    assert not {"free", "offered", "occupied", "open", "free_by_class", "free_bound"} & seen.keys()
    assert (seen["state"], seen["level"], seen["freshness"]) == ("unknown", "unknown", "fresh")
    await block.report(MALL, 118, revision=2)
    seen = await block.lot(MALL, lambda body: body["faults"] == [])
    assert (seen["free"], seen["level"]) == (118, "plenty")


async def test_thirty_or_more_are_thirty_that_may_be_offered(block: Block) -> None:
    """The number is the fewest that there are, and says so; how many are occupied is not known then."""
    await block.report(MALL, 30, bound=Bound.AT_LEAST, dirt=frozenset({Dirt.AT_LEAST}))
    seen = await block.lot(MALL, lambda body: body.get("free") == 30)
    assert (seen["free_bound"], seen["offered"], seen["faults"]) == ("at_least", 28, [])
    assert not {"occupied", "free_at_most"} & seen.keys()


async def test_fewer_than_ten_are_few_and_none_is_offered(block: Block) -> None:
    """There may be none: a client that knows only `free` finds no number."""
    await block.report(MALL, 9, bound=Bound.AT_MOST, dirt=frozenset({Dirt.AT_MOST}))
    seen = await block.lot(MALL, lambda body: "free_bound" in body)
    assert (seen["free_bound"], seen["free_at_most"], seen["offered"]) == ("at_most", 9, 0)
    assert seen["level"] == "almost_full"
    assert not {"free", "occupied"} & seen.keys()
    await block.report(MALL, 99, bound=Bound.AT_MOST)
    assert (await block.lot(MALL, lambda body: body.get("free_at_most") == 99))["level"] == "few"


@pytest.mark.parametrize(("free", "level"), [(1, "few"), (0, "unknown"), (100, "plenty")])
async def test_a_lower_bound_is_never_full(block: Block, free: int, level: str) -> None:
    """Some is "one or more", and "none or more" is nothing said."""
    await block.report(MALL, 0)
    await block.lot(MALL, lambda body: body["level"] == "full")
    await block.report(MALL, free, bound=Bound.AT_LEAST)
    seen = await block.lot(MALL, lambda body: body["level"] == level)
    assert ("free" in seen) is (free > 0)


async def test_what_was_mended_or_refused_is_named(block: Block) -> None:
    """The last good number stands, and why nothing newer does; what a bound says is no fault."""
    dirt = frozenset({Dirt.CAPACITY_MOVED, Dirt.AT_LEAST})
    await block.report(MALL, 118, dirt=dirt, bound=Bound.AT_LEAST, refused=Dirt.FREE_ABOVE_CAPACITY)
    seen = await block.lot(MALL, lambda body: "free" in body)
    assert seen["faults"] == ["capacity_moved", "free_above_capacity"]


async def test_no_number_is_ever_above_the_registered_capacity(block: Block) -> None:
    """Also where the register was lowered after the lot reported."""
    await block.report(MALL, 299, capacity=299, open=298, free_by_class={SpaceClass.DISABLED: 297})
    await block.lot(MALL, lambda body: body.get("free") == 299)
    await block.register(tuple(replace(one, capacity=100) if one.lot_id == MALL else one for one in LOTS))
    seen = await block.lot(MALL, lambda body: body["capacity"] == 100)
    assert (seen["free"], seen["open"], seen["free_by_class"], seen["occupied"]) == (100, 100, {"disabled": 100}, 0)
    assert seen["offered"] == 98


async def test_a_full_sign_does_not_flicker_with_each_car(block: Block) -> None:
    """300 spaces: full at 0, and still full until 6 (2 %) are free."""
    words = []
    for free in (0, 2, 5, 6, 5, 0):
        block.pass_time(seconds=10)
        await block.report(MALL, free)
        words.append((await block.lot(MALL, lambda body, free=free: body.get("free") == free))["level"])  # type: ignore[misc]
    assert words == ["full", "full", "full", "almost_full", "almost_full", "full"]


async def test_offered_is_what_one_hospital_could_get_not_a_sum(block: Block) -> None:
    """Two hospitals draw on the same 30 free spaces: 30 and 20 don't make 50."""
    second = Hospital(SECOND, Name("市二", "Second"), OWN, Point(30.26, 120.16), Point(30.26, 120.16))
    await block.register(hospitals=(HOSPITAL, second), agreements=(agreement(MALL, 200), agreement(MALL, 20, SECOND)))
    await block.report(MALL, 30)
    seen = await block.lot(MALL, lambda body: "free" in body and len(body["sharing"]) == 2)
    assert seen["offered"] == 30
    assert {row["hospital_id"]: row["offered"] for row in seen["sharing"]} == {FIRST: 30, SECOND: 20}


async def test_outside_the_agreed_hours_nothing_is_lent_or_offered(block: Block) -> None:
    """Lent until 09:00 local; at 09:00 it is over although nobody reported or registered anything."""
    morning = LendingWindow(SpaceClass.STANDARD, 200, starts=time(7), stops=time(9))
    await block.register(agreements=(agreement(MALL, 0, windows=(morning,)),))
    await block.report(MALL, 118, open=280)
    await block.lot(MALL, lambda body: body.get("offered") == 118)
    block.pass_time(minutes=30)
    await block.report(MALL, 118)
    seen = await block.lot(MALL, lambda body: body.get("offered") == 0)
    assert (seen["free"], seen["sharing"][0]["lent"]) == (118, 0)


async def test_what_is_lent_follows_the_hour_without_any_news(block: Block) -> None:
    """The agreed hours begin, and the offer is there at once, although nobody reported or asked in between."""
    opens = block.clock.now().astimezone(ZoneInfo("Asia/Shanghai")) + timedelta(seconds=30)
    window = LendingWindow(SpaceClass.STANDARD, 30, starts=opens.time())
    await block.register(agreements=(agreement(MALL, 0, windows=(window,)),))
    await block.report(MALL, 118)
    await block.lot(MALL, lambda body: body.get("free") == 118 and body["offered"] == 0)
    block.pass_time(seconds=30)  # the report is as fresh as before
    seen = await block.lot(MALL, lambda body: body["offered"] == 30)
    assert seen["sharing"][0]["lent"] == 30


async def test_a_lot_that_its_operator_paused_offers_nothing(block: Block) -> None:
    """Its count is still shown."""
    await block.register(lots=(*LOTS[:1], lot(MALL, "工联CC", "Gonglian CC", 30.2563, 120.16, paused=True)))
    await block.report(MALL, 118)
    seen = await block.lot(MALL, lambda body: "free" in body and body["paused"])
    assert (seen["free"], seen["offered"]) == (118, 0)


async def test_a_lot_in_no_agreement_has_no_offer_at_all(block: Block) -> None:
    """The hospital's own lot is lent to nobody: not 0 offered, but nothing to offer."""
    await block.report(OWN, 30)
    seen = await block.lot(OWN, lambda body: "free" in body)
    assert "offered" not in seen
    assert seen["sharing"] == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [OWN, MALL, SQUARE, TOWER]),
        ("kind=office", [TOWER]),
        ("block=wulin", [SQUARE]),
        (f"hospital={FIRST}", [OWN, MALL, SQUARE, TOWER]),
        ("bbox=120.159,30.255,120.163,30.258", [OWN, MALL]),
        ("bbox=120.16,30.2563,120.16,30.2563", [MALL]),
        ("near=30.2576,120.1621&radius_m=500", [OWN, MALL, TOWER]),
        ("near=30.2605,120.1625&radius_m=500", [TOWER, OWN]),
        ("near=30.2605,120.1625&radius_m=5000&kind=mall", [MALL]),
    ],
)
async def test_lots_are_found_by_place_kind_block_and_hospital(block: Block, query: str, found: list[str]) -> None:
    """Nearest first where a place is given, else by id; the edge of a box belongs to it."""
    body = await block.get(f"/v1/lots?{query}")
    ids = [item["id"] for item in body["items"]]
    assert ids == found if "near" in query else sorted(ids) == sorted(found)
    assert body["total"] == len(found)


async def test_a_phones_position_is_found_in_its_own_datum(block: Block) -> None:
    """The same place said in GCJ-02 lies half a kilometre off where it is taken for WGS-84."""
    lat, lon = to_gcj02(Point(30.2563, 120.1600))
    as_said = await block.get(f"/v1/lots?near={lat},{lon}&radius_m=30&datum=gcj02")
    mistaken = await block.get(f"/v1/lots?near={lat},{lon}&radius_m=30")
    assert [item["id"] for item in as_said["items"]] == [MALL]
    assert mistaken["items"] == []


async def test_pages_give_each_lot_once_even_where_one_vanishes_between(block: Block) -> None:
    """The cursor names a place in the order, not a count, and the filter goes along."""
    near = "near=30.2576,120.1621&radius_m=5000&limit=2"
    first = await block.client.get(f"/v1/lots?{near}")
    assert [item["id"] for item in first.json()["items"]] == [OWN, MALL]
    assert first.json()["total"] == 4
    assert first.headers["x-total-count"] == "4"
    assert first.headers["link"] == f'<{first.json()["next"]}>; rel="next"'
    await block.register(lots=LOTS[1:])
    await block.until("/v1/lots", lambda body: body["total"] == 3)
    second = await block.get(first.json()["next"])
    assert [item["id"] for item in second["items"]] == [TOWER, SQUARE]
    assert "next" not in second


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("bbox=1,2,3", "bbox", "bad_value"),
        ("bbox=a,b,c,d", "bbox", "bad_value"),
        ("bbox=nan,1,2,3", "bbox", "bad_value"),
        ("bbox=120.2,30.2,120.1,30.3", "bbox", "bad_value"),
        ("bbox=30.25,120.15,30.26,120.17", "bbox", "swapped_axes"),
        ("bbox=120,30,500,31", "bbox", "out_of_range"),
        ("near=30.25", "near", "bad_value"),
        ("near=120.16,30.25", "near", "swapped_axes"),
        ("near=30.25,999", "near", "out_of_range"),
        ("near=30.25,120.16&radius_m=-1", "radius_m", "out_of_range"),
        ("near=30.25,120.16&radius_m=inf", "radius_m", "out_of_range"),
        ("near=30.25,120.16&datum=mars", "datum", "unknown_option"),
        ("kind=castle", "kind", "unknown_option"),
        ("limit=0", "limit", "out_of_range"),
        ("limit=501", "limit", "out_of_range"),
        ("cursor=%21%21", "cursor", "bad_value"),
        ("cursor=YWJj", "cursor", "bad_value"),
    ],
)
async def test_a_wrong_question_is_refused_with_the_field_and_a_stable_code(
    block: Block, query: str, field: str, code: str
) -> None:
    """Nothing of what was sent is repeated."""
    response = await block.client.get(f"/v1/lots?{query}")
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "invalid_request"
    assert [(error["field"], error["code"]) for error in response.json()["errors"]] == [(field, code)]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/lots/nowhere", "unknown_lot"),
        ("/v1/lots?hospital=nowhere", "unknown_hospital"),
        ("/v1/hospitals/nowhere/gate", "unknown_hospital"),
        ("/v1/nothing", "not_found"),
    ],
)
async def test_what_is_not_registered_is_not_found(block: Block, path: str, code: str) -> None:
    """Each with its own code, in the reader's language."""
    response = await block.client.get(path, headers={"Accept-Language": "zh-CN"})
    assert (response.status_code, response.json()["code"]) == (404, code)
    assert response.headers["content-language"] == "zh-Hans"


async def test_a_lot_that_is_no_longer_registered_is_gone(block: Block) -> None:
    """And one that is new appears, without a restart."""
    new = lot(MALL, "新", "New", 30.25, 120.16)
    await block.register(lots=(LOTS[0], new), agreements=AGREEMENTS)
    body = await block.until("/v1/lots", lambda body: body["total"] == 2)
    assert {item["name"]["en"] for item in body["items"]} == {"First Hospital", "New"}
    assert (await block.client.get(f"/v1/lots/{TOWER}")).status_code == 404


async def test_a_holiday_lends_what_the_lots_calendar_says(block: Block) -> None:
    """What the list says is lent is what the ledger lends."""
    mall = next(lot for lot in LOTS if lot.lot_id == MALL)
    today = block.clock.now().astimezone(mall.zone).date()
    window = LendingWindow(SpaceClass.STANDARD, 7, frozenset({today.isoweekday()}))
    lends = [replace(one, windows=(window,)) for one in AGREEMENTS if one.lot_id == MALL]
    holidays = Calendar(CalendarId("cn"), Name("节假日", "Holidays"), {today: HOLIDAY})
    for calendar, lent in ((None, 7), (holidays.calendar_id, 0)):
        block.directory_version += 1
        lots = [replace(one, calendar=calendar) if one is mall else one for one in LOTS]
        shown = Directory.of(block.directory_version, lots, (HOSPITAL,), lends, [holidays])
        await block.live_state.show_directory(shown)
        seen = await block.lot(MALL, lambda said, lent=lent: {one["lent"] for one in said["sharing"]} == {lent})  # type: ignore[misc]
        assert seen["sharing"]
