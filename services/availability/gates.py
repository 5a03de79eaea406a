"""What one hospital's gate shows: its state, where the next car should go, and why there.

own lot's report ──▶ state (with hysteresis, `bowei.domain.gate`) ─┐
shared lots ──ranked from the gate (`bowei.domain.choosing`)──▶ next ─┴─▶ a sentence in zh and en
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bowei.domain.choosing import Approach, Considered, Exclusion, LotNow, Need, candidates
from bowei.domain.comparing import consider
from bowei.domain.directory import Directory
from bowei.domain.freshness import Freshness
from bowei.domain.gate import GateState, GateWord, next_gate_state
from bowei.domain.lots import Hospital, HospitalId, Lot, LotId
from bowei.domain.observations import Bound, LotState
from bowei.roads.approaches import Approaches
from bowei.roads.travel_times import TravelTimes
from services.availability.lots import LotStatus
from services.availability.wording import Sentence, Why, gate_sentence


@dataclass(frozen=True, slots=True)
class NextLot:
    """Where the next car should go."""

    lot: Lot
    offered: int
    approach: Approach
    why: Why


@dataclass(frozen=True, slots=True)
class GateStatus:
    """One hospital's gate at one instant. Two are equal when the gate shows the same, whatever the ages."""

    hospital: Hospital
    state: GateState
    lot_state: LotState
    """What the hospital's own lot says of itself: a closed one is not full."""
    capacity: int | None
    free: int | None
    free_at_most: int | None
    bound: Bound | None
    queue_vehicles: int | None
    queue_said_at: datetime | None
    """When the gate's staff counted the queue; None: the lot reports it, or nobody does."""
    paused_until: datetime | None
    """Until when the staff sends no car elsewhere; None: it does."""
    freshness: Freshness
    observed_at: datetime | None
    next: NextLot | None
    text: Sentence
    considered: tuple[Considered, ...] = field(compare=False)
    age: timedelta | None = field(compare=False)


class WaysFromGates:
    """The ways from each hospital's gate to the lots that serve it; they change with the directory and the roads."""

    def __init__(self, travel_times: TravelTimes) -> None:
        self._travel_times = travel_times
        self._directory = Directory.empty()
        self._roads_serial = travel_times.roads_serial
        self._approaches: dict[HospitalId, Approaches] = {}
        self._ways: dict[HospitalId, Mapping[LotId, Approach]] = {}

    def of(self, hospital: Hospital, directory: Directory) -> Mapping[LotId, Approach]:
        """Give the ways for one hospital of `directory`."""
        if directory is not self._directory:
            self._directory, self._approaches, self._ways = directory, {}, {}
        if self._roads_serial != self._travel_times.roads_serial:
            self._roads_serial, self._ways = self._travel_times.roads_serial, {}
        if hospital.hospital_id not in self._ways:
            approaches = self._approaches.get(hospital.hospital_id)
            if approaches is None:
                approaches = Approaches(hospital, directory.lots_for(hospital.hospital_id), self._travel_times)
                self._approaches[hospital.hospital_id] = approaches
            self._ways[hospital.hospital_id] = approaches.from_origin(hospital.gate)
        return self._ways[hospital.hospital_id]


def describe_gate(
    hospital: Hospital,
    directory: Directory,
    own: LotStatus | None,
    now_of: Mapping[LotId, LotNow],
    ways: Mapping[LotId, Approach],
    word: GateWord,
    previous: GateState,
    now: datetime,
) -> GateStatus:
    """Say what a gate shows at `now`.

    `own` is the hospital's own lot, `word` what the staff said, `previous` the gate's last state.
    """
    considered = tuple(consider(hospital, directory, now_of, ways, Need(), now))
    if word.pauses_at(now):
        considered = tuple(one.left_out(Exclusion.GATE_PAUSED) for one in considered)
    counted = word.queue_at(now)
    lot_state = LotState.UNKNOWN if own is None else own.state
    free, bound = _room(own)
    chosen = _choose(directory, considered)
    state = next_gate_state(previous, free, hospital.thresholds, can_divert=chosen is not None, bound=bound)
    return GateStatus(
        hospital=hospital,
        state=state,
        lot_state=lot_state,
        capacity=None if own is None else own.capacity,
        free=None if own is None else own.free,
        free_at_most=None if own is None else own.free_at_most,
        bound=None if own is None else own.bound,
        queue_vehicles=counted if counted is not None or own is None else own.queue_vehicles,
        queue_said_at=None if counted is None else word.queue_said_at,
        paused_until=word.paused_until if word.pauses_at(now) else None,
        freshness=Freshness.EXPIRED if own is None else own.freshness,
        observed_at=None if own is None else own.observed_at,
        next=chosen,
        text=gate_sentence(
            state, free, bound, lot_state, None if chosen is None else (chosen.lot, considered[0]), considered
        ),
        considered=considered,
        age=None if own is None else own.age_at(now),
    )


def _room(own: LotStatus | None) -> tuple[int | None, Bound]:
    """Give the room that decides the state, and of what it is a bound; a closed or broken lot says nothing of room."""
    if own is None or own.state is LotState.CLOSED:
        return None, Bound.EXACT
    if own.state is LotState.FULL_AT_ENTRANCE:
        return 0, Bound.EXACT
    return own.free if own.free_at_most is None else own.free_at_most, own.bound or Bound.EXACT


def _choose(directory: Directory, considered: tuple[Considered, ...]) -> NextLot | None:
    able = candidates(considered)
    if not able or able[0].approach is None:
        return None
    best = able[0]
    return NextLot(directory.lots[best.lot_id], best.offered or 0, able[0].approach, _why(able))


def _why(able: list[Considered]) -> Why:
    if len({one.lot_id for one in able}) == 1:
        return Why.ONLY_ONE
    best, nearest = able[0], min(able, key=_way_s)
    if _way_s(best) <= _way_s(nearest):
        return Why.NEAREST
    # The last of equals: lots that cost the same take turns by load.
    more = {
        Why.SURER: nearest.failure_s - best.failure_s,
        Why.CHEAPER: nearest.fee_s - best.fee_s,
        Why.EMPTIER: nearest.fill_s - best.fill_s,
    }
    return max(reversed(more), key=lambda why: more[why])


def _way_s(one: Considered) -> float:
    """Give how long it takes from the gate to the door by way of the lot."""
    approach = one.approach
    return math.inf if approach is None or approach.drive_s is None else approach.drive_s + approach.walk_s
