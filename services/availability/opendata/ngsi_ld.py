"""NGSI-LD: OffStreetParking of the smart data models, as key-values."""

from collections.abc import Sequence
from typing import Any

import msgspec

from bowei.domain.lots import LotKind
from bowei.domain.observations import LotState
from bowei.observability.instants import rfc3339
from services.availability.lots import Level, LotStatus
from services.availability.opendata.editions import Edition, OneLot

CONTEXT = (
    "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
    "https://raw.githubusercontent.com/smart-data-models/dataModel.Parking/master/context.jsonld",
)


class NgsiLd:
    """A list of entities."""

    media_type = "application/ld+json"
    foresees = False

    def piece(self, lot: OneLot) -> bytes:
        """Write an entity."""
        status, one = lot.status, lot.status.lot
        said: dict[str, Any] = {
            "id": f"urn:ngsi-ld:OffStreetParking:{one.lot_id}",
            "type": "OffStreetParking",
            "@context": CONTEXT,
            "name": one.name.zh,
            "alternateName": one.name.en,
            "location": {"type": "Point", "coordinates": [one.location.lon, one.location.lat]},
            "category": ["parkingLot" if one.kind is LotKind.PUBLIC else "parkingGarage", "public"],
            "allowedVehicleType": ["car"],
            "totalSpotNumber": status.capacity,
            "status": _status(status),
        }
        if one.max_height_cm is not None:
            said["maximumAllowedHeight"] = one.max_height_cm / 100
        if status.free is not None and status.bound is None:
            said["availableSpotNumber"] = status.free
            said["occupiedSpotNumber"] = max(0, status.capacity - status.free)
        if status.observed_at is not None:
            said["observationDateTime"] = rfc3339(status.observed_at)
        return msgspec.json.encode({key: value for key, value in said.items() if value})

    def whole(self, pieces: Sequence[bytes], edition: Edition) -> bytes:  # noqa: ARG002 (the entities are all there is)
        """Put the list together."""
        return b"[" + b",".join(pieces) + b"]"


def _status(status: LotStatus) -> list[str]:
    if status.state is LotState.CLOSED:
        return ["closed"]
    if status.state is LotState.OUT_OF_ORDER:
        return ["closedAbnormal"]
    if status.state is LotState.FULL_AT_ENTRANCE:
        return ["open", "fullAtEntrance"]
    by_level = {Level.FULL: "full", Level.ALMOST_FULL: "almostFull", Level.FEW: "spacesAvailable"}
    by_level[Level.PLENTY] = "spacesAvailable"
    return ["open", by_level[status.level]] if status.level in by_level else []
