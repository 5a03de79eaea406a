"""One run: a town, people, a policy, and what became of everybody."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bowei.domain.places import distance_m
from bowei.roads.travel_times import TravelTimes
from services.local.evaluate.traffic.demand import Kind, Trip, draw_trips, trips_xml
from services.local.evaluate.traffic.following import Run
from services.local.evaluate.traffic.journeys import Trace
from services.local.evaluate.traffic.policies import Policy, rerouters_xml, types_xml
from services.local.evaluate.traffic.simulator import build_network, running
from services.local.evaluate.traffic.steering import Steering
from services.local.evaluate.traffic.town import (
    HOSPITAL,
    HOSPITAL_DRIVEWAY_M,
    PlainNetwork,
    parking_xml,
    plain_network,
    read_streets,
)

_GATE = (HOSPITAL.driveway, HOSPITAL_DRIVEWAY_M - 30.0)
_ROOM_FOR_ALL = 2_000


@dataclass(frozen=True, slots=True)
class Town:
    """A network on disk."""

    plain: PlainNetwork
    network: Path
    door_edge: str


def build_town(folder: Path) -> Town:
    """Make the network in `folder`, unless it is there."""
    plain = plain_network(read_streets())
    network = folder / "town.net.xml"
    if not network.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        nodes, edges = folder / "town.nod.xml", folder / "town.edg.xml"
        nodes.write_text(plain.nodes_xml, encoding="utf-8")
        edges.write_text(plain.edges_xml, encoding="utf-8")
        build_network(nodes, edges, network)
    door_edge = min(plain.origins, key=lambda edge: (distance_m(plain.origins[edge], HOSPITAL.place), edge))
    return Town(plain, network, door_edge)


def simulate(policy: Policy, seed: int, town: Town, folder: Path, travel_times: TravelTimes) -> Trace:
    """Run a policy for one seed's people; what the simulator reads is written into `folder`."""
    trips = draw_trips(seed, town.plain)
    steered = {trip.name for trip in trips if _asks(policy, trip)}
    files = _write(policy, trips, steered, town, folder)
    with (
        running(town.network, files[0], files[1:], seed=seed, gate=_GATE) as simulation,
        Steering(travel_times, policy) as steering,
    ):
        run = Run(policy, trips, steered, simulation, steering)
        return run.to_the_end()


def _asks(policy: Policy, trip: Trip) -> bool:
    return policy.name == "ours" and trip.kind is Kind.PATIENT and trip.luck[0] < policy.app_share


def _write(policy: Policy, trips: Sequence[Trip], steered: set[str], town: Town, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    by_signs = policy.name in {"blind", "visible", "native", "ours"}
    types = [
        "rerouted" if by_signs and trip.kind is Kind.PATIENT and trip.name not in steered else "steered"
        for trip in trips
    ]
    near = [edge for edge, at in town.plain.origins.items() if distance_m(at, HOSPITAL.place) <= policy.decide_m]
    texts = {
        "trips.rou.xml": trips_xml(trips, types_xml(policy.weights), types, town.door_edge),
        "lots.add.xml": parking_xml(
            hospital_spaces=_ROOM_FOR_ALL if policy.name == "room" else None, reservable=policy.native
        ),
    }
    if by_signs:
        texts["signs.add.xml"] = rerouters_xml(
            visible=policy.name != "blind", seen_on=() if policy.name == "blind" else sorted(near)
        )
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]
