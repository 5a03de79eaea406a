"""The ways to the lots that serve one hospital: by each entrance, and from there on foot to the hospital's door.

Entrances are snapped to the road, and walks found, once; asking from an origin is one query, one origin to all
entrances. Where no footway is known the walk is estimated by air, and says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from bowei.domain.choosing import WALK_SPEED_M_S, Approach, walk_m
from bowei.domain.lots import Entrance, Hospital, Lot, LotId
from bowei.domain.places import Point
from bowei.roads.travel_times import TravelTimes


@dataclass(frozen=True, slots=True)
class _Way:
    lot_id: LotId
    entrance: Entrance
    walk_s: float
    walk_m: float
    walk_estimated: bool


class Approaches:
    """The ways to `lots` for drivers of `hospital`. The roads may change meanwhile."""

    def __init__(self, hospital: Hospital, lots: Iterable[Lot], travel_times: TravelTimes) -> None:
        self._travel_times = travel_times
        pairs = [(lot.lot_id, entrance) for lot in lots for entrance in lot.entrances]
        places = [entrance.point for _, entrance in pairs]
        self._targets = travel_times.targets(places)
        self._ways: list[_Way] = []
        for (lot_id, entrance), known_m in zip(pairs, travel_times.walks_m(places, hospital.door), strict=True):
            foot_m = walk_m(entrance.point, hospital.door) if known_m is None else known_m
            self._ways.append(_Way(lot_id, entrance, foot_m / WALK_SPEED_M_S, foot_m, known_m is None))

    @property
    def off_road(self) -> Sequence[tuple[LotId, Entrance]]:
        """List the entrances that lie too far from any road: drives to them are estimated by air."""
        far = self._travel_times.off_road(self._targets)
        return [(way.lot_id, way.entrance) for way, is_far in zip(self._ways, far, strict=True) if is_far]

    def from_origin(self, origin: Point) -> Mapping[LotId, Approach]:
        """Give the best way to each lot: least drive and walk together; a lot with no way by road has drive None."""
        drives = self._travel_times.drive(origin, self._targets)
        estimated, by = drives.estimated, drives.by
        best: dict[LotId, Approach] = {}
        for way, drive_s in zip(self._ways, drives.seconds, strict=True):
            approach = Approach(way.entrance, drive_s, way.walk_s, way.walk_m, estimated, way.walk_estimated, by)
            if way.lot_id not in best or _whole_s(approach) < _whole_s(best[way.lot_id]):
                best[way.lot_id] = approach
        return best


def _whole_s(way: Approach) -> float:
    return inf if way.drive_s is None else way.drive_s + way.walk_s
