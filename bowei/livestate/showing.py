"""The ports of those who write the copy. Each key has one of them as its owner."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from bowei.domain.directory import Directory
from bowei.domain.foreseeing import CityForeseen
from bowei.domain.gate import GateWord
from bowei.domain.lots import LotId
from bowei.domain.offering import LotPromise, Report
from bowei.domain.road_conditions import RoadConditions


class ShowsReports(Protocol):
    """Shows what lots say: for ingest alone. Every method raises LiveStateAway."""

    async def show_reports(self, reports: Mapping[LotId, Report]) -> None:
        """Show reports that are newer than what is shown, and tell readers."""
        ...

    async def reports_copied(self) -> bool:
        """Say whether this server still has the whole copy of reports that was made into it."""
        ...

    async def copy_reports(self, reports: Mapping[LotId, Report]) -> None:
        """Show all of the record's newest reports and mark the copy as whole."""
        ...


class ShowsForecasts(Protocol):
    """Shows what is foreseen: for the one process that foresees, in ingest. Every method raises LiveStateAway."""

    async def show_forecasts(self, foreseen: CityForeseen) -> None:
        """Show what is foreseen of all lots in the place of what was, and tell readers."""
        ...


class ShowsPromises(Protocol):
    """Shows what is promised, the directory, the roads and gates' words: for the one follower.

    Every method raises LiveStateAway.
    """

    async def show_promises(self, promises: Mapping[LotId, LotPromise]) -> None:
        """Show promises that are newer than what is shown, and tell readers of all."""
        ...

    async def show_promises_again(self, promises: Mapping[LotId, LotPromise]) -> None:
        """Show again what should be shown already, and tell readers of it only where something else was shown."""
        ...

    async def promises_copied(self, ledger: str) -> bool:
        """Say whether this server still has the whole copy that was made of `ledger`."""
        ...

    async def copy_promises(self, promises: Mapping[LotId, LotPromise], directory: Directory, *, ledger: str) -> None:
        """Replace all that is shown as promised, whatever its order, and mark the copy as whole."""
        ...

    async def show_directory(self, directory: Directory) -> None:
        """Show a changed directory, and tell readers."""
        ...

    async def show_roads(self, conditions: RoadConditions) -> None:
        """Show changed road conditions, whatever the version of those shown, and tell readers."""
        ...

    async def show_gate_words(self, words: Sequence[GateWord]) -> None:
        """Show what gates' staff said in the place of what was shown, and tell readers."""
        ...
