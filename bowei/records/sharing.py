"""The port of those who look at what sharing brings: it reads holds, and changes none."""

from collections.abc import Collection, Sequence
from typing import Protocol

from bowei.domain.lots import HospitalId, LotId
from bowei.domain.sharing_reports import Coming, Month, SharingLine


class ReadsSharing(Protocol):
    """Reads what was held. Raises StoreAway."""

    async def month(
        self, month: Month, lot_ids: Collection[LotId] | None, hospital_ids: Collection[HospitalId] | None
    ) -> Sequence[SharingLine]:
        """Give a month's lines of these lots, and of those that lent to these hospitals, by lot, agreement and class.

        Both None: all lines. A line of nothing is left out.
        """
        ...

    async def coming(self, lot_id: LotId) -> Sequence[Coming]:
        """List the cars that are on their way to a lot, or arrived and are not counted yet; the first due first."""
        ...
