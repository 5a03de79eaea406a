"""The ways to the lots that serve one hospital: by each entrance, and from there on foot to the hospital's door.

Entrances are snapped to the road once; asking from an origin is one query, one origin to all entrances.
"""

from collections.abc import Iterable, Mapping
from math import inf

from bowei.domain.choosing import WALK_SPEED_M_S, Approach, walk_m
from bowei.domain.lots import Entrance, Hospital, Lot, LotId
from bowei.domain.places import Point
from bowei.roads.travel_times import TravelTimes


class Approaches:
    """The ways to `lots` for drivers of `hospital`."""

    def __init__(self, hospital: Hospital, lots: Iterable[Lot], travel_times: TravelTimes) -> None:
        self._travel_times = travel_times
        self._ways: list[tuple[LotId, Entrance, float, float]] = [
            (lot.lot_id, entrance, foot_m / WALK_SPEED_M_S, foot_m)
            for lot in lots
            for entrance in lot.entrances
            for foot_m in (walk_m(entrance.point, hospital.door),)
        ]
        self._targets = travel_times.targets([entrance.point for _, entrance, _, _ in self._ways])

    def from_origin(self, origin: Point) -> Mapping[LotId, Approach]:
        """Give the best way to each lot: least drive and walk together; a lot with no way by road has drive None."""
        drives = self._travel_times.drive(origin, self._targets)
        estimated = drives.estimated
        best: dict[LotId, Approach] = {}
        for (lot_id, entrance, walk_s, foot_m), drive_s in zip(self._ways, drives.seconds, strict=True):
            way = Approach(entrance, drive_s, walk_s, foot_m, estimated)
            if lot_id not in best or _whole_s(way) < _whole_s(best[lot_id]):
                best[lot_id] = way
        return best


def _whole_s(way: Approach) -> float:
    return inf if way.drive_s is None else way.drive_s + way.walk_s
