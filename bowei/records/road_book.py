"""The port of the road book: what the city says of its roads, written by the registry alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from bowei.domain.road_conditions import Closure, RoadConditions, RoadSpeed


class RoadBook(Protocol):
    """Keeps speeds and closures of roads until they are over, by the ledger's clock.

    Every method raises StoreAway or OutcomeUnknown (repeat the same call: putting the same again is harmless).
    """

    async def now(self) -> datetime:
        """Tell the ledger's time."""
        ...

    async def version(self) -> int:
        """Give the version of the conditions, which grows with every change; what ends by itself changes nothing."""
        ...

    async def conditions(self) -> RoadConditions:
        """Give all that is not over, as one value."""
        ...

    async def put_speeds(self, speeds: Sequence[RoadSpeed], until: datetime) -> None:
        """Set the speed of each road named, until then; of a road named twice the last holds. Others stay."""
        ...

    async def closures(self) -> Sequence[Closure]:
        """List the closures that are not over, by id."""
        ...

    async def put_closure(self, closure: Closure) -> bool:
        """Set a closure, or change it; say whether it is new."""
        ...

    async def remove_closure(self, closure_id: str) -> None:
        """End a closure now.

        Raises:
            UnknownReference: it is not registered, or is over.
        """
        ...
