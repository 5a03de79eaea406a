"""From an operator's pause, answered, to routing: how many are still sent there, and how soon the lot counts as paused.

python -m loadtests pause    it takes half a minute

Drivers ask all the time while a lot is paused and shared again, many times over. The ledger decides, so whoever asks
after the answer should never be sent there; the copy that ranks is told by the follower, and is timed.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

from loadtests.account import Row
from loadtests.city import free_port
from loadtests.driving import in_ms
from loadtests.hospital import DRIVER_KEY, LENDING, running_hospital
from loadtests.sending import quantile
from services.local.data_folder import throwaway_data_folder
from services.local.processes import Processes, ServiceSpec
from services.routing.drivers import DriverTokens

PAUSES = 40
_EVERY_S = 0.01
_WITHIN_S = 5.0
_MARK_S = 1.0
_ADMIN = {"Authorization": "Bearer an-admin-token-of-a-bench-and-of-nothing-else"}


@dataclass
class _Driving:
    """Drivers who ask one after another without end; what each was told, by when it asked and was answered."""

    client: httpx2.AsyncClient
    told: list[tuple[float, float, dict[str, Any]]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def ask(self) -> dict[str, Any]:
        """Let a new driver ask, and give the space up."""
        headers = {"Authorization": f"Bearer {DriverTokens(DRIVER_KEY).make()}"}
        path = f"/v1/diversions/pause-{next(self.numbers):06d}"
        asked_s = time.perf_counter()
        answer = await self.client.put(path, json={"hospital_id": "hospital", "height_cm": 165}, headers=headers)
        answered_s = time.perf_counter()
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        self.told.append((asked_s, answered_s, said))
        (await self.client.delete(path, headers=headers)).raise_for_status()
        return said

    async def go_on(self, stopped: asyncio.Event) -> None:
        """Ask until it is stopped."""
        while not stopped.is_set():
            await self.ask()
            await asyncio.sleep(_EVERY_S)


def _paused(said: dict[str, Any], lot: str) -> bool:
    """Say whether an answer knows that the lot is paused."""
    return any(one["lot_id"] == lot and one.get("excluded") == "operator_paused" for one in said["considered"])


async def _until(driving: _Driving, lot: str, *, paused: bool, since_s: float) -> float:
    """Give how long after an instant the first answer came that was asked later and has the lot as it is now."""
    seen = len(driving.told)
    async with asyncio.timeout(_WITHIN_S):
        while True:
            for asked_s, answered_s, said in driving.told[seen:]:
                seen += 1
                if asked_s >= since_s and _paused(said, lot) is paused:
                    return answered_s - since_s
            await asyncio.sleep(_EVERY_S / 10)


async def _pauses(registry: httpx2.AsyncClient, driving: _Driving) -> tuple[list[float], int, int]:
    """Pause and share again; give how long each took to be known, and how many of who asked after it went there."""
    took_s: list[float] = []
    sent_there = asked_after = 0
    for _ in range(PAUSES):
        lot = str((await driving.ask())["lot"]["lot_id"])
        (await registry.post(f"/v1/lots/{lot}/pause")).raise_for_status()
        paused_s = time.perf_counter()
        took_s.append(await _until(driving, lot, paused=True, since_s=paused_s))
        after = [said for asked_s, _, said in driving.told if asked_s >= paused_s]
        asked_after += len(after)
        sent_there += sum(said.get("lot", {}).get("lot_id") == lot for said in after)
        (await registry.post(f"/v1/lots/{lot}/resume")).raise_for_status()
        await _until(driving, lot, paused=False, since_s=time.perf_counter())
    return sorted(took_s), sent_there, asked_after


async def measure() -> list[Row]:
    """Give the rows of pauses."""
    async with running_hospital(LENDING) as city:
        environment = {"BOWEI_DATABASE_URL": city.database_url, "BOWEI_ADMIN_TOKEN": _ADMIN["Authorization"][7:]}
        spec = ServiceSpec("registry", "services.registry", free_port(), environment)
        with throwaway_data_folder() as data:
            async with (
                Processes([spec], data),
                httpx2.AsyncClient(base_url=f"http://127.0.0.1:{spec.port}", headers=_ADMIN, timeout=10) as registry,
                httpx2.AsyncClient(base_url=f"http://127.0.0.1:{city.port}", timeout=10) as client,
            ):
                driving, stopped = _Driving(client), asyncio.Event()
                async with asyncio.TaskGroup() as group:
                    for _ in range(2):
                        group.create_task(driving.go_on(stopped))
                    took_s, sent_there, asked_after = await _pauses(registry, driving)
                    stopped.set()
    p99 = quantile(took_s, 0.99)
    load = f"{PAUSES} pauses, load {os.getloadavg()[0]:.1f}"
    return [
        Row("a pause, until routing's answers say it, p99", "1 s", p99 / _MARK_S, 1, (took_s[0], took_s[-1]),
            lower_is_better=True, note=f"{in_ms(took_s)}; {load}"),
        Row("drivers sent to a lot who asked after its pause", f"{asked_after} who asked", sent_there / asked_after, 0,
            (sent_there, sent_there), lower_is_better=True, note=f"{sent_there} of {asked_after}"),
    ]  # fmt: skip
