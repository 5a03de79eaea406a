"""What the rules find in recordings of real lots, and what they leave alone: the names are the recordings' own."""

import csv
import gzip
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bowei.domain.assessing import LOOKS_BACK, Hour, Series
from bowei.domain.dirt import Dirt
from bowei.domain.findings import find_all

RECORDINGS = os.environ.get("BOWEI_RECORDINGS")
pytestmark = pytest.mark.skipif(
    not RECORDINGS, reason="BOWEI_RECORDINGS is not set: the recorded feeds are not at hand"
)

LOOK_EVERY = timedelta(hours=12)
Row = tuple[str, datetime, int | None, int]
"""A lot, when it said so, how many were free, and its capacity."""


@dataclass(frozen=True, slots=True)
class Found:
    """All that was ever found in a recording: by lot and dirt, at how many looks, of how many looks in all."""

    looks: dict[str, int]
    found: dict[tuple[str, Dirt], int]

    def lots(self, dirt: Dirt) -> set[str]:
        """Name the lots with one kind of dirt."""
        return {lot for lot, kind in self.found if kind is dirt}


def local(text: str, zone: str) -> datetime:
    """Read a naive local time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def rows_of(path: str) -> Iterator[dict[str, str]]:
    """Read one file of a recording."""
    file = Path(RECORDINGS or "") / path
    if file.suffix == ".gz":
        with gzip.open(file, "rt", encoding="utf-8-sig") as text:
            yield from csv.DictReader(text)
    else:
        with file.open(encoding="utf-8-sig") as text:
            yield from csv.DictReader(text)


def aarhus() -> Iterator[Row]:
    """Read half a year of eight garages; a count of cars above the capacity says nothing of free spaces."""
    for row in rows_of("dk-aarhus-2014/aarhus_parking.csv.gz"):
        capacity = int(row["totalspaces"])
        free = capacity - int(row["vehiclecount"])
        yield row["garagecode"], local(row["updatetime"], "Europe/Copenhagen"), free if free >= 0 else None, capacity


def bath() -> Iterator[Row]:
    """Read a month of eight lots, every five minutes."""
    for row in rows_of("uk-bath-2016/bath_2016_03.csv.gz"):
        capacity = int(row["Capacity"])
        yield row["Name"], local(row["LastUpdate"], "Europe/London"), max(0, capacity - int(row["Occupancy"])), capacity


def birmingham() -> Iterator[Row]:
    """Read eleven weeks of thirty lots, by day only."""
    for row in rows_of("uk-birmingham-2016/dataset.csv"):
        capacity = int(row["Capacity"])
        free = capacity - int(row["Occupancy"])
        at = local(row["LastUpdated"], "Europe/London")
        yield row["SystemCodeNumber"], at, free if 0 <= free <= capacity else None, capacity


def hsinchu() -> Iterator[Row]:
    """Read eighteen days of fifty-one lots, every few hours."""
    for row in rows_of("tw-hsinchu-2026/parking_history.csv"):
        yield row["Name"], local(row["Time"], "Asia/Taipei"), int(float(row["Surplus"])), int(float(row["Total"]))


def swiss() -> Iterator[Row]:
    """Read five days of four cities by when they were polled; no data is no count."""
    for row in rows_of("ch-parkhaus-2026/observations.csv.gz"):
        at = datetime.fromisoformat(row["file_time"]).replace(tzinfo=UTC)
        yield row["name"], at, int(row["free"]) if row["status"] == "open" else None, int(row["total"])


@cache
def found_in(read: Callable[[], Iterator[Row]], zone: str) -> Found:
    """Let each lot live through its recording, and look twice a day."""
    by_lot: dict[str, list[tuple[datetime, int | None, int]]] = defaultdict(list)
    for lot, at, free, capacity in read():
        by_lot[lot].append((at, free, capacity))
    looks: dict[str, int] = defaultdict(int)
    found: dict[tuple[str, Dirt], int] = defaultdict(int)
    for lot, said in by_lot.items():
        registered = max(capacity for _, _, capacity in said)
        hours = list(hours_of(said))
        now = hours[0].at + LOOK_EVERY
        while now <= hours[-1].at + LOOK_EVERY:
            seen = [hour for hour in hours if now - LOOKS_BACK <= hour.at < now]
            looks[lot] += 1
            for finding in find_all(Series(registered, zone, seen), now):
                found[lot, finding.dirt] += 1
            now += LOOK_EVERY
    return Found(dict(looks), dict(found))


def hours_of(said: Iterable[tuple[datetime, int | None, int]]) -> Iterator[Hour]:
    """Sum a lot up by the hour, as the record does."""
    by_hour: dict[datetime, list[tuple[int | None, int]]] = defaultdict(list)
    for at, free, capacity in sorted(said, key=lambda one: one[0]):
        by_hour[at.replace(minute=0, second=0, microsecond=0)].append((free, capacity))
    for at, counts in by_hour.items():
        good = [free for free, capacity in counts if free is not None and free <= capacity]
        spilled = [free for free, capacity in counts if free is not None and free > capacity]
        yield Hour(
            at=at,
            reports=len(counts) - len(spilled),
            low=min(good, default=None),
            high=max(good, default=None),
            last=good[-1] if good else None,
            values=len(set(good)),
            capacity=counts[-1][1],
            spilled=len(spilled),
            spilled_to=max(spilled, default=None),
        )


def test_the_garages_of_aarhus_that_were_stuck_are_found_and_the_others_are_not() -> None:
    """SKOLEBAKKEN has four values in half a year; NORREPORT, BRUUNS and SALLING each stood still for days by day."""
    found = found_in(aarhus, "Europe/Copenhagen")
    assert found.lots(Dirt.STUCK) == {"SKOLEBAKKEN", "NORREPORT", "BRUUNS", "SALLING"}
    assert found.found["SKOLEBAKKEN", Dirt.STUCK] > 2 / 3 * found.looks["SKOLEBAKKEN"]
    for lot in ("BRUUNS", "SALLING"):
        assert found.found[lot, Dirt.STUCK] < 0.06 * found.looks[lot]


def test_no_healthy_lot_of_bath_or_birmingham_is_called_stuck() -> None:
    """Nights, full days, a hole of 42 hours, a lot of 140 spaces that is full for 18 hours: nothing of it is stuck."""
    for read in (bath, birmingham):
        found = found_in(read, "Europe/London")
        assert found.lots(Dirt.STUCK) == set()
        assert found.lots(Dirt.BINARY_COUNT) == set()
        assert found.lots(Dirt.FREE_ABOVE_CAPACITY) == set()


def test_the_lot_of_bath_whose_capacity_moves_is_the_only_one() -> None:
    """SouthGate General says ten different capacities in a month."""
    assert found_in(bath, "Europe/London").lots(Dirt.CAPACITY_MOVED) == {"SouthGate General CP"}


def test_hsinchu_s_mall_with_two_values_and_its_lot_without_spaces_are_found() -> None:
    """Of fifty-one lots, some full for a day and a half (火車站後站汽車停車場-2), only these do not count."""
    found = found_in(hsinchu, "Asia/Taipei")
    assert found.lots(Dirt.STUCK) == {"大魯閣湳雅廣場停車場", "後火車站機車停車場-1"}
    assert found.lots(Dirt.CAPACITY_ZERO) == {"後火車站機車停車場-1"}
    assert found.lots(Dirt.FREE_ABOVE_CAPACITY) == {"體育館前停車場"}
    assert found.lots(Dirt.BINARY_COUNT) == set()


def test_the_swiss_registers_that_are_wrong_are_named() -> None:
    """Four garages empty to more than they have, night after night; five say that they have none at all."""
    found = found_in(swiss, "Europe/Zurich")
    wrong = {"Anfos", "Centralbahn", "Claramatte", "USZ Nord"}
    assert wrong <= found.lots(Dirt.FREE_ABOVE_CAPACITY)
    without = {"Post Basel", "Puls 5 Parkgarage", "Helvetiaplatz"}  # codespell:ignore puls
    assert found.lots(Dirt.FREE_ABOVE_CAPACITY) <= wrong | without
    assert found.lots(Dirt.CAPACITY_ZERO) == without | {"Kreuzbleiche", "Unterer Graben"}


def test_of_the_swiss_lots_only_the_one_that_never_moved_is_stuck() -> None:
    """Spelterini says 20 of 155 for all five days; a fair hall, a school's lot and lots without data are left alone."""
    assert found_in(swiss, "Europe/Zurich").lots(Dirt.STUCK) == {"Spelterini"}
