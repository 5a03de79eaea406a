"""Forecasts in the live state, in memory and in Redis in every form: shown as one value, heard of, and gone in time."""

import asyncio
from datetime import timedelta

import numpy as np
import pytest
from redis.asyncio import Redis

from bowei.domain.forecasting import COURSE_POINTS, KNOTS, Foreseen
from bowei.domain.foreseeing import CityForeseen
from bowei.domain.lots import LotId
from bowei.livestate import keys
from bowei.livestate.reading import Change
from tests.contract.full_directory import MALL, NINE
from tests.contract.test_live_state import OFFICE, Room, form, in_redis, next_news, room

__all__ = ["form", "room"]

KNOWN = Foreseen(
    1.75,
    NINE,
    tuple(100.0 - 4 * place for place in range(COURSE_POINTS)),
    tuple(tuple(start + 0.05 * place for place in range(len(KNOTS))) for start in (0.1, 0.2, 0.3)),
)
"""The mall: it fills."""


def city(*lot_ids: LotId) -> CityForeseen:
    """Foresee the same of some lots, but nothing usual of the last."""
    lots = len(lot_ids)
    course = np.tile(np.array(KNOWN.course), (lots, 1))
    course[-1] = np.nan
    return CityForeseen(NINE, lot_ids, np.full(lots, KNOWN.volatility), course, np.tile(KNOWN.rates, (lots, 1, 1)))


def same(one: Foreseen, other: Foreseen) -> bool:
    """Say whether two forecasts say the same, as near as they travel."""
    return (one.at, len(one.course)) == (other.at, len(other.course)) and all(
        one.chance(free, timedelta(minutes=15)) == pytest.approx(other.chance(free, timedelta(minutes=15)), abs=1e-4)
        and one.mean(free, timedelta(minutes=60), 300) == pytest.approx(other.mean(free, timedelta(minutes=60), 300))
        for free in (0, 1, 3, 30)
    )


async def test_nothing_is_foreseen_before_anybody_foresees(room: Room) -> None:
    """Such a city is empty, and no failure."""
    assert await room.live_state.forecasts() == {}


async def test_what_is_foreseen_comes_back_as_it_was(room: Room) -> None:
    """Every field, to the last digit that matters; the course of a lot without one is none, not 0."""
    await room.live_state.show_forecasts(city(MALL, OFFICE))
    shown = await room.live_state.forecasts()

    assert shown.keys() == {MALL, OFFICE}
    assert same(shown[MALL], KNOWN)
    assert shown[OFFICE].course == ()
    assert shown[OFFICE].volatility == KNOWN.volatility


async def test_the_newest_forecasts_stand_alone(room: Room) -> None:
    """A lot that was taken out of the register is foreseen no more."""
    await room.live_state.show_forecasts(city(MALL, OFFICE))
    await room.live_state.show_forecasts(city(MALL))

    assert (await room.live_state.forecasts()).keys() == {MALL}


async def test_readers_hear_of_new_forecasts(room: Room) -> None:
    """Once for all lots."""
    async with room.live_state.changes() as news, asyncio.timeout(10):
        await room.live_state.show_forecasts(city(MALL, OFFICE))
        assert await next_news(news) == Change(foreseen=True)


async def test_a_city_of_forecasts_is_shown_whole(room: Room) -> None:
    """10,000 lots in one value."""
    lots = [LotId(f"lot-{number}") for number in range(10_000)]
    await room.live_state.show_forecasts(city(*lots))

    assert list(await room.live_state.forecasts()) == lots


async def test_forecasts_that_nobody_renews_are_gone_in_an_hour(fresh_redis: str) -> None:
    """And they are the only key that is written."""
    async with in_redis(fresh_redis) as (live_state, redis):
        await live_state.show_forecasts(city(MALL))
        assert [key async for key in redis.scan_iter()] == [keys.FORESEEN]
        assert 3_500 < await redis.ttl(keys.FORESEEN) <= 3_600


@pytest.mark.parametrize(
    "text", ["", "[1]", '{"at":"2026-03-02T01:00:00Z","lots":["mall"],"row_bytes":7,"rows":"QUJD"}']
)
async def test_forecasts_of_another_release_are_no_forecasts(fresh_redis: str, text: str) -> None:
    """They break no reader: a lot is then taken for one that nobody has watched yet."""
    async with in_redis(fresh_redis) as (live_state, _), Redis.from_url(fresh_redis) as redis:
        await redis.set(keys.FORESEEN, text)
        assert await live_state.forecasts() == {}
