"""The port of whatever finds the quickest ways through a graph: the engine in C++, or the oracle.

An engine keeps the roads; what they take now is worked out once for each change of speeds (`weigh`, on any thread, a
moment for a city) and given back with each question.
"""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Weighed = TypeVar("Weighed")


class Engine(Protocol, Generic[Weighed]):
    """Finds the quickest ways from a few nodes to many."""

    @property
    def name(self) -> str:
        """Name the engine."""
        ...

    def weigh(self, travel_s: NDArray[np.float32]) -> Weighed:
        """Prepare the roads with these seconds per edge, infinite where closed. Any thread, one at a time."""
        ...

    def ways_s(
        self, weighed: Weighed, sources: Sequence[tuple[int, float]], targets: list[int]
    ) -> Sequence[float | None]:
        """Give the seconds to each of at least one target from the best of the sources; None where no way leads.

        A source is a node and the seconds to get there. `targets` may be recognised, so it must never change.
        """
        ...
