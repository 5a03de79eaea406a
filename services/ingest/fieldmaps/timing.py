"""Times: when an item says that it was so, however it is written.

    rfc3339      2026-03-02T00:30:03Z, also with a space and any fraction; without an offset the zone is the map's
    epoch_s      seconds since 1970, as a number or text            epoch_ms   milliseconds
    a pattern    as strptime has it: "%Y/%m/%d %H:%M:%S"; hours such as 8:30 need no leading zero

What can't be read, or lies outside 2000 to 2100, is no time: the time of receipt is used then, and the record says so.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field

from bowei.domain.dirt import Dirt
from bowei.observability.operator_files import unfit
from services.ingest.fieldmaps.fields import FieldIn, Said, as_text, plain

_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Mapping[str, float] = {"epoch_s": 1.0, "epoch_ms": 1000.0}
RFC3339 = "rfc3339"
_DIGITS = re.compile(r"[0-9]{1,15}(\.[0-9]{1,12})?")
_WRITTEN = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,12})?)?( ?([Zz]|[+-][0-9]{2}:?[0-9]{2}))?"
)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(name: str) -> str:
    if name not in _zones():
        raise unfit("This is no IANA time zone. Write one such as Asia/Shanghai.")
    return name


def _format(text: str) -> str:
    if text == RFC3339 or text in _UNITS:
        return text
    try:
        written = datetime(2026, 3, 2, 8, 30, 3, tzinfo=UTC).strftime(text)
        datetime.strptime(written, text)  # noqa: DTZ007 (only tried)
    except ValueError:
        written = text
    if written == text:
        raise unfit(f"Write {RFC3339}, {', '.join(_UNITS)}, or a pattern of strptime such as %Y-%m-%d %H:%M:%S.")
    return text


def _as_list(said: object) -> object:
    return [said] if isinstance(said, str) else said


Zone = Annotated[str, AfterValidator(_zone)]
Format = Annotated[str, AfterValidator(_format)]


@dataclass(frozen=True, slots=True)
class Timed:
    """When it was so, in UTC; None where that is not known; and the dirt met."""

    at: datetime | None = None
    dirt: frozenset[Dirt] = frozenset()


NO_TIME = Timed(dirt=frozenset({Dirt.NO_TIME}))


class TimeIn(FieldIn):
    """An instant."""

    format: Annotated[list[Format], BeforeValidator(_as_list), Field(min_length=1, max_length=5)] = Field(
        default_factory=lambda: [RFC3339]
    )
    """Tried one after the other."""
    timezone: Zone | None = None
    """Of times without an offset; else the map's."""
    date: FieldIn | None = None
    """Where the day stands, if the field has only the hour; both are read as one text, with a space between."""
    clock: Literal["source", "received"] = "source"
    """Whose clock is believed: with `received` the item's own time is not used."""

    def read(self, said: Said, timezone: str | None) -> Timed:
        """Read the instant; it never raises."""
        if self.clock == "received":
            return NO_TIME
        texts = [as_text(field.find(said)) for field in (self.date, self) if field is not None]
        if any(text is None or len(text) > 60 for text in texts):
            return NO_TIME
        text = plain(" ".join(text for text in texts if text is not None))
        for form in self.format:
            naive_or_not = _read(text, form)
            if naive_or_not is not None:
                return _in_zone(naive_or_not, self.timezone or timezone)
        return NO_TIME


def _read(text: str, form: str) -> datetime | None:
    try:
        if form in _UNITS:
            return _EPOCH + timedelta(seconds=float(text) / _UNITS[form]) if _DIGITS.fullmatch(text) else None
        if form == RFC3339:
            return (
                datetime.fromisoformat(text.replace(" ", "T", 1).replace(" ", "")) if _WRITTEN.fullmatch(text) else None
            )
        return datetime.strptime(text, form)  # noqa: DTZ007 (its zone is found next)
    except (ValueError, OverflowError):
        return None


def _in_zone(read: datetime, timezone: str | None) -> Timed:
    dirt: frozenset[Dirt] = frozenset()
    if read.tzinfo is None:
        if timezone is None:
            return NO_TIME
        read = read.replace(tzinfo=ZoneInfo(timezone))
        dirt = frozenset({Dirt.NAIVE_TIME})
    try:
        at = read.astimezone(UTC)
    except OverflowError:
        return NO_TIME
    return Timed(at, dirt) if _EARLIEST <= at < _LATEST else NO_TIME
