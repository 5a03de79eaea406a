"""Who comes: people for the hospital, and the lots' own customers; all of it drawn from a seed.

The same seed brings the same people whatever the policy, so that runs can be compared driver by driver.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bowei.domain.places import distance_m
from services.local.evaluate.traffic.town import DOOR, HOSPITAL, LOTS, PlainNetwork, TownLot

PEAK_PER_H, PEAK_H = 110.0, 3.0
LATE_PER_H, LATE_H = 50.0, 1.0
"""What comes to the hospital: 07 to 10 h is its peak; with 127 spaces and stays of two hours it lands on the queue
that was published of it."""

DRAIN_H = 1.0
"""How long nobody new comes, so that those on their way can park."""

MEAN_STAY_S, OWN_STAY_S, STAY_SPREAD = 7200.0, 5400.0, 0.6
"""A lognormal stay: its mean for patients and for own customers, and the standard deviation of its logarithm."""

ORIGINS, NEAREST_M, FARTHEST_M = 60, 1_200.0, 3_500.0


class Kind(StrEnum):
    """Whom a car carries."""

    PATIENT = "patient"
    OWN = "own"
    """A customer of the lot itself, who knows nothing of sharing."""
    EARLY = "early"
    """One who is parked before the simulation begins."""


@dataclass(frozen=True, slots=True)
class Trip:
    """One car: when it sets out, from which edge, to which lot, and for how long it would park.

    `luck` in 0..1 decides alike in every run who has the app and who never shows up: (app, no-show).
    """

    name: str
    kind: Kind
    due_s: float
    origin: str
    lot: str
    stay_s: float
    luck: tuple[float, float] = (0.0, 0.0)


def simulated_s() -> float:
    """How long a run lasts."""
    return (PEAK_H + LATE_H + DRAIN_H) * 3600.0


def draw_trips(seed: int, network: PlainNetwork, lots: Sequence[TownLot] = LOTS) -> list[Trip]:
    """Draw everybody who comes, in the order in which they set out."""
    origins = _origins(_chance(seed, "origins"), network)
    trips = [trip for lot in lots for trip in _early(_chance(seed, f"early/{lot.name}"), lot)]
    trips += _patients(_chance(seed, "patients"), origins)
    for lot in lots:
        trips += _own(_chance(seed, f"own/{lot.name}"), lot, origins)
    return sorted(trips, key=lambda trip: (trip.due_s, trip.name))


def trips_xml(trips: Sequence[Trip], types: str, type_of: Sequence[str], door_edge: str) -> str:
    """Write trips as the simulator reads them; every way ends at the door, as the walk does."""
    lines = ["<routes>", types]
    for trip, kind in zip(trips, type_of, strict=True):
        place = ' departPos="stop"' if trip.kind is Kind.EARLY else ' departLane="best" departSpeed="0"'
        lines.append(
            f'  <trip id="{trip.name}" type="{kind}" depart="{trip.due_s:.1f}" from="{trip.origin}" to="{door_edge}"'
            f'{place}><stop parkingArea="{trip.lot}" duration="{trip.stay_s:.0f}"/></trip>'
        )
    return "\n".join([*lines, "</routes>", ""])


def _chance(seed: int, of: str) -> random.Random:
    # Each group of people by itself: whoever changes one does not change the others.
    return random.Random(f"{seed}/{of}")  # noqa: S311


def _origins(chance: random.Random, network: PlainNetwork) -> list[str]:
    around = [
        edge for edge, place in sorted(network.origins.items()) if NEAREST_M <= distance_m(place, DOOR) <= FARTHEST_M
    ]
    return chance.sample(around, min(ORIGINS, len(around)))


def _stay_s(chance: random.Random, mean_s: float) -> float:
    return chance.lognormvariate(math.log(mean_s) - STAY_SPREAD**2 / 2, STAY_SPREAD)


def _early(chance: random.Random, lot: TownLot) -> Iterator[Trip]:
    for number in range(round(lot.spaces * lot.at_start)):
        # Of those who are there at an instant, long stays are seen more often, and each is somewhere within.
        mean_s = MEAN_STAY_S if lot is HOSPITAL else OWN_STAY_S
        whole_s = chance.lognormvariate(math.log(mean_s) + STAY_SPREAD**2 / 2, STAY_SPREAD)
        left_s = max(60.0, whole_s * chance.random())
        yield Trip(f"early-{lot.name}-{number}", Kind.EARLY, 0.0, lot.driveway, lot.name, left_s)


def _patients(chance: random.Random, origins: Sequence[str]) -> Iterator[Trip]:
    at_s, number = 0.0, 0
    while True:
        per_h = PEAK_PER_H if at_s < PEAK_H * 3600 else LATE_PER_H
        at_s += chance.expovariate(per_h / 3600)
        if at_s >= (PEAK_H + LATE_H) * 3600:
            return
        luck = (chance.random(), chance.random())
        origin, stay_s = chance.choice(origins), _stay_s(chance, MEAN_STAY_S)
        yield Trip(f"p{number}", Kind.PATIENT, at_s, origin, HOSPITAL.name, stay_s, luck)
        number += 1


def _own(chance: random.Random, lot: TownLot, origins: Sequence[str]) -> Iterator[Trip]:
    at_s, number = 0.0, 0
    while lot.own_per_h > 0:
        at_s += chance.expovariate(lot.own_per_h / 3600)
        if at_s >= (PEAK_H + LATE_H) * 3600:
            return
        origin, stay_s = chance.choice(origins), _stay_s(chance, OWN_STAY_S)
        yield Trip(f"own-{lot.name}-{number}", Kind.OWN, at_s, origin, lot.name, stay_s)
        number += 1
