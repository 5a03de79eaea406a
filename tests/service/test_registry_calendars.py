"""Calendars over HTTP: registered, shown, named by lots, and what can't be a calendar."""

import json
from collections import Counter
from pathlib import Path

import pytest

from bowei.domain.calendars import HOLIDAY
from tests.service.registry_app import NAME, faults, lot, registry, settle_in

SHIPPED = Path(__file__).parents[2] / "docs" / "calendars" / "cn-2026.json"


async def test_the_shipped_calendar_is_taken_and_shown_as_it_is() -> None:
    """33 public holidays and 6 made-up days, none of which falls on a day that would be free or worked anyway."""
    sent = json.loads(SHIPPED.read_text("utf-8"))
    async with registry() as client:
        first, again = [await client.put("/v1/calendars/cn", json=sent) for _ in range(2)]
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json() == {"calendar_id": "cn", **sent}
        assert (await client.get("/v1/calendars/cn")).json() == first.json()
        assert (await client.get("/v1/calendars")).json() == {"items": [first.json()], "total": 1}
    assert Counter(counts_as == HOLIDAY for counts_as in sent["days"].values()) == {True: 33, False: 6}


async def test_a_calendar_put_again_has_the_days_of_the_new_one_alone() -> None:
    """Who sends next year's must send this year's too; the answer shows what there is."""
    async with registry() as client:
        await client.put("/v1/calendars/cn", json={"name": NAME, "days": {"2026-01-01": 8}})
        await client.put("/v1/calendars/cn", json={"name": NAME, "days": {"2027-01-01": 8}})
        assert (await client.get("/v1/calendars/cn")).json()["days"] == {"2027-01-01": 8}


@pytest.mark.parametrize(
    ("days", "code"),
    [
        pytest.param({"2026-02-16": 9}, "out_of_range", id="no such day"),
        pytest.param({"2026-02-16": 0}, "out_of_range", id="day 0"),
        pytest.param({"2026-02-30": 8}, "bad_time", id="no such date"),
        pytest.param({"20260216": 8}, "bad_time", id="another spelling"),
        pytest.param(
            {
                f"{year}-{month:02}-{day:02}": 8
                for year in range(2026, 2035)
                for month in range(1, 13)
                for day in range(1, 21)
            },
            "wrong_length",
            id="too many days",
        ),
    ],
)
async def test_what_can_be_no_calendar_is_refused_with_its_path(days: dict[str, int], code: str) -> None:
    """And nothing is registered."""
    async with registry() as client:
        answer = await client.put("/v1/calendars/cn", json={"name": NAME, "days": days})
        assert answer.status_code == 422
        assert {str(fault).split(".")[0] for fault, _ in faults(answer.json())} == {"days"}
        assert {said for _, said in faults(answer.json())} == {code}
        assert (await client.get("/v1/calendars/cn")).status_code == 404


async def test_a_lot_that_names_no_calendar_of_ours_is_refused() -> None:
    """By the field; once it is registered the lot shows it, and a window may name holidays."""
    async with registry() as client:
        await settle_in(client)
        answer = await client.put("/v1/lots/mall", json=lot(calendar="cn"))
        assert (answer.status_code, faults(answer.json())) == (422, [("calendar", "unknown_calendar")])
        await client.put("/v1/calendars/cn", json={"name": NAME, "days": {}})
        assert (await client.put("/v1/lots/mall", json=lot(calendar="cn"))).json()["calendar"] == "cn"
        assert "calendar" not in (await client.put("/v1/lots/mall", json=lot())).json()


async def test_a_scene_whose_lot_names_no_calendar_is_refused() -> None:
    """One of the scene's own, or one that is registered, will do."""
    scene = {"scene": {"name": NAME, "timezone": "Asia/Shanghai"}}
    one = {key: value for key, value in lot(lot_id="new", calendar="cn").items() if key != "timezone"}
    calendar = {"calendar_id": "cn", "name": NAME, "days": {"2026-01-01": 8}}
    async with registry() as client:
        refused = await client.put("/v1/scene", json={**scene, "lots": [one]})
        assert (refused.status_code, faults(refused.json())) == (422, [("lots[0].calendar", "unknown_calendar")])
        both = {**scene, "calendars": [calendar, calendar], "lots": [one]}
        twice = await client.put("/v1/scene", json=both)
        assert faults(twice.json()) == [("calendars[1].calendar_id", "duplicate_id")]
        assert (
            await client.put("/v1/scene", json={**scene, "calendars": [calendar], "lots": [one]})
        ).status_code == 200
        assert (await client.put("/v1/scene", json={**scene, "lots": [one]})).status_code == 200
