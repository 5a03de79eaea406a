"""What a run of the traffic evaluation says in numbers."""

import pytest

from bowei.domain.places import distance_m
from services.local.evaluate.traffic.demand import Kind
from services.local.evaluate.traffic.journeys import Journey, Trace
from services.local.evaluate.traffic.measures import WALKS_S, Measures, measure, quantile, ways_s
from services.local.evaluate.traffic.town import DOOR, LOTS
from tests.unit.traffic_made import customer, patient


def _trace(*journeys: Journey, queue: tuple[int, ...] = (0,), ended_s: float = 10_000.0) -> Trace:
    return Trace({one.trip.name: one for one in journeys}, list(queue), ended_s)


def _measured(trace: Trace, free: Trace) -> Measures:
    return measure(trace, ways_s(free, Kind.PATIENT), ways_s(free, Kind.OWN))


def test_the_walk_is_1_3_times_the_air_distance_at_1_2_metres_a_second() -> None:
    """The walk is in the way from door to door, for the hospital's own lot too."""
    for lot in LOTS:
        assert WALKS_S[lot.name] == pytest.approx(distance_m(lot.place, DOOR) * 1.3 / 1.2)
    assert (WALKS_S["a"] < 400, WALKS_S["g"] > 1_400) == (True, True)


def test_extra_time_is_against_the_same_persons_way_with_room_for_all() -> None:
    """Who parks 100 s later and walks from lot b has both as extra; who parks as before has none."""
    free = _trace(patient("p0", parked_s=500.0), patient("p1", due_s=60.0, parked_s=700.0))
    run = _trace(patient("p0", parked_s=600.0, at="b"), patient("p1", due_s=60.0, parked_s=700.0))
    measured = _measured(run, free)
    detour_s = 100.0 + WALKS_S["b"] - WALKS_S["hospital"]
    assert measured.extra_mean_s == pytest.approx(detour_s / 2)
    assert measured.extra_p95_s == pytest.approx(detour_s)
    assert measured.extra_p50_s == 0.0
    assert (measured.diverted, measured.lent_to["b"], measured.lent_to["hospital"]) == (1, 1, 1)


def test_who_never_parks_counts_as_under_way_until_the_end() -> None:
    """A driver left in the street is not forgotten: the way ends with the run, and is counted apart."""
    free = _trace(patient("p0", parked_s=500.0))
    measured = _measured(_trace(patient("p0"), ended_s=9_000.0), free)
    assert measured.never_parked == 1
    assert measured.extra_mean_s == pytest.approx(9_000.0 - 500.0 - WALKS_S["hospital"])


def test_refusals_are_counted_at_lots_that_lend_and_as_a_share_of_the_diverted() -> None:
    """A full hospital is no refusal, it is the reason of it all; two refusals of one driver are two."""
    one, other = patient("p0", parked_s=900.0, at="c"), patient("p1", parked_s=500.0)
    one.refused_at, one.by_hold, one.sent_to = ["hospital", "a", "b"], True, "c"
    measured = _measured(_trace(one, other), _trace(patient("p0", parked_s=500.0), patient("p1", parked_s=500.0)))
    assert (measured.refused, measured.turned_at_gate, measured.diverted) == (2, 1, 1)
    assert measured.refused_share == 2.0
    assert measured.kept_share == pytest.approx(1 / 4)


def test_own_customers_are_compared_with_themselves_and_turn_aways_counted() -> None:
    """Delay is of those who parked in both runs; one who gave up has no delay, but is counted."""
    free = _trace(customer("o0", parked_s=300.0), customer("o1", parked_s=300.0), patient("p0", parked_s=500.0))
    run = _trace(
        customer("o0", parked_s=340.0),
        customer("o1", parked_s=None, turned_away=True),
        customer("o2", parked_s=None),
        patient("p0", parked_s=500.0),
    )
    measured = _measured(run, free)
    assert (measured.own_delay_s, measured.own_turned_away, measured.own_never_parked) == (40.0, 1, 1)


def test_who_holds_and_never_comes_is_no_driver_to_be_measured() -> None:
    """A no-show has no extra time, neither large nor small."""
    ghost = patient("p1")
    ghost.no_show = True
    free = _trace(patient("p0", parked_s=500.0), patient("p1", parked_s=500.0))
    measured = _measured(_trace(patient("p0", parked_s=500.0), ghost), free)
    assert (measured.drivers, measured.never_parked, measured.extra_mean_s) == (1, 0, 0.0)


def test_the_queue_is_seen_every_ten_seconds() -> None:
    """Minutes of a long queue come from samples of ten seconds."""
    measured = _measured(
        _trace(patient("p0", parked_s=500.0), queue=(0, 4, 11, 12, 11)), _trace(patient("p0", parked_s=500.0))
    )
    assert (measured.queue_mean, measured.queue_max, measured.queue_long_min) == (7.6, 12, 0.5)


def test_a_quantile_is_a_value_that_occurred() -> None:
    """Of twenty values, the 95th percentile is the nineteenth."""
    assert quantile([float(n) for n in range(1, 21)], 0.95) == 19.0
    assert quantile([3.0], 0.5) == 3.0
