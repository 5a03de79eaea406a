"""Lots say what they count, as real clients of ingest: in Bowei's own words, or in those of Hangzhou's City Brain.

Each source sends one message after the other, as one box in one barrier's cabin does. What could not be delivered is
counted anew before it is sent again: an old count under a new time would be a lie.
"""

import asyncio
import json
import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import httpx2
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from bowei.domain.observations import PassageKind
from bowei.observability.instants import rfc3339
from services.ingest.citybrain.envelope import seal
from services.ingest.citybrain.fields import CHINA_TIME
from services.local.demo.pace import Pace
from services.local.demo.world import CarPark, HospitalGate, Passed

REPORT_EVERY = timedelta(seconds=30)
_PASSAGES_EVERY = timedelta(seconds=10)
_HEARTBEAT_EVERY = timedelta(minutes=2)
_FASTEST_S = 0.2
"""Real seconds between two rounds of a source, however fast the demo runs."""

_TIMEOUT_S = 4.0
_TRIES = 3
_PAUSE_S = 0.25
_OUTBOX_MOST = 5_000
_BATCH_MOST = 200


class Feed(Protocol):
    """A source that reports for ever."""

    async def run(self) -> None:
        """Report until cancelled; failures are counted and outlived."""
        ...


@dataclass(slots=True)
class Delivery:
    """How reporting went: messages delivered, and attempts that failed, by what came back."""

    delivered: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def failed(self, failure: str, *, known: bool) -> None:
        """Count a failure; not of a source that ingest can't know yet, because it was registered a moment ago."""
        if known:
            self.failures[failure] += 1


@dataclass(frozen=True, slots=True)
class _Counted:
    """What a lot counted at one instant."""

    at: datetime
    capacity: int
    free: int


def _count(park: CarPark) -> _Counted:
    return _Counted(park.now(), park.lot.capacity, park.free)


class NativeFeed:
    """Reports the counts of its lots in one batch; of the lots in `with_passages` also each car in and out."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        key: str,
        parks: Mapping[str, CarPark],
        pace: Pace,
        delivery: Delivery,
        *,
        gates: Sequence[HospitalGate] = (),
        with_passages: Sequence[str] = (),
        rng: random.Random,
    ) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}
        self._parks = dict(parks)
        self._pace = pace
        self._delivery = delivery
        self._gates = {gate.hospital.lot_id: gate for gate in gates}
        self._rng = rng
        self._seq = 0
        self._known = False
        self._passages: deque[dict[str, Any]] = deque(maxlen=_OUTBOX_MOST)
        for code in with_passages:
            park = self._parks[code]
            park.watch(lambda passed, code=code: self._passages.append(_passage(code, passed)))  # type: ignore[misc]

    async def run(self) -> None:
        """Report until cancelled."""
        rounds = max(1, round(REPORT_EVERY / _PASSAGES_EVERY))
        while True:
            await self._report_counts()
            for _ in range(rounds):
                await asyncio.sleep(
                    max(_FASTEST_S / rounds, self._pace.real_s(_PASSAGES_EVERY * self._rng.uniform(0.85, 1.15)))
                )
                await self._report_passages()

    async def _report_counts(self) -> None:
        self._seq += 1
        counted = {code: _count(park) for code, park in self._parks.items()}
        items = [self._observation(code, one) for code, one in counted.items()]
        answer = await self._post("/v1/observations", items)
        if answer is None:
            return
        acknowledged_at = self._pace.now()
        for (code, one), result in zip(counted.items(), answer, strict=True):
            if result.get("result") in {"applied", "duplicate"}:
                self._parks[code].barrier.report_acknowledged(one.at, acknowledged_at)
            else:
                self._delivery.failed(str(result.get("code") or result.get("result")), known=True)

    def _observation(self, code: str, counted: _Counted) -> dict[str, Any]:
        item: dict[str, Any] = {
            "lot_id": code,
            "observed_at": rfc3339(counted.at),
            "seq": self._seq,
            "capacity": counted.capacity,
            "open": counted.capacity,
            "free": counted.free,
            "method": "barrier_count",
        }
        if self._parks[code].closed:
            item["state"] = "closed"
        gate = self._gates.get(self._parks[code].lot.lot_id)
        if gate is not None:
            item["queue_vehicles"] = gate.queue
        return item

    async def _report_passages(self) -> None:
        batch = [self._passages.popleft() for _ in range(min(len(self._passages), _BATCH_MOST))]
        if batch and await self._post("/v1/passages", batch) is None:
            self._passages.extendleft(reversed(batch))

    async def _post(self, path: str, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
        """Send once; a failure is the next round's business, which counts anew."""
        try:
            response = await self._client.post(path, json={"items": items}, headers=self._headers, timeout=_TIMEOUT_S)
            failure = "" if response.status_code == 200 else f"status {response.status_code}"
        except httpx2.HTTPError as error:
            response, failure = None, type(error).__name__
        if response is None or failure:
            self._delivery.failed(failure, known=self._known)
            await asyncio.sleep(_PAUSE_S)
            return None
        self._known = True
        self._delivery.delivered += 1
        results: list[dict[str, Any]] = response.json()["results"]
        return results


class CityBrainFeed:
    """One lot on the city's own protocol, version 2: its state on a timer, and every car in and out."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        access_id: str,
        key: RSAPrivateKey,
        code: str,
        park: CarPark,
        pace: Pace,
        delivery: Delivery,
    ) -> None:
        self._client = client
        self._access_id = access_id
        self._key = key
        self._code = code
        self._park = park
        self._pace = pace
        self._delivery = delivery
        self._known = False
        self._passed: deque[Passed] = deque(maxlen=_OUTBOX_MOST)
        self._something_passed = asyncio.Event()
        park.watch(self._note)

    async def run(self) -> None:
        """Report until cancelled."""
        state_at = heartbeat_at = self._pace.now()
        while True:
            now = self._pace.now()
            if now >= heartbeat_at:
                await self._send("/api/v2/tcjg/uploadHeartbeat", {})
                heartbeat_at = now + _HEARTBEAT_EVERY
            if now >= state_at:
                await self._send("/api/v2/cp/uploadParkingState", {}, with_counts=True)
                state_at = now + max(REPORT_EVERY, self._pace.shown(_FASTEST_S))
            while self._passed:
                await self._report(self._passed[0])
            await self._wait(min(state_at, heartbeat_at))

    def _note(self, passed: Passed) -> None:
        self._passed.append(passed)
        self._something_passed.set()

    async def _wait(self, until: datetime) -> None:
        self._something_passed.clear()
        try:
            async with asyncio.timeout(self._pace.real_s(until - self._pace.now())):
                await self._something_passed.wait()
        except TimeoutError:
            return

    async def _report(self, passed: Passed) -> None:
        method = "uploadCarInData" if passed.kind is PassageKind.ENTER else "uploadCarOutData"
        for _ in range(_TRIES):
            if await self._send(f"/api/v2/cp/{method}", _car_fields(passed), with_counts=True):
                break
        self._passed.popleft()

    async def _send(self, path: str, said: Mapping[str, Any], *, with_counts: bool = False) -> bool:
        counted = _count(self._park)
        data = {"parkingCode": self._code, **said, "uploadTime": _china_time(counted.at)}
        if with_counts:
            data |= {
                "totalBerthNum": counted.capacity,
                "openBerthNum": counted.capacity,
                "freeBerthNum": counted.free,
            }
        sealed = seal(data, access_id=self._access_id, client_key=self._key)
        try:
            response = await self._client.post(
                path,
                content=sealed.to_form(),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                timeout=_TIMEOUT_S,
            )
            result = json.loads(response.content).get("resultCode")
            failure = "" if response.status_code == 200 and result == 200 else f"resultCode {result}"
        except (httpx2.HTTPError, ValueError) as error:
            failure = type(error).__name__
        if failure:
            self._delivery.failed(failure, known=self._known)
            await asyncio.sleep(_PAUSE_S)
            return False
        self._known = True
        self._delivery.delivered += 1
        if with_counts:
            self._park.barrier.report_acknowledged(counted.at, self._pace.now())
        return True


def _car_fields(passed: Passed) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "uid": passed.car.stay_id,
        "plateNo": passed.car.plate,
        "plateColor": 1,
        "carType": 1,
        "entryNum": "1",
        "parkingType": 3 if passed.car.held else 1,
        "arriveTime": _china_time(passed.entered_at),
    }
    if passed.kind is PassageKind.ENTER:
        return fields | {"arriveID": f"{passed.car.stay_id}-in"}
    return fields | {
        "endID": f"{passed.car.stay_id}-out",
        "outNum": "1",
        "endTime": _china_time(passed.at),
        "chargeFee": 0,
        "shouldPay": 0,
    }


def _passage(code: str, passed: Passed) -> dict[str, Any]:
    return {
        "lot_id": code,
        "passage_id": f"{passed.car.stay_id}-{passed.kind}",
        "kind": str(passed.kind),
        "passed_at": rfc3339(passed.at),
        "shared": passed.car.held,
    }


def _china_time(at: datetime) -> str:
    """Write a time as the protocol wants it: to the second below, in China's zone, which is not said."""
    return at.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M:%S")
