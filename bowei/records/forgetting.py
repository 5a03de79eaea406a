"""The port of those who forget persons: what of a hold tells who it was for is kept only as long as it is needed.

Counts stay: a report of last year needs no driver.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from bowei.domain.holds import Hold
from bowei.domain.lots import DriverId

PLATES_KEPT = timedelta(hours=24)
"""How long a plate's hash and a code are kept after a hold has ended and its car has left."""
FORGOTTEN = DriverId("forgotten")
"""Who a hold was for, once that is forgotten."""


@dataclass(frozen=True, slots=True)
class ForgottenPersons:
    """What one round took: plates and codes, drivers (with how their lots were chosen), tombstones and repeats."""

    plates: int = 0
    drivers: int = 0
    leavings: int = 0

    @property
    def anything(self) -> bool:
        """Say whether another round may find more."""
        return bool(self.plates or self.drivers or self.leavings)


class ForgetsPersons(Protocol):
    """Forgets, and answers drivers what is kept of them. Every method raises StoreAway or OutcomeUnknown."""

    async def forget(self, drivers_kept: timedelta) -> ForgottenPersons:
        """Forget some of what is over its time, by the ledger's clock: a bounded piece of work."""
        ...

    async def kept_too_long(self, drivers_kept: timedelta) -> int:
        """Count what should have been forgotten an hour ago: none, always."""
        ...

    async def holds_of(self, driver_id: DriverId) -> Sequence[Hold]:
        """List all holds of a driver that are known to be the driver's, the oldest first."""
        ...

    async def erase(self, driver_id: DriverId) -> bool:
        """Forget a driver now. False: a space is held for the driver, or the car stands in a lot."""
        ...
