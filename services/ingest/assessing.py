"""Assessing: one process of all looks at what every lot said in the last weeks, and judges who may be believed.

Each minute of Bowei's clock it looks for links that fell silent; each hour it looks at every lot, some at a time, the
longest waiting first. What a look finds is in the record when it ends; what follows from it, or from a person's word
in the registry, is then shown. It holds an advisory lock, so there is one.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from bowei.domain.clock import Clock
from bowei.domain.findings import find_all
from bowei.domain.lots import LotId, SourceId
from bowei.domain.trust import GRAVE, SURE, Heard, Trust, TrustRules, finding_doubt, next_trust
from bowei.records.leading import HandsOutLead, Leads
from bowei.records.quality import Assessment, QualityBook, QualityDesk, Watched
from bowei.records.summing_up import sum_up
from services.ingest.leading import whenever_leading
from services.ingest.noting import TellsDoubts
from services.ingest.quality_measures import QualityMeasures

LOOK_EVERY = timedelta(minutes=1)
ASSESS_EVERY = timedelta(hours=1)
LOTS_AT_ONCE = 25
"""In one reading: their weeks are some 17,000 hours, which are assessed in a few hundredths of a second."""
_ROUNDS_MOST = 2
"""Before a pause: 50 lots each two seconds, and reports are answered between. A city of 10,000 takes seven minutes."""
_FORGOTTEN_MOST = 1_000
_TICK_S = 2.0


class Quality(QualityBook, QualityDesk, Protocol):
    """The book, and the desk to count from."""


def assess(lot_id: LotId, watched: Watched, now: datetime, rules: TrustRules) -> Assessment:
    """Look at one lot: what is wrong with it, and where its sources stand as to it."""
    findings = find_all(watched.series, now)
    grave = frozenset(finding.dirt for finding in findings if finding.confidence >= SURE) & GRAVE
    last_at = watched.series.last_at
    silent_for = timedelta(0) if last_at is None else now - last_at
    trusts = {}
    for source_id, trust in watched.trusts.items():
        good, bad = watched.heard.get(source_id, (0, 0))
        trusts[source_id] = next_trust(trust, Heard(good, bad, grave, silent_for), now, rules)
    return Assessment(lot_id, findings, finding_doubt(findings), trusts)


class Assessor:
    """Looks for as long as it has the right to. Run `run` as a task."""

    def __init__(
        self,
        leadership: HandsOutLead,
        quality: Quality,
        doubts: TellsDoubts,
        clock: Clock,
        measures: QualityMeasures,
        *,
        rules: TrustRules,
        show_all: Callable[[], None],
        keep_days: int = 400,
        tick_s: float = _TICK_S,
    ) -> None:
        """`show_all` has every report shown again: what the assessor before may have left untold.

        `keep_days`: how long what changed by a rule is kept.
        """
        self._keep_days = keep_days
        self._tick_s = tick_s
        self._leadership = leadership
        self._quality = quality
        self._doubts = doubts
        self._clock = clock
        self._measures = measures
        self._rules = rules
        self._show_all = show_all
        self._told: dict[LotId, str] = {}
        self._looked_at: datetime | None = None
        self._heard: dict[SourceId, tuple[int, int]] = {}
        self._more_due = False

    async def run(self) -> None:
        """Look until cancelled."""
        await whenever_leading(
            self._leadership,
            self._lead,
            gauge=self._measures.assessing,
            stopped=self._measures.stopped,
            began="assessing_began",
            failed="not_assessed",
        )

    async def _lead(self, leading: Leads) -> None:
        self._told = await self._doubted()
        self._show_all()
        self._looked_at, self._heard, self._more_due = None, {}, False
        while not leading.lost():
            now = self._clock.now()
            if self._looked_at is None or not timedelta(0) <= now - self._looked_at < LOOK_EVERY:
                self._looked_at = now
                await self.look()
            elif self._more_due:
                await self._look_at_lots()
            await self.tell()
            await leading.wait(self._tick_s)

    async def look(self) -> None:
        """Look once: at links, at some lots whose time has come, and at the sources that were heard.

        Raises:
            StoreFailure: what was not looked at is still due.
        """
        await self._quality.watch_links()
        await self._look_at_lots()
        heard, self._heard = self._heard, {}
        await self._judge_sources(heard)
        await self._quality.forget(days=self._keep_days, most=_FORGOTTEN_MOST)
        city = await self._quality.city()
        self._measures.show(city.at, await asyncio.to_thread(sum_up, city))

    async def _look_at_lots(self) -> None:
        for _ in range(_ROUNDS_MOST):
            lot_ids = await self._quality.due(every=ASSESS_EVERY, most=LOTS_AT_ONCE)
            self._more_due = bool(lot_ids)
            if not lot_ids:
                return
            watched = await self._quality.watch(lot_ids)
            await self._quality.assess(await asyncio.to_thread(self._assess_all, watched))
            for one in watched.values():
                for source_id, (good, bad) in one.heard.items():
                    before = self._heard.get(source_id, (0, 0))
                    self._heard[source_id] = (before[0] + good, before[1] + bad)

    def _assess_all(self, watched: Mapping[LotId, Watched]) -> list[Assessment]:
        now = self._clock.now()
        return [assess(lot_id, one, now, self._rules) for lot_id, one in watched.items()]

    async def tell(self) -> None:
        """Show every doubt that changed since it was told last, whoever changed it."""
        doubted = await self._doubted()
        changed: dict[LotId, str | None] = {
            lot_id: doubt for lot_id, doubt in doubted.items() if self._told.get(lot_id) != doubt
        }
        changed |= dict.fromkeys(self._told.keys() - doubted.keys())
        if changed:
            await self._doubts.tell(changed)
        self._told = doubted

    async def _judge_sources(self, heard: Mapping[SourceId, tuple[int, int]]) -> None:
        now = self._clock.now()
        judged: dict[SourceId, Trust] = {}
        for source_id, (trust, heard_at) in (await self._quality.source_trusts()).items():
            good, bad = heard.get(source_id, (0, 0))
            silent_for = timedelta(0) if heard_at is None else now - heard_at
            became = next_trust(trust, Heard(good, bad, silent_for=silent_for), now, self._rules)
            if became != trust:
                judged[source_id] = became
        if judged:
            await self._quality.judge_sources(judged)

    async def _doubted(self) -> dict[LotId, str]:
        flags = await self._quality.flags()
        return {lot_id: one.doubt for lot_id, one in flags.items() if one.doubt is not None}
