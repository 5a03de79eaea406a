"""Usual weeks: how many spaces are free at each five minutes of a lot's own week, learned from week to week.

A young cell leans on the hour of the day, of working days or of the weekend: that is known after a day. All lots of a
city lie in one array, and every method takes all of them, or the rows that it is told.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

STEP_S = 300
DAY_CELLS = 288
WEEK_CELLS = 7 * DAY_CELLS
NOT_SAID = -1

USUAL = np.dtype(
    [
        ("week", "<f4", (WEEK_CELLS,)),
        ("weeks", "u1", (WEEK_CELLS,)),
        ("last_week", "<i2", (WEEK_CELLS,)),
        ("day", "<f4", (2, DAY_CELLS)),
        ("days", "u1", (2, DAY_CELLS)),
    ]
)
"""Of one lot: the usual count of each cell, from how many weeks; the last count of each cell; the same by the time of
day, for working days and weekends. A cell starts on Monday at midnight of the lot's own time."""

NEWEST_COUNTS_FOR = 1 / 6
"""The weight of the newest week, or day, once there were six: a moving mean of some six weeks."""
YOUNG_WEEKS = 4
"""So many weeks of its own are worth as much as what is known of the time of day. Of 1, 2, 4 it had the least error."""
_MOST_COUNTED = 250
_MOST_SPACES = 32_767
_EPOCH_CELL = 3 * DAY_CELLS
"""1970 began on a Thursday."""


class UsualWeeks:
    """The usual weeks of all lots."""

    def __init__(self, zones: Sequence[str], lots: NDArray[np.void]) -> None:
        """`zones`: each lot's time zone. `lots`: what was learned of each; at first 0, `last_week` `NOT_SAID`."""
        self._names = sorted(set(zones))
        number = {name: place for place, name in enumerate(self._names)}
        self._zone = np.array([number[name] for name in zones], dtype=np.intp)
        self.lots = lots

    def cells(self, at_s: int, rows: Rows | None = None) -> NDArray[np.intp]:
        """Give the cell of each lot's week, or of those of some rows, in which an instant lies."""
        of_zone = np.array([_cell(name, at_s) for name in self._names] or [0], dtype=np.intp)
        return of_zone[self._zone if rows is None else self._zone[rows]]

    def learn(self, rows: Rows, at_s: int, free: Floats) -> None:
        """Learn what was free at an instant in the lots of some rows."""
        cells = self.cells(at_s, rows)
        self.lots["last_week"][rows, cells] = np.minimum(np.rint(free), _MOST_SPACES)
        _move(self.lots["week"], self.lots["weeks"], (rows, cells), free)
        weekend, time = _weekend(cells), cells % DAY_CELLS
        _move(self.lots["day"], self.lots["days"], (rows, weekend, time), free)

    def last_week(self, at_s: Sequence[int]) -> Floats:
        """Give what each lot said a week before some instants: a row for each; not numbers where it said nothing."""
        rows, cells = np.arange(len(self.lots))[:, None], np.stack([self.cells(one_s) for one_s in at_s], axis=1)
        said = self.lots["last_week"][rows, cells].astype(np.float64)
        return np.where(said == NOT_SAID, np.nan, said)

    def course(self, at_s: int, offsets_s: Sequence[int]) -> Floats:
        """Give what is usually free at some times around an instant: a row for each lot, not numbers where unknown.

        Where only some of a row's times are known, nothing is taken to change beyond them.
        """
        rows = np.arange(len(self.lots))[:, None]
        cells = np.stack([self.cells(at_s + offset) for offset in offsets_s], axis=1)
        weeks = self.lots["weeks"][rows, cells]
        by_week = _extended(np.where(weeks > 0, self.lots["week"][rows, cells], np.nan))
        # By the time of day nothing leads from a Friday to a Saturday: the day goes on as what it began as.
        weekend = _weekend(self.cells(at_s))[:, None]
        times = cells % DAY_CELLS
        by_day = np.where(self.lots["days"][rows, weekend, times] > 0, self.lots["day"][rows, weekend, times], np.nan)
        by_day = _extended(by_day)
        known = np.where(weeks > 0, weeks, _MOST_COUNTED).min(axis=1, keepdims=True).astype(np.float64)
        share = np.where(np.isnan(by_week), 0.0, known / (known + YOUNG_WEEKS))
        share = np.where(np.isnan(by_day), 1.0, share)
        return share * np.nan_to_num(by_week, nan=0.0) + (1 - share) * by_day if len(self.lots) else by_day


def _move(values: NDArray[np.float32], counts: NDArray[np.uint8], where: tuple[Rows, ...], newest: Floats) -> None:
    """Move cells towards the newest count: as a plain mean at first, then by a fixed weight."""
    counted = counts[where]
    weight = np.maximum(NEWEST_COUNTS_FOR, 1.0 / (counted + 1.0))
    before = values[where]
    values[where] = before + weight * (newest - before)
    counts[where] = np.minimum(counted.astype(np.int16) + 1, _MOST_COUNTED)


def _extended(course: Floats) -> Floats:
    """Go on with the last known value of each row, and begin with the first."""
    for place in range(1, course.shape[1]):
        course[:, place] = np.where(np.isnan(course[:, place]), course[:, place - 1], course[:, place])
    for place in range(course.shape[1] - 2, -1, -1):
        course[:, place] = np.where(np.isnan(course[:, place]), course[:, place + 1], course[:, place])
    return course


def _weekend(cells: NDArray[np.intp]) -> NDArray[np.intp]:
    return (cells >= 5 * DAY_CELLS).astype(np.intp)


@lru_cache(maxsize=4096)
def _cell(zone: str, at_s: int) -> int:
    offset = datetime.fromtimestamp(at_s, UTC).astimezone(ZoneInfo(zone)).utcoffset()
    local_s = at_s + (0 if offset is None else int(offset.total_seconds()))
    return (local_s // STEP_S + _EPOCH_CELL) % WEEK_CELLS
