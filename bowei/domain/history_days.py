"""The days of history that are given out as files: where a day begins and ends, and what its files are called.

A day is one of the city's calendar, and its hours are those that begin in it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Self

_HOUR = timedelta(hours=1)
_NAME = re.compile(r"hourly-(\d{4}-\d{2}-\d{2})\.(csv\.gz|parquet)", re.ASCII)


class FileKind(StrEnum):
    """A format, by how its files' names end."""

    CSV = "csv.gz"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True, order=True)
class DayFile:
    """A file with every lot's hours of one day."""

    day: date
    kind: FileKind

    @property
    def name(self) -> str:
        """What it is called."""
        return f"hourly-{self.day.isoformat()}.{self.kind}"

    @classmethod
    def named(cls, name: str) -> Self | None:
        """Give the file of a name, or None where no file is called so."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        try:
            return cls(date.fromisoformat(found[1]), FileKind(found[2]))
        except ValueError:
            return None


def day_ends(day: date, zone: tzinfo) -> datetime:
    """Give the instant (UTC) at which a day ends in a zone."""
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)


def hours_of(day: date, zone: tzinfo) -> list[datetime]:
    """Give the hours (UTC) that begin in a day of a zone: 24, or 23 and 25 where clocks are changed."""
    hour, ends = day_ends(day - timedelta(days=1), zone), day_ends(day, zone)
    full = hour.replace(minute=0, second=0, microsecond=0)
    hour = full if full == hour else full + _HOUR
    hours = []
    while hour < ends:
        hours.append(hour)
        hour += _HOUR
    return hours
