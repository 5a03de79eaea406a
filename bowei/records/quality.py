"""The ports of quality: how far sources and lots are believed, what was found of them, and what changed when.

`QualityBook` is what ingest writes as it listens and assesses; `QualityDesk` is where the city looks, and where a
person's word is taken. What follows for a lot (its doubt) is renewed in the same commit as what it follows from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from bowei.domain.assessing import Evidence, Finding, Series
from bowei.domain.dirt import Dirt
from bowei.domain.heartbeats import Heartbeat
from bowei.domain.lots import LotId, SourceId
from bowei.domain.strangers import Stranger
from bowei.domain.trust import Trust, TrustState, begin, release_by_hand, suspend_by_hand
from bowei.records.registering import Source

Key = tuple[SourceId, LotId | None]
"""Of a trust: the source and one of its lots, or (None) the source as a whole."""

STRANGERS_MOST = 500
"""Of one source: what was not heard for longest makes room."""
EVENTS_MOST = 200
"""Of one reading."""
UNEVENTFUL = frozenset({Dirt.GAP})
"""Findings that come and go by the hour, and say no more than the age of the newest report: no events of them."""
HABIT_HEARTBEATS = 3
"""A link that showed life so often does it as a habit, and is missed when it stops."""


@dataclass(frozen=True, slots=True)
class Watched:
    """All that an assessment of one lot looks at.

    `heard`: how many reports of each source were believed and not, since the last look; `trusts`: where those who may
    report the lot stand, as to this lot; `findings`: of the last look.
    """

    series: Series
    heard: Mapping[SourceId, tuple[int, int]] = field(default_factory=dict)
    trusts: Mapping[SourceId, Trust] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Assessment:
    """What became of one lot's look: all that is wrong now, and where its sources stand as to it."""

    lot_id: LotId
    findings: tuple[Finding, ...] = ()
    finding_doubt: str | None = None
    """For which finding nothing of the lot is offered."""
    trusts: Mapping[SourceId, Trust] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a lot counted of a whole local day."""

    lot_id: LotId
    source_id: SourceId
    day: date
    arrived: int
    departed: int


@dataclass(frozen=True, slots=True)
class LotFlags:
    """What judging a lot's reports must know of it, and why nothing of it is offered, if so."""

    frozen_clock: bool = False
    binary_count: bool = False
    doubt: str | None = None


class EventKind(StrEnum):
    """What changed."""

    TRUST = "trust"
    FINDING = "finding"
    DOUBT = "doubt"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class QualityEvent:
    """One change: of what, from what to what, why, by whom (None: a rule), and what shows it."""

    at: datetime
    kind: EventKind
    source_id: SourceId | None = None
    lot_id: LotId | None = None
    was: str | None = None
    became: str | None = None
    reason: str | None = None
    said_by: str | None = None
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LotQuality:
    """How one lot stands: its newest believed report, what was found, and why nothing of it is offered, if so."""

    lot_id: LotId
    source_ids: tuple[SourceId, ...] = ()
    """Who may report it."""
    observed_at: datetime | None = None
    received_at: datetime | None = None
    usual_gap: timedelta | None = None
    assessed_at: datetime | None = None
    findings: tuple[Finding, ...] = ()
    doubt: str | None = None
    doubt_since: datetime | None = None
    frozen_clock: bool = False
    binary_count: bool = False
    suggested_capacity: int | None = None


@dataclass(frozen=True, slots=True)
class LinkQuality:
    """A link that shows signs of life: the newest, and since when it is lost."""

    source_id: SourceId
    lot_id: LotId | None
    last_at: datetime
    lost_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class CityQuality:
    """All of it at one instant, by the record's clock."""

    at: datetime
    lots: Sequence[LotQuality] = ()
    trusts: Mapping[Key, Trust] = field(default_factory=dict)
    links: Sequence[LinkQuality] = ()
    strangers: Sequence[Stranger] = ()


class QualityBook(Protocol):
    """Kept by ingest. Every method answers after its commit, may be repeated, raises StoreAway or OutcomeUnknown."""

    async def due(self, *, every: timedelta, most: int) -> Sequence[LotId]:
        """Give lots whose last look is as long ago, or that were never looked at; the longest waiting first."""
        ...

    async def watch(self, lot_ids: Sequence[LotId]) -> Mapping[LotId, Watched]:
        """Give what there is to look at; a lot that is not registered is left out."""
        ...

    async def assess(self, assessments: Sequence[Assessment]) -> Mapping[LotId, str | None]:
        """Keep what was found; give the lots whose doubt changed by it, and to what."""
        ...

    async def source_trusts(self) -> Mapping[SourceId, tuple[Trust, datetime | None]]:
        """Give where each source stands as a whole, and when it was last heard, by any of its lots."""
        ...

    async def judge_sources(self, trusts: Mapping[SourceId, Trust]) -> Mapping[LotId, str | None]:
        """Keep where sources stand as a whole; gives as `assess`."""
        ...

    async def note_signs(self, heard: Sequence[Heartbeat]) -> Mapping[LotId, str | None]:
        """Note signs of life, and of its end; gives as `assess`.

        Signs of unregistered sources are dropped, and those of a time that is still to come are of now.
        """
        ...

    async def watch_links(self) -> Mapping[LotId, str | None]:
        """Find links that used to show life and no longer do, and those that report again; gives as `assess`."""
        ...

    async def flags(self) -> Mapping[LotId, LotFlags]:
        """Give the flags of every lot that has any."""
        ...

    async def note_strangers(self, heard: Sequence[Stranger]) -> None:
        """Note lots that nobody registered, at most `STRANGERS_MOST` of a source."""
        ...

    async def forget(self, *, days: int, most: int) -> int:
        """Forget some events that are older; give how many. What a person did is never forgotten."""
        ...

    async def reconcile(self, said: Reconciliation) -> None:
        """Keep what a lot says of its day; the last word counts."""
        ...


class QualityDesk(Protocol):
    """Where the city looks and a person's word is taken. Raises StoreAway or OutcomeUnknown."""

    async def city(self) -> CityQuality:
        """Give how everything stands."""
        ...

    async def events(
        self, *, source_id: SourceId | None = None, lot_id: LotId | None = None, most: int = EVENTS_MOST
    ) -> Sequence[QualityEvent]:
        """Give what changed, the newest first; of one source, one lot, or all."""
        ...

    async def suspend(self, source_id: SourceId, lot_id: LotId | None, *, said_by: str, reason: str) -> None:
        """Suspend a source, whose reports are refused from now on, or one lot of it, until a person releases it.

        Raises:
            UnknownReference: `unknown_source`; `unknown_lot`: not registered for this source.
        """
        ...

    async def release(
        self, source_id: SourceId, lot_id: LotId | None, *, said_by: str, reason: str, pinned: bool
    ) -> None:
        """Trust a source, or one lot of it, from now on; `pinned`: whatever the rules find. Raises as `suspend`."""
        ...

    async def forget_stranger(self, source_id: SourceId, code: str) -> None:
        """Take a lot off the pending list; it comes back when it is heard again. Raises UnknownReference."""
        ...


def changes_of_findings(now_found: Assessment, before: Sequence[Finding], now: datetime) -> list[QualityEvent]:
    """Give the events of findings that are new or over."""
    was = {finding.dirt: finding for finding in before}
    became = {finding.dirt: finding for finding in now_found.findings}
    new = [
        QualityEvent(now, EventKind.FINDING, lot_id=now_found.lot_id, became=dirt.value, evidence=finding.evidence)
        for dirt, finding in became.items()
        if dirt not in was and dirt not in UNEVENTFUL
    ]
    over = [
        QualityEvent(now, EventKind.FINDING, lot_id=now_found.lot_id, was=dirt.value)
        for dirt in was
        if dirt not in became and dirt not in UNEVENTFUL
    ]
    return new + over


def suggested_capacity(findings: Sequence[Finding]) -> int | None:
    """Give the capacity that what was found speaks for, where it is not what is registered."""
    for finding in findings:
        suggested = finding.evidence.get("suggests_capacity")
        if isinstance(suggested, int):
            return suggested
    return None


def kept_since(findings: Sequence[Finding], before: Sequence[Finding]) -> tuple[Finding, ...]:
    """Give findings with the instant since which each stands, though what showed it then is no longer looked at."""
    since = {finding.dirt: finding.since for finding in before}
    return tuple(replace(one, since=min(one.since, since.get(one.dirt, one.since))) for one in findings)


def enrolled_trusts(source: Source, before: Mapping[Key, Trust], now: datetime) -> dict[Key, Trust]:
    """Give where a source that was put and each of its lots stand: only what changes by it.

    What is new begins. `trusted` lifts whoever is on probation. `suspended` is a person's word, and so is its end.
    """
    after: dict[Key, Trust] = {}
    for lot_id in (None, *dict.fromkeys(lot_id for _, lot_id in source.lots)):
        key = (source.source_id, lot_id)
        trust = before.get(key) or begin(now, trusted=source.trusted)
        if source.trusted and trust.state is TrustState.PROBATION:
            trust = release_by_hand(trust, now, pinned=False)
        if lot_id is None:
            held_back = trust.pinned and trust.state is TrustState.SUSPENDED
            if source.suspended and not held_back:
                trust = suspend_by_hand(trust, now)
            elif held_back and not source.suspended:
                trust = release_by_hand(trust, now, pinned=False)
        if before.get(key) is not trust:
            after[key] = trust
    return after


def may_follow(was: Trust, judged: Trust) -> bool:
    """Say whether what the rules made of a trust may take its place: not where a person spoke since it was read."""
    return was.since <= judged.since and was.pinned is judged.pinned


def changes_of_trust(
    before: Mapping[Key, Trust],
    after: Mapping[Key, Trust],
    now: datetime,
    *,
    said_by: str | None = None,
    reason: str | None = None,
) -> list[QualityEvent]:
    """Give the events of trusts that stand elsewhere than before."""
    events = []
    for (source_id, lot_id), trust in after.items():
        was = before.get((source_id, lot_id))
        if was is not None and was.state is trust.state and was.since == trust.since and was.pinned is trust.pinned:
            continue
        events.append(
            QualityEvent(
                at=now,
                kind=EventKind.TRUST,
                source_id=source_id,
                lot_id=lot_id,
                was=None if was is None else was.state.value,
                became=trust.state.value,
                reason=reason or trust.reason,
                said_by=said_by,
                evidence=trust.evidence,
            )
        )
    return events
