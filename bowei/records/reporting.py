"""The port of the journal: what lots say is recorded here before it is acknowledged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bowei.domain.lots import LotId
from bowei.domain.observations import Observation, Outcome, Passage, PassageKind
from bowei.domain.offering import Report


@dataclass(frozen=True, slots=True)
class Judged:
    """An observation with our verdict: `code` says why it is not believed (None: it may be)."""

    observation: Observation
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one report, and the lot's newest believed report after it."""

    lot_id: LotId
    outcome: Outcome
    report: Report | None = None


class ReportJournal(Protocol):
    """Records what lots say. Every method answers after its commit; sending the same again changes nothing.

    Every method raises StoreAway, OutcomeUnknown (send the same again) or Overloaded.
    """

    async def record(self, judged: Sequence[Judged]) -> Sequence[Recorded]:
        """Record observations in the order given; one answer each: applied, stale, duplicate or quarantined."""
        ...

    async def record_passage(self, passage: Passage, *, moves_count: bool) -> Recorded:
        """Record one car in or out: applied, stale or duplicate.

        `moves_count`: the lot's count follows from passages, so this one moves it by one if it is later than the
        last full count. A plate with a hold on the lot arrives by it, or leaves.
        """
        ...

    async def passage_ids(
        self, lot_id: LotId, kind: PassageKind, since: datetime, until: datetime, *, most: int
    ) -> Sequence[str]:
        """Give the ids of a lot's passages in one direction with since <= passed_at < until, earliest first."""
        ...

    async def reports(self) -> Mapping[LotId, Report]:
        """Give every lot's newest believed report."""
        ...

    async def now(self) -> datetime:
        """Ask the ledger's own clock."""
        ...
