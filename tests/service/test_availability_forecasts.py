"""What people read of what is foreseen: how many spaces, how sure one is, and nothing where nothing is known."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from bowei.domain.dirt import Doubt
from bowei.domain.forecasting import COURSE_POINTS, KNOTS
from bowei.domain.foreseeing import CityForeseen
from bowei.domain.lots import LotId
from bowei.domain.observations import Bound, LotState
from tests.service.availability_block import MALL, OWN, Block, EventReader, running_block

NOW = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
HALF_PAST = 4
"""The point of a course that lies at its own time: an hour before it are four quarters."""


def foreseen(*lot_ids: LotId, at: datetime = NOW, fills_by: float = 10.0) -> CityForeseen:
    """Foresee that lots fill by so many spaces in a quarter of an hour; the law's chances."""
    lots = len(lot_ids)
    course = np.tile(200 - fills_by * (np.arange(COURSE_POINTS) - HALF_PAST), (lots, 1))
    rates = np.tile(np.linspace(0.05, 0.95, len(KNOTS)), (lots, 3, 1))
    return CityForeseen(at, lot_ids, np.full(lots, 3.0), course, rates)


@pytest.fixture
async def block() -> AsyncIterator[Block]:
    """A registered block in which nothing has reported yet."""
    async with running_block() as made:
        await made.register()
        await made.ready()
        yield made


async def test_a_lot_says_how_many_are_expected_and_how_sure_one_is(block: Block) -> None:
    """At five, fifteen, thirty and sixty minutes; a list of lots says the same."""
    await block.live_state.show_forecasts(foreseen(MALL))
    await block.report(MALL, 118)
    seen = await block.lot(MALL, lambda body: "forecast" in body)

    assert [(one["in_s"], one["free"]) for one in seen["forecast"]] == [
        (300, pytest.approx(118 - 10 / 3, abs=0.1)),
        (900, 108.0),
        (1800, 98.0),
        (3600, 78.0),
    ]
    assert all(one["p_free"] == 0.95 for one in seen["forecast"])
    listed = await block.get("/v1/lots")
    assert [one["forecast"] for one in listed["items"] if one["id"] == MALL] == [seen["forecast"]]


async def test_a_full_lot_is_not_said_to_be_free(block: Block) -> None:
    """None is expected, and the chance of one is that of lots without a space."""
    await block.live_state.show_forecasts(foreseen(MALL, fills_by=-10.0))
    await block.report(MALL, 0)
    seen = await block.lot(MALL, lambda body: "forecast" in body)

    assert [one["free"] for one in seen["forecast"]] == [0.0] * 4
    assert all(one["p_free"] < 0.4 for one in seen["forecast"])


async def test_the_age_of_a_count_is_a_part_of_the_way(block: Block) -> None:
    """Counted two minutes ago: what usually changes since then has changed."""
    await block.live_state.show_forecasts(foreseen(MALL))
    await block.report(MALL, 118)
    await block.lot(MALL, lambda body: "forecast" in body)
    block.pass_time(minutes=3)
    seen = await block.lot(MALL, lambda body: body["age_s"] == 180)

    assert seen["forecast"][1]["free"] == pytest.approx(118 - 12, abs=0.1)


@pytest.mark.parametrize(
    "said",
    [
        {"free": None},
        {"free": 8, "state": LotState.CLOSED},
        {"free": 8, "bound": Bound.AT_LEAST},
        {"free": 8, "bound": Bound.AT_MOST},
        {"free": 8, "doubt": Doubt.STUCK},
    ],
    ids=str,
)
async def test_of_what_is_not_known_nothing_is_foreseen(block: Block, said: dict[str, Any]) -> None:
    """Closed is not full, a bound is no count, and what is doubted is none: the key is absent, never 0."""
    await block.live_state.show_forecasts(foreseen(MALL))
    await block.report(MALL, **said)
    seen = await block.lot(MALL, lambda body: "age_s" in body)

    assert "forecast" not in seen


async def test_an_expired_count_foresees_nothing(block: Block) -> None:
    """Eleven minutes of silence."""
    await block.live_state.show_forecasts(foreseen(MALL))
    await block.report(MALL, 118)
    await block.lot(MALL, lambda body: "forecast" in body)
    block.pass_time(minutes=11)
    assert "forecast" not in await block.lot(MALL, lambda body: body["freshness"] == "expired")


async def test_what_nobody_foresees_any_more_is_no_forecast(block: Block) -> None:
    """Of a lot that is not foreseen, and of one that was foreseen more than an hour ago."""
    await block.live_state.show_forecasts(foreseen(MALL, at=NOW - timedelta(minutes=61)))
    await block.report(MALL, 118)
    await block.report(OWN, 5)
    for lot_id in (MALL, OWN):
        assert "forecast" not in await block.lot(lot_id, lambda body: "free" in body)


async def test_new_forecasts_are_no_event_of_a_stream(block: Block) -> None:
    """Who follows a lot hears of its counts, not every five minutes of what somebody thinks of them."""
    await block.report(MALL, 118)
    await block.lot(MALL, lambda body: body.get("free") == 118)
    async with EventReader(block.app, f"/v1/stream?lots={MALL},{OWN}") as events:
        assert (await events.event()).event == "snapshot"
        await block.live_state.show_forecasts(foreseen(MALL))
        await block.lot(MALL, lambda body: "forecast" in body)
        await block.report(OWN, 5)
        heard = [await events.event()]
        while heard[-1].data.get("id") != OWN:
            heard.append(await events.event())
        await block.report(MALL, 117)
        while heard[-1].data.get("free") != 117:
            heard.append(await events.event())
        assert [event.data["free"] for event in heard if event.data.get("id") == MALL] == [117]
