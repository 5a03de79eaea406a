"""The road book's twin."""

import struct
from collections.abc import Sequence
from datetime import datetime

from typing_extensions import override

from bowei.domain.road_conditions import Closure, LineSpeed, RoadConditions, RoadSpeed, WaySpeeds
from bowei.records.in_memory.world import InMemoryRecords
from bowei.records.registering import UnknownReference
from bowei.records.road_book import RoadBook


class InMemoryRoadBook(RoadBook):
    """The road book in memory. What is over stays, and is not given."""

    def __init__(self, records: InMemoryRecords) -> None:
        self._records = records

    @override
    async def now(self) -> datetime:
        return self._records.now

    @override
    async def version(self) -> int:
        return self._records.road_version

    @override
    async def conditions(self) -> RoadConditions:
        world = self._records
        return RoadConditions(
            version=world.road_version,
            ways=WaySpeeds.of((way, *said) for way, said in world.way_speeds.items() if said[1] > world.now),
            lines=tuple(LineSpeed(line, *said) for line, said in world.line_speeds.items() if said[1] > world.now),
            closures=tuple(await self.closures()),
        )

    @override
    async def put_speeds(self, speeds: Sequence[RoadSpeed], until: datetime) -> None:
        for speed in speeds:
            (kept,) = struct.unpack("f", struct.pack("f", speed.packed))  # as precise as it is kept elsewhere
            if speed.way is not None:
                self._records.way_speeds[speed.way] = (kept, until)
            else:
                self._records.line_speeds[speed.line] = (kept, until)
        self._records.road_version += 1

    @override
    async def closures(self) -> Sequence[Closure]:
        world = self._records
        return [closure for _, closure in sorted(world.closures.items()) if closure.ends_at > world.now]

    @override
    async def put_closure(self, closure: Closure) -> bool:
        known = self._records.closures.get(closure.closure_id)
        self._records.closures[closure.closure_id] = closure
        self._records.road_version += 1
        return known is None or known.ends_at <= self._records.now

    @override
    async def remove_closure(self, closure_id: str) -> None:
        known = self._records.closures.get(closure_id)
        if known is None or known.ends_at <= self._records.now:
            raise UnknownReference("unknown_closure")
        del self._records.closures[closure_id]
        self._records.road_version += 1
