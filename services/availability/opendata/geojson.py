"""GeoJSON (RFC 7946): a point for each lot, longitude first, WGS-84."""

from collections.abc import Sequence
from typing import Any

import msgspec

from bowei.observability.instants import rfc3339
from services.availability.opendata.editions import Edition, OneLot


class GeoJson:
    """A feature collection."""

    media_type = "application/geo+json"
    foresees = False

    def piece(self, lot: OneLot) -> bytes:
        """Write a feature."""
        status = lot.status
        properties: dict[str, Any] = {
            "name": status.lot.name.zh,
            "name:en": status.lot.name.en,
            "kind": status.lot.kind,
            "state": status.state,
            "level": status.level,
            "capacity": status.capacity,
        }
        known = {"free": status.free, "free_bound": status.bound, "offered": status.offered}
        properties.update((key, value) for key, value in known.items() if value is not None)
        if status.observed_at is not None:
            properties["observed_at"] = rfc3339(status.observed_at)
        place = status.lot.location
        return msgspec.json.encode(
            {
                "type": "Feature",
                "id": status.lot.lot_id,
                "geometry": {"type": "Point", "coordinates": [place.lon, place.lat]},
                "properties": properties,
            }
        )

    def whole(self, pieces: Sequence[bytes], edition: Edition) -> bytes:
        """Put the collection together; what it says beside its features are foreign members."""
        head = {
            "type": "FeatureCollection",
            "last_updated": rfc3339(edition.at),
            "stale": edition.snapshot.stale,
            **edition.publisher.terms(),
        }
        return msgspec.json.encode(head)[:-1] + b',"features":[' + b",".join(pieces) + b"]}"
