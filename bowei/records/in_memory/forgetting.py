"""The twin of forgetting persons."""

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import timedelta

from typing_extensions import override

from bowei.domain.holds import Hold
from bowei.domain.lots import DriverId
from bowei.records.forgetting import FORGOTTEN, PLATES_KEPT, ForgetsPersons, ForgottenPersons
from bowei.records.in_memory.world import InMemoryRecords, KeptHold

_AN_HOUR = timedelta(hours=1)


class InMemoryForgetting(ForgetsPersons):
    """Forgets in memory."""

    def __init__(self, records: InMemoryRecords) -> None:
        self._records = records

    @override
    async def forget(self, drivers_kept: timedelta) -> ForgottenPersons:
        plates, drivers = list(self._with_plates(PLATES_KEPT)), list(self._with_drivers(drivers_kept))
        for kept in plates:
            _forget_plate(kept)
        for kept in drivers:
            _forget_driver(kept)
        old = [one for one, at in self._records.given_up_at.items() if at <= self._records.now - drivers_kept]
        for diversion_id in old:
            del self._records.given_up[diversion_id], self._records.given_up_at[diversion_id]
        return ForgottenPersons(len(plates), len(drivers), len(old))

    @override
    async def kept_too_long(self, drivers_kept: timedelta) -> int:
        plates = self._with_plates(PLATES_KEPT + _AN_HOUR)
        return len(list(plates)) + len(list(self._with_drivers(drivers_kept + _AN_HOUR)))

    @override
    async def holds_of(self, driver_id: DriverId) -> Sequence[Hold]:
        holds = [kept.hold for kept in self._records.every_hold() if kept.hold.driver_id == driver_id]
        return sorted(holds, key=lambda one: (one.placed_at, one.diversion_id, one.ordinal))

    @override
    async def erase(self, driver_id: DriverId) -> bool:
        own = [kept for kept in self._records.every_hold() if kept.hold.driver_id == driver_id]
        if any(kept.live or kept.staying for kept in own):
            return False
        for kept in own:
            _forget_plate(kept)
            _forget_driver(kept)
        for diversion_id in [one for one, driver in self._records.given_up.items() if driver == driver_id]:
            del self._records.given_up[diversion_id], self._records.given_up_at[diversion_id]
        return True

    def _with_plates(self, kept_for: timedelta) -> Iterator[KeptHold]:
        return (one for one in self._over(kept_for) if one.plate_hash is not None or one.hold.code is not None)

    def _with_drivers(self, kept_for: timedelta) -> Iterator[KeptHold]:
        return (one for one in self._over(kept_for) if one.hold.driver_id != FORGOTTEN)

    def _over(self, kept_for: timedelta) -> Iterator[KeptHold]:
        before = self._records.now - kept_for
        for kept in self._records.every_hold():
            if kept.hold.ended_at is not None and kept.hold.ended_at <= before and not kept.staying:
                yield kept


def _forget_plate(kept: KeptHold) -> None:
    kept.plate_hash = None
    kept.hold = dataclasses.replace(kept.hold, code=None)


def _forget_driver(kept: KeptHold) -> None:
    kept.hold = dataclasses.replace(kept.hold, driver_id=FORGOTTEN)
    kept.answer = {name: value for name, value in kept.answer.items() if name == "offered_before"}
