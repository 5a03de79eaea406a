"""Replaying each lot's history from its steps: at every grant there was room, by the lot's word and by the agreements.

The ledger decides under the lot's lock and stamps each step within it, so the steps of a lot have one order. Walking
them in that order with a plain model of the lot is a check of every grant against every limit, with nothing of the
ledger's own counters believed. Together with `checking._answers_are_of_their_time` (each step lies between its asking
and its answer) it shows the lot's history linearizable, with the ledger's order as the witness; a search for some
order, as Wing and Gong's, is not needed where one is known.

What a lot reported is not under that lock. A grant may have been decided by any report that could be the newest then:
begun to be recorded before the grant was answered, and no newer one acknowledged before the grant's instant. The most
generous of these is taken.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.campaign.block import AGREEMENTS, LOTS, LotPlan
from tests.campaign.history import History
from tests.campaign.ledger import Ledger, Row

_CLOCKS_DIFFER_BY = timedelta(seconds=2)
_NEVER = datetime(9000, 1, 1, tzinfo=UTC)
_COMMITTED_WITHIN = timedelta(minutes=10)
"""Of the ledger's clock: no statement takes longer than 5 s of this machine's."""


@dataclass(slots=True)
class _Counted:
    held: int = 0
    stays: int = 0


@dataclass(slots=True)
class _Lot:
    """A plain model of one lot."""

    total: _Counted = field(default_factory=_Counted)
    pools: dict[str, _Counted] = field(default_factory=lambda: defaultdict(_Counted))

    def add(self, agreement_id: str, held: int, stays: int) -> None:
        for counted in (self.total, self.pools[agreement_id]):
            counted.held += held
            counted.stays += stays


def check_grants(history: History, ledger: Ledger) -> Iterator[tuple[str, str]]:
    """Yield every grant that had no room."""
    answered = _first_answers(history)
    for plan in LOTS:
        reports = _Reports(plan, history, ledger)
        lot = _Lot()
        for at, _, held, stays, row in _moves(plan, ledger):
            if held > 0:
                latest = min(answered.get((row["diversion_id"], row["ordinal"]), _NEVER), at + _COMMITTED_WITHIN)
                yield from _judged(plan, lot, reports.most_free(at, latest), row)
            lot.add(row["agreement_id"], held, stays)


def _judged(plan: LotPlan, lot: _Lot, free: int, row: Row) -> Iterator[tuple[str, str]]:
    agreement = next(one for one in AGREEMENTS if one.agreement_id == row["agreement_id"])
    pool = lot.pools[row["agreement_id"]]
    rooms = {
        "capacity": plan.capacity - lot.total.held,
        "free": min(free, plan.capacity) - lot.total.held - agreement.margin,
        "lent": agreement.spaces - pool.held - pool.stays,
    }
    if plan.open is not None:
        rooms["open"] = plan.open - lot.total.held - lot.total.stays
    for limit, room in rooms.items():
        if room < 1:
            yield f"granted_above_{limit}", f"{row['diversion_id']}/{row['ordinal']} at {plan.lot_id}: {rooms}"


def _moves(plan: LotPlan, ledger: Ledger) -> list[tuple[datetime, int, int, int, Row]]:
    """List (instant, rank within it, held by, stays by, hold) of all that changed the lot's counts, in order.

    Within an instant, which is one commit: what ends makes room before what is granted, and whoever must leave the
    widest margin is granted first. The ledger goes by arrival; if that order was right, so is this one.
    """
    margins = {one.agreement_id: one.margin for one in AGREEMENTS}
    moves = []
    for step in ledger.steps:
        row = ledger.holds[(step["diversion_id"], step["ordinal"])]
        if row["lot_id"] != plan.lot_id:
            continue
        if step["state"] == "held":
            moves.append((step["at"], 2, 1, 0, row))
        elif step["state"] not in {"arrived", "extended"}:
            stays = 1 if step["state"] == "settled" and step["reason"] != "left" else 0
            moves.append((step["at"], 1, -1, stays, row))
    for stay in ledger.stays:
        row = ledger.holds[(stay["diversion_id"], stay["ordinal"])]
        if stay["lot_id"] == plan.lot_id and stay["ended_at"] is not None and row["reason"] != "left":
            moves.append((stay["ended_at"], 1, 0, -1, row))
    return sorted(moves, key=lambda move: (move[0], move[1], -margins[move[4]["agreement_id"]]))


class _Reports:
    """What a lot's newest report may have said at any instant."""

    def __init__(self, plan: LotPlan, history: History, ledger: Ledger) -> None:
        known = _acknowledged_at(plan, history)
        applied = [row for row in ledger.observations if row["lot_id"] == plan.lot_id and row["outcome"] == "applied"]
        applied.sort(key=lambda row: (row["observed_at"], row["seq"] or 0))
        self._applied = applied
        self._received = _from_behind([row["received_at"] for row in applied])
        # From when on a report was surely replaced: when any newer one was acknowledged.
        self._replaced: list[datetime] = []
        replaced = _NEVER
        for row in reversed(applied):
            self._replaced.append(replaced)
            replaced = min(replaced, known.get((row["observed_at"], row["seq"] or 0), replaced))
        self._replaced.reverse()
        self._exits = sorted(
            row["passed_at"]
            for row in ledger.passages
            if row["lot_id"] == plan.lot_id and row["kind"] == "exit" and row["outcome"] == "applied"
        )

    def most_free(self, at: datetime, latest: datetime) -> int:
        """Give the most that could have been the lot's free count for a grant at `at`, answered by `latest`."""
        latest += _CLOCKS_DIFFER_BY
        most = 0
        for position in range(bisect_right(self._received, latest) - 1, -1, -1):
            if self._replaced[position] + _CLOCKS_DIFFER_BY < at:
                break
            row = self._applied[position]
            left_since = bisect_right(self._exits, latest) - bisect_right(self._exits, row["observed_at"])
            most = max(most, row["free"] + left_since)
        return most


def _from_behind(instants: list[datetime]) -> list[datetime]:
    """Give for each place the earliest instant from there on, so that they ascend: two commits may cross."""
    for place in range(len(instants) - 2, -1, -1):
        instants[place] = min(instants[place], instants[place + 1])
    return instants


def _acknowledged_at(plan: LotPlan, history: History) -> Mapping[tuple[datetime, int], datetime]:
    known: dict[tuple[datetime, int], datetime] = {}
    for one in history.reported:
        if one.lot_id == plan.lot_id and one.passage is None:
            key = (one.observed_at, one.seq)
            at = history.shown(one.ended_s)
            known[key] = min(at, known.get(key, at))
    return known


def _first_answers(history: History) -> Mapping[tuple[str, int], datetime]:
    """Give when each hold was first shown to anybody: it was decided before."""
    first_s: dict[tuple[str, int], float] = {}
    for attempt in history.attempts:
        if attempt.hold:
            key = (attempt.key, attempt.hold["ordinal"])
            first_s[key] = min(attempt.ended_s, first_s.get(key, attempt.ended_s))
    return {key: history.shown(at_s) for key, at_s in first_s.items()}
