"""One visitor of a hospital, from the first look at its gate to the way home.

drive to the gate ──free──▶ park at the hospital
    │ full (or, asked early: the gate says full)
    ▼
ask for a diversion ──none──▶ stand in the queue, or drive off when it is too long
    │ held
    ▼
drive to the lot ──a space──▶ arrive, stay, leave
    │ moved on the way: drive to the other one
    │ none: refused, and the same answer names a replacement; three times at most
    ▼
ask again from there
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bowei.domain.lots import LotId
from bowei.domain.places import Point
from services.local.demo.asking import Answer, Asking
from services.local.demo.counting import Acknowledged, Diverted, Figures
from services.local.demo.people import Temper, Visit
from services.local.demo.world import CarPark, HospitalGate, World, visitor_car

EARLY_M = 1_500.0
_EARLY_DRIVE = timedelta(minutes=5)
_QUEUE_MOST = 70
"""The longest queue that was ever reported before the hospital."""

_REQUESTS_MOST = 3
_NOISE_SIGMA = 0.12
_EXTEND = timedelta(minutes=5)
_NEARLY_OVER = timedelta(seconds=45)
_LOOK_EVERY = timedelta(seconds=30)
"""How often a driver looks on the way whether the space is still the same one."""
_LIVE = frozenset({"held", "arrived", "settled"})


@dataclass(frozen=True, slots=True)
class Way:
    """Where an answer sends a driver."""

    hold: Acknowledged | None
    lot_id: LotId
    drive: timedelta


class Driver:
    """One car and whoever drives it."""

    def __init__(
        self,
        visit: Visit,
        gate: HospitalGate,
        world: World,
        routing: Asking,
        gates: Asking,
        figures: Figures,
        rng: random.Random,
        *,
        by_plate: frozenset[LotId],
        salt: str,
    ) -> None:
        self._visit = visit
        self._gate = gate
        self._world = world
        self._pace = world.pace
        self._routing = routing
        self._gates = gates
        self._figures = figures
        self._tally = figures.tally
        self._rng = rng
        self._by_plate = by_plate
        self._salt = salt
        self._car = visitor_car(gate.hospital.hospital_id, visit.number)
        self._token: str | None = None
        self._asked = 0

    @property
    def comes_at(self) -> datetime:
        """When the car first shows up."""
        return self._visit.came_at

    async def live(self) -> None:
        """Come, park somewhere, and go home."""
        self._tally.cars += 1
        if self._visit.asks_early:
            if await self._gate_says_full() and await self._be_diverted(self._place_before_the_gate()):
                return
            await self._pace.sleep(_EARLY_DRIVE * self._noise())
        if self._gate.enter(self._car):
            await self._stay_at_hospital()
            return
        self._gate.stand()
        try:
            way = await self._ask(None)
        finally:
            self._gate.drive_off()
        if way is not None:
            await self._follow(way)
        elif self._gate.queue < _QUEUE_MOST:
            await self._gate.wait_in_line(self._car)
            await self._stay_at_hospital()
        else:
            self._tally.turned_away += 1

    async def _gate_says_full(self) -> bool:
        answer = await self._gates.request("GET", f"/v1/hospitals/{self._gate.hospital.hospital_id}/gate")
        return answer is not None and answer.body.get("state") in {"full", "diverting"}

    async def _stay_at_hospital(self) -> None:
        self._tally.parked_at_hospital += 1
        entered_at = self._pace.now()
        await self._pace.sleep(self._visit.stay)
        self._gate.park.leave(self._car, entered_at)

    async def _be_diverted(self, place: Point) -> bool:
        """Ask from a place on the way; False: nothing was found, so on to the gate."""
        way = await self._ask(place)
        if way is None:
            return False
        await self._follow(way)
        return True

    async def _ask(self, place: Point | None) -> Way | None:
        """Ask where to park; None where no lot has room or nobody answers."""
        if self._token is None and not await self._become_a_driver():
            self._tally.unanswered += 1
            return None
        self._asked += 1
        path = self._diversion_path
        body = self._request_body(place)
        answer = await self._routing.request("PUT", path, token=self._token, body=body)
        if answer is None:
            self._tally.unanswered += 1
            # Whatever the last attempt did: nobody will come, so nothing may stay held for this id.
            await self._routing.request("DELETE", path, token=self._token)
            return None
        way = self._read(answer)
        if way is None:
            self._tally.no_lot += 1
        else:
            self._count_diverted(way, answer)
        if self._visit.asks_twice and way is not None and way.hold is not None:
            await self._ask_the_same_again(path, body)
        return way

    async def _become_a_driver(self) -> bool:
        answer = await self._routing.request("POST", "/v1/drivers", body={})
        if answer is None or answer.status != 201:
            return False
        self._token = str(answer.body["driver_token"])
        return True

    async def _ask_the_same_again(self, path: str, body: Mapping[str, Any]) -> None:
        self._tally.repeats += 1
        answer = await self._routing.request("PUT", path, token=self._token, body=body)
        if answer is not None:
            self._read(answer)

    def _request_body(self, place: Point | None) -> dict[str, Any]:
        body: dict[str, Any] = {"hospital_id": self._gate.hospital.hospital_id, "plate": self._car.plate}
        if place is not None:
            body["position"] = {"lat": round(place.lat, 6), "lon": round(place.lon, 6), "datum": "wgs84"}
        return body

    @property
    def _diversion_path(self) -> str:
        return f"/v1/diversions/{self._diversion_id}"

    @property
    def _diversion_id(self) -> str:
        return f"demo-{self._salt}-{self._car.stay_id}-{self._asked}"

    def _read(self, answer: Answer) -> Way | None:
        """Read an answer that may send the driver somewhere, and hold it against what was said before."""
        said = answer.body
        if answer.status not in {200, 201} or "lot" not in said:
            return None
        hold = None
        if "hold" in said:
            if said["hold"]["state"] not in _LIVE:
                return None
            hold = _acknowledged(self._diversion_id, said["hold"])
            self._figures.watch.acknowledged(hold)
        drive_s = said.get("route", {}).get("drive_s") or 300
        return Way(hold, LotId(said["lot"]["lot_id"]), timedelta(seconds=drive_s))

    def _count_diverted(self, way: Way, answer: Answer) -> None:
        self._tally.diverted += 1
        if way.hold is None:
            self._tally.guided += 1
        else:
            self._tally.held += 1
        self._figures.recent.appendleft(
            Diverted(
                at=self._pace.now(),
                hospital_id=self._gate.hospital.hospital_id,
                car=self._car.stay_id,
                lot_id=way.lot_id,
                why=why_there(way.lot_id, answer.body.get("considered", [])),
            )
        )

    async def _follow(self, way: Way) -> None:
        """Drive there, and on to each replacement; after three lots without a space the driver goes home."""
        for _ in range(_REQUESTS_MOST):
            if way.hold is not None and await self._changes_mind(way.hold):
                return
            way = await self._drive(way)
            park = self._world.parks[way.lot_id]
            entered_at = self._pace.now()
            if self._enter(park, way.hold, entered_at):
                await self._stay(park, way.hold, entered_at)
                return
            next_way = await self._go_on(park, way.hold)
            if next_way is None:
                break
            way = next_way
        self._tally.turned_away += 1

    async def _changes_mind(self, hold: Acknowledged) -> bool:
        if self._visit.temper is Temper.GIVES_UP:
            await self._pace.sleep((hold.expires_at - hold.placed_at) * 0.2)
            self._figures.watch.ended(hold)
            self._tally.gave_up += 1
            await self._routing.request("DELETE", self._diversion_path, token=self._token)
            return True
        if self._visit.temper is Temper.NEVER_COMES:
            self._tally.no_shows += 1
            await self._pace.until(hold.expires_at)
            self._figures.watch.ended(hold)
            return True
        return False

    async def _drive(self, way: Way) -> Way:
        """Drive to the lot, to another one if the space is moved, and keep it longer if the drive takes longer."""
        arrives_at = self._pace.now() + way.drive * self._noise()
        while way.hold is not None and self._looks_before(min(arrives_at, way.hold.expires_at - 2 * _NEARLY_OVER)):
            await self._pace.sleep(_LOOK_EVERY)
            moved = await self._moved(way.hold)
            if moved is not None and moved.hold is not None:
                self._tally.moved += 1
                way, arrives_at = moved, self._pace.now() + moved.drive * self._noise()
        if way.hold is not None and arrives_at > way.hold.expires_at - _NEARLY_OVER:
            await self._pace.until(way.hold.expires_at - 2 * _NEARLY_OVER)
            way = replace(way, hold=await self._extend(way.hold))
        await self._pace.until(arrives_at)
        return way

    def _looks_before(self, at: datetime) -> bool:
        return self._pace.now() + _LOOK_EVERY < at

    async def _moved(self, hold: Acknowledged) -> Way | None:
        """Look where the diversion leads now; None: there still, or nowhere."""
        answer = await self._routing.request("GET", self._diversion_path, token=self._token)
        said = {} if answer is None else answer.body.get("hold", {})
        if answer is None or int(said.get("ordinal", 0)) <= hold.ordinal:
            return None
        return self._read(answer)

    async def _extend(self, hold: Acknowledged) -> Acknowledged:
        body = {"extend_s": round(_EXTEND.total_seconds())}
        answer = await self._routing.request("PATCH", self._diversion_path, token=self._token, body=body)
        if answer is None:
            return hold
        if answer.status != 200 or "hold" not in answer.body:
            self._figures.watch.denied(hold, self._pace.now(), answer.code)
            return hold
        longer = _acknowledged(self._diversion_id, answer.body["hold"])
        self._figures.watch.extended(longer)
        return longer

    def _enter(self, park: CarPark, hold: Acknowledged | None, at: datetime) -> bool:
        """Enter: on a hold wherever a space is free, else as any other car."""
        if hold is None:
            return park.enter_as_walk_in(self._car)
        if at >= hold.expires_at:
            self._tally.late += 1
            self._figures.watch.ended(hold)
            return park.enter_as_walk_in(self._car)
        if park.enter(self._car):
            self._tally.arrived += 1
            self._figures.watch.ended(hold)
            return True
        if park.barrier.linked:
            self._tally.refused_on_arrival += 1
        else:
            self._tally.refused_unfenced += 1
        return False

    async def _stay(self, park: CarPark, hold: Acknowledged | None, entered_at: datetime) -> None:
        """Say that the car is there (a lot that reads plates says so itself), stay, and go home."""
        speaks = hold is not None and park.lot.lot_id not in self._by_plate
        if hold is not None:
            step, method = ("/arrive", "POST") if speaks else ("", "GET")
            body = {"ordinal": hold.ordinal} if speaks else None
            answer = await self._routing.request(method, f"{self._diversion_path}{step}", token=self._token, body=body)
            await self._check_kept(hold, answer)
        await self._pace.until(entered_at + self._visit.stay)
        park.leave(self._car, entered_at)
        if speaks:
            await self._routing.request("POST", f"{self._diversion_path}/leave", token=self._token)

    async def _check_kept(self, hold: Acknowledged, answer: Answer | None) -> None:
        """Make sure that nobody denies the hold while it should live; one that was moved just now is not denied."""
        said = {} if answer is None else answer.body.get("hold", {})
        kept = said.get("state") in _LIVE and _acknowledged(self._diversion_id, said).identity == hold.identity
        if answer is None or kept:
            return
        if await self._moved(hold) is None:
            self._figures.watch.denied(hold, self._pace.now(), str(said.get("state", answer.code)))
            return
        self._tally.moved_unheard += 1
        await self._routing.request("DELETE", self._diversion_path, token=self._token)

    async def _go_on(self, park: CarPark, hold: Acknowledged | None) -> Way | None:
        """Report a refusal and take the replacement; without a hold that lives, ask anew from here."""
        here = park.lot.entrances[0].point
        if hold is None or self._pace.now() >= hold.expires_at:
            return await self._ask(here)
        self._figures.watch.ended(hold)
        answer = await self._routing.request(
            "POST", f"{self._diversion_path}/refused", token=self._token, body={"ordinal": hold.ordinal}
        )
        way = self._read(answer) if answer is not None else None
        if way is not None:
            self._tally.replaced += 1
        return way

    def _noise(self) -> float:
        """Give by how much a drive differs from what was said: traffic is never as planned."""
        return self._rng.lognormvariate(0.0, _NOISE_SIGMA)

    def _place_before_the_gate(self) -> Point:
        gate, bearing = self._gate.hospital.gate, math.radians(self._visit.bearing_deg)
        north_m, east_m = EARLY_M * math.cos(bearing), EARLY_M * math.sin(bearing)
        metres_a_degree = 111_195.0
        return Point(
            gate.lat + north_m / metres_a_degree,
            gate.lon + east_m / (metres_a_degree * math.cos(math.radians(gate.lat))),
        )


def why_there(lot_id: str, considered: list[dict[str, Any]]) -> str:
    """Say in a few words why this lot and not another."""
    own = next((one for one in considered if one.get("lot_id") == lot_id), {})
    words = [f"{own['drive_s']} s drive, {own['walk_s']} s walk"] if "drive_s" in own and "walk_s" in own else []
    others = [one for one in considered if one.get("lot_id") != lot_id]
    costs = sorted((one["cost_s"], one["lot_id"]) for one in others if "cost_s" in one)
    if costs and "cost_s" in own:
        words.append(f"{costs[0][1]} +{costs[0][0] - own['cost_s']} s")
    excluded: dict[str, int] = {}
    for one in others:
        if "excluded" in one:
            excluded[one["excluded"]] = excluded.get(one["excluded"], 0) + 1
    words += [f"{count} {reason}" for reason, count in sorted(excluded.items())]
    return "; ".join(words)


def _acknowledged(diversion_id: str, hold: Mapping[str, Any]) -> Acknowledged:
    return Acknowledged(
        diversion_id=diversion_id,
        ordinal=int(hold["ordinal"]),
        lot_id=LotId(str(hold["lot_id"])),
        placed_at=datetime.fromisoformat(str(hold["placed_at"])),
        expires_at=datetime.fromisoformat(str(hold["expires_at"])),
    )
