"""The town of the traffic evaluation, and who comes to it."""

import re
from collections import Counter

import pytest

from bowei.domain.places import Point, distance_m
from services.local.evaluate.traffic.demand import Kind, Trip, draw_trips, trips_xml
from services.local.evaluate.traffic.policies import UNTUNED, Policy, Weights, rerouters_xml, types_xml
from services.local.evaluate.traffic.town import (
    DOOR,
    HOSPITAL,
    LENDERS,
    LOTS,
    PlainNetwork,
    Street,
    on_earth,
    on_plane,
    parking_xml,
    plain_network,
    read_streets,
)


@pytest.fixture(scope="module")
def town() -> PlainNetwork:
    """The whole town."""
    return plain_network(read_streets())


def _edges(network: PlainNetwork) -> dict[str, tuple[str, str]]:
    found = re.findall(r'<edge id="(\w+)" from="(\w+)" to="(\w+)"', network.edges_xml)
    return {edge: (tail, head) for edge, tail, head in found}


def test_a_one_way_street_is_driven_one_way_and_a_driveway_both() -> None:
    """Two streets that share a place share a node; the lot's driveway splits the street that is nearest."""
    crossing = Point(30.2576, 120.1621)
    streets = [
        Street((Point(30.2576, 120.1600), crossing, Point(30.2576, 120.1640)), 18.0, oneway=True),
        Street((crossing, Point(30.2600, 120.1621)), 30.0, oneway=False),
    ]
    network = plain_network(streets, [LENDERS[0].__class__("lot", Point(30.2577, 120.1630), 5)])
    edges = _edges(network)
    assert {name for name in edges if name.startswith("s0")} == {"s0_0f", "s0_1f", "s0_2f"}
    assert {name for name in edges if name.startswith("s1")} == {"s1_0f", "s1_0b"}
    assert edges["lot_in"] == edges["lot_out"][::-1]
    assert edges["s0_1f"][1] == edges["s0_2f"][0] == edges["lot_in"][0]
    assert edges["s0_0f"][1] == edges["s1_0f"][0]


def test_every_lot_has_a_driveway_and_a_car_park_at_its_end(town: PlainNetwork) -> None:
    """127 spaces at the hospital, seven lots of 20 to 60 within 0.3 and 1.4 km."""
    edges = _edges(town)
    assert all(lot.driveway in edges for lot in LOTS)
    spaces = dict(re.findall(r'id="(\w+)" lane="\w+" .*roadsideCapacity="(\d+)"', parking_xml()))
    assert spaces["hospital"] == "127"
    assert len(LENDERS) == 7
    assert all(20 <= lot.spaces <= 60 and 290 <= distance_m(lot.place, DOOR) <= 1_400 for lot in LENDERS)
    assert "reservable" not in parking_xml()
    assert parking_xml(reservable=True).count('reservable="true"') == len(LOTS)
    assert 'roadsideCapacity="2000"' in parking_xml(hospital_spaces=2_000)


def test_the_plane_and_the_earth_agree() -> None:
    """A metre on the plane is a metre on the ground, there and back."""
    place = on_earth(900.0, -700.0)
    assert on_plane(place) == pytest.approx((900.0, -700.0))
    assert distance_m(DOOR, place) == pytest.approx((900.0**2 + 700.0**2) ** 0.5, rel=1e-3)


def test_the_same_seed_brings_the_same_people(town: PlainNetwork) -> None:
    """Runs can be compared driver by driver; another seed brings others."""
    assert draw_trips(7, town) == draw_trips(7, town)
    assert draw_trips(7, town) != draw_trips(8, town)


def test_as_many_come_as_the_case_says(town: PlainNetwork) -> None:
    """110 an hour for three hours, then 50; the hospital is 85 % full at first; own customers come to four lots."""
    kinds: Counter[Kind] = Counter()
    own: Counter[str] = Counter()
    early: Counter[str] = Counter()
    stays: list[float] = []
    for seed in range(20):
        for trip in draw_trips(seed, town):
            kinds[trip.kind] += 1
            own[trip.lot] += trip.kind is Kind.OWN
            early[trip.lot] += trip.kind is Kind.EARLY
            if trip.kind is Kind.PATIENT:
                stays.append(trip.stay_s)
                assert 1_200 <= distance_m(town.origins[trip.origin], DOOR) <= 3_500
    assert kinds[Kind.PATIENT] / 20 == pytest.approx(380, rel=0.04)
    assert early["hospital"] / 20 == round(127 * 0.85)
    assert own["a"] / 20 == pytest.approx(80, rel=0.1)
    assert {name for name, count in own.items() if count} == {"a", "b", "c", "e"}
    assert sum(stays) / len(stays) == pytest.approx(7_200, rel=0.04)


def test_a_trip_is_written_with_its_lot_and_its_stay() -> None:
    """Whoever is there at first begins in the lot; the others at an edge, and all ways end at the door."""
    trips = [
        Trip("early", Kind.EARLY, 0.0, "hospital_in", "hospital", 60.0),
        Trip("p0", Kind.PATIENT, 12.3, "s1_0f", "hospital", 7_200.0),
    ]
    text = trips_xml(trips, types_xml(Weights()), ["steered", "rerouted"], "door")
    assert re.search(r'id="early" type="steered" .*departPos="stop"', text)
    assert re.search(r'id="p0" type="rerouted" depart="12.3" from="s1_0f" to="door"', text)
    assert '<stop parkingArea="hospital" duration="7200"/>' in text


def test_rerouters_leave_own_customers_alone_and_know_each_lot_at_its_own_driveway() -> None:
    """Else the peers would be too good (own customers sent away) or too bad (a lot missing from its own list)."""
    text = rerouters_xml(visible=True, seen_on=["s1_0f", "s1_0b"])
    rerouters = re.findall(r'<rerouter id="\w+" edges="([^"]+)" vTypes="rerouted">(.*?)</rerouter>', text)
    assert [edges for edges, _ in rerouters] == [*(lot.driveway for lot in LOTS), "s1_0f s1_0b"]
    assert all(all(f'id="{lot.name}"' in offers for lot in LOTS) for _, offers in rerouters)
    assert 'visible="true"' not in rerouters_xml(visible=False, seen_on=())
    assert '<vType id="steered"/>' in types_xml(UNTUNED)
    assert 'key="parking.distanceto.weight" value="1.0"' in types_xml(UNTUNED)


def test_parameters_that_do_not_matter_make_no_other_experiment() -> None:
    """Waiting has no margin, and a rerouter no share of drivers with the app."""
    assert Policy("wait", margin=3).parameters == Policy("wait").parameters == {}
    assert Policy("visible", app_share=0.4).parameters == Policy("visible").parameters
    assert Policy("ours", app_share=0.4).parameters != Policy("ours").parameters
    assert HOSPITAL.spaces == 127
