"""ParkAPI: v1 as OpenTripPlanner and the ParkenDD apps read it, and the lists of v3."""

from collections.abc import Sequence
from typing import Any

import msgspec

from bowei.domain.lots import LotKind, SpaceClass
from bowei.domain.observations import LotState
from bowei.observability.instants import rfc3339
from services.availability.lots import LotStatus
from services.availability.opendata.editions import Edition, OneLot

V1_VERSION = "1.0"
_STATE_V1 = {LotState.OPEN: "open", LotState.FULL_AT_ENTRANCE: "open", LotState.CLOSED: "closed"}
_STATE_V3 = {LotState.OPEN: "OPEN", LotState.FULL_AT_ENTRANCE: "OPEN", LotState.CLOSED: "CLOSED"}
_NAIVE_LENGTH = len("2026-03-02T00:30:05")


class ParkApiV1:
    """A city of version 1. `state` is always there and `free` never null: that reader takes null for 0."""

    media_type = "application/json"
    foresees = False

    def piece(self, lot: OneLot) -> bytes:
        """Write a lot."""
        status, one = lot.status, lot.status.lot
        said: dict[str, Any] = {
            "id": one.lot_id,
            "name": one.name.zh,
            "coords": {"lat": one.location.lat, "lng": one.location.lon},
            "total": status.capacity,
            "state": _STATE_V1.get(status.state, "nodata"),
            "lot_type": "lot" if one.kind is LotKind.PUBLIC else "garage",
            "forecast": False,
            "notes": {"en": one.name.en},
        }
        disabled = one.classes.get(SpaceClass.DISABLED)
        if disabled is not None:
            said["total:disabled"] = disabled
        free_disabled = status.free_by_class.get(SpaceClass.DISABLED)
        if free_disabled is not None:
            said["free:disabled"] = free_disabled
        if status.free is not None:
            said["free"] = status.free
        return msgspec.json.encode(said)

    def whole(self, pieces: Sequence[bytes], edition: Edition) -> bytes:
        """Put the city together. Its times are UTC and say no zone, as this version has them."""
        naive = rfc3339(edition.at)[:_NAIVE_LENGTH]
        head: dict[str, Any] = {"last_updated": naive, "last_downloaded": naive}
        if edition.publisher.url is not None:
            head["data_source"] = edition.publisher.url
        if edition.publisher.licence is not None:
            head["data_license"] = edition.publisher.licence
        return msgspec.json.encode(head)[:-1] + b',"lots":[' + b",".join(pieces) + b"]}"


class ParkApiV3Sites:
    """The parking sites of version 3."""

    media_type = "application/json"
    foresees = False

    def piece(self, lot: OneLot) -> bytes:
        """Write a site."""
        status, one = lot.status, lot.status.lot
        said: dict[str, Any] = {
            "original_uid": one.lot_id,
            "source_uid": lot.edition.publisher.publisher_id,
            "name": one.name.zh,
            "lat": f"{one.location.lat:.7f}",
            "lon": f"{one.location.lon:.7f}",
            "type": "OFF_STREET_PARKING_GROUND" if one.kind is LotKind.PUBLIC else "CAR_PARK",
            "purpose": "CAR",
            "capacity": one.capacity,
            "has_realtime_data": True,
            "realtime_opening_status": _STATE_V3.get(status.state, "UNKNOWN"),
            "static_data_updated_at": rfc3339(lot.edition.registered_at),
            "restrictions": [],
        }
        if one.max_height_cm is not None:
            said["max_height"] = one.max_height_cm
        said |= _counts(status)
        return msgspec.json.encode(said)

    def whole(self, pieces: Sequence[bytes], edition: Edition) -> bytes:  # noqa: ARG002 (each site says its own)
        """Put the page together: there is only one."""
        return b'{"items":[' + b",".join(pieces) + b'],"total_count":%d,"next_path":null}' % len(pieces)


def sources_v3(edition: Edition) -> bytes:
    """Write the sources of version 3: one, this city."""
    publisher = edition.publisher
    said: dict[str, Any] = {
        "uid": publisher.publisher_id,
        "name": publisher.name,
        "public_url": publisher.url,
        "attribution_license": publisher.licence,
        "attribution_contributor": publisher.attribution,
        "attribution_url": publisher.licence_url,
        "realtime_status": "FAILED" if edition.snapshot.stale else "ACTIVE",
        "static_status": "ACTIVE",
        "realtime_data_updated_at": rfc3339(edition.snapshot.as_of),
        "static_data_updated_at": rfc3339(edition.registered_at),
        "realtime_parking_site_error_count": sum(status.free is None for status in edition.snapshot.lots.values()),
        "static_parking_site_error_count": 0,
    }
    known = {key: value for key, value in said.items() if value is not None}
    return msgspec.json.encode({"items": [known], "total_count": 1, "next_path": None})


def cities_v1(edition: Edition) -> bytes:
    """Write the index of version 1."""
    publisher = edition.publisher
    return msgspec.json.encode(
        {
            "api_version": V1_VERSION,
            "server_version": V1_VERSION,
            "reference": "https://github.com/offenesdresden/ParkAPI",
            "cities": {publisher.name: publisher.publisher_id},
        }
    )


def _counts(status: LotStatus) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if status.free is not None:
        said |= {"realtime_capacity": status.capacity, "realtime_free_capacity": status.free}
    if status.observed_at is not None:
        said["realtime_data_updated_at"] = rfc3339(status.observed_at)
    return said
