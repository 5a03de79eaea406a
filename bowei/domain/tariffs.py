"""What a driver pays under an agreement: by started hours after some free minutes, at most so much a day."""

import math
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Tariff:
    """A tariff. Money is in `currency` (ISO 4217), not in its hundredths."""

    per_hour: Decimal
    """For each started hour after the free minutes."""
    currency: str = "CNY"
    free_minutes: int = 0
    day_cap: Decimal | None = None
    """What 24 hours cost at most, counted from the entry."""

    def fee(self, stay: timedelta) -> Decimal:
        """Give what a stay costs. Never less for a longer one."""
        if stay <= timedelta(minutes=self.free_minutes):
            return Decimal(0)
        billed = stay - timedelta(minutes=self.free_minutes)
        if self.day_cap is None:
            return self.per_hour * math.ceil(billed / _HOUR)
        days, rest = divmod(billed, _DAY)
        return self.day_cap * days + min(self.day_cap, self.per_hour * math.ceil(rest / _HOUR))
