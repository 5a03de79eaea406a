"""Trust: how a source, and each lot of it, earns belief, loses it, and earns it again.

    probation ──enough good reports over a day──▶ live ──bad for long──▶ suspended
        ▲                                                                    │
        └───────────────────────── good again for some hours ────────────────┘

On probation a lot is shown and offered to nobody. Suspended, it is heard and kept, and neither believed nor offered.
What leads down takes longer and more than what is forgiven (hysteresis), so that trust does not flicker. A person's
word wins over every rule until a person takes it back.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from bowei.domain.assessing import Evidence, Finding
from bowei.domain.dirt import Dirt

DOUBTS = MappingProxyType({Dirt.STUCK: "stuck", Dirt.DRIFT: "drift", Dirt.FREE_ABOVE_CAPACITY: "registry_wrong"})
"""Findings for which nothing of the lot is offered, the gravest first, and what the doubt is called. The others are
shown to the city and mended by the judging: a yes or no is at least one space, a frozen clock gives way to ours."""
GRAVE = frozenset({Dirt.STUCK})
"""Findings that, if they last, cost trust."""
SURE = 0.65
"""Findings less sure than this are shown and have no consequence."""


class TrustState(StrEnum):
    """How far a source, or a lot of it, is believed."""

    PROBATION = "probation"
    LIVE = "live"
    SUSPENDED = "suspended"


_ORDER = (TrustState.SUSPENDED, TrustState.PROBATION, TrustState.LIVE)


@dataclass(frozen=True, slots=True)
class TrustRules:
    """What it takes; docs/trust.md has the reasons."""

    good_reports: int = 20
    over: timedelta = timedelta(hours=24)
    error_share: float = 0.05
    """To become live: so many good reports over so long, with fewer errors."""
    bad_share: float = 0.5
    bad_reports: int = 10
    bad_for: timedelta = timedelta(hours=6)
    """To be suspended: at least such a share and number of bad reports, for so long."""
    grave_for: timedelta = timedelta(hours=2)
    lost_for: timedelta = timedelta(days=3)
    mended_for: timedelta = timedelta(hours=6)
    """From suspended back to probation: nothing bad, and something good, for so long."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Where a source or lot stands, and what was counted since.

    `good` and `bad` count reports since `counted_from`; `bad_from` is when it became bad without a break. `pinned`: a
    person said so, and no rule changes it.
    """

    state: TrustState
    since: datetime
    counted_from: datetime
    good: int = 0
    bad: int = 0
    bad_from: datetime | None = None
    pinned: bool = False
    reason: str = "registered"
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard since the last look: reports believed and not, grave findings, and how long it is silent."""

    good: int = 0
    bad: int = 0
    grave: frozenset[Dirt] = frozenset()
    silent_for: timedelta = timedelta(0)


def begin(at: datetime, *, trusted: bool) -> Trust:
    """Give the trust of what was registered now."""
    state = TrustState.LIVE if trusted else TrustState.PROBATION
    return Trust(state, at, at, reason="approved_at_registration" if trusted else "registered")


def next_trust(trust: Trust, heard: Heard, now: datetime, rules: TrustRules) -> Trust:
    """Give the trust after a look; the same value again where nothing was heard and nothing changed."""
    counted = _counted(trust, heard, now, rules)
    if trust.pinned:
        return counted
    if trust.state is TrustState.PROBATION:
        return _on_probation(counted, heard, now, rules)
    if trust.state is TrustState.LIVE:
        return _live(counted, heard, now, rules)
    return _suspended(counted, heard, now, rules)


def suspend_by_hand(trust: Trust, now: datetime) -> Trust:
    """Suspend until a person releases."""
    return _moved(trust, TrustState.SUSPENDED, now, "by_hand", pinned=True)


def release_by_hand(trust: Trust, now: datetime, *, pinned: bool) -> Trust:
    """Trust from now on; `pinned`: whatever the rules find."""
    return _moved(trust, TrustState.LIVE, now, "by_hand", pinned=pinned)


def worst(states: Iterable[TrustState]) -> TrustState:
    """Give the state that counts where several do: of a source and its lot. None said: live."""
    return min(states, key=_ORDER.index, default=TrustState.LIVE)


def doubt_of(states: Iterable[TrustState], *, link_lost: bool, vouched: bool, finding: str | None) -> str | None:
    """Give the one code of why nothing of a lot is offered; None: it is believed.

    `states` are those of all who may report it, as sources and as to this lot; `vouched`: a person trusts one of them
    whatever the rules find. The record does the same in SQL (migrations/0007); a contract test compares them.
    """
    state = worst(states)
    if state is not TrustState.LIVE:
        return state.value
    if link_lost:
        return Dirt.COMMS_LOST.value
    return None if vouched else finding


def finding_doubt(findings: Iterable[Finding]) -> str | None:
    """Give the doubt of the gravest finding that is sure enough."""
    sure = {finding.dirt for finding in findings if finding.confidence >= SURE}
    return next((doubt for dirt, doubt in DOUBTS.items() if dirt in sure), None)


def _counted(trust: Trust, heard: Heard, now: datetime, rules: TrustRules) -> Trust:
    bad_now = bool(heard.grave) or (heard.bad > 0 and heard.bad >= rules.bad_share * (heard.good + heard.bad))
    unheard = heard.good + heard.bad == 0 and not heard.grave
    bad_from = trust.bad_from if unheard else ((trust.bad_from or now) if bad_now else None)
    return replace(trust, good=trust.good + heard.good, bad=trust.bad + heard.bad, bad_from=bad_from)


def _on_probation(trust: Trust, heard: Heard, now: datetime, rules: TrustRules) -> Trust:
    total = trust.good + trust.bad
    enough = trust.good >= rules.good_reports and now - trust.counted_from >= rules.over
    if heard.grave:
        # Counting begins again when it is mended.
        return replace(trust, counted_from=now, good=0, bad=0)
    if enough and trust.bad < rules.error_share * total:
        return _moved(trust, TrustState.LIVE, now, "earned")
    if now - trust.counted_from >= rules.over and trust.bad >= rules.error_share * max(total, 1) and trust.bad > 0:
        return replace(trust, counted_from=now, good=0, bad=0)
    return trust


def _live(trust: Trust, heard: Heard, now: datetime, rules: TrustRules) -> Trust:
    if heard.silent_for >= rules.lost_for:
        return _moved(trust, TrustState.SUSPENDED, now, str(Dirt.COMMS_LOST))
    bad_for = timedelta(0) if trust.bad_from is None else now - trust.bad_from
    if heard.grave and bad_for >= rules.grave_for:
        return _moved(trust, TrustState.SUSPENDED, now, min(str(dirt) for dirt in heard.grave))
    if not heard.grave and bad_for >= rules.bad_for and trust.bad >= rules.bad_reports:
        return _moved(trust, TrustState.SUSPENDED, now, "bad_reports")
    if trust.bad_from is None and now - trust.counted_from >= rules.over:
        return replace(trust, counted_from=now, good=0, bad=0)
    return trust


def _suspended(trust: Trust, heard: Heard, now: datetime, rules: TrustRules) -> Trust:
    if trust.bad_from is not None or heard.silent_for >= rules.lost_for:
        return replace(trust, counted_from=now, good=0, bad=0)
    if trust.good > 0 and now - trust.counted_from >= rules.mended_for:
        return _moved(trust, TrustState.PROBATION, now, "mended")
    return trust


def _moved(trust: Trust, state: TrustState, now: datetime, reason: str, *, pinned: bool = False) -> Trust:
    evidence = {
        "good": trust.good,
        "bad": trust.bad,
        "counted_h": round((now - trust.counted_from) / timedelta(hours=1), 1),
    }
    return Trust(state, now, now, pinned=pinned, reason=reason, evidence=evidence)
