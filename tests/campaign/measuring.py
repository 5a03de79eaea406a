"""Measuring: how long people waited, and how soon service was back, by kind of fault."""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.campaign.checking import Violation, by_kind
from tests.campaign.faults import COPY, LEDGER
from tests.campaign.history import OWNER, Attempt, Fault, History
from tests.campaign.machines import INGEST, ROUTING

_AFTER_S = 0.5
"""How long after its end a fault still counts as the reason of a wait."""


def measured(history: History, *, seed: int, seconds: float, violations: Sequence[Violation]) -> dict[str, Any]:
    """Give the report of one run, as one JSON object."""
    own = [attempt for attempt in history.attempts if attempt.who == OWNER and attempt.what in {"put", "arrive"}]
    took = sorted(attempt.ended_s - attempt.began_s for attempt in own)
    struck = [fault for fault in history.faults if not fault.skipped]
    counted: dict[str, int] = defaultdict(int)
    for fault in struck:
        counted[fault.kind] += 1
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "faults": len(struck),
        "by_kind": dict(sorted(counted.items())),
        "wrong_clocks_measured": history.measured_clocks,
        "faults_skipped": [f"{fault.kind}: {fault.skipped}" for fault in history.faults if fault.skipped],
        "operations": history.operations,
        "attempts": len(history.attempts),
        "acknowledged": _acknowledged(history),
        "unanswered": len(history.unanswered),
        "first_try_share": _share([first for _, first in history.first_tries]),
        "first_tries_by_kind": _first_tries_by_kind(history.first_tries, struck),
        "p50_ms": _ms(_quantile(took, 0.5)),
        "p99_ms": _ms(_quantile(took, 0.99)),
        "p99_ms_by_kind": _p99_by_kind(own, struck),
        "recovered_within_s": _recovered(history.attempts, struck),
        "copied_again_within_s": _copied_again(history.whole_at_s, struck),
        "violations": by_kind(violations),
    }


def _acknowledged(history: History) -> dict[str, int]:
    holds = {(one.key, one.hold["ordinal"]) for one in history.attempts if one.hold and one.who == OWNER}
    given_up = {one.key for one in history.attempts if one.what == "give_up" and one.status == 204}
    return {
        "holds": len(holds),
        "given_up": len(given_up),
        "reports": len(history.reported),
        "visits": len(history.visits),
    }


def _first_tries_by_kind(first_tries: Iterable[tuple[float, bool]], faults: Iterable[Fault]) -> dict[str, list[int]]:
    """Give by kind how many operations began while such a fault lasted, and how many of them were answered at once."""
    ordered = sorted(first_tries)
    begins = [began_s for began_s, _ in ordered]
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for fault in faults:
        met = ordered[bisect_left(begins, fault.began_s) : bisect_left(begins, fault.returned_s)]
        counted[fault.kind][0] += len(met)
        counted[fault.kind][1] += sum(first for _, first in met)
    return dict(sorted(counted.items()))


def _share(truths: Sequence[bool]) -> float:
    return round(sum(truths) / max(1, len(truths)), 4)


def _p99_by_kind(attempts: Iterable[Attempt], faults: Iterable[Fault]) -> dict[str, float]:
    ordered = sorted(attempts, key=lambda one: one.began_s)
    begins = [one.began_s for one in ordered]
    took: dict[str, list[float]] = defaultdict(list)
    for fault in faults:
        # A question from before the fault may have met it too; nobody waits longer than 5 s for one answer.
        since = bisect_left(begins, fault.began_s - 5.0)
        until = bisect_left(begins, fault.returned_s + _AFTER_S)
        took[fault.kind] += [one.ended_s - one.began_s for one in ordered[since:until] if one.ended_s >= fault.began_s]
    return {kind: _ms(_quantile(sorted(some), 0.99)) for kind, some in sorted(took.items())}


def _recovered(attempts: Iterable[Attempt], faults: Sequence[Fault]) -> dict[str, float]:
    """Give by kind the longest time from the dependency's return to an answer of every process that needs it.

    Where another fault was mended in between, the time counts from then; where nobody asked, from the first asking.
    """
    asked: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        asked[attempt.process].append(attempt)
    longest: dict[str, float] = {}
    for fault in faults:
        for process in _affected(fault):
            first = _first_answer_after(asked[process], fault.returned_s)
            if first is None:
                continue
            since_s = max(other.returned_s for other in faults if fault.returned_s <= other.returned_s <= first.ended_s)
            since_s = max(since_s, min(one.began_s for one in asked[process] if one.ended_s > since_s))
            longest[fault.kind] = max(first.ended_s - since_s, longest.get(fault.kind, 0.0))
    return {kind: round(took_s, 2) for kind, took_s in sorted(longest.items())}


def _copied_again(whole_at_s: Sequence[float], faults: Sequence[Fault]) -> dict[str, float]:
    """Give by kind the longest time from the copy's return until it was whole; from the last mending in between."""
    longest: dict[str, float] = {}
    for fault in faults:
        first = bisect_left(whole_at_s, fault.returned_s)
        if fault.target != COPY or first == len(whole_at_s):
            continue
        whole_s = whole_at_s[first]
        since_s = max(other.returned_s for other in faults if fault.returned_s <= other.returned_s <= whole_s)
        longest[fault.kind] = max(whole_s - since_s, longest.get(fault.kind, 0.0))
    return {kind: round(took_s, 2) for kind, took_s in sorted(longest.items())}


def _affected(fault: Fault) -> tuple[str, ...]:
    return (*ROUTING, *INGEST) if fault.target in {LEDGER, COPY} else (fault.target,)


def _first_answer_after(attempts: Sequence[Attempt], since_s: float) -> Attempt | None:
    later = (one for one in attempts if one.answered and one.began_s >= since_s)
    return min(later, key=lambda one: one.ended_s, default=None)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, math.floor(share * len(ordered)))] if ordered else 0.0


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def added_up(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Add the reports of many seeds up."""
    total: dict[str, Any] = {"seeds": len(reports)}
    for name in ("seconds", "faults", "operations", "attempts", "unanswered", "wrong_clocks_measured"):
        total[name] = sum(report[name] for report in reports)
    for name in ("by_kind", "acknowledged", "violations"):
        added: dict[str, int] = defaultdict(int)
        for report in reports:
            for key, count in report[name].items():
                added[key] += count
        total[name] = dict(sorted(added.items()))
    met: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for report in reports:
        for kind, (asked, first) in report["first_tries_by_kind"].items():
            met[kind] = [met[kind][0] + asked, met[kind][1] + first]
    total["first_try_share_by_kind"] = {
        kind: round(first / max(1, asked), 4) for kind, (asked, first) in sorted(met.items())
    }
    for name in ("p99_ms_by_kind", "recovered_within_s", "copied_again_within_s"):
        worst: dict[str, float] = defaultdict(float)
        for report in reports:
            for key, value in report[name].items():
                worst[key] = max(worst[key], value)
        total[f"worst_{name}"] = dict(sorted(worst.items()))
    operations = max(1, total["operations"])
    total["first_try_share"] = round(
        sum(report["first_try_share"] * report["operations"] for report in reports) / operations, 4
    )
    total["p50_ms"] = sorted(report["p50_ms"] for report in reports)[len(reports) // 2]
    total["p99_ms"] = sorted(report["p99_ms"] for report in reports)[len(reports) // 2]
    return total
