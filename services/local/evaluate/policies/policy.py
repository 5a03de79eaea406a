"""What a policy is: it sees who asks and what is free, and says where to, best first.

A policy that holds keeps a space from its word on; one that does not only recommends: its drivers may find the lot full
and drive on. A policy that batches is asked at the end of each of its windows, for all who came meanwhile, and their
waiting is counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.local.evaluate.policies.world import City, Floats, Ints


@dataclass(frozen=True, slots=True)
class Asking:
    """One driver who asks, or asks again after being refused."""

    request: int
    hospital: int
    cost_s: Floats
    """(lots,): drive from here and walk; infinite where it may not be sent, or was refused already."""


@dataclass(frozen=True, slots=True)
class View:
    """What is known when a policy is asked. It may not be changed."""

    now_s: float
    free: Ints
    """(lots,): spaces neither taken nor held; to a policy without holds, as they were `feed_age_s` ago."""
    spaces: Ints
    """(lots,): how many each lends."""


class Policy(Protocol):
    """A way to choose."""

    @property
    def name(self) -> str:
        """Say what it is called in tables."""

    @property
    def holds(self) -> bool:
        """Say whether the lot that it names keeps the space."""

    @property
    def feed_age_s(self) -> float:
        """Say how old the counts are that it sees; 0 with holds."""

    @property
    def window_s(self) -> float:
        """Say how long it collects requests; 0: each is answered at once."""

    def begin(self, city: City) -> None:
        """Start a day in a city, with nothing known of the day."""

    def choose(self, asking: Sequence[Asking], view: View) -> Sequence[int | None]:
        """Give each driver a lot with a free space, none twice over; None: sent home."""
