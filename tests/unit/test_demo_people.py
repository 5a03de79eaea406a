"""The people of the demo: as many as were published, when they were, and the same for the same seed."""

import heapq
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest

from bowei.domain.lots import LotKind
from services.local.demo.people import (
    HOSPITAL_SPACES,
    Temper,
    customer_share,
    customers,
    customers_at_start,
    parked_at_start,
    visits,
)

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY_AT_SEVEN = datetime(2026, 3, 2, 7, tzinfo=ZONE).astimezone(UTC)
DAY = timedelta(days=1)


def _diverted_in_a_day(seed: str) -> list[datetime]:
    """Park a day's cars in the hospital alone; give when each one came that found it full."""
    leaving = [MONDAY_AT_SEVEN + stay for stay in parked_at_start(seed, HOSPITAL_SPACES)]
    heapq.heapify(leaving)
    diverted = []
    coming = visits(seed, HOSPITAL_SPACES, MONDAY_AT_SEVEN, ZONE)
    for visit in takewhile(lambda one: one.came_at < MONDAY_AT_SEVEN + DAY, coming):
        while leaving and leaving[0] <= visit.came_at:
            heapq.heappop(leaving)
        if len(leaving) < HOSPITAL_SPACES:
            heapq.heappush(leaving, visit.came_at + visit.stay)
        else:
            diverted.append(visit.came_at)
    return diverted


@pytest.mark.parametrize("seed", ["1", "2", "3", "7", "first-hospital", "388"])
def test_about_as_many_cars_are_diverted_in_a_day_as_the_hospital_published(seed: str) -> None:
    """388 at most were published; the demand alone gives 300 to 480 for every seed, most of them before eleven."""
    diverted = _diverted_in_a_day(seed)
    assert 300 <= len(diverted) <= 480
    before_eleven = sum(at < MONDAY_AT_SEVEN + timedelta(hours=4) for at in diverted)
    assert before_eleven > len(diverted) / 2


@pytest.mark.parametrize("seed", ["1", "2", "3", "7"])
def test_the_hospital_fills_within_the_first_quarter_of_an_hour(seed: str) -> None:
    """At 60 times the speed the first diversion is then seen within 15 s of the city being ready."""
    assert _diverted_in_a_day(seed)[0] < MONDAY_AT_SEVEN + timedelta(minutes=15)


def test_the_same_seed_brings_the_same_people() -> None:
    """A run can be repeated; another seed brings others."""
    first, again, other = (
        list(islice(visits(seed, HOSPITAL_SPACES, MONDAY_AT_SEVEN, ZONE), 50)) for seed in ("1", "1", "2")
    )
    assert first == again
    assert first != other


def test_a_few_drivers_give_up_and_fewer_never_come() -> None:
    """About 5 % and 3 % of a large number of cars."""
    drawn = [visit.temper for visit in islice(visits("1", HOSPITAL_SPACES, MONDAY_AT_SEVEN, ZONE), 5_000)]
    assert 0.04 < drawn.count(Temper.GIVES_UP) / 5_000 < 0.06
    assert 0.02 < drawn.count(Temper.NEVER_COMES) / 5_000 < 0.04


def test_malls_are_empty_in_the_morning_and_full_after_noon() -> None:
    """That is why sharing works: the hospital's peak is over when the malls' begins."""
    at = {hour: datetime(2026, 3, 2, hour, 30, tzinfo=ZONE) for hour in (7, 9, 12, 19)}
    share = {hour: customer_share(LotKind.MALL, local, barrier=True) for hour, local in at.items()}
    assert share[7] < share[9] < 0.2
    assert min(share[12], share[19]) > 0.6


def test_a_lot_without_a_barrier_is_nearly_full_all_day() -> None:
    """Its attendant lets everybody in: some who come with a hold find it full."""
    for hour in range(8, 19):
        local = datetime(2026, 3, 2, hour, tzinfo=ZONE)
        assert customer_share(LotKind.PUBLIC, local, barrier=False) >= 0.9


def test_customers_keep_a_mall_as_full_as_its_profile_says() -> None:
    """Arrivals and stays together follow the profile within a tenth of the lot, at ten and at one."""
    spaces = 700
    leaving = [
        MONDAY_AT_SEVEN + stay
        for stay in customers_at_start("1", LotKind.MALL, spaces, MONDAY_AT_SEVEN, ZONE, barrier=True)
    ]
    until = MONDAY_AT_SEVEN + timedelta(hours=6)
    coming = customers("1", LotKind.MALL, spaces, MONDAY_AT_SEVEN, ZONE, barrier=True)
    stays = [(one.came_at, one.came_at + one.stay) for one in takewhile(lambda one: one.came_at < until, coming)]
    for hours in (3, 6):
        at = MONDAY_AT_SEVEN + timedelta(hours=hours)
        there = sum(gone > at for gone in leaving) + sum(came <= at < gone for came, gone in stays)
        assert abs(there / spaces - customer_share(LotKind.MALL, at.astimezone(ZONE), barrier=True)) < 0.1
