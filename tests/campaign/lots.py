"""Car parks with cars in them: what they report is true, if late, repeated and out of order."""

import asyncio
import random
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.campaign.block import LOTS, QUIET, LotPlan
from tests.campaign.calling import Caller, Request
from tests.campaign.history import History, Reported
from tests.campaign.machines import INGEST

_AT_ONCE = 4
_CLOSES = 0.03
"""Of all reports of a lot that is open."""
_RESULTS_KEPT = {"applied", "stale", "duplicate"}


class CarParks:
    """The cars in every lot. Nobody takes a space but by a hold; `own_cars` never leave."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._cars: dict[str, set[str]] = {plan.lot_id: set() for plan in (*LOTS, QUIET)}
        self.passages: dict[str, asyncio.Queue[dict[str, Any]]] = {
            plan.lot_id: asyncio.Queue() for plan in LOTS if plan.passages
        }

    def enter(self, lot_id: str, car: str, plate: str | None) -> float:
        """Let a car in; give when."""
        self._cars[lot_id].add(car)
        return self._passed(lot_id, car, "enter", plate)

    def leave(self, lot_id: str, car: str, plate: str | None) -> float:
        """Let a car out; give when."""
        self._cars[lot_id].discard(car)
        return self._passed(lot_id, car, "exit", plate)

    def free(self, plan: LotPlan) -> int:
        """Count the empty spaces now."""
        return max(0, plan.capacity - plan.own_cars - len(self._cars[plan.lot_id]))

    def _passed(self, lot_id: str, car: str, kind: str, plate: str | None) -> float:
        at_s = time.time()
        if lot_id in self.passages:
            passage = {"lot_id": lot_id, "passage_id": car, "kind": kind, "passed_at": _text(self._history.shown(at_s))}
            self.passages[lot_id].put_nowait(passage | ({"plate": plate} if plate else {}))
        return at_s


class Reporter:
    """One lot's computer."""

    def __init__(self, plan: LotPlan, parks: CarParks, caller: Caller, source_key: str, rng: random.Random) -> None:
        self._plan = plan
        self._parks = parks
        self._caller = caller
        self._history = caller.history
        self._key = source_key
        self._rng = rng
        self._seq = 0
        self._held_back: list[dict[str, Any]] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._closed_until_s = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Report until told to stop; then say everything that was not said yet, the newest last."""
        while not stop.is_set():
            if len(self._sending) < _AT_ONCE:
                self._report_somehow()
            await asyncio.sleep(self._plan.every_s * self._rng.uniform(0.5, 1.5))
        await asyncio.gather(*self._sending)
        await self._send([*self._held_back, self._observe()])

    async def run_passages(self, stop: asyncio.Event) -> None:
        """Tell of every car in its order, each until it is acknowledged."""
        queue = self._parks.passages[self._plan.lot_id]
        while not (stop.is_set() and queue.empty()):
            try:
                async with asyncio.timeout(0.2):
                    passage = await queue.get()
            except TimeoutError:
                continue
            for _ in range(self._rng.choice([1, 1, 1, 2])):
                await self._post("passages", [passage])

    async def say_once(self) -> None:
        """Report once, until it is acknowledged."""
        await self._send([self._observe()])

    def _report_somehow(self) -> None:
        now = self._observe()
        chance = self._rng.random()
        if chance < 0.12:
            self._held_back.append(now)  # sent late, after newer ones
            return
        items = [now]
        if self._held_back and chance < 0.4:
            late, self._held_back = self._held_back, []
            items = [*late, now] if chance < 0.25 else [now, *late]
        task = asyncio.create_task(self._send(items, times=2 if chance > 0.85 else 1))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _observe(self) -> dict[str, Any]:
        # One turn of the loop: the count is true at the very instant.
        self._seq += 1
        item: dict[str, Any] = {
            "lot_id": self._plan.lot_id,
            "observed_at": _text(self._history.now()),
            "free": self._parks.free(self._plan),
        }
        if self._plan.open is not None:
            item["open"] = self._plan.open
        if self._closes():
            item["state"] = "closed"
        return item | ({"seq": self._seq} if self._plan.numbered else {})

    def _closes(self) -> bool:
        """Say whether the lot is closed just now: for a few seconds, now and then, so that drivers are moved."""
        now_s = time.monotonic()
        if now_s > self._closed_until_s and self._rng.random() < _CLOSES:
            self._closed_until_s = now_s + self._rng.uniform(1.0, 4.0)
        return now_s < self._closed_until_s

    async def _send(self, items: list[dict[str, Any]], *, times: int = 1) -> None:
        for _ in range(times):
            await self._post("observations", items)

    async def _post(self, what: str, items: list[dict[str, Any]]) -> None:
        request = Request(what, "POST", f"/v1/{what}", self._plan.lot_id, token=self._key, json={"items": items})
        attempt = await self._caller.insist(request, INGEST, self._rng)
        if attempt is None:
            return
        if attempt.status != 200:
            self._history.violated("report_refused", f"{self._plan.lot_id} {attempt.status} {attempt.code}")
            return
        for item, result in zip(items, attempt.body["results"], strict=True):
            self._keep(item, result, attempt.ended_s)

    def _keep(self, item: Mapping[str, Any], result: Mapping[str, Any], ended_s: float) -> None:
        if result["result"] not in _RESULTS_KEPT:
            self._history.violated("true_report_not_believed", f"{self._plan.lot_id} {result}")
            return
        passage = f"{item['passage_id']} {item['kind']}" if "passage_id" in item else None
        at = datetime.fromisoformat(item["passed_at"] if passage else item["observed_at"])
        self._history.reported.append(
            Reported(self._plan.lot_id, at, item.get("seq", 0), passage, result["result"], ended_s)
        )


def _text(instant: datetime) -> str:
    return instant.isoformat(timespec="microseconds")
