"""What must hold, whatever happened: the answers that people got, compared with the ledger as it stands.

Each check yields (kind, details) of every violation. None of them looks at how the product does it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from bowei.domain.dangers import Danger
from tests.campaign.block import LOTS
from tests.campaign.history import CHANGED, OWNER, THIEF, Attempt, History
from tests.campaign.ledger import Ledger, Row
from tests.campaign.replaying import check_grants

Violation = tuple[str, str]

_CLOCKS_DIFFER_BY = timedelta(seconds=2)
"""Of the ledger's clock, which runs 40 times as fast: 50 ms between this process' reading and the database's."""
_LIVE = ("held", "arrived")
_ENDS = ("settled", "released", "expired", "revoked")
_LONGEST = timedelta(minutes=45)
_SETTLE_LIMIT = timedelta(minutes=15)
_COMMITTED_WITHIN = timedelta(seconds=8)
"""Of the ledger's clock: between the stamp of a step and the reading that led to it."""
_NEXT = {
    "": {"held"},
    "held": {"arrived", "released", "expired", "revoked"},
    "arrived": {"settled", "released", "revoked"},
}


def check_all(history: History, ledger: Ledger) -> list[Violation]:
    """Check everything that needs no other process."""
    checks = (
        iter(history.violations),
        (("broken_promise", f"{kind} {subject}") for kind, subject in ledger.broken),
        _acknowledged_holds_are_kept(history, ledger),
        _acknowledged_reports_are_kept(history, ledger),
        _what_was_given_up_is_over(history, ledger),
        _one_id_has_one_answer(history),
        _one_id_has_one_hold(history, ledger),
        _nobody_else_gets_in(history),
        _nobody_is_locked_out(history),
        _steps_are_legal(ledger),
        _who_is_moved_has_a_space(ledger),
        _drivers_hold_one_at_a_time(ledger),
        _answers_are_of_their_time(history, ledger),
        _cars_were_counted_first(ledger),
        _cars_fit(history),
        check_grants(history, ledger),
    )
    return [violation for check in checks for violation in check]


def _own(history: History) -> Iterator[Attempt]:
    return (attempt for attempt in history.attempts if attempt.who == OWNER)


def _acknowledged_holds_are_kept(history: History, ledger: Ledger) -> Iterator[Violation]:
    """Every hold that anybody was shown is in the ledger: same lot, same driver, same instant."""
    for attempt in _own(history):
        shown = attempt.hold
        if shown is None:
            continue
        row = ledger.holds.get((attempt.key, shown["ordinal"]))
        if row is None:
            yield "acknowledged_hold_lost", f"{attempt.key}/{shown['ordinal']} by {attempt.process}"
        elif (row["lot_id"], row["driver_id"]) != (shown["lot_id"], attempt.driver):
            yield "acknowledged_hold_changed", f"{attempt.key}/{shown['ordinal']}: {row}"
        elif shown["state"] in _ENDS and shown["state"] != row["state"]:
            yield "end_changed", f"{attempt.key}/{shown['ordinal']}: {shown['state']}, then {row['state']}"
        elif shown["state"] == "arrived" and row["state"] in {"held", "expired"}:
            yield "acknowledged_arrival_lost", f"{attempt.key}/{shown['ordinal']}: {row['state']}"
        elif row["expires_at"] - datetime.fromisoformat(shown["expires_at"]) < timedelta(milliseconds=-1):
            yield "acknowledged_extension_lost", f"{attempt.key}/{shown['ordinal']}"


def _acknowledged_reports_are_kept(history: History, ledger: Ledger) -> Iterator[Violation]:
    """Every report that was acknowledged is in the record; one said to be applied was applied."""
    observed = {(row["lot_id"], row["observed_at"], row["seq"] or 0): row["outcome"] for row in ledger.observations}
    for row in ledger.observations:
        if row["outcome"] == "applied":
            observed[(row["lot_id"], row["observed_at"], row["seq"] or 0)] = "applied"
    passed = {(row["lot_id"], f"{row['passage_id']} {row['kind']}"): row["outcome"] for row in ledger.passages}
    for one in history.reported:
        if one.passage is not None:
            kept = passed.get((one.lot_id, one.passage))
        else:
            kept = observed.get((one.lot_id, one.observed_at, one.seq))
        if kept is None or (one.result == "applied" and kept != "applied"):
            yield "acknowledged_report_lost", f"{one}: {kept}"
    newest: dict[str, tuple[datetime, int]] = {}
    for row in ledger.observations:
        order = (row["observed_at"], row["seq"] or 0)
        if row["outcome"] == "applied" and order < newest.get(row["lot_id"], order):
            yield "older_report_applied_over_newer", f"{row['lot_id']} {order} after {newest[row['lot_id']]}"
        newest[row["lot_id"]] = max(order, newest.get(row["lot_id"], order))


def _what_was_given_up_is_over(history: History, ledger: Ledger) -> Iterator[Violation]:
    """After a 204 nothing is live under that id, and nobody is told that something is."""
    over_s: dict[str, float] = {}
    for attempt in _own(history):
        if attempt.what == "give_up" and attempt.status == 204:
            over_s[attempt.key] = min(attempt.ended_s, over_s.get(attempt.key, attempt.ended_s))
    for attempt in _own(history):
        began_after = attempt.key in over_s and attempt.began_s > over_s[attempt.key]
        if began_after and attempt.hold and attempt.hold["state"] in _LIVE:
            yield "given_up_but_answered_live", f"{attempt.key}: {attempt.hold}"
    for (diversion_id, ordinal), row in ledger.holds.items():
        if diversion_id in over_s and row["state"] in _LIVE:
            yield "given_up_but_live", f"{diversion_id}/{ordinal}"


def _one_id_has_one_answer(history: History) -> Iterator[Violation]:
    """Two answers about one hold never differ in what was promised; a newer hold never gives way to an older."""
    promised: dict[tuple[str, int], tuple[str, str, str]] = {}
    newest: dict[str, tuple[int, float]] = {}
    for attempt in sorted(_own(history), key=lambda one: one.ended_s):
        shown = attempt.hold
        if shown is None:
            continue
        promise = (shown["lot_id"], shown["class"], shown["placed_at"])
        key = (attempt.key, shown["ordinal"])
        if promised.setdefault(key, promise) != promise:
            yield "answers_differ", f"{key}: {promised[key]} and {promise}"
        ordinal, since_s = newest.get(attempt.key, (0, 0.0))
        if shown["ordinal"] < ordinal and attempt.began_s > since_s:
            yield "older_hold_came_back", f"{key} after {ordinal}"
        if shown["ordinal"] > ordinal:
            newest[attempt.key] = (shown["ordinal"], attempt.ended_s)


def _one_id_has_one_hold(history: History, ledger: Ledger) -> Iterator[Violation]:
    """An id was granted once, and once more for each hold of it that was refused on arrival or moved out of danger."""
    granted: dict[str, set[int]] = defaultdict(set)
    fresh: dict[tuple[str, int], int] = defaultdict(int)
    for diversion_id, ordinal in ledger.holds:
        granted[diversion_id].add(ordinal)
    for attempt in _own(history):
        if attempt.what == "put" and attempt.status == 201 and attempt.hold:
            fresh[(attempt.key, attempt.hold["ordinal"])] += 1
    for diversion_id, ordinals in granted.items():
        moves = sum(was_moved(ledger.holds[diversion_id, ordinal]) for ordinal in ordinals)
        if len(ordinals) > 1 + history.refusals_said.get(diversion_id, 0) + moves:
            yield "more_than_one_hold_per_id", f"{diversion_id}: {sorted(ordinals)}"
    for key, times in fresh.items():
        if times > 1:
            yield "granted_anew_on_repeat", f"{key}: {times} times"


def _who_is_moved_has_a_space(ledger: Ledger) -> Iterator[Violation]:
    """A hold that was revoked on the way has its successor in the same commit, on another lot."""
    for (diversion_id, ordinal), row in ledger.holds.items():
        if not was_moved(row):
            continue
        after = ledger.holds.get((diversion_id, ordinal + 1))
        if after is None:
            yield "moved_to_nowhere", f"{diversion_id}/{ordinal}: {row['reason']}"
        elif after["lot_id"] == row["lot_id"] or after["placed_at"] - row["ended_at"] > _COMMITTED_WITHIN:
            yield "moved_late_or_nowhere_else", f"{diversion_id}/{ordinal}: {row} {after}"


def was_moved(row: Row) -> bool:
    """Say whether a hold was revoked because its lot could not keep it."""
    return row["state"] == "revoked" and row["reason"] in set(Danger)


def _nobody_else_gets_in(history: History) -> Iterator[Violation]:
    """A thief learns and changes nothing; another body under the same id is refused."""
    for attempt in history.attempts:
        if attempt.who == THIEF and attempt.answered and attempt.status != 404:
            yield "thief_answered", f"{attempt.what} {attempt.key}: {attempt.status}"
        if attempt.who == CHANGED and attempt.answered and attempt.code != "id_reused":
            yield "changed_body_answered", f"{attempt.key}: {attempt.status} {attempt.code}"


def _nobody_is_locked_out(history: History) -> Iterator[Violation]:
    """A driver's own token opens, whatever becomes of clocks."""
    for attempt in _own(history):
        if attempt.driver and attempt.status in {401, 403}:
            yield "driver_locked_out", f"{attempt.what} {attempt.key}: {attempt.status} {attempt.code}"


def _steps_are_legal(ledger: Ledger) -> Iterator[Violation]:
    """Each hold went one of the ways it may go, once, and not after or before its time."""
    steps: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for step in ledger.steps:
        steps[(step["diversion_id"], step["ordinal"])].append(step)
    for key, row in ledger.holds.items():
        order = {"held": 0, "extended": 1, "arrived": 2}
        walked = sorted(steps[key], key=lambda step: (step["at"], order.get(step["state"], 3)))
        states = [step["state"] for step in walked if step["state"] != "extended"]
        if any(after not in _NEXT.get(before, ()) for before, after in pairwise(["", *states])):
            yield "illegal_steps", f"{key}: {[step['state'] for step in walked]}"
        if states[-1:] != [row["state"]]:
            yield "state_differs_from_steps", f"{key}: {row['state']} after {states}"
        if row["expires_at"] - row["placed_at"] > _LONGEST:
            yield "kept_too_long", f"{key}: {row['expires_at'] - row['placed_at']}"
        for step in walked:
            if step["state"] == "expired" and step["at"] < row["expires_at"]:
                yield "expired_early", f"{key}: {row['expires_at'] - step['at']} early"
            if step["state"] in {"arrived", "extended"} and step["at"] >= row["expires_at"]:
                yield "kept_after_expiry", f"{key}: {step['state']} {step['at'] - row['expires_at']} late"


def _drivers_hold_one_at_a_time(ledger: Ledger) -> Iterator[Violation]:
    """No driver has two holds in `held` at any instant."""
    ended: dict[tuple[str, int], datetime] = {}
    for step in ledger.steps:
        if step["state"] not in {"held", "extended"}:
            key = (step["diversion_id"], step["ordinal"])
            ended[key] = min(step["at"], ended.get(key, step["at"]))
    by_driver: dict[str, list[tuple[datetime, datetime, str]]] = defaultdict(list)
    for key, row in ledger.holds.items():
        by_driver[row["driver_id"]].append((row["placed_at"], ended.get(key, ledger.at), key[0]))
    for driver, held in by_driver.items():
        for (_, until, one), (since, _, other) in pairwise(sorted(held)):
            if since < until:
                yield "two_holds_of_one_driver", f"{driver}: {one} and {other}"


def _answers_are_of_their_time(history: History, ledger: Ledger) -> Iterator[Violation]:
    """The ledger's instant of each acknowledged grant lies between the first asking and the answer.

    With `replaying` this makes each lot's history linearizable: the ledger's order is the witness.
    """
    asked_s: dict[str, float] = {}
    for attempt in history.attempts:
        asked_s[attempt.key] = min(attempt.began_s, asked_s.get(attempt.key, attempt.began_s))
        shown = attempt.hold
        if shown is None or attempt.who != OWNER:
            continue
        row = ledger.holds.get((attempt.key, shown["ordinal"]))
        earliest = history.shown(asked_s[attempt.key]) - _CLOCKS_DIFFER_BY
        latest = history.shown(attempt.ended_s) + _CLOCKS_DIFFER_BY
        if row is not None and not earliest <= row["placed_at"] <= latest:
            yield "granted_outside_its_time", f"{attempt.key}: {earliest} {row['placed_at']} {latest}"
        asked_at = history.shown(attempt.began_s) - _CLOCKS_DIFFER_BY
        if shown["state"] == "held" and datetime.fromisoformat(shown["expires_at"]) < asked_at:
            yield "held_after_expiry", f"{attempt.key}: asked {asked_at}, expired {shown['expires_at']}"


def _cars_were_counted_first(ledger: Ledger) -> Iterator[Violation]:
    """A car that arrived keeps its hold until a report newer than its arrival was there, or the limit had passed."""
    reports = [row for row in ledger.observations if row["outcome"] == "applied"]
    passages = {(row["lot_id"], row["passage_id"]) for row in ledger.passages if row["kind"] == "enter"}
    for step in ledger.steps:
        row = ledger.holds[(step["diversion_id"], step["ordinal"])]
        if step["state"] != "settled" or step["reason"] == "left":
            continue
        counted = any(
            one["lot_id"] == row["lot_id"]
            and one["observed_at"] > row["arrived_at"]
            and one["received_at"] <= step["at"] + _COMMITTED_WITHIN
            for one in reports
        )
        waited = step["at"] - row["arrived_at"] >= _SETTLE_LIMIT
        if not (counted or waited or (row["lot_id"], step["diversion_id"]) in passages):
            yield "settled_uncounted", f"{step['diversion_id']} at {row['lot_id']}, {step['reason']}"


def _cars_fit(history: History) -> Iterator[Violation]:
    """Cars that were let in by a hold never outnumber the spaces: nobody was promised another's."""
    for plan in LOTS:
        moves: list[tuple[float, int, str]] = []
        for visit in history.visits:
            if visit.lot_id == plan.lot_id:
                moves += [(visit.entered_s, 1, visit.diversion_id), (visit.left_s, -1, visit.diversion_id)]
        inside = 0
        for at_s, change, diversion_id in sorted(moves, key=lambda move: (move[0], move[1])):
            inside += change
            if change > 0 and inside + plan.own_cars > plan.capacity:
                yield "car_without_space", f"{diversion_id} at {plan.lot_id}, {history.shown(at_s)}"


def by_kind(violations: Iterable[Violation]) -> dict[str, int]:
    """Count violations of each kind."""
    counted: dict[str, int] = defaultdict(int)
    for kind, _ in violations:
        counted[kind] += 1
    return dict(sorted(counted.items()))
