"""Prices of displacement: what one more car on a lot costs those who come later."""

from datetime import UTC, datetime, timedelta

import pytest

from bowei.domain.pricing import SENT_HOME_S, LotDemand, displaced, shadow_price_s, wanted

_AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
_TWO_HOURS = timedelta(hours=2)


def test_one_space_wanted_once_per_stay_displaces_every_second_driver() -> None:
    """Erlang by hand: B(1, 1) = 1/2, B(2, 1) = 1/5, B(2, 2) = 2/5."""
    assert displaced(0, 1, 1.0) == pytest.approx(1 / 2)
    assert displaced(0, 2, 1.0) == pytest.approx(1 / 5)
    assert displaced(1, 2, 1.0) == pytest.approx(2 / 5)
    assert displaced(0, 2, 2.0) == pytest.approx(2 / 5, rel=0.02)


def test_a_full_lot_displaces_one_and_no_lot_more() -> None:
    """Whoever takes the last space displaces the next who wants it; more cars than spaces change nothing."""
    assert displaced(20, 20, 5.0) == 1.0
    assert displaced(25, 20, 5.0) == 1.0
    assert displaced(-1, 20, 5.0) == displaced(0, 20, 5.0)


@pytest.mark.parametrize("load", [0.01, 3.0, 40.0, 900.0])
def test_a_fuller_lot_is_never_cheaper_and_a_huge_one_has_a_price(load: float) -> None:
    """From empty to full the price only grows, for a lot of two thousand spaces too."""
    prices = [displaced(used, 2_000, load) for used in range(0, 2_001, 50)]
    assert prices == sorted(prices)
    assert 0 <= prices[0] <= prices[-1] == 1.0


def test_a_lot_that_nobody_wants_has_no_price() -> None:
    """Nothing was asked: the cost is what it was without prices."""
    assert shadow_price_s(LotDemand(_AT), _AT, 19, 20, _TWO_HOURS) == 0.0
    assert shadow_price_s(LotDemand(_AT).wanted_by(_AT, 60.0), _AT, 0, 0, _TWO_HOURS) == 0.0
    assert displaced(5, 20, 0.0) == 0.0


def _wanted(every: timedelta, loss_s: float, over: timedelta) -> LotDemand:
    demand, at = LotDemand(_AT), _AT
    while at < _AT + over:
        at += every
        demand = demand.wanted_by(at, loss_s)
    return demand


def test_a_full_lot_costs_what_its_drivers_lose() -> None:
    """Each who wanted it would have walked 200 s more: that is the price of its last space."""
    demand = _wanted(timedelta(minutes=6), 200.0, timedelta(hours=3))
    assert shadow_price_s(demand, demand.at, 20, 20, _TWO_HOURS) == pytest.approx(200.0)
    assert 0 < shadow_price_s(demand, demand.at, 10, 20, _TWO_HOURS) < 200.0


def test_the_rate_is_measured_and_forgotten() -> None:
    """Ten an hour over three hours are ten an hour; after six hours of silence the lot has hardly a price."""
    demand = _wanted(timedelta(minutes=6), 200.0, timedelta(hours=3))
    assert demand.wanted / demand.watched_s * 3600 == pytest.approx(10, rel=0.1)
    later = demand.at + timedelta(hours=6)
    assert (
        shadow_price_s(demand, later, 15, 20, _TWO_HOURS) < shadow_price_s(demand, demand.at, 15, 20, _TWO_HOURS) / 20
    )


def test_the_first_driver_of_a_day_is_no_rush() -> None:
    """One request a second after nothing is not read as thousands an hour."""
    demand = LotDemand(_AT).wanted_by(_AT + timedelta(seconds=1), 200.0)
    assert shadow_price_s(demand, demand.at, 1, 40, _TWO_HOURS) < 1.0


def test_a_driver_wants_the_cheapest_lot_and_while_those_are_full_the_next() -> None:
    """Two full lots and one with room were wanted; each loses the way to the next with room, the last the way home."""
    lots = [("near", 100.0, False), ("next", 150.0, False), ("far", 400.0, True), ("farthest", 900.0, True)]
    assert list(wanted(lots)) == [("near", 300.0), ("next", 250.0), ("far", 500.0)]
    assert list(wanted([("near", 100.0, True)])) == [("near", SENT_HOME_S - 100.0)]
    assert list(wanted([("beyond", SENT_HOME_S + 100.0, True)])) == [("beyond", 0.0)]
    assert list(wanted([])) == []
