"""A small block of lots and hospitals, and what its people do, in a test's words."""

import dataclasses
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow
from bowei.domain.holds import HoldState
from bowei.domain.lots import (
    DriverId,
    Entrance,
    Hospital,
    HospitalId,
    Lot,
    LotId,
    LotKind,
    Name,
    SourceId,
    SpaceClass,
)
from bowei.domain.observations import LotState, Observation, Passage, PassageKind
from bowei.domain.offering import NOTHING_PROMISED, LotPromise, PoolPromise
from bowei.domain.places import Point
from bowei.records.holding import Candidate, Decision, PlaceRequest
from bowei.records.reporting import Judged, Recorded
from tests.contract.stores import Stores

MONDAY_9H = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday, 2 March 2026, 09:00 in Hangzhou."""

HERE = Point(30.2576, 120.1621)
FIRST, SECOND = HospitalId("first"), HospitalId("second")
MALL, OFFICE, OWN = LotId("mall"), LotId("office"), LotId("own")
MALL_FIRST, MALL_SECOND, OFFICE_FIRST = (
    AgreementId("mall-first"),
    AgreementId("mall-second"),
    AgreementId("office-first"),
)
TEN_MINUTES = timedelta(minutes=10)
SOURCE = SourceId("counter")
PLATE = b"p" * 32


def a_lot(lot_id: LotId, capacity: int, **other: Any) -> Lot:
    """Give a lot in Hangzhou, unless `other` says otherwise."""
    known: dict[str, Any] = {"kind": LotKind.MALL, "timezone": "Asia/Shanghai", "barrier_link": True}
    return Lot(
        lot_id=lot_id,
        name=Name("停车场", "Lot"),
        capacity=capacity,
        location=HERE,
        entrances=(Entrance("north", Name("北口", "North"), HERE),),
        **{**known, **other},
    )


def a_hospital(hospital_id: HospitalId, lot_id: LotId = OWN) -> Hospital:
    """Give a hospital with its own lot."""
    return Hospital(hospital_id, Name("医院", "Hospital"), lot_id, HERE, HERE)


def lending(agreement_id: AgreementId, lot_id: LotId, hospital_id: HospitalId, spaces: int, **other: Any) -> Agreement:
    """Give an agreement that lends `spaces` standard spaces day and night, unless `other` says otherwise."""
    windows = other.pop("windows", (LendingWindow(SpaceClass.STANDARD, spaces),))
    return Agreement(agreement_id, lot_id, hospital_id, windows, **other)


def on(agreement_id: AgreementId, space_class: SpaceClass = SpaceClass.STANDARD, **lifetime: float) -> Candidate:
    """Give a candidate whose hold lasts ten minutes, unless `lifetime` says otherwise."""
    return Candidate(agreement_id, space_class, timedelta(**lifetime) if lifetime else TEN_MINUTES)


def a_request(
    driver: str, candidates: Iterable[Candidate] = (), *, diversion_id: str = "", body: bytes = b"same", **other: Any
) -> PlaceRequest:
    """Give a driver's request for the mall, by default under the driver's own first id."""
    return PlaceRequest(
        diversion_id=diversion_id or f"diversion-of-{driver}",
        driver_id=DriverId(driver),
        request_hash=body.ljust(32, b"."),
        hospital_id=other.pop("hospital_id", FIRST),
        candidates=tuple(candidates) or (on(MALL_FIRST),),
        answer={"why": f"asked by {driver}"},
        **other,
    )


class Block:
    """Two hospitals, a mall of 50 spaces that lends 40 to each, an office of 10 that lends 5 to the first."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.book, self.journal, self.register = stores.book, stores.journal, stores.register
        self.now = MONDAY_9H

    async def settle_in(self) -> None:
        """Register the block, and let its lots report that they are empty."""
        await self.register.put_lots([a_lot(MALL, 50), a_lot(OFFICE, 10), a_lot(OWN, 127, kind=LotKind.HOSPITAL)])
        await self.register.put_hospitals([a_hospital(FIRST), a_hospital(SECOND)])
        await self.register.put_agreements(
            [
                lending(MALL_FIRST, MALL, FIRST, 40),
                lending(MALL_SECOND, MALL, SECOND, 40),
                lending(OFFICE_FIRST, OFFICE, FIRST, 5),
            ]
        )
        await self.report(MALL, free=50)
        await self.report(OFFICE, free=10)

    async def pass_time(self, **how_long: float) -> None:
        """Move the room's clock on."""
        await self.step_to(self.now + timedelta(**how_long))

    async def step_to(self, instant: datetime) -> None:
        """Move the room's clock to an instant."""
        await self.stores.step_to(instant)
        self.now = instant

    async def lend(self, agreement_id: AgreementId, spaces: int, **other: Any) -> None:
        """Change what one of the block's agreements lends."""
        lot_id, hospital_id = agreement_id.split("-")
        await self.register.put_agreements(
            [lending(agreement_id, LotId(lot_id), HospitalId(hospital_id), spaces, **other)]
        )

    async def report(
        self, lot_id: LotId, *, at: datetime | None = None, code: str | None = None, **counts: Any
    ) -> Recorded:
        """Let a lot report; it observes at the present instant unless said otherwise."""
        observation = Observation(lot_id, at or self.now, SOURCE, **counts)
        (recorded,) = await self.journal.record([Judged(observation, code)])
        return recorded

    async def passes(
        self, kind: PassageKind, lot_id: LotId = MALL, *, moves_count: bool = False, **other: Any
    ) -> Recorded:
        """Let a car pass a lot's barrier; at the present instant, by an id of its own, unless said otherwise."""
        known: dict[str, Any] = {"passage_id": f"{kind} at {self.now.isoformat()}", "passed_at": self.now}
        passage = Passage(lot_id=lot_id, kind=kind, source_id=SOURCE, **{**known, **other})
        return await self.journal.record_passage(passage, moves_count=moves_count)

    async def ask(self, driver: str, *candidates: Candidate, **other: Any) -> Decision:
        """Let a driver ask for a space; for one of the mall's unless said otherwise."""
        return await self.book.place(a_request(driver, candidates, **other))

    async def find(self, driver: str) -> Decision:
        """Look at the driver's first diversion."""
        return await self.book.find(f"diversion-of-{driver}", DriverId(driver))

    async def state(self, driver: str) -> HoldState | None:
        """Give the state of the driver's newest hold."""
        found = await self.find(driver)
        return found.hold.state if found.hold else None

    async def arrive(self, driver: str, of_ordinal: int | None = None) -> Decision:
        """Let a driver say that the car is in the lot."""
        return await self.book.arrive(f"diversion-of-{driver}", DriverId(driver), of_ordinal)

    async def leave(self, driver: str) -> Decision:
        """Let a driver say that the car has left."""
        return await self.book.leave(f"diversion-of-{driver}", DriverId(driver))

    async def release(self, driver: str) -> Decision:
        """Let a driver give the space up."""
        return await self.book.release(f"diversion-of-{driver}", DriverId(driver))

    async def extend(self, driver: str, **longer: float) -> Decision:
        """Let a driver keep the hold longer."""
        return await self.book.extend(f"diversion-of-{driver}", DriverId(driver), timedelta(**longer))

    async def replace(
        self, driver: str, *candidates: Candidate, ordinal: int = 1, ends_as: HoldState = HoldState.REVOKED
    ) -> Decision:
        """End a driver's hold because its lot closed, and grant the next."""
        return await self.book.replace(
            f"diversion-of-{driver}",
            DriverId(driver),
            ordinal,
            ends_as=ends_as,
            reason="lot_closed",
            candidates=candidates,
            answer={"why": "the lot closed"},
        )

    async def move(self, driver: str, *candidates: Candidate, ordinal: int = 1, reason: str = "closed") -> Decision:
        """Move a driver on the way because the lot closed."""
        return await self.book.move(
            f"diversion-of-{driver}",
            DriverId(driver),
            ordinal,
            reason=reason,
            candidates=candidates,
            answer={"why": reason},
        )

    async def granted_to(self, drivers: Iterable[str], *candidates: Candidate) -> list[str]:
        """Let drivers ask one after the other, and give those who got a space."""
        return [driver for driver in drivers if (await self.ask(driver, *candidates)).outcome == "granted"]

    async def promise(self, lot_id: LotId = MALL) -> LotPromise:
        """Give what is promised on a lot; pools of which nothing is promised left out."""
        changes = await self.book.promised(None)
        promise = changes.promises.get(lot_id, NOTHING_PROMISED)
        pools = {key: pool for key, pool in promise.pools.items() if pool != PoolPromise()}
        return dataclasses.replace(promise, pools=pools)

    async def held(self, lot_id: LotId = MALL) -> int:
        """Give how many spaces of a lot are held."""
        return (await self.promise(lot_id)).held


CLOSED_STATES = [state for state in LotState if state is not LotState.OPEN]


def drivers(count: int) -> list[str]:
    """Name so many drivers."""
    return [f"driver-{number}" for number in range(count)]
