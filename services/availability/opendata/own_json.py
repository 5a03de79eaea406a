"""Our own lists in an envelope as GBFS has it, and the discovery file that names all shapes."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from bowei.domain.lots import LotId
from bowei.observability.instants import rfc3339
from services.availability.forecasts import ForecastView
from services.availability.opendata.editions import TTL_S, Edition, OneLot

VERSION = "1.0"
_DISCOVERY_TTL_S = 3_600


class LotsJson:
    """What a lot is: it changes when a party changes it."""

    media_type = "application/json"
    foresees = False

    def piece(self, lot: OneLot) -> bytes:
        """Write a lot."""
        one = lot.status.lot
        said: dict[str, Any] = {
            "id": one.lot_id,
            "name": {"zh": one.name.zh, "en": one.name.en},
            "kind": one.kind,
            "location": {"lat": one.location.lat, "lon": one.location.lon, "datum": "wgs84"},
            "entrances": [
                {
                    "id": entrance.entrance_id,
                    "name": {"zh": entrance.name.zh, "en": entrance.name.en},
                    "lat": entrance.point.lat,
                    "lon": entrance.point.lon,
                    "datum": "wgs84",
                }
                for entrance in one.entrances
            ],
            "timezone": one.timezone,
            "capacity": one.capacity,
            "barrier_link": one.barrier_link,
        }
        if one.block:
            said["block"] = one.block
        if one.max_height_cm is not None:
            said["max_height_cm"] = one.max_height_cm
        if one.classes:
            said["classes"] = {str(key): count for key, count in one.classes.items()}
        if one.synthetic:
            said["synthetic"] = True
        return msgspec.json.encode(said)

    def whole(self, pieces: Sequence[bytes], edition: Edition) -> bytes:
        """Put the list together."""
        return _envelope(edition, pieces)


class StatusJson:
    """How a lot stands. What is not known is absent."""

    media_type = "application/json"
    foresees = True

    def piece(self, lot: OneLot) -> bytes:
        """Write how a lot stands, and what is foreseen of it."""
        status = lot.status
        said: dict[str, Any] = {
            "id": status.lot.lot_id,
            "state": status.state,
            "level": status.level,
            "capacity": status.capacity,
            "held": status.held,
            "freshness": status.freshness,
            "faults": [str(fault) for fault in status.faults],
        }
        known = {
            "free": status.free,
            "free_bound": status.bound,
            "free_at_most": status.free_at_most,
            "open": status.open,
            "offered": status.offered,
            "queue_vehicles": status.queue_vehicles,
            "observed_at": None if status.observed_at is None else rfc3339(status.observed_at),
            "received_at": None if status.received_at is None else rfc3339(status.received_at),
        }
        said.update((key, value) for key, value in known.items() if value is not None)
        forecast = ForecastView.all_of(status, lot.foreseen, lot.edition.at)
        if forecast is not None:
            said["forecast"] = [{"in_s": one.in_s, "free": one.free, "p_free": one.p_free} for one in forecast]
        return msgspec.json.encode(said)

    def whole(self, pieces: Sequence[bytes], edition: Edition) -> bytes:
        """Put the list together."""
        return _envelope(edition, pieces)


def changes(pieces: Sequence[bytes], deleted: Sequence[LotId], edition: Edition, *, whole: bool) -> bytes:
    """Put together what changed since an instant; `whole`: that is not known, and these are all lots."""
    return _envelope(edition, pieces, {"whole": whole, "deleted": sorted(deleted)})


def discovery(edition_at: datetime, feeds: Mapping[str, str], terms: Mapping[str, Any]) -> bytes:
    """Name all shapes and where they are."""
    return msgspec.json.encode(
        {
            "last_updated": rfc3339(edition_at),
            "ttl": _DISCOVERY_TTL_S,
            "version": VERSION,
            **terms,
            "data": {"feeds": [{"name": name, "url": url} for name, url in feeds.items()]},
        }
    )


def _envelope(edition: Edition, pieces: Sequence[bytes], more: Mapping[str, Any] | None = None) -> bytes:
    # To ask from again; a second earlier, because what changes while this is written is in the next.
    as_of = edition.at - timedelta(seconds=1)
    head = {
        "last_updated": rfc3339(edition.at),
        "as_of": rfc3339(as_of),
        "ttl": TTL_S,
        "version": VERSION,
        "stale": edition.snapshot.stale,
        **edition.publisher.terms(),
        **(more or {}),
    }
    return msgspec.json.encode(head)[:-1] + b',"data":{"lots":[' + b",".join(pieces) + b"]}}"
