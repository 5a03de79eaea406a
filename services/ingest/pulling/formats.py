"""Formats: what turns a fetched body into readings."""

from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from services.ingest.datex2.reading import read_status
from services.ingest.fieldmaps.field_map import FieldMap
from services.ingest.readings import Reading


class Reads(Protocol):
    """Turns a body into readings."""

    def __call__(self, body: bytes, *, received_at: datetime) -> list[Reading]:
        """Give what a body says. Raises Refused where it can't be read."""
        ...


def by_datex2(zone: ZoneInfo | None) -> Reads:
    """Read DATEX II status publications; `zone` is that of times without an offset."""

    def read(body: bytes, *, received_at: datetime) -> list[Reading]:
        del received_at  # its times stand in the document
        return read_status(body, zone=zone)

    return read


def by_map(field_map: FieldMap, lot_code: str | None) -> Reads:
    """Read JSON or CSV as a field map says."""

    def read(body: bytes, *, received_at: datetime) -> list[Reading]:
        return field_map.read(body, received_at=received_at, lot_code=lot_code)

    return read
