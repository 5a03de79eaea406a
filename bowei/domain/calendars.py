"""Calendars: the days of a year that are not what the week says, as a city publishes them.

A public holiday that falls on a Monday is no Monday, and a Saturday on which work is made up for it (调休) is no
Saturday. A calendar names such days, and what each counts as; every other day counts as the weekday that it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Self
from zoneinfo import ZoneInfo

from bowei.domain.lots import CalendarId, Lot, Name

HOLIDAY = 8
"""What a public holiday counts as, beside the ISO weekdays 1 (Monday) to 7."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days that count as something else than their weekday: as another one (1 to 7), or as a holiday (8)."""

    calendar_id: CalendarId
    name: Name
    days: Mapping[date, int]


@dataclass(frozen=True, slots=True)
class LocalTime:
    """The wall clock and the calendar by which a lot's agreements are read."""

    zone: ZoneInfo
    calendar: Calendar | None = None

    @classmethod
    def of(cls, lot: Lot, calendars: Mapping[CalendarId, Calendar]) -> Self:
        """Give a lot's; where its calendar is not known, every day is the weekday that it is."""
        return cls(lot.zone, None if lot.calendar is None else calendars.get(lot.calendar))

    def kind_of(self, day: date) -> int:
        """Say what a day counts as: 1 (Monday) to 7, or 8 for a public holiday."""
        weekday = day.isoweekday()
        return weekday if self.calendar is None else self.calendar.days.get(day, weekday)
