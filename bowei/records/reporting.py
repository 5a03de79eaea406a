"""The port of the journal: what lots say is recorded here before it is acknowledged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bowei.domain.dirt import Doubt
from bowei.domain.lots import LotId
from bowei.domain.made_often import made_often
from bowei.domain.observations import Observation, Outcome, Passage, PassageKind
from bowei.domain.offering import Report


@made_often
@dataclass(frozen=True, slots=True)
class Judged:
    """An observation with our verdict: `code` says why it is not believed (None: it may be).

    `belief` is what it is taken for, where that is not what was said: another time, other counts, dirt that was found.
    `doubt` stands with the lot's first report only; after that see `set_doubt`.
    """

    observation: Observation
    code: str | None = None
    belief: Observation | None = None
    doubt: Doubt | None = None

    @property
    def taken(self) -> Observation:
        """What the observation is taken for."""
        return self.observation if self.belief is None else self.belief


@made_often
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
        """Record observations in the order given; one answer each: applied, stale, duplicate or quarantined.

        One over FUTURE_TOLERANCE ahead of the ledger's clock is taken for the latest instant that it may be of: whose
        clock is ahead must hide no later report. Its own time is kept beside it.
        """
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

    async def set_doubt(self, lot_id: LotId, doubt: Doubt | None) -> Report | None:
        """Doubt a lot's newest report and those that follow, or (None) doubt them no more; give the report.

        A doubted report offers nothing. The doubt stands until it is taken back, or (ENDED_BY_COUNTING) the lot was
        counted by hand. A lot without a report has none to doubt: None.
        """
        ...

    async def reports(self) -> Mapping[LotId, Report]:
        """Give every lot's newest believed report."""
        ...

    async def now(self) -> datetime:
        """Ask the ledger's own clock."""
        ...
