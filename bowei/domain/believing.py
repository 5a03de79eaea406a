"""Believing: what we take a report for, next to what was said.

Three things are kept apart: what was said (kept as it was), what we believe of it (here), and what we promise (in
`offering`). A report passes the rules below in order. Each gives it back, maybe with counts that may be believed in the
place of those that were said and with the name of the dirt it found; or it names the dirt for which the whole report
is not believed. Then the last good report stands, and ages.

What only many reports can show (a stuck counter, drift, a wrong register) is not judged here: it comes in as
`LotFacts`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bowei.domain.dirt import Dirt, Doubt
from bowei.domain.made_often import made_often
from bowei.domain.observations import FUTURE_TOLERANCE, Bound, LotState, Observation, Outcome, Verdict
from bowei.domain.offering import Report

COUNT_TOLERANCE_SPACES, COUNT_TOLERANCE_SHARE = 3, 0.02
"""By how much a count may be impossible and still be believed as the nearest possible one: a barrier misses a few cars
until it is set right. Where recordings count too many by more, they do so for hours: a wrong register, not a slip."""

CAPACITY_STEP_SPACES, CAPACITY_STEP_SHARE = 3, 0.10
"""By how much a capacity may change from one report to the next and be believed at once: a few spaces coned off. A
larger step (a floor closed, or a garbled report) is believed when a second report repeats it."""

REPEATED_AFTER = timedelta(minutes=10)
"""The same report received again so late is another reading of a source whose time stands still, not a repeat."""

FROZEN_AFTER = timedelta(hours=1)
"""A time that stands still for so long while the counts move is no time. No feed that was recorded comes this late."""


@dataclass(frozen=True, slots=True)
class LotFacts:
    """What was learned of one lot, or declared, beside what is registered."""

    binary: bool = False
    """Its count only says whether there is space."""
    capacity: int | None = None
    """How many spaces it has, where that is not what is registered, and what it says itself is not to be used."""
    frozen_clock: bool = False
    """Its source's time is not to be used."""
    doubt: Doubt | None = None
    """Stands with the lot's first report; after that the record says what is doubted."""


NOTHING_LEARNED = LotFacts()

_UNKNOWN, _EXACT = LotState.UNKNOWN, Bound.EXACT


@made_often
@dataclass(frozen=True, slots=True)
class Claim:
    """A capacity that a lot said, believed or not, and in which report, received when."""

    observed_at: datetime
    received_at: datetime
    capacity: int

    def repeated_by(self, said: Observation, now: datetime) -> bool:
        """Say whether another report says the same."""
        other = said.observed_at != self.observed_at or now - self.received_at >= REPEATED_AFTER
        return said.capacity == self.capacity and other


def claimed(said: Observation, before: Claim | None, now: datetime) -> Claim | None:
    """Give the claim that stands after a report: its own, unless it makes none or is the very one before again."""
    if said.capacity is None:
        return before
    if before is not None and (before.observed_at, before.capacity) == (said.observed_at, said.capacity):
        return before
    return Claim(said.observed_at, now, said.capacity)


@made_often
@dataclass(frozen=True, slots=True)
class Known:
    """What a report is judged against. `last` is the last believed report, `claim` the last capacity that was said."""

    registered_capacity: int
    now: datetime
    facts: LotFacts = NOTHING_LEARNED
    last: Report | None = None
    claim: Claim | None = None

    @property
    def capacity(self) -> int:
        """How many spaces the lot has."""
        return self.registered_capacity if self.facts.capacity is None else self.facts.capacity


Taken = Observation | Dirt
"""A report as far as it is believed, or why it is not."""


def judge(said: Observation, known: Known) -> Verdict:
    """Judge one well-formed report by itself; whether it is newer than the last one is the store's to say.

    A time too far ahead is rejected. Counts that can't be true are quarantined: kept as said, not believed. Of what is
    believed, `0 <= free <= registered capacity` holds, and what is unknown stays so.
    """
    return Verdict(Outcome.APPLIED, None, said) if _plain(said, known) else judge_by_rules(said, known)


def judge_by_rules(said: Observation, known: Known) -> Verdict:
    """Judge as `judge` does, by asking each rule."""
    taken = said
    for rule in _RULES:
        became = rule(taken, known)
        if became is Dirt.FUTURE_TIME:
            return Verdict(Outcome.REJECTED, Dirt.FUTURE_TIME.value)
        if isinstance(became, Dirt):
            return Verdict(Outcome.QUARANTINED, became.value, _noting(taken, became))
        taken = became
    return Verdict(Outcome.APPLIED, None, taken)


def _plain(said: Observation, known: Known) -> bool:
    """Say at once of most reports that every rule would give them back as they are; a test holds it to the rules."""
    room, free, opened, facts, last = known.registered_capacity, said.free, said.open, known.facts, known.last
    return (
        (facts is NOTHING_LEARNED or (not facts.binary and facts.capacity is None and not facts.frozen_clock))
        and -FUTURE_TOLERANCE <= known.now - said.observed_at <= FROZEN_AFTER
        and (last is None or Dirt.FROZEN_CLOCK not in last.dirt)
        and said.state is not _UNKNOWN
        and said.bound is _EXACT
        and said.occupied is None
        and said.queue_vehicles is None
        and not said.free_by_class
        and not said.dirt
        and room > 0
        and (said.capacity is None or said.capacity == room)
        and (free is None or 0 <= free <= room)
        and (opened is None or 0 <= opened <= room)
    )


def distrusted_clock(said: Observation, known: Known) -> Taken:
    """Take the time of receipt where the source's clock is known to stand still."""
    return _received(said, known.now) if known.facts.frozen_clock else said


def future_time(said: Observation, known: Known) -> Taken:
    """Believe no time that lies ahead of ours by more than clocks differ."""
    return Dirt.FUTURE_TIME if said.observed_at > known.now + FUTURE_TOLERANCE else said


def unknown_state(said: Observation, known: Known) -> Taken:  # noqa: ARG001 (every rule takes the same)
    """Take no count from a lot that says that it has no data; with most sources that comes with a 0."""
    if said.state is not LotState.UNKNOWN:
        return said
    dirt = () if said.free != 0 else (Dirt.NO_DATA_AS_ZERO,)
    return _noting(said, *dirt, free=None, occupied=None, open=None, bound=Bound.EXACT, free_by_class={})


def negative_counts(said: Observation, known: Known) -> Taken:
    """Believe no report with a negative count that nobody declared to stand for something else.

    Cars below zero are a drifting barrier's: a few are none, see `free_from_cars`. Nobody is sent by a queue's length,
    so a negative one is only left out.
    """
    unread = Dirt.NEGATIVE_COUNT in said.dirt and said.free is None and said.occupied is None
    if unread or any(count < 0 for count in (said.free or 0, said.open or 0, said.capacity or 0)):
        return Dirt.NEGATIVE_COUNT
    if any(count < 0 for count in said.free_by_class.values()):
        return Dirt.NEGATIVE_COUNT
    if said.occupied is not None and -said.occupied > _tolerance(known.capacity):
        return Dirt.NEGATIVE_COUNT
    if said.queue_vehicles is not None and said.queue_vehicles < 0:
        return _noting(said, Dirt.NEGATIVE_COUNT, queue_vehicles=None)
    return said


def bounded_count(said: Observation, known: Known) -> Taken:  # noqa: ARG001 (every rule takes the same)
    """Name a bound; "0 or more" says nothing, and "0 at most" says all."""
    if said.free is None or said.bound is Bound.EXACT:
        return said if said.bound is Bound.EXACT else replace(said, bound=Bound.EXACT)
    dirt = Dirt.AT_LEAST if said.bound is Bound.AT_LEAST else Dirt.AT_MOST
    if said.free > 0:
        return _noting(said, dirt)
    return _noting(said, dirt, bound=Bound.EXACT, free=None if said.bound is Bound.AT_LEAST else 0)


def binary_count(said: Observation, known: Known) -> Taken:
    """Take a count that is a yes or a no for what it is: at least one space, or none."""
    if not known.facts.binary or said.free is None:
        return said
    has_space = said.free > 0
    bound = Bound.AT_LEAST if has_space else Bound.EXACT
    return _noting(
        said, Dirt.BINARY_COUNT, free=int(has_space), bound=bound, occupied=None, capacity=None, free_by_class={}
    )


def zero_capacity(said: Observation, known: Known) -> Taken:
    """Take a lot of no spaces for a closed one, unless it counts some; then its count can't be judged.

    Where the capacity was found out otherwise, or the lot says that it knows nothing, the 0 is just not said.
    """
    if said.capacity != 0:
        return said
    if known.facts.capacity is not None or said.state is LotState.UNKNOWN:
        return _noting(said, Dirt.CAPACITY_ZERO, capacity=None)
    if said.free or said.occupied:
        return Dirt.CAPACITY_ZERO
    state = LotState.CLOSED if said.state is LotState.OPEN else said.state
    return _noting(said, Dirt.CAPACITY_ZERO, capacity=None, state=state)


def open_above_capacity(said: Observation, known: Known) -> Taken:
    """Believe no report that opens more spaces than the lot has by its own word; nobody counts those by a barrier."""
    most = known.capacity if said.capacity is None else said.capacity
    return Dirt.OPEN_ABOVE_CAPACITY if said.open is not None and said.open > most else said


def moved_capacity(said: Observation, known: Known) -> Taken:
    """Believe a changed capacity if the step is small, or another report repeats it; never above what is registered.

    A lot that says more than is registered is not trusted by itself: as many as are registered are believed.
    """
    if said.capacity is None or said.capacity == known.capacity:
        return said
    before = known.capacity if known.last is None or known.last.capacity is None else known.last.capacity
    if said.capacity == before:
        return said
    small = max(CAPACITY_STEP_SPACES, int(CAPACITY_STEP_SHARE * before))
    repeated = known.claim is not None and known.claim.repeated_by(said, known.now)
    if abs(said.capacity - before) > small and not repeated:
        return Dirt.CAPACITY_MOVED
    return _noting(said, Dirt.CAPACITY_MOVED, capacity=min(said.capacity, known.capacity))


def free_from_cars(said: Observation, known: Known) -> Taken:
    """Count the free spaces where cars are counted; where both are, they must agree.

    More cars than spaces is a full lot that overflows. Too few counted together are spaces out of use; too many can't
    be, and within the tolerance the smaller count stands.
    """
    if said.occupied is None:
        return said
    capacity = said.capacity if said.capacity is not None else known.capacity
    dirt = [Dirt.NEGATIVE_COUNT] if said.occupied < 0 else []
    left = capacity - max(said.occupied, 0)
    if left < 0:
        dirt.append(Dirt.OVERFLOW)
    if said.free is None:
        return _noting(said, *dirt, free=max(left, 0), bound=Bound.EXACT)
    if said.bound is not Bound.EXACT or said.free == max(left, 0):
        return _noting(said, *dirt)
    if said.free - max(left, 0) > _tolerance(capacity):
        return Dirt.COUNTS_DISAGREE
    return _noting(said, *dirt, Dirt.COUNTS_DISAGREE, free=min(said.free, max(left, 0)))


def free_above_capacity(said: Observation, known: Known) -> Taken:
    """Believe no more free spaces than there are: a few too many are all, more than a few are no count."""
    capacity = min(known.capacity, known.capacity if said.capacity is None else said.capacity)
    most = capacity + _tolerance(capacity)
    of_classes = max(said.free_by_class.values(), default=0)
    counted = 0 if said.free is None or said.bound is Bound.AT_MOST else said.free
    if max(counted, of_classes) > most:
        return Dirt.FREE_ABOVE_CAPACITY
    room = min(capacity, known.registered_capacity)
    if max(counted, of_classes, said.free or 0) <= room:
        return said
    dirt = (Dirt.FREE_ABOVE_CAPACITY,) if max(counted, of_classes) > room else ()
    by_class = {name: min(count, room) for name, count in said.free_by_class.items()}
    free = None if said.free is None else min(said.free, room)
    bound = Bound.EXACT if said.bound is Bound.AT_MOST and free == 0 else said.bound
    return _noting(said, *dirt, free=free, bound=bound, free_by_class=by_class)


def within_register(said: Observation, known: Known) -> Taken:
    """Show no more spaces than are registered, whatever else was found out."""
    room = min(known.registered_capacity, known.capacity)
    capacity, opened = said.capacity, said.open
    if max(capacity or 0, opened or 0) <= room:
        return said
    return replace(
        said,
        capacity=None if capacity is None else min(capacity, room),
        open=None if opened is None else min(opened, room),
    )


def frozen_clock(said: Observation, known: Known) -> Taken:
    """Take the time of receipt where the source's time stands still for long while its counts move.

    Once it was found so, it is so until the source's time has come past the last time of receipt.
    """
    last = known.last
    if last is None or Dirt.NO_TIME in said.dirt:
        return said
    said_before = last.said_at or last.observed_at
    if Dirt.FROZEN_CLOCK in last.dirt:
        return _received(said, known.now) if said_before <= said.observed_at <= last.observed_at else said
    if said.observed_at != said_before or known.now - said.observed_at <= FROZEN_AFTER:
        return said
    # A report that passages have moved since differs from its own repeat.
    moved_since = last.observed_at != said_before
    same = (said.capacity, said.open, said.free, said.state) == (last.capacity, last.open, last.free, last.state)
    return said if same or moved_since else _received(said, known.now)


_RULES: tuple[Callable[[Observation, Known], Taken], ...] = (
    distrusted_clock,
    future_time,
    unknown_state,
    negative_counts,
    bounded_count,
    binary_count,
    zero_capacity,
    open_above_capacity,
    moved_capacity,
    free_from_cars,
    free_above_capacity,
    within_register,
    frozen_clock,
)


def _tolerance(capacity: int) -> int:
    return min(COUNT_TOLERANCE_SPACES, int(COUNT_TOLERANCE_SHARE * capacity))


def _received(said: Observation, now: datetime) -> Observation:
    return _noting(said, Dirt.FROZEN_CLOCK, observed_at=now)


def _noting(said: Observation, *dirt: Dirt, **changes: Any) -> Observation:  # noqa: ANN401 (fields of it)
    return replace(said, dirt=said.dirt.union(dirt), **changes) if dirt or changes else said
