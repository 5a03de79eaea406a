"""What drivers do when the hospital is full: as they always did, and with what apps show today."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from services.local.evaluate.block.scene import DRIVE_SPEED_M_S, HOSPITAL, Morning, drive_m
from services.local.evaluate.policies.world import Floats


@dataclass(eq=False)
class Driver:
    """One visitor on the way."""

    number: int
    set_out_s: float
    place_m: Floats
    driven_m: float = 0.0
    tried: list[int] = field(default_factory=list)
    """Lots that were full on arrival."""
    diverted: bool = False


class Counts(Protocol):
    """What is shown now: the last counts heard."""

    def free(self, lot: int) -> int:
        """Give how many spaces a lot, or the hospital, showed free."""

    def counted_at_s(self, lot: int) -> float:
        """Give when that was counted."""


class Policy(Protocol):
    """A way to choose where to."""

    @property
    def name(self) -> str:
        """Say what it is called in tables."""

    @property
    def asks_before(self) -> bool:
        """Say whether drivers with the app ask before they are at the gate."""

    @property
    def staff_ask(self) -> bool:
        """Say whether the gate's staff ask for drivers without the app."""

    def begin(self, morning: Morning) -> None:
        """Start a day, with nothing known of who will come."""

    def choose(self, driver: Driver, counts: Counts, now_s: float) -> int:
        """Give a lot, or HOSPITAL: to go there, or at its gate to wait."""

    def arrived(self, driver: Driver, lot: int, now_s: float) -> None:
        """Hear that a driver parked."""

    def refused(self, driver: Driver, lot: int, now_s: float) -> None:
        """Hear that a driver found no space."""

    def left(self, driver: Driver, lot: int, now_s: float) -> None:
        """Hear that a driver left."""


class _Unhearing:
    """Who keeps nothing need not hear of arrivals."""

    def arrived(self, driver: Driver, lot: int, now_s: float) -> None:
        """Keep nothing."""

    def refused(self, driver: Driver, lot: int, now_s: float) -> None:
        """Keep nothing."""

    def left(self, driver: Driver, lot: int, now_s: float) -> None:
        """Keep nothing."""


@dataclass
class QueueAndWait(_Unhearing):
    """As it was before: everyone goes to the gate, and waits there for as long as it takes."""

    name: str = "queue and wait"
    asks_before: bool = False
    staff_ask: bool = False

    def begin(self, morning: Morning) -> None:
        """Know nothing."""

    def choose(self, driver: Driver, counts: Counts, now_s: float) -> int:
        """Wait."""
        del driver, counts, now_s
        return HOSPITAL


@dataclass
class NearestByAir(_Unhearing):
    """From a full gate to the lot nearest by air, to the next if that is full, and back when all were."""

    name: str = "nearest by air"
    asks_before: bool = False
    staff_ask: bool = False
    order: Sequence[int] = ()

    def begin(self, morning: Morning) -> None:
        """Look at the map."""
        self.order = [int(lot) for lot in np.argsort(morning.walk_s)]

    def choose(self, driver: Driver, counts: Counts, now_s: float) -> int:
        """Try the next one."""
        del counts, now_s
        return next((lot for lot in self.order if lot not in driver.tried), HOSPITAL)


@dataclass
class NearestShownFree(_Unhearing):
    """What apps do: least drive and walk of all that showed a space free; nothing is kept."""

    name: str = "nearest shown free, no holds"
    asks_before: bool = True
    staff_ask: bool = False
    least: int = 1
    morning: Morning | None = None

    def begin(self, morning: Morning) -> None:
        """Look at the map."""
        self.morning = morning

    def choose(self, driver: Driver, counts: Counts, now_s: float) -> int:
        """Take the hospital while it shows a space, unless it was full just now."""
        del now_s
        morning = self.morning
        if morning is None or (HOSPITAL not in driver.tried and counts.free(HOSPITAL) > 0):
            return HOSPITAL
        shown = [lot for lot in range(len(morning.lent)) if lot not in driver.tried and counts.free(lot) >= self.least]
        return min(shown, key=lambda lot: cost_s(morning, driver, lot), default=HOSPITAL)


def cost_s(morning: Morning, driver: Driver, lot: int) -> float:
    """Give the expected drive from where a driver is, and the walk."""
    return drive_m(driver.place_m, morning.lots_m[lot]) / DRIVE_SPEED_M_S + float(morning.walk_s[lot])
