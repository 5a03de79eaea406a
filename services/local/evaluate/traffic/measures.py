"""What a run says: extra time from door to door, the queue, refusals, and the harm to the lots' own customers.

Extra time is against the same person's way in the run `room`, in which the hospital has room for all: the same car,
the same minute, the same lights. So it is what the shortage costs, and nothing else. The walk from the lot to the door
is in it.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from bowei.domain.choosing import WALK_SPEED_M_S, walk_m
from services.local.evaluate.traffic.demand import Kind
from services.local.evaluate.traffic.journeys import QUEUE_EVERY_S, Journey, Trace
from services.local.evaluate.traffic.town import DOOR, HOSPITAL, LOTS, TownLot

LONG_QUEUE = 10


@dataclass(frozen=True, slots=True)
class Measures:
    """One run in numbers; times in seconds. Every share is of 1."""

    drivers: int
    extra_mean_s: float
    extra_p50_s: float
    extra_p95_s: float
    door_to_door_s: float
    km: float
    walk_s: float
    queue_mean: float
    queue_max: int
    queue_long_min: float
    """Minutes with more than `LONG_QUEUE` cars at the gate."""
    diverted: int
    """Who parked elsewhere than at the hospital."""
    refused: int
    """How often a car came to a lot that lends, and found no space."""
    refused_share: float
    """Of the diverted."""
    turned_at_gate: int
    """How often a car came to the hospital's gate, and found no space."""
    never_parked: int
    kept_share: float
    """Of the arrivals by a hold, how many found their space; 1 where there were none."""
    own_delay_s: float
    """What own customers needed longer than without sharing: those who parked in both runs."""
    own_turned_away: int
    own_never_parked: int
    own: int
    lent_to: Mapping[str, int]
    """Where patients parked."""
    broken_promises: int


def walk_s(lot: TownLot) -> float:
    """Give the walk from a lot to the hospital's door."""
    return walk_m(lot.place, DOOR) / WALK_SPEED_M_S


WALKS_S = {lot.name: walk_s(lot) for lot in LOTS}


def ways_s(trace: Trace, kind: Kind) -> dict[str, float]:
    """Give each one's time from setting out to the door (own customers: to the space).

    A patient who never parked counts as under way until the end: too little, so it flatters who leaves people in the
    street. Own customers who never parked are left out, and counted apart.
    """
    ways: dict[str, float] = {}
    for name, journey in trace.journeys.items():
        if journey.trip.kind is not kind or journey.no_show:
            continue
        if journey.parked_s is not None:
            walk = WALKS_S[journey.parked_at or HOSPITAL.name] if kind is Kind.PATIENT else 0.0
            ways[name] = journey.parked_s - journey.trip.due_s + walk
        elif kind is Kind.PATIENT:
            ways[name] = trace.ended_s - journey.trip.due_s
    return ways


def measure(trace: Trace, free_ways_s: Mapping[str, float], free_own_s: Mapping[str, float]) -> Measures:
    """Measure a run against the run `room` of the same seed: its patients' ways, and its own customers'."""
    ways = ways_s(trace, Kind.PATIENT)
    extras = sorted(way - free_ways_s[name] for name, way in ways.items())
    patients = [one for one in trace.journeys.values() if one.trip.kind is Kind.PATIENT and not one.no_show]
    own = [one for one in trace.journeys.values() if one.trip.kind is Kind.OWN]
    own_ways = ways_s(trace, Kind.OWN)
    parked = [one for one in patients if one.parked_s is not None]
    diverted = [one for one in parked if one.parked_at != HOSPITAL.name]
    refused = sum(1 for one in patients for name in one.refused_at if name != HOSPITAL.name)
    kept = sum(1 for one in parked if one.sent_to is not None)
    broken = sum(len(one.refused_at) for one in patients if one.by_hold)
    return Measures(
        drivers=len(patients),
        extra_mean_s=statistics.fmean(extras),
        extra_p50_s=quantile(extras, 0.5),
        extra_p95_s=quantile(extras, 0.95),
        door_to_door_s=statistics.fmean(ways.values()),
        km=_mean(one.driven_m / 1000 for one in parked),
        walk_s=_mean(WALKS_S[one.parked_at or HOSPITAL.name] for one in parked),
        queue_mean=_mean(trace.queue),
        queue_max=max(trace.queue, default=0),
        queue_long_min=sum(1 for waiting in trace.queue if waiting > LONG_QUEUE) * QUEUE_EVERY_S / 60,
        diverted=len(diverted),
        refused=refused,
        refused_share=refused / len(diverted) if diverted else 0.0,
        turned_at_gate=sum(one.refused_at.count(HOSPITAL.name) for one in patients),
        never_parked=len(patients) - len(parked),
        kept_share=kept / (kept + broken) if kept else 1.0,
        own_delay_s=_mean(own_ways[name] - free_own_s[name] for name in own_ways if name in free_own_s),
        own_turned_away=sum(one.turned_away for one in own),
        own_never_parked=sum(one.parked_s is None and not one.turned_away for one in own),
        own=len(own),
        lent_to=_counted(parked),
        broken_promises=trace.notes.get("broken_promises", 0),
    )


def as_document(measures: Measures) -> dict[str, object]:
    """Give the measures as they are kept: rounded to what they are worth."""
    return {
        name: round(value, 4 if name.endswith("_share") else 2) if isinstance(value, float) else value
        for name, value in asdict(measures).items()
    }


def quantile(ordered: Sequence[float], share: float) -> float:
    """Give the value that `share` of the ordered values do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return statistics.fmean(listed) if listed else 0.0


def _counted(parked: Iterable[Journey]) -> dict[str, int]:
    counts = {lot.name: 0 for lot in LOTS}
    for one in parked:
        counts[one.parked_at or HOSPITAL.name] += 1
    return counts
