"""The port of those who read the copy."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from bowei.domain.choosing import LotNow
from bowei.domain.directory import Directory
from bowei.domain.forecasting import Foreseen
from bowei.domain.gate import GateWord
from bowei.domain.lots import LotId
from bowei.domain.road_conditions import RoadConditions


@dataclass(frozen=True, slots=True)
class Change:
    """News of lots, the directory, forecasts, the roads or gates' words; or of nothing for a while (a sign of life)."""

    lots: frozenset[LotId] = frozenset()
    directory: bool = False
    foreseen: bool = False
    roads: bool = False
    gates: bool = False

    def __or__(self, other: "Change") -> "Change":
        """Give both in one."""
        return Change(
            self.lots | other.lots,
            self.directory or other.directory,
            self.foreseen or other.foreseen,
            self.roads or other.roads,
            self.gates or other.gates,
        )


class ReadsLiveState(Protocol):
    """Reads what is shown. Every method raises LiveStateAway."""

    async def directory(self) -> Directory | None:
        """Give the directory; None where none was copied yet."""
        ...

    async def lots(self, lot_ids: Iterable[LotId]) -> Mapping[LotId, LotNow]:
        """Give what is shown of each lot; a lot of which nothing is shown is absent. Forecasts are apart."""
        ...

    async def forecasts(self) -> Mapping[LotId, Foreseen]:
        """Give what is foreseen; none where nobody foresees."""
        ...

    async def roads_version(self) -> int | None:
        """Give the version of the road conditions that are shown; None where none were copied yet."""
        ...

    async def roads(self) -> RoadConditions | None:
        """Give the road conditions; None where none were copied yet."""
        ...

    async def gate_words(self) -> Sequence[GateWord] | None:
        """Give what gates' staff said; None where nothing was copied yet."""
        ...

    def changes(self) -> AbstractAsyncContextManager[AsyncIterator[Change]]:
        """Listen to the news; entering means that nothing from now on is missed, and nothing from before is heard.

        What one process told is heard once, in the order told, as long as no server is lost.
        The iterator gives an empty Change at least once a second, so that silence and loss can be told apart.
        """
        ...
