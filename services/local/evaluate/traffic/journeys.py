"""What is seen of a run step by step, and what it leaves behind: each car's journey, and the queue at the gate."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.local.evaluate.traffic.demand import Trip


@dataclass(frozen=True, slots=True)
class Moving:
    """A car under way."""

    road: str
    odometer_m: float
    speed_m_s: float


@dataclass(frozen=True, slots=True)
class Happened:
    """What happened in one step."""

    departed: tuple[str, ...] = ()
    parked: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    """Cars whose stay ended; they are gone."""
    moving: Mapping[str, Moving] = field(default_factory=dict)


@dataclass(slots=True)
class Journey:
    """One car's way. `parked_s` None: it found no space before the end."""

    trip: Trip
    parked_s: float | None = None
    parked_at: str | None = None
    driven_m: float = 0.0
    refused_at: list[str] = field(default_factory=list)
    """Lots on whose driveway it was, and did not park."""
    turned_away: bool = False
    """It waited at its lot, and gave up."""
    by_hold: bool = False
    """A space was held for it."""
    sent_to: str | None = None
    """The lot at which a space is held for it."""
    no_show: bool = False
    """It got a space held, and went elsewhere without a word."""

    @property
    def under_way(self) -> bool:
        """Say whether the car still looks for its space."""
        return self.parked_s is None and not self.turned_away and not self.no_show


@dataclass(slots=True)
class Trace:
    """A whole run."""

    journeys: dict[str, Journey]
    queue: list[int] = field(default_factory=list)
    """Cars that wait at the gate, every `QUEUE_EVERY_S`."""
    ended_s: float = 0.0
    notes: dict[str, int] = field(default_factory=dict)
    """What the service answered, counted; broken promises among it."""


QUEUE_EVERY_S = 10
