"""Instants as they leave a process, in answers and in logs: RFC 3339 in UTC, with Z and milliseconds."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, PlainSerializer


def rfc3339(at: datetime) -> str:
    """Write an aware instant."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    Field(json_schema_extra={"format": "date-time"}),
]
"""An aware instant in a body that pydantic writes."""
