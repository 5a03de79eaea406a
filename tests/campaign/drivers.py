"""People on their way to a hospital: they ask, ask again, double-tap, give up, come, go, and some steal."""

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.routing.drivers import DriverTokens
from tests.campaign.block import GATE, HOSPITALS
from tests.campaign.calling import Caller, Request
from tests.campaign.history import CHANGED, THIEF, Attempt, Visit
from tests.campaign.lots import CarParks
from tests.campaign.machines import ROUTING

_ENTERS_BEFORE_S = 0.3
"""Nobody drives in so shortly before the hold ends, in real seconds."""


@dataclass(slots=True)
class Trip:
    """One diversion, from its driver's side."""

    diversion_id: str
    hospital_id: str
    plate: str | None
    refused: set[int] = field(default_factory=set)


class Driver:
    """One person, one car, trip after trip."""

    def __init__(self, name: str, caller: Caller, parks: CarParks, tokens: DriverTokens, rng: random.Random) -> None:
        self._name = name
        self._caller = caller
        self._history = caller.history
        self._parks = parks
        self._tokens = tokens
        self._rng = rng
        self._token = tokens.make()
        self._driver = str(tokens.open(f"Bearer {self._token}"))
        self._trips = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Live until told to stop."""
        await asyncio.sleep(self._rng.uniform(0, 1))
        while not stop.is_set():
            trip = self._new_trip()
            hold = await self._set_out(trip)
            if hold is None:
                await asyncio.sleep(self._rng.uniform(0.1, 0.6))
                continue
            if self._rng.random() < 0.25:
                await self._meddle(trip)
            await self._carry_on(trip, hold)
            await asyncio.sleep(self._rng.uniform(0, 0.3))

    def _new_trip(self) -> Trip:
        self._trips += 1
        plate = f"浙A{self._rng.randrange(10**5):05d}" if self._rng.random() < 0.5 else None
        return Trip(f"{self._name}-trip-{self._trips}", self._rng.choice(HOSPITALS), plate)

    # --- asking

    async def _set_out(self, trip: Trip) -> Mapping[str, Any] | None:
        """Ask in one of the ways that people ask; give the hold that there is then."""
        how = self._rng.choices(["plainly", "impatiently", "twice", "two_ids", "and_give_up"], [5, 2, 2, 1, 1])[0]
        if how == "impatiently":
            answer = await self._insist(self._put(trip), first_timeout_s=self._rng.uniform(0.005, 0.2))
        elif how == "twice":
            answers = await asyncio.gather(self._insist(self._put(trip)), self._insist(self._put(trip)))
            answer = next((one for one in answers if one is not None and one.hold), None)
        elif how == "two_ids":
            answer = await self._ask_for_two(trip)
        elif how == "and_give_up":
            asking = asyncio.create_task(self._insist(self._put(trip)))
            await asyncio.sleep(self._rng.uniform(0, 0.03))
            await self._insist(self._on(trip, "give_up", "DELETE"))
            await asking
            answer = await self._insist(self._put(trip)) if self._rng.random() < 0.5 else None
        else:
            answer = await self._insist(self._put(trip))
        await self._give_up_what_is_in_the_way(answer)
        return _live_hold(answer)

    async def _ask_for_two(self, trip: Trip) -> Attempt | None:
        """Be greedy: ask under two ids at the same time."""
        other = Trip(f"{trip.diversion_id}-b", trip.hospital_id, None)
        one, _ = await asyncio.gather(self._insist(self._put(trip)), self._insist(self._put(other)))
        await self._insist(self._on(other, "give_up", "DELETE"))
        return one if _live_hold(one) else None

    async def _give_up_what_is_in_the_way(self, answer: Attempt | None) -> None:
        if answer is None or answer.code != "driver_has_hold":
            return
        older = Trip(str(answer.body.get("diversion_id", "")), "", None)
        if older.diversion_id:
            await self._insist(self._on(older, "give_up", "DELETE"))

    # --- what becomes of the hold

    async def _carry_on(self, trip: Trip, hold: Mapping[str, Any]) -> None:
        does = self._rng.choices(["come", "give_up", "refused", "forget", "look", "vanish"], [9, 3, 2, 2, 2, 1])[0]
        if does == "look":
            await self._insist(self._on(trip, "look", "GET"))
            answer = await self._insist(self._put(trip))
            hold = _live_hold(answer) or {}
            does = "come" if hold else "vanish"
        if does == "refused":
            hold = await self._be_refused(trip, hold) or {}
            does = "come" if hold else "vanish"
        if does == "come":
            await self._come_and_go(trip, hold)
        elif does == "give_up":
            await self._insist(self._on(trip, "give_up", "DELETE"))
        elif does == "forget":
            await asyncio.sleep(max(0.0, self._left_s(hold)) + self._rng.choice([0.0, 0.0, 0.05, 0.5]))
            await self._insist(self._on(trip, "look", "GET"))
            await self._insist(self._put(trip))

    async def _be_refused(self, trip: Trip, hold: Mapping[str, Any]) -> Mapping[str, Any] | None:
        request = self._on(trip, "refused", "POST", "/refused", {"ordinal": hold["ordinal"]})
        self._history.refusals_said[trip.diversion_id] = self._history.refusals_said.get(trip.diversion_id, 0) + 1
        return _live_hold(await self._insist(request))

    async def _come_and_go(self, trip: Trip, hold: Mapping[str, Any]) -> None:
        """Drive there, drive in, say so, park, drive out, and mostly say that too."""
        await asyncio.sleep(max(0.0, self._left_s(hold)) * self._rng.uniform(0, 0.7))
        if self._rng.random() < 0.3:
            answer = await self._insist(self._on(trip, "extend", "PATCH", "", {"extend_s": 120}))
            hold = (answer.hold if answer else None) or hold
        if self._left_s(hold) < _ENTERS_BEFORE_S:
            return
        lot_id = str(hold["lot_id"])
        entered_s = self._parks.enter(lot_id, trip.diversion_id, trip.plate)
        by_which = {"ordinal": hold["ordinal"]}
        answer = await self._insist(self._on(trip, "arrive", "POST", "/arrive", by_which))
        shown = answer.hold if answer else None
        let_in = shown is not None and shown["state"] in {"arrived", "settled"} and shown["lot_id"] == lot_id
        if let_in:
            await asyncio.sleep(self._rng.uniform(0.2, 4.0))
        left_s = self._parks.leave(lot_id, trip.diversion_id, trip.plate)
        if let_in:
            self._history.visits.append(Visit(lot_id, trip.diversion_id, entered_s, left_s))
        if answer is not None and answer.status == 200 and self._rng.random() < 0.7:
            await self._insist(self._on(trip, "leave", "POST", "/leave"))

    def _left_s(self, hold: Mapping[str, Any]) -> float:
        """Say how long the hold still lasts, in real seconds."""
        return self._history.real_s(datetime.fromisoformat(hold["expires_at"])) - time.time()

    # --- wrongdoing

    async def _meddle(self, trip: Trip) -> None:
        """Let somebody else try the id; or ask for something else under it."""
        if self._rng.random() < 0.4:
            request = self._put(trip)
            changed = {**(request.json or {}), "height_cm": 199}
            await self._insist(
                Request("put", "PUT", request.path, request.key, self._driver, self._token, changed, CHANGED)
            )
            return
        token = self._tokens.make()
        thief = str(self._tokens.open(f"Bearer {token}"))
        path = f"/v1/diversions/{trip.diversion_id}"
        ways = [
            ("look", "GET", path, None),
            ("give_up", "DELETE", path, None),
            ("arrive", "POST", f"{path}/arrive", None),
            ("extend", "PATCH", path, {"extend_s": 60}),
            ("refused", "POST", f"{path}/refused", {"ordinal": 1}),
            ("put", "PUT", path, self._put(trip).json),
        ]
        what, method, path, body = self._rng.choice(ways)
        await self._insist(Request(what, method, path, trip.diversion_id, thief, token, body, THIEF))

    # --- requests

    def _put(self, trip: Trip) -> Request:
        body: dict[str, Any] = {"hospital_id": trip.hospital_id}
        if self._rng.random() < 0.7:
            lat, lon = GATE
            body["position"] = {
                "lat": lat + self._rng.uniform(-0.004, 0.004),
                "lon": lon + self._rng.uniform(-0.004, 0.004),
                "datum": "wgs84",
            }
        if trip.plate:
            body["plate"] = trip.plate
        path = f"/v1/diversions/{trip.diversion_id}"
        return Request("put", "PUT", path, trip.diversion_id, self._driver, self._token, body)

    def _on(
        self, trip: Trip, what: str, method: str, action: str = "", body: Mapping[str, Any] | None = None
    ) -> Request:
        path = f"/v1/diversions/{trip.diversion_id}{action}"
        return Request(what, method, path, trip.diversion_id, self._driver, self._token, body)

    async def _insist(self, request: Request, *, first_timeout_s: float = 5.0) -> Attempt | None:
        return await self._caller.insist(request, ROUTING, self._rng, first_timeout_s=first_timeout_s)


def _live_hold(answer: Attempt | None) -> Mapping[str, Any] | None:
    hold = answer.hold if answer is not None else None
    return hold if hold is not None and hold["state"] == "held" else None
