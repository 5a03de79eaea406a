"""Random histories of a small block: the twin and the real ledger give the same answers, and no promise is broken.

Two lots, two hospitals, four drivers with few ids, and times a second before, at and after everything that ends.
`BOWEI_PROPERTY_EXAMPLES` asks for more histories than the default run has time for.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bowei.domain.agreements import AgreementId, LendingWindow
from bowei.domain.clock import SteppedClock
from bowei.domain.dirt import Doubt
from bowei.domain.freshness import believed_for
from bowei.domain.holds import REFUSED_ON_ARRIVAL, SETTLE_LIMIT, HoldState
from bowei.domain.lots import DriverId, LotId, SpaceClass
from bowei.domain.observations import Observation, Passage, PassageKind
from bowei.domain.offering import LotPromise, PoolPromise
from bowei.records.holding import Candidate, Decision, PlaceRequest
from bowei.records.in_memory import InMemoryRecords
from bowei.records.registering import StillInUse
from bowei.records.reporting import Judged
from services.local.servers import Servers
from tests.contract.block import (
    FIRST,
    MALL,
    MALL_FIRST,
    MALL_SECOND,
    MONDAY_9H,
    OFFICE,
    OFFICE_FIRST,
    OWN,
    SECOND,
    SOURCE,
    a_hospital,
    a_lot,
    lending,
)
from tests.contract.stores import Stores, empty, in_memory_stores
from tests.property.drawing import (
    AGREEMENTS,
    MAX_STAY,
    SECONDS,
    WINDOW_EDGES,
    candidate_lists,
    diversion_ids,
    driver_ids,
    lot_ids,
    plates,
    rarely,
    seconds,
    what_is_said,
    which,
    windows,
)
from tests.property.real_ledger import Real, real_ledger

EXAMPLES = int(os.environ.get("BOWEI_PROPERTY_EXAMPLES", "40"))
STEPS = 40


@pytest.fixture(scope="module")
def real(servers: Servers) -> Iterator[Real]:
    """Give a migrated ledger on real Postgres, and the loop it lives in."""
    with real_ledger(servers) as real:
        yield real


@pytest.mark.timeout(120 + 2 * EXAMPLES)
def test_twin_and_ledger_agree_on_every_history(real: Real) -> None:
    """Shows that after every step both give the same answer and the same promises, and that none is broken."""
    Histories.real = real
    run_state_machine_as_test(Histories, settings=history_settings(EXAMPLES))


def history_settings(examples: int) -> settings:
    """Give the settings of a run of so many histories."""
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        # Not `explain`: it traces every line, and a failing history is plain to read.
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )


class Histories(RuleBasedStateMachine):
    """Everything that people, lots and time may do to the ledger, in any order."""

    real: ClassVar[Real]
    real_calls: ClassVar[int] = 0
    twin_calls: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        clock = SteppedClock(MONDAY_9H)
        self.world = InMemoryRecords(clock)
        self.twin = in_memory_stores(self.world, clock)
        self.copy: dict[LotId, LotPromise] = {}
        self.cursor: int | None = None

    @initialize()
    def settle_in(self) -> None:
        """Begin on Monday, 09:00: two drivers hold spaces of the mall, one of the office, and the first has arrived."""
        self.real.runner.run(empty(self.real.pool))
        self.real.runner.run(self.real.stores.step_to(MONDAY_9H))
        self.both(lambda s: s.register.put_lots([a_lot(MALL, 4), a_lot(OFFICE, 3), a_lot(OWN, 9)]))
        self.both(lambda s: s.register.put_hospitals([a_hospital(FIRST), a_hospital(SECOND)]))
        for agreement_id in AGREEMENTS:
            self.lend(agreement_id, [LendingWindow(SpaceClass.STANDARD, 2)], 0, paused=False, moved=False)
        for lot_id in (MALL, OFFICE):
            self.report(lot_id, SECONDS[0], None, {"free": 3}, None)
        for number, agreement_id in enumerate((MALL_FIRST, MALL_SECOND, OFFICE_FIRST)):
            asked = (Candidate(agreement_id, SpaceClass.STANDARD, timedelta(minutes=9)),)
            self.ask(f"diversion-{number}", DriverId(f"driver-{number}"), "a", asked, b"pqq"[number : number + 1] * 32)
        self.both(lambda s: s.book.arrive("diversion-0", DriverId("driver-0")))

    def both(self, act: Callable[[Stores], Awaitable[Any]]) -> Any:
        """Do the same to the twin and to the ledger, and see that they answer the same."""
        Histories.real_calls += 1
        Histories.twin_calls += 1
        expected, answered = (self.real.runner.run(_tried(act, one)) for one in (self.twin, self.real.stores))
        assert answered == expected
        return expected

    def someone(self, which: int, thief: DriverId, *, stolen: bool) -> tuple[str, DriverId]:
        """Give a diversion that exists, newest hold first, with its driver; or with a thief in the driver's place."""
        holds = sorted((holds[-1].hold for holds in self.world.diversions.values()), key=lambda hold: hold.placed_at)
        hold = holds[-1 - which % len(holds)]
        return hold.diversion_id, thief if stolen else hold.driver_id

    def has_holds(self) -> bool:
        """Say whether any hold was ever placed."""
        return bool(self.world.diversions)

    @rule(
        diversion_id=diversion_ids, driver=driver_ids, body=st.sampled_from("aaab"), asked=candidate_lists, plate=plates
    )
    def ask(
        self, diversion_id: str, driver: DriverId, body: str, asked: tuple[Candidate, ...], plate: bytes | None
    ) -> None:
        """Let a driver ask, maybe under somebody's id, maybe with another body."""
        request = PlaceRequest(diversion_id, driver, body.encode() * 32, FIRST, asked, {"why": body}, plate)
        self.both(lambda s: s.book.place(request))

    @rule(
        asks=st.lists(
            st.tuples(diversion_ids, driver_ids, candidate_lists),
            min_size=2,
            max_size=4,
            unique_by=(lambda ask: ask[0], lambda ask: ask[1]),
        )
    )
    def ask_together(self, asks: list[tuple[str, DriverId, tuple[Candidate, ...]]]) -> None:
        """Let drivers ask at once; they share a commit of the ledger, in this order."""
        requests = [PlaceRequest(*ask[:2], b"a" * 32, FIRST, ask[2], {"why": "a"}) for ask in asks]

        async def placed(stores: Stores) -> list[Decision]:
            return await asyncio.gather(*[stores.book.place(request) for request in requests])

        self.both(placed)

    @precondition(has_holds)
    @rule(which=which, driver=driver_ids, stolen=rarely)
    def ask_again(self, which: int, driver: DriverId, *, stolen: bool) -> None:
        """Let a driver look, and repeat the request."""
        diversion_id, driver = self.someone(which, driver, stolen=stolen)
        self.both(lambda s: s.book.find(diversion_id, driver))
        self.both(lambda s: s.book.find(diversion_id, None))
        self.ask(diversion_id, driver, "a", (), None)

    @precondition(has_holds)
    @rule(which=which, driver=driver_ids, stolen=rarely, minutes=st.sampled_from([1, 1, 2]))
    def extend(self, which: int, driver: DriverId, minutes: int, *, stolen: bool) -> None:
        """Let a driver keep the hold longer."""
        diversion_id, driver = self.someone(which, driver, stolen=stolen)
        self.both(lambda s: s.book.extend(diversion_id, driver, timedelta(minutes=minutes)))

    @rule(diversion_id=diversion_ids, driver=driver_ids)
    def give_up_early(self, diversion_id: str, driver: DriverId) -> None:
        """Let a driver give up, maybe before anything was granted."""
        self.both(lambda s: s.book.release(diversion_id, driver))

    @precondition(has_holds)
    @rule(
        which=which,
        driver=driver_ids,
        stolen=rarely,
        act=st.sampled_from(["arrive", "arrive", "arrive", "arrive", "leave", "leave", "release"]),
    )
    def say(self, which: int, driver: DriverId, act: str, *, stolen: bool) -> None:
        """Let a driver arrive, leave or give up."""
        diversion_id, driver = self.someone(which, driver, stolen=stolen)
        self.both(lambda s: getattr(s.book, act)(diversion_id, driver))

    @precondition(has_holds)
    @rule(
        which=which,
        driver=driver_ids,
        stolen=rarely,
        ordinal=st.sampled_from([1, 1, 2]),
        ends_as=st.sampled_from([HoldState.REVOKED, HoldState.RELEASED]),
        reason=st.sampled_from(["r", REFUSED_ON_ARRIVAL]),
        instead=candidate_lists,
    )
    def send_elsewhere(
        self,
        which: int,
        driver: DriverId,
        ordinal: int,
        ends_as: HoldState,
        reason: str,
        instead: tuple[Candidate, ...],
        *,
        stolen: bool,
    ) -> None:
        """Send a driver elsewhere."""
        diversion_id, driver = self.someone(which, driver, stolen=stolen)
        self.both(
            lambda s: s.book.replace(
                diversion_id, driver, ordinal, ends_as=ends_as, reason=reason, candidates=instead, answer={"why": "r"}
            )
        )

    @precondition(has_holds)
    @rule(which=which, driver=driver_ids, stolen=rarely, ordinal=st.sampled_from([1, 1, 2]), instead=candidate_lists)
    def move(self, which: int, driver: DriverId, ordinal: int, instead: tuple[Candidate, ...], *, stolen: bool) -> None:
        """Move a driver on the way, or leave the driver alone where nothing else has room."""
        diversion_id, driver = self.someone(which, driver, stolen=stolen)
        self.both(
            lambda s: s.book.move(diversion_id, driver, ordinal, reason="m", candidates=instead, answer={"why": "m"})
        )
        self.both(lambda s: s.book.live_on([MALL, OFFICE]))
        self.both(lambda s: s.book.barred_on([MALL, OFFICE]))

    @rule(lot_id=lot_ids, which=which, accepted=st.booleans())
    def the_barrier_answers(self, lot_id: LotId, which: int, *, accepted: bool) -> None:
        """Tell a barrier what there is to tell, and let it answer one of the commands."""

        async def answered(stores: Stores) -> Any:
            told = await stores.barriers.commands([lot_id])
            if not told:
                return None
            # What ends in one commit ends in any order.
            told = sorted(told, key=lambda one: (one.diversion_id, one.ordinal, one.given_at, one.kind))
            command_id = told[which % len(told)].command_id
            answer = await stores.barriers.answer(lot_id, command_id, accepted=accepted, reason=None)
            # Ids and codes are each store's own.
            return [replace(one, command_id=0, code=None) for one in told], answer

        self.both(answered)

    @rule(
        lot_id=lot_ids,
        off=seconds,
        seq=st.sampled_from([None, None, None, 1, 2]),
        said=what_is_said,
        code=st.sampled_from([None] * 9 + ["free_above_capacity", "capacity_moved"]),
        late=st.sampled_from([None] * 9 + [timedelta(days=30)]),
    )
    def report(
        self,
        lot_id: LotId,
        off: timedelta,
        seq: int | None,
        said: dict[str, Any],
        code: str | None,
        late: timedelta | None = None,
    ) -> None:
        """Let a lot report; maybe its clock stands still, and another time is believed."""
        belief = Observation(lot_id, self.world.now + off, SOURCE, seq, **said)
        observation = belief if late is None else replace(belief, observed_at=belief.observed_at - late, free=9)
        self.both(lambda s: s.journal.record([Judged(observation, code, belief)]))

    @rule(lot_id=lot_ids, doubt=st.sampled_from([Doubt.STUCK, Doubt.STUCK, None, Doubt.SUSPENDED]))
    def doubt(self, lot_id: LotId, doubt: Doubt | None) -> None:
        """Let somebody doubt a lot, or doubt it no more."""
        self.both(lambda s: s.journal.set_doubt(lot_id, doubt))

    @rule(
        lot_id=lot_ids,
        passage_id=st.sampled_from("abcde"),
        kind=st.sampled_from(PassageKind),
        off=seconds,
        plate=plates,
        moves_count=st.booleans(),
    )
    def passage(
        self,
        lot_id: LotId,
        passage_id: str,
        kind: PassageKind,
        off: timedelta,
        plate: bytes | None,
        *,
        moves_count: bool,
    ) -> None:
        """Let a car pass a barrier."""
        passage = Passage(lot_id, passage_id, kind, self.world.now + off, SOURCE, () if plate is None else (plate,))
        self.both(lambda s: s.journal.record_passage(passage, moves_count=moves_count))

    @rule(
        agreement_id=st.sampled_from(list(AGREEMENTS)),
        lent=st.lists(windows, min_size=1, max_size=3),
        margin=st.sampled_from([0, 0, 1]),
        paused=rarely,
        moved=rarely,
    )
    def lend(
        self, agreement_id: AgreementId, lent: Sequence[LendingWindow], margin: int, *, paused: bool, moved: bool
    ) -> None:
        """Let the parties agree on something else, maybe on the other lot."""
        lot_id, hospital_id = AGREEMENTS[agreement_id]
        if moved:
            lot_id = OFFICE if lot_id == MALL else MALL
        terms: dict[str, Any] = {"margin": margin, "paused": paused, "max_stay": MAX_STAY}
        agreement = lending(agreement_id, lot_id, hospital_id, 0, windows=tuple(lent), **terms)
        self.both(lambda s: s.register.put_agreements([agreement]))

    @rule(lot_id=lot_ids, capacity=st.sampled_from([4, 3, 2, 1]), paused=rarely)
    def rebuild(self, lot_id: LotId, capacity: int, *, paused: bool) -> None:
        """Let a lot become larger or smaller, or pause."""
        self.both(lambda s: s.register.put_lots([a_lot(lot_id, capacity, paused=paused)]))

    @rule(which=which, off=seconds, sweeps=st.sampled_from([True, True, False]))
    def pass_time(self, which: int, off: timedelta, *, sweeps: bool) -> None:
        """Go to a second before, at or after one of the next edges; the housekeeping may run then."""
        edges = sorted(edge + off for edge in self.edges() if edge + off > self.world.now)
        near = edges[which % min(8, len(edges))] if edges else self.world.now + timedelta(seconds=1)
        self.both(lambda s: s.step_to(near))
        self.both(lambda s: s.book.now())
        if sweeps:
            self.both(lambda s: s.book.sweep())

    def edges(self) -> set[datetime]:
        """Give every instant at which something ends or begins."""
        local = self.world.now.astimezone(self.world.lots[MALL].zone)
        edges = {datetime.combine(local.date(), edge, local.tzinfo) for edge in WINDOW_EDGES}
        edges |= {report.observed_at + believed_for(report.usual_gap) for report in self.world.reports.values()}
        for kept in self.world.every_hold():
            edges.add(kept.hold.expires_at)
            if kept.hold.arrived_at is not None:
                edges |= {kept.hold.arrived_at + after for after in (timedelta(), SETTLE_LIMIT, MAX_STAY)}
        return edges | {self.world.now + timedelta(seconds=2)}

    @invariant()
    def the_promises_are_the_same_and_none_is_broken(self) -> None:
        """Compare what a follower knows with what the twin counts, and ask the ledger itself."""
        Histories.real_calls += 2
        Histories.twin_calls += 1
        changes = self.real.runner.run(self.real.stores.book.promised(self.cursor))
        self.copy.update(changes.promises)
        self.cursor = changes.cursor
        assert _bare(self.copy) == _bare({lot_id: self.world.promise(lot_id) for lot_id in self.world.lots})
        assert self.real.runner.run(self.real.stores.book.broken_promises()) == []
        assert self.real.runner.run(self.twin.book.broken_promises()) == []
        self.both(lambda s: s.journal.reports())


async def _tried(act: Callable[[Stores], Awaitable[Any]], stores: Stores) -> Any:
    try:
        return await act(stores)
    except StillInUse:
        return StillInUse


def _bare(promises: dict[LotId, LotPromise]) -> dict[LotId, LotPromise]:
    """Leave out versions, which every store counts in its own way, and pools of which nothing is promised."""
    return {
        lot_id: replace(
            promise, version=0, pools={key: pool for key, pool in promise.pools.items() if pool != PoolPromise()}
        )
        for lot_id, promise in promises.items()
    }
