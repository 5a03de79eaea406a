"""Barriers of the demo: nobody without a hold takes a promised space, however late the barrier hears of it."""

import random
from collections import deque
from datetime import UTC, datetime, timedelta

import pytest

from services.local.demo.barriers import Barrier

AT = datetime(2026, 3, 1, 23, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def _informed(*, held: int = 0, margin: int = 3) -> Barrier:
    """Give a linked barrier that heard everything a moment ago."""
    barrier = Barrier(linked=True, margin=margin)
    barrier.report_acknowledged(AT, AT + SECOND)
    barrier.hear(held, AT + 2 * SECOND)
    return barrier


def test_a_walk_in_is_turned_away_when_what_is_free_is_held() -> None:
    """Five held and a margin of three: the ninth free space is the last that a walk-in gets."""
    barrier = _informed(held=5)
    assert barrier.admits_walk_in(9, lent=0)
    assert not barrier.admits_walk_in(8, lent=0)


def test_a_lot_without_a_link_lets_everybody_in_while_there_is_room() -> None:
    """It never hears of holds: the last space goes to whoever is there."""
    barrier = Barrier(linked=False, margin=3)
    barrier.hear(50, AT)
    assert barrier.admits_walk_in(1, lent=60)
    assert not barrier.admits_walk_in(0, lent=60)


def test_between_two_reports_walk_ins_take_no_more_than_the_margin() -> None:
    """Bowei still promises by the old count, so the fourth car has to wait for the next one."""
    barrier = _informed()
    for number in range(3):
        assert barrier.admits_walk_in(20 - number, lent=60)
        barrier.walk_in_entered(AT + (3 + number) * SECOND)
    assert not barrier.admits_walk_in(17, lent=60)
    barrier.report_acknowledged(AT + 10 * SECOND, AT + 11 * SECOND)
    barrier.hear(0, AT + 12 * SECOND)
    assert barrier.admits_walk_in(17, lent=60)


def test_a_report_frees_nothing_before_its_holds_are_heard_of() -> None:
    """Holds that rest on the old count may have been promised until the new one was acknowledged."""
    barrier = _informed()
    for number in range(3):
        barrier.walk_in_entered(AT + (3 + number) * SECOND)
    barrier.report_acknowledged(AT + 10 * SECOND, AT + 11 * SECOND)
    assert not barrier.admits_walk_in(17, lent=60)


def test_a_barrier_that_heard_nothing_yet_keeps_what_is_lent() -> None:
    """Before the first word of holds, only what is not lent at all goes to walk-ins."""
    barrier = Barrier(linked=True, margin=3)
    assert not barrier.admits_walk_in(20, lent=20)
    assert barrier.admits_walk_in(21, lent=20)


class _Ledger:
    """What Bowei promises on one lot, by its own rule: at most count − margin, and at most what is lent."""

    def __init__(self, capacity: int, lent: int, margin: int) -> None:
        self.held = 0
        self._arrived: list[datetime] = []
        self._believed, self._counted_at = capacity, AT
        self._lent, self._margin = lent, margin

    @property
    def live(self) -> int:
        return self.held + len(self._arrived)

    def report(self, free: int, counted_at: datetime) -> None:
        self._believed, self._counted_at = free, counted_at
        self._arrived = [at for at in self._arrived if at >= counted_at]

    def grant(self) -> None:
        if min(self._believed - self._margin, self._lent) - self.live >= 1:
            self.held += 1

    def arrive(self, at: datetime) -> None:
        self.held -= 1
        self._arrived.append(at)


@pytest.mark.parametrize("seed", range(30))
def test_whoever_holds_a_space_finds_one(seed: int) -> None:
    """An hour of walk-ins, exits, holds, late reports and late news, at random: no held driver finds the lot full."""
    rng = random.Random(seed)  # noqa: S311
    capacity, lent, margin = 30, 20, 3
    barrier, ledger, free = Barrier(linked=True, margin=margin), _Ledger(capacity, lent, margin), capacity
    underway: deque[tuple[datetime, datetime, int]] = deque()
    news: deque[tuple[datetime, int]] = deque(maxlen=20)
    for step in range(3_600):
        now = AT + step * SECOND
        if step % 30 == 0:
            arrives_at = max([now + rng.randint(1, 40) * SECOND, *(at for at, _, _ in underway)])
            underway.append((arrives_at, now, free))
        while underway and underway[0][0] <= now:
            _, counted_at, count = underway.popleft()
            ledger.report(count, counted_at)
            barrier.report_acknowledged(counted_at, now)
        news.append((now, ledger.live))
        if rng.random() < 0.1:
            barrier.hear(news[0][1], news[0][0])
        if rng.random() < 0.1:
            ledger.grant()
        if rng.random() < 0.3 and barrier.admits_walk_in(free, lent):
            free -= 1
            barrier.walk_in_entered(now)
        if rng.random() < 0.12 and free < capacity:
            free += 1
        if ledger.held and rng.random() < 0.05:
            assert free > 0, f"refused at {now:%H:%M:%S}"
            free -= 1
            ledger.arrive(now)
