"""The port of the gate book: what the staff at hospitals' gates say, written by routing alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bowei.domain.acts import Act
from bowei.domain.gate import GateWord
from bowei.domain.lots import HospitalId


class GateBook(Protocol):
    """Keeps the newest word of each gate; each is noted in the audit in the same commit.

    Every method raises StoreAway or OutcomeUnknown (repeat the same call: saying the same again is harmless). Those
    that write raise UnknownReference where the hospital is not registered.
    """

    async def words(self) -> Sequence[GateWord]:
        """List the words that are not over, by hospital."""
        ...

    async def say_queue(self, hospital_id: HospitalId, vehicles: int, act: Act) -> datetime:
        """Keep how many cars wait as of now; give when that is."""
        ...

    async def pause(self, hospital_id: HospitalId, how_long: timedelta, act: Act) -> datetime:
        """Let the gate send no car elsewhere from now on; give until when."""
        ...

    async def resume(self, hospital_id: HospitalId, act: Act) -> None:
        """End a pause now; where there is none, nothing changes."""
        ...
