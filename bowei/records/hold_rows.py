"""Rows of `bowei.hold`, as the domain's holds."""

from typing import Any

import asyncpg
import msgspec

from bowei.domain.agreements import AgreementId
from bowei.domain.holds import Hold, HoldState
from bowei.domain.lots import DriverId, HospitalId, LotId, SpaceClass
from bowei.records.holding import Json


def hold_of(row: asyncpg.Record, *, state: str | None = None) -> tuple[Hold, Json]:
    """Read a row of `bowei.hold`; `state` stands for what it has become since."""
    hold = Hold(
        diversion_id=row["diversion_id"],
        ordinal=row["ordinal"],
        driver_id=DriverId(row["driver_id"]),
        hospital_id=HospitalId(row["hospital_id"]),
        lot_id=LotId(row["lot_id"]),
        agreement_id=AgreementId(row["agreement_id"]),
        space_class=SpaceClass(row["space_class"]),
        state=HoldState(state or row["state"]),
        placed_at=row["placed_at"],
        expires_at=row["expires_at"],
        extended=row["extended_by"] is not None,
        arrived_at=row["arrived_at"],
        ended_at=row["ended_at"],
        reason=row["reason"],
        code=row["code"],
        barred=row["barred"],
    )
    answer: dict[str, Any] = msgspec.json.decode(row["answer"])
    return hold, answer
