"""Stores that fail as a test tells them: the ledger in memory, the right to follow it, and those who hear of it."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from typing_extensions import override

from bowei.domain.holds import HoldState
from bowei.domain.lots import DriverId
from bowei.records.failures import OutcomeUnknown, StoreFailure
from bowei.records.holding import Candidate, Decision, HoldSteps, Json, PlaceRequest, PromiseChanges, StepsCursor, Swept
from bowei.records.in_memory import InMemoryHoldBook, InMemoryRecords
from bowei.records.leading import Leads

_T = TypeVar("_T")


class LosableBook(InMemoryHoldBook):
    """A ledger in memory that fails as a lost server would, before its commit or after it, while told to."""

    def __init__(self, records: InMemoryRecords) -> None:
        super().__init__(records)
        self.failing: StoreFailure | None = None
        self.commits_first = False
        self.unmovable: set[str] = set()
        """Diversions of which no hold can be moved: each attempt fails, and it is not known how it ended."""
        self.placed: list[PlaceRequest] = []
        self.reads = 0
        self.step_reads = 0
        self.looked = 0

    async def _answer(self, decided: Awaitable[_T]) -> _T:
        if self.failing is not None and not self.commits_first:
            asyncio.ensure_future(decided).cancel()
            raise self.failing
        answer = await decided
        if self.failing is not None:
            raise self.failing
        return answer

    @override
    async def place(self, request: PlaceRequest) -> Decision:
        self.placed.append(request)
        return await self._answer(super().place(request))

    @override
    async def find(self, diversion_id: str, driver_id: DriverId | None) -> Decision:
        self.looked += 1
        return await self._answer(super().find(diversion_id, driver_id))

    @override
    async def release(self, diversion_id: str, driver_id: DriverId) -> Decision:
        return await self._answer(super().release(diversion_id, driver_id))

    @override
    async def arrive(self, diversion_id: str, driver_id: DriverId, of_ordinal: int | None = None) -> Decision:
        return await self._answer(super().arrive(diversion_id, driver_id, of_ordinal))

    @override
    async def replace(
        self,
        diversion_id: str,
        driver_id: DriverId,
        ordinal: int,
        *,
        ends_as: HoldState,
        reason: str,
        candidates: Sequence[Candidate],
        answer: Json,
    ) -> Decision:
        replaced = super().replace(
            diversion_id, driver_id, ordinal, ends_as=ends_as, reason=reason, candidates=candidates, answer=answer
        )
        return await self._answer(replaced)

    @override
    async def move(
        self,
        diversion_id: str,
        driver_id: DriverId,
        ordinal: int,
        *,
        reason: str,
        candidates: Sequence[Candidate],
        answer: Json,
    ) -> Decision:
        if diversion_id in self.unmovable:
            raise OutcomeUnknown("lost")
        return await super().move(diversion_id, driver_id, ordinal, reason=reason, candidates=candidates, answer=answer)

    @override
    async def steps(self, cursor: StepsCursor | None) -> HoldSteps:
        self.step_reads += 1
        return await self._answer(super().steps(cursor))

    @override
    async def sweep(self) -> Swept:
        return await self._answer(super().sweep())

    @override
    async def promised(self, cursor: int | None) -> PromiseChanges:
        self.reads += cursor is None
        return await self._answer(super().promised(cursor))

    @override
    async def now(self) -> datetime:
        return await self._answer(super().now())


@dataclass
class Leadership:
    """The right to follow, for the one process of a test; `taken` says that another process has it."""

    taken: bool = False
    failing: StoreFailure | None = None
    given: int = 0
    lost_now: bool = False
    waits_s: float = 0.01

    async def try_lead(self) -> Leads | None:
        """Take the right unless another has it."""
        if self.failing is not None:
            raise self.failing
        if self.taken:
            return None
        self.given += 1
        self.lost_now = False
        return self

    def lost(self) -> bool:
        """Say whether the right was lost."""
        return self.lost_now

    async def wait(self, timeout_s: float) -> None:
        """Wait a short while, as if promises changed often."""
        await asyncio.sleep(min(timeout_s, self.waits_s))

    async def give_up(self) -> None:
        """Let another follow."""


class Ears:
    """Ears that hear something all the time."""

    async def listen(self) -> Leads:
        """Listen from now on."""
        return Leadership()
